"""GraphQL over HTTP: what a request is, and how its answer looks. Sockets are next door."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from typing import cast
from uuid import uuid4

import orjson
import strawberry
from graphql import NoSchemaIntrospectionCustomRule, OperationType, specified_rules
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from gateway.documents import Documents, Operation
from gateway.executor import paced
from gateway.negotiation import JSON, Accepted, is_json, negotiate
from gateway.operations import (
    Admit,
    Answer,
    Asked,
    Authenticate,
    Begun,
    Hooks,
    IsAwaitable,
    MakeContext,
    Operations,
    Prepared,
    RequestId,
    Revalidate,
    Rights,
    Timing,
    within,
)
from gateway.parameters import Parameters
from gateway.persisted import Persisted, Source
from gateway.pricing import Limits
from gateway.refusals import Refused, masking, stamped
from gateway.settings import Profile
from gateway.statuses import of_answer, of_refusal
from gateway.streams import EventStream, Streams
from gateway.traffic import note
from gateway.websocket import Socket
from schema.context import Principal
from schema.permissions import Public, required_scopes
from storage.tables.columns import dump

RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)

CLIENT_GONE = 499
"""What the log says of a request that nobody waits for any more, as other servers do; nobody gets it."""

SetCookie = Callable[[Response, str, str | None], None]
"""Sets a cookie that an operation asked for, or deletes it (None); knows the attributes."""

Page = Callable[[Request], Awaitable[Response]]
"""The page for people who open the address in a browser."""


async def admit_everybody(context: Asked, connection: HTTPConnection, prepared: Prepared) -> None:
    """There is no budget."""


async def still_valid(principal: Principal) -> bool:  # noqa: ARG001  (what a hook looks like)
    """Credentials do not end."""
    return True


def request_id(connection: HTTPConnection) -> str:
    """The id that the application gave the request."""
    return getattr(connection.state, "request_id", None) or uuid4().hex


def set_session_cookie(response: Response, name: str, value: str | None) -> None:
    """As narrow as a cookie can be; forgotten when the browser closes."""
    if value is None:
        response.delete_cookie(name, secure=True, httponly=True, samesite="lax")
    else:
        response.set_cookie(name, value, secure=True, httponly=True, samesite="lax")


class GraphQLEndpoint:
    """The ASGI application behind Route("/graphql") and WebSocketRoute("/graphql")."""

    def __init__(
        self,
        schema: strawberry.Schema,
        *,
        authenticate: Authenticate,
        make_context: MakeContext,
        set_cookie: SetCookie = set_session_cookie,
        admit: Admit = admit_everybody,
        revalidate: Revalidate = still_valid,
        request_id: RequestId = request_id,
        page: Page | None = None,
        source: Source | None = None,
        profile: Profile = Profile.DEFAULT,
        limits: Limits = Limits(),
        timing: Timing = Timing(),
        max_body_bytes: int = 4 * 1024 * 1024,
        max_streams: int = 20,
        introspection: bool = True,
    ) -> None:
        rules = RULES if introspection else (*RULES, NoSchemaIntrospectionCustomRule)
        documents = Documents(schema._schema, rules, limits)
        self.load = documents.load
        self._hooks = Hooks(authenticate, make_context, admit, request_id)
        self._set_cookie = set_cookie
        self._page = page
        self._profile = profile
        self._timing = timing
        self._max_body_bytes = max_body_bytes
        self._streams = Streams(max_streams, revalidate, timing.check)
        self._operations = Operations(
            schema._schema,
            paced(schema.execution_context_class),
            cast("IsAwaitable", optimized_is_awaitable),
            source or Persisted(None),
            documents,
            Rights(required_scopes(schema), public_fields(schema)),
            self._hooks,
            timing,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one socket until it ends."""
        if scope["type"] == "websocket":
            websocket = WebSocket(scope, receive, send)
            await Socket(
                websocket, self._operations, self._hooks, self._streams, self._timing, self._max_body_bytes
            ).serve()
            return
        response = await self.respond(Request(scope, receive, send))
        await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        """The response to a request; nothing is raised."""
        accepted = negotiate(",".join(request.headers.getlist("accept")))
        reference = self._hooks.request_id(request)
        try:
            with masking(reference):
                return await self._respond(request, accepted, reference)
        except Refused as refused:
            note(code=refused.code)
            return Response(
                dump({"errors": stamped(refused.entries, reference)}),
                of_refusal(refused, accepted, self._profile),
                {"Cache-Control": "no-store", **refused.headers},
                f"{accepted.media or JSON}; charset=utf-8",
            )

    async def recheck(self) -> None:
        """Look now whether the credentials of what is open still hold: one of them may have been revoked."""
        await self._streams.recheck()

    async def shutdown(self, grace: float = 5) -> None:
        """Close all sockets with 1001 and end all event streams; call it before the server waits for them."""
        await self._streams.shutdown(grace)

    @property
    def stopping(self) -> bool:
        """Whether nothing more is to be begun here."""
        return self._streams.stopping

    def close_for(self, principal_id: str) -> int:
        """Close what a revoked credential has open, sockets with 4403; answers how many there were."""
        return self._streams.close_for(principal_id)

    def open(self) -> tuple[int, int]:
        """How many sockets and event streams are open, and how many subscriptions on them."""
        return self._streams.open()

    async def _respond(self, request: Request, accepted: Accepted, reference: str) -> Response:
        if request.method not in ("GET", "POST"):
            raise Refused(405, "METHOD_NOT_ALLOWED", "Use GET or POST.", headers={"Allow": "GET, POST"})
        if request.method == "GET" and accepted.prefers_page:
            return await self._show_page(request)
        if not accepted.anything:
            raise Refused(406, "NOT_ACCEPTABLE", f"Answers are {JSON}, among others.")
        parameters = _from_query(request) if request.method == "GET" else await self._from_body(request)
        since = asyncio.get_running_loop().time()
        principal = await within(self._timing.query, self._hooks.authenticate(request, None), reference)
        note(principal=principal and principal.id)
        prepared = await self._operations.prepare(parameters)
        _check_transport(request, accepted, prepared.operation)
        key = request.headers.get("idempotency-key")
        begun = await self._operations.begin(prepared, principal, request, reference, since, key)
        if accepted.prefers_events or begun.streams:
            return self._stream(begun, principal)
        with abandoned(request, may_end=begun.prepared.operation.type is OperationType.QUERY):
            answer = await self._operations.run(begun)
        return self._respond_with(answer, begun, accepted.media or JSON)

    def _respond_with(self, answer: Answer, begun: Begun, media: str) -> Response:
        status = of_answer(answer, media, self._profile)
        response = Response(dump(answer), status, {"Cache-Control": "no-store"}, f"{media}; charset=utf-8")
        for name, value in begun.context.cookies.items():
            self._set_cookie(response, name, value)
        return response

    def _stream(self, begun: Begun, principal: Principal | None) -> Response:
        slot = ExitStack()
        if begun.streams:
            slot.enter_context(self._streams.counted(principal))
        return EventStream(
            self._operations.answers(begun),
            principal=principal,
            streams=self._streams,
            slot=slot,
            request_id=begun.request_id,
            timing=self._timing,
        )

    async def _show_page(self, request: Request) -> Response:
        if self._page is None:
            raise Refused(404, "NOT_FOUND", "There is no page here.")
        return await self._page(request)

    async def _from_body(self, request: Request) -> Parameters:
        if not is_json(request.headers.get("content-type", "")):
            raise Refused(415, "UNSUPPORTED_MEDIA_TYPE", f"The body has to be {JSON} in UTF-8.")
        body = await self._read(request)
        try:
            return Parameters.read(orjson.loads(body), body)
        except orjson.JSONDecodeError:
            raise unreadable("The body is no JSON in UTF-8.") from None

    async def _read(self, request: Request) -> bytes:
        """The body, announced or not, as far as it is not too large."""
        announced = request.headers.get("content-length", "0")
        body = bytearray()
        if announced.isdecimal() and len(announced) < 20 and int(announced) <= self._max_body_bytes:
            try:
                async with asyncio.timeout(self._timing.body), aclosing(request.stream()) as chunks:
                    async for chunk in chunks:
                        body += chunk
                        if len(body) > self._max_body_bytes:
                            break
                    else:
                        return bytes(body)
            except ClientDisconnect:
                raise unreadable("The body is not complete.") from None
            except TimeoutError:
                message = f"The body took more than {self._timing.body:g} s."
                raise Refused(408, "REQUEST_TIMEOUT", message, headers={"Connection": "close"}) from None
        message = f"The body has more than {self._max_body_bytes} bytes."
        raise Refused(413, "PAYLOAD_TOO_LARGE", message, headers={"Connection": "close"})


@contextmanager
def abandoned(request: Request, *, may_end: bool) -> Iterator[None]:
    """A block that ends, where it may, as soon as the client is gone: the connection calls what is in the state."""
    task = asyncio.current_task()
    if not (may_end and task):
        yield
        return
    gone = False

    def leave() -> None:
        nonlocal gone
        gone = True
        task.cancel()

    request.state.leave = leave
    try:
        yield
    except asyncio.CancelledError:
        if not gone:
            raise
        task.uncancel()
        raise Refused(CLIENT_GONE, "CLIENT_GONE", "Nobody waits for the answer.") from None
    finally:
        request.state.leave = None


def unreadable(message: str) -> Refused:
    """The refusal of what is not even JSON, or cannot be answered the way it came."""
    return Refused(400, "BAD_REQUEST", message)


def public_fields(schema: strawberry.Schema) -> frozenset[tuple[str, str]]:
    """(type name, field name) of what needs no credential."""
    return frozenset(
        (name, schema.config.name_converter.from_field(field))
        for name, type_ in schema._schema.type_map.items()
        for field in getattr((type_.extensions or {}).get("strawberry-definition"), "fields", ())
        if any(isinstance(directive, Public) for directive in field.directives)
    )


def _from_query(request: Request) -> Parameters:
    """The parameters of a GET request: text, and JSON in two of them."""
    query = request.query_params
    try:
        return Parameters.read(
            {
                "query": query.get("query"),
                "operationName": query.get("operationName"),
                "variables": orjson.loads(query.get("variables") or "null"),
                "extensions": orjson.loads(query.get("extensions") or "null"),
            },
            query.get("variables") or "",
        )
    except orjson.JSONDecodeError:
        raise unreadable("variables and extensions have to be JSON.") from None


def _check_transport(request: Request, accepted: Accepted, operation: Operation) -> None:
    """Refuse what this operation cannot come or be answered by."""
    if request.method == "GET" and operation.type is OperationType.MUTATION:
        raise Refused(405, "METHOD_NOT_ALLOWED", "Mutations need POST.", headers={"Allow": "POST"})
    if operation.type is OperationType.SUBSCRIPTION and not accepted.events:
        raise unreadable("Subscriptions need Accept: text/event-stream, or a WebSocket with graphql-transport-ws.")
    single = operation.type is OperationType.MUTATION and len(operation.root_fields) == 1
    if "idempotency-key" in request.headers and not single:
        raise Refused(400, "BAD_USER_INPUT", "Idempotency-Key needs a document with exactly one mutation field.")
