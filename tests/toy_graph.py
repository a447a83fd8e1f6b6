"""A small graph behind the real edge, for tests of the edge alone."""
# mypy: disable-error-code="untyped-decorator"

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import strawberry
from graphql import GraphQLError
from starlette.requests import HTTPConnection
from starlette.routing import Route, WebSocketRoute

from gateway.app import Application
from gateway.graphql import GraphQLEndpoint
from gateway.operations import Asked, Prepared
from gateway.refusals import Refused
from gateway.server import Server, configured
from schema.context import Principal
from schema.permissions import Forbidden, Public, Requires, query, subscription
from storage.database import Unavailable
from storage.errors import NotFound, Problems, ValidationFailed
from storage.tables import Environment, Scope
from tests.world import eventually

READER = Principal("key_reader", "workspace_1", Environment.TEST, frozenset({Scope.RESOURCES_READ}), 60)
WRITER = Principal(
    "key_writer", "workspace_1", Environment.TEST, frozenset({Scope.RESOURCES_READ, Scope.RESOURCES_WRITE}), 60
)
KEYS = {"Bearer reader": READER, "Bearer writer": WRITER}


@dataclass
class Seen:
    """What the toy graph has been asked to do."""

    written: list[int] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    going_on: asyncio.Event = field(default_factory=asyncio.Event)
    units: int = 0
    budget: int = 1_000_000
    revoked: set[str] = field(default_factory=set)


@dataclass
class ToyContext:
    """One operation of the toy graph."""

    principal: Principal | None
    seen: Seen
    idempotency_key: str | None = None
    cookies: dict[str, str | None] = field(default_factory=dict)


Info = strawberry.Info[ToyContext, None]


@strawberry.type
class PageInfo:
    has_next_page: bool = False


@strawberry.type
class Row:
    id: strawberry.ID

    @strawberry.field
    def rows(self) -> list["Row"]:
        return [Row(id=strawberry.ID(f"{self.id}.{n}")) for n in range(2)]

    @strawberry.field
    def number(self) -> int:
        return 2**40

    @strawberry.field
    def hidden(self) -> str | None:
        raise Forbidden([Scope.WEBHOOKS, Scope.ADMIN])


@strawberry.type
class SlowRow:
    @strawberry.field
    async def id(self) -> str:
        await asyncio.Event().wait()
        return "never"


@strawberry.type
class RowConnection:
    nodes: list[Row]
    page_info: PageInfo = strawberry.field(default_factory=PageInfo)


@strawberry.input
class Many:
    numbers: list[int] | None = None
    anything: strawberry.scalars.JSON | None = None
    more: "Many | None" = None


@strawberry.type
class Query:
    @query()
    def many(self, input: Many) -> bool:
        return True

    @query()
    def hello(self, name: str = "world") -> str:
        return f"Hello, {name}."

    @query()
    def row(self) -> Row:
        return Row(id=strawberry.ID("1"))

    @query()
    def maybe_row(self) -> Row | None:
        return Row(id=strawberry.ID("1"))

    @query()
    def rows(self, first: int = 20) -> RowConnection:
        return RowConnection(nodes=[Row(id=strawberry.ID(str(n))) for n in range(first)])

    @query(Scope.RESOURCES_READ)
    def secret(self, info: Info) -> str:
        return info.context.principal.id if info.context.principal else ""

    @query(Scope.WEBHOOKS, Scope.ADMIN)
    def closed(self) -> str:
        return "unreachable"

    @query()
    def fault(self) -> str | None:
        raise RuntimeError("the password is hunter2")

    @query()
    def away(self) -> str | None:
        raise Unavailable("10.0.0.7 is locked")

    @query()
    def strict_fault(self) -> str:
        raise RuntimeError("the password is hunter2")

    @query()
    def deliberate(self) -> str | None:
        raise GraphQLError("Come back tomorrow.", extensions={"code": "TOO_EARLY"})

    @query()
    def rule(self) -> str | None:
        raise ValidationFailed("page_size", "first is 1 to 100.", "first")

    @query()
    def rules(self) -> str | None:
        raise Problems([ValidationFailed("page_size", "one"), ValidationFailed("page_mode", "two")])

    @query()
    def missing(self) -> str | None:
        raise NotFound

    @query()
    async def slow(self, info: Info) -> str:
        info.context.seen.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            info.context.seen.ended.set()
        return "never"

    @query()
    def huge_number(self) -> strawberry.scalars.JSON | None:
        return strawberry.scalars.JSON({"n": 2**80})

    @query()
    def unwritable(self) -> str:
        return "half a character: \ud800"

    @query()
    def echo(self, value: strawberry.scalars.JSON) -> strawberry.scalars.JSON:
        return value


@strawberry.type
class Mutation:
    @strawberry.mutation(directives=[Requires(scopes=[Scope.RESOURCES_WRITE])])
    async def write(self, info: Info, number: int) -> int:
        for _ in range(30 // number):
            await asyncio.sleep(0)
        info.context.seen.written.append(number)
        return number

    @strawberry.mutation(directives=[Public()])
    async def pause(self, info: Info) -> bool:
        info.context.seen.started.set()
        return await info.context.seen.going_on.wait()

    @strawberry.mutation(directives=[Public()])
    def away(self) -> str | None:
        raise Unavailable("10.0.0.7 is locked")

    @strawberry.mutation(directives=[Public()])
    def login(self, info: Info) -> str | None:
        info.context.cookies |= {"toy_session": "abc", "toy_old": None}
        return info.context.idempotency_key


@strawberry.type
class Subscription:
    @subscription()
    async def count(self, to: int) -> AsyncGenerator[int, None]:
        for number in range(to):
            yield number

    @subscription()
    async def pages(self, first: int) -> AsyncGenerator[RowConnection, None]:
        yield Query().rows(first)

    @subscription(Scope.RESOURCES_READ)
    async def wait(self, info: Info, name: str = "") -> AsyncGenerator[int, None]:
        try:
            yield 0
            info.context.seen.started.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            info.context.seen.closed.append(name)
            info.context.seen.ended.set()

    @subscription()
    async def breaks(self, rule: bool = False) -> AsyncGenerator[int, None]:
        yield 1
        if rule:
            raise ValidationFailed("cursor", "This is no cursor.")
        raise RuntimeError("the password is hunter2")

    @subscription()
    async def slow_rows(self) -> AsyncGenerator[SlowRow, None]:
        yield SlowRow()

    @subscription()
    async def flood(self, info: Info) -> AsyncGenerator[str, None]:
        try:
            while True:
                yield "x" * 100_000
        finally:
            info.context.seen.ended.set()


schema = strawberry.Schema(Query, Mutation, Subscription)


def endpoint(seen: Seen, **settings: Any) -> GraphQLEndpoint:
    """The edge before the toy graph."""

    async def authenticate(connection: HTTPConnection, payload: Mapping[str, object] | None) -> Principal | None:
        source: Mapping[str, object] = connection.headers if payload is None else payload
        credential = source.get("authorization")
        if credential is None:
            return None
        if (principal := KEYS.get(str(credential))) is None or principal.id in seen.revoked:
            raise Refused(
                401, "UNAUTHENTICATED", "This credential is not valid.", headers={"WWW-Authenticate": "Bearer"}
            )
        return principal

    def make_context(principal: Principal | None, connection: HTTPConnection, key: str | None) -> Asked:
        return ToyContext(principal, seen, key)

    async def admit(context: Asked, connection: HTTPConnection, prepared: Prepared) -> None:
        seen.units += len(prepared.operation.root_fields)
        if seen.units > seen.budget:
            raise Refused(429, "RATE_LIMITED", "Too many.", headers={"Retry-After": "7"})

    async def revalidate(principal: Principal) -> bool:
        return principal.id not in seen.revoked

    hooks: dict[str, Any] = {
        "authenticate": authenticate,
        "make_context": make_context,
        "admit": admit,
        "revalidate": revalidate,
        "request_id": lambda _: "req-1",
    }
    return GraphQLEndpoint(schema, **{**hooks, **settings})


def application(edge: GraphQLEndpoint) -> Application:
    """The edge on its route."""
    app = Application(routes=[Route("/graphql", edge), WebSocketRoute("/graphql", edge)])
    app.graphql = edge
    return app


@asynccontextmanager
async def served(edge: GraphQLEndpoint, **changes: Any) -> AsyncIterator[tuple[Server, str]]:
    """The edge on loopback, and its address without the scheme."""
    app = application(edge)
    settings = {"max_body_bytes": 100_000, **changes}
    server = Server(configured(app, **settings, port=0, lifespan="off"), app, "toy")
    running = asyncio.create_task(server._serve())

    async def started() -> bool:
        return server.started

    await eventually(started, every=0.001)
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    try:
        yield server, f"{host}:{port}/graphql"
    finally:
        server.should_exit = True
        await running
