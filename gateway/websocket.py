"""GraphQL over WebSocket: the protocol graphql-transport-ws, and only that."""

import asyncio
from contextlib import aclosing, nullcontext, suppress
from itertools import count
from typing import Any

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from gateway.operations import Hooks, Operations, Timing, within
from gateway.parameters import Parameters, writable
from gateway.refusals import Malformed, Refused, masking, stamped
from gateway.streams import REVOKED, Streams, TooManyStreams
from gateway.traffic import note, operation
from schema.context import Principal
from storage.tables.columns import dump

PROTOCOL = "graphql-transport-ws"

NORMAL = 1000
TOO_BIG = 1009
INTERNAL = 1011
TRY_AGAIN = 1013
MALFORMED = 4400
UNAUTHORIZED = 4401
PROTOCOL_UNKNOWN = 4406
INIT_TIMEOUT = 4408
DUPLICATE = 4409
TOO_MANY = 4429

REFUSALS = {401: UNAUTHORIZED, 403: REVOKED, 429: TOO_MANY, 503: TRY_AGAIN}
"""Close codes of a refused connection_init."""

OPERATIONS = 100
"""Operations of any kind that may run on one socket."""

OUTGOING = 64
"""Messages that may wait for a slow client; then its operations wait, too."""


SLOW = "The client reads too slowly; subscribe again with after, the last that was seen"


class Closed(Exception):  # noqa: N818
    """The socket is to be closed with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(code, reason)


class Socket:
    """One connection; everything it does runs in one group of tasks, which ends as a whole."""

    def __init__(
        self,
        websocket: WebSocket,
        operations: Operations,
        hooks: Hooks,
        streams: Streams,
        timing: Timing,
        max_bytes: int,
    ) -> None:
        self.principal: Principal | None = None
        self._websocket = websocket
        self._operations = operations
        self._hooks = hooks
        self._streams = streams
        self._timing = timing
        self._max_bytes = max_bytes
        self._request_id = hooks.request_id(websocket)
        self._numbers = count(1)
        self._outgoing: asyncio.Queue[str] = asyncio.Queue(OUTGOING)
        self._initialised = asyncio.Event()
        self._acknowledged = False
        self._running: dict[str, asyncio.Task[None]] = {}
        self._used = asyncio.get_running_loop().time()
        self._closing: asyncio.Future[Closed] = asyncio.get_running_loop().create_future()

    def close(self, code: int, reason: str) -> None:
        """Begin to close."""
        if not self._closing.done():
            self._closing.set_result(Closed(code, reason))

    async def serve(self) -> None:
        """Speak the protocol until either side closes; afterwards nothing of it runs any more."""
        if PROTOCOL not in self._websocket.scope["subprotocols"]:
            await self._websocket.accept()
            await self._websocket.close(PROTOCOL_UNKNOWN, f"Only {PROTOCOL} is spoken here")
            return
        await self._websocket.accept(PROTOCOL)
        with self._streams.connected(self):
            closed = await self._converse()
        if closed and self._websocket.client_state is WebSocketState.CONNECTED:
            with suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
                async with asyncio.timeout(self._timing.drain):
                    await self._websocket.close(closed.code, shortened(closed.reason))

    async def _converse(self) -> Closed | None:
        """Everything at once; whoever finds a reason to end raises it, and the others are cancelled and awaited."""
        closed = None
        try:
            async with asyncio.TaskGroup() as group:
                for work in (self._read(group), self._write(), self._expect_init(), self._ping()):
                    group.create_task(work)
                raise await self._closing
        except* Closed as reasons:
            closed = first(reasons)
        except* WebSocketDisconnect:
            pass
        return closed

    async def _read(self, group: asyncio.TaskGroup) -> None:
        while True:
            text = await self._receive()
            match _decoded(text):
                case {"type": "connection_init", **frame}:
                    await self._init(frame.get("payload", {}))
                case {"type": "ping", **frame} if writable(frame):
                    await self._send({"type": "pong", **{k: frame[k] for k in frame.keys() & {"payload"}}})
                case {"type": "pong"}:
                    pass
                case {"type": "subscribe"} if not self._acknowledged:
                    raise Closed(UNAUTHORIZED, "connection_init comes first")
                case {"type": "subscribe", "id": str(id), "payload": payload} if id:
                    self._subscribe(id, payload, text, group)
                case {"type": "complete", "id": str(id)}:
                    self._cancel(id)
                case _:
                    raise Closed(MALFORMED, "This is no message of the protocol")

    async def _receive(self) -> str:
        """The next frame."""
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"], message.get("reason"))
        text: str | None = message.get("text")
        if text is None:
            raise Closed(MALFORMED, "Frames have to be text")
        if len(text) > self._max_bytes:
            raise Closed(TOO_BIG, "The message is too big")
        return text

    async def _init(self, payload: dict[str, Any]) -> None:
        if self._initialised.is_set():
            raise Closed(TOO_MANY, "Too many initialisation requests")
        self._initialised.set()
        try:
            with masking(self._request_id):
                asked = self._hooks.authenticate(self._websocket, payload)
                self.principal = await within(self._timing.query, asked, self._request_id)
                self._streams.check_connections(self.principal)
        except Refused as refused:
            raise Closed(REFUSALS.get(refused.status, INTERNAL), refused.message) from None
        self._acknowledged = True
        await self._send({"type": "connection_ack"})

    def _subscribe(self, id: str, payload: object, text: str, group: asyncio.TaskGroup) -> None:
        if id in self._running:
            raise Closed(DUPLICATE, f"Subscriber for {id} already exists")
        if len(self._running) >= OPERATIONS:
            raise Closed(TOO_MANY, f"At most {OPERATIONS} operations may run on one socket")
        self._running[id] = group.create_task(self._execute(id, payload, text))

    def _cancel(self, id: str) -> None:
        """The client has had enough; its generator is closed by the task itself."""
        if task := self._running.pop(id, None):
            self._used = asyncio.get_running_loop().time()
            task.cancel()

    async def _execute(self, id: str, payload: object, text: str) -> None:
        """One operation from its subscribe message to error or complete; the id is free before the last message."""
        request_id = f"{self._request_id}-{next(self._numbers)}"
        with operation(request_id):
            note(principal=self.principal and self.principal.id)
            try:
                with masking(request_id):
                    await self._answer(id, Parameters.read(payload, text), request_id)
            except Malformed as refused:
                raise Closed(MALFORMED, refused.message) from None
            except TooManyStreams as refused:
                note(code=refused.code)
                raise Closed(TOO_MANY, refused.message) from None
            except Refused as refused:
                note(code=refused.code)
                self._forget(id)
                await self._send({"id": id, "type": "error", "payload": stamped(refused.entries, request_id)})
            else:
                self._forget(id)
                await self._send({"id": id, "type": "complete"})

    async def _answer(self, id: str, parameters: Parameters, request_id: str) -> None:
        since = asyncio.get_running_loop().time()
        prepared = await self._operations.prepare(parameters)
        begun = await self._operations.begin(prepared, self.principal, self._websocket, request_id, since)
        with self._streams.counted(self.principal) if begun.streams else nullcontext():
            async with aclosing(self._operations.answers(begun)) as answers:
                async for answer in answers:
                    await self._send({"id": id, "type": "next", "payload": answer})

    def _forget(self, id: str) -> None:
        self._used = asyncio.get_running_loop().time()
        if self._running.get(id) is asyncio.current_task():
            del self._running[id]

    async def _send(self, message: dict[str, Any]) -> None:
        """Queue a message; waits while the client is slow."""
        await self._outgoing.put(dump(message).decode())

    async def _write(self) -> None:
        while True:
            text = await self._outgoing.get()
            try:
                async with asyncio.timeout(self._timing.drain):
                    await self._websocket.send_text(text)
            except TimeoutError:
                raise Closed(TRY_AGAIN, SLOW) from None
            except RuntimeError:  # uvicorn closed it by itself, e.g. when its own pings stayed unanswered
                raise WebSocketDisconnect from None

    async def _expect_init(self) -> None:
        try:
            async with asyncio.timeout(self._timing.init):
                await self._initialised.wait()
        except TimeoutError:
            raise Closed(INIT_TIMEOUT, "Connection initialisation timeout") from None

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(self._timing.ping)
            if not self._running and asyncio.get_running_loop().time() - self._used > self._timing.idle:
                raise Closed(NORMAL, "Nothing has been asked for a while")
            if self._acknowledged and self._outgoing.empty():
                await self._send({"type": "ping"})


def _decoded(text: str) -> dict[str, Any]:
    """A frame of the protocol, whatever its type."""
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Closed(MALFORMED, "Frames have to be JSON") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("payload", {}), dict):
        raise Closed(MALFORMED, "Frames and their payloads have to be objects")
    return frame


def first(reasons: ExceptionGroup[Closed]) -> Closed:
    """One of several reasons to close."""
    reason = reasons.exceptions[0]
    return first(reason) if isinstance(reason, ExceptionGroup) else reason


def shortened(reason: str) -> str:
    """A reason that fits into a close frame: 123 bytes."""
    return reason.encode()[:123].decode(errors="ignore")
