"""What is open: sockets and event streams, so that they can be counted per credential, and closed."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Protocol

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from gateway.negotiation import EVENTS
from gateway.operations import Answer, Revalidate, Timing
from gateway.refusals import Refused, masking, stamped
from schema.context import Principal
from storage.tables.columns import dump

GOING_AWAY = 1001
REVOKED = 4403

CONNECTIONS = 100
"""Sockets that one credential may have open, and all who have none together."""

GONE = "This credential has been revoked or has expired."

EVENT_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
KEEP_ALIVE = b":\n\n"
COMPLETE = b"event: complete\ndata:\n\n"


class TooManyStreams(Refused):
    """The credential has as much open as it may have."""

    def __init__(self, most: int, what: str = "subscriptions") -> None:
        super().__init__(
            429, "RATE_LIMITED", f"At most {most} {what} may be open at a time.", headers={"Retry-After": "5"}
        )


class Connection(Protocol):
    """Something open that belongs to a credential, or to nobody."""

    principal: Principal | None

    def close(self, code: int, reason: str) -> None:
        """Begin to close; safe to call more than once."""


class Streams:
    """The connections of this process."""

    def __init__(self, most: int, revalidate: Revalidate, seconds: float) -> None:
        """At most so many subscriptions per credential; credentials are looked at again every so many seconds."""
        self._most = most
        self._revalidate = revalidate
        self._seconds = seconds
        self._open: dict[Connection, asyncio.Task[object] | None] = {}
        self._counts: Counter[str | None] = Counter()
        self._watching: asyncio.Task[None] | None = None
        self.stopping = False

    @contextmanager
    def connected(self, connection: Connection) -> Iterator[None]:
        """Know a connection as long as it is open."""
        self._open[connection] = asyncio.current_task()
        if self.stopping:
            connection.close(GOING_AWAY, "Going away")
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            del self._open[connection]
            if not self._open:
                self._watching.cancel()
                self._watching = None

    def check_connections(self, principal: Principal | None) -> None:
        """TooManyStreams when a socket of this credential, which is known already, is one too many."""
        owner = principal.id if principal else None
        if sum((it.principal.id if it.principal else None) == owner for it in self._open) > CONNECTIONS:
            raise TooManyStreams(CONNECTIONS, "connections")

    @contextmanager
    def counted(self, principal: Principal | None) -> Iterator[None]:
        """Count a subscription as long as it is open; TooManyStreams when it would be one too many."""
        owner = principal.id if principal else None
        if self._counts[owner] >= self._most:
            raise TooManyStreams(self._most)
        self._counts[owner] += 1
        try:
            yield
        finally:
            self._counts[owner] -= 1
            if not self._counts[owner]:
                del self._counts[owner]

    def close_for(self, principal_id: str) -> int:
        """Close whatever a credential has open, since it was revoked; answers how much that is."""
        return self._revoke(lambda principal: principal.id == principal_id)

    def open(self) -> tuple[int, int]:
        """How many connections there are, and how many subscriptions on them."""
        return len(self._open), self._counts.total()

    async def shutdown(self, grace: float) -> None:
        """Close everything, and what is opened from now on; waits so many seconds for it to be gone."""
        self.stopping = True
        for connection in list(self._open):
            connection.close(GOING_AWAY, "Going away")
        if tasks := {task for task in self._open.values() if task}:
            await asyncio.wait(tasks, timeout=grace)

    async def recheck(self) -> None:
        """Close whatever belongs to credentials that no longer hold."""
        for principal in {it.principal for it in self._open if it.principal}:
            await self._check(principal)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await self.recheck()

    async def _check(self, principal: Principal) -> None:
        """Close what belongs to a credential that no longer holds; one that cannot be checked is checked next time."""
        with suppress(Refused), masking("streams"):
            if not await self._revalidate(principal):
                self._revoke(principal.__eq__)

    def _revoke(self, concerns: Callable[[Principal], bool]) -> int:
        revoked = [it for it in self._open if it.principal and concerns(it.principal)]
        for connection in revoked:
            connection.close(REVOKED, GONE)
        return len(revoked)


class EventStream(StreamingResponse):
    """The answers of one operation as server-sent events, in the distinct connections mode of graphql-sse."""

    def __init__(
        self,
        answers: AsyncGenerator[Answer, None],
        *,
        principal: Principal | None,
        streams: Streams,
        slot: ExitStack,
        request_id: str,
        timing: Timing,
    ) -> None:
        """The slot is what the stream is counted by; it is given back when the stream ends."""
        self.principal = principal
        self._streams = streams
        self._slot = slot
        self._closing: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._drain = timing.drain
        self._chunks = self._write(answers, request_id, timing.keep_alive)
        super().__init__(self._chunks, headers=EVENT_HEADERS, media_type=EVENTS)

    def close(self, code: int, reason: str) -> None:
        """End the stream: a revoked credential is told so, and a client of a stopping server comes back by itself."""
        if not self._closing.done():
            self._closing.set_result(code)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write until the answers end, the client leaves or reads too slowly, or the stream is closed."""

        async def write(message: Message) -> None:
            async with asyncio.timeout(self._drain):
                await send(message)

        with self._slot, self._streams.connected(self):
            tasks = [
                asyncio.create_task(self.stream_response(write)),
                asyncio.create_task(self.listen_for_disconnect(receive)),
            ]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await stop(*tasks)
                await self._chunks.aclose()

    async def _write(
        self, answers: AsyncGenerator[Answer, None], request_id: str, keep_alive: float
    ) -> AsyncGenerator[bytes, None]:
        try:
            with masking(request_id):
                async for answer in self._until_closed(answers, keep_alive):
                    yield event(answer) if answer else KEEP_ALIVE
        except Refused as refused:
            yield event({"errors": stamped(refused.entries, request_id)})
        if not (self._closing.done() and self._closing.result() == GOING_AWAY):
            yield COMPLETE

    async def _until_closed(
        self, answers: AsyncGenerator[Answer, None], keep_alive: float
    ) -> AsyncGenerator[Answer | None, None]:
        """The answers as they come, and None whenever nothing has come for a while."""
        coming = asyncio.ensure_future(_next(answers))
        try:
            while not self._closing.done():
                waited: set[asyncio.Future[Any]] = {coming, self._closing}
                await asyncio.wait(waited, timeout=keep_alive, return_when=asyncio.FIRST_COMPLETED)
                if coming.done():
                    if (answer := coming.result()) is None:
                        return
                    yield answer
                    coming = asyncio.ensure_future(_next(answers))
                elif not self._closing.done():
                    yield None
        finally:
            await stop(coming)
            await answers.aclose()
        if self._closing.result() == REVOKED:
            raise Refused(401, "UNAUTHENTICATED", GONE)


def event(answer: Answer) -> bytes:
    """One answer as an event; JSON has no line breaks."""
    return b"event: next\ndata: " + dump(answer) + b"\n\n"


async def stop(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and see them end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _next(answers: AsyncGenerator[Answer, None]) -> Answer | None:
    async for answer in answers:
        return answer
    return None
