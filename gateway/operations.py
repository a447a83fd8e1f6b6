"""One operation of one caller, whatever it came by: chosen, allowed, run under a deadline, and told."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeGuard, TypeVar, cast

import structlog
from graphql import ExecutionResult, GraphQLSchema, OperationType
from graphql.execution import (
    create_source_event_stream,
    execute_root_selection_set,
    execute_subscription_event,
    map_source_to_response_event,
)
from starlette.requests import HTTPConnection

from gateway.documents import Document, Documents, Operation
from gateway.executor import PacedExecutor
from gateway.parameters import Parameters
from gateway.persisted import Source
from gateway.pricing import require
from gateway.refusals import UNAVAILABLE, UNPROCESSABLE, Failed, Refused, Unsuitable, masking, tell
from gateway.traffic import note
from schema.batching import put_off
from schema.context import Principal
from storage.database import until
from storage.tables import Scope

log = structlog.get_logger(__name__)

Answer = dict[str, Any]
"""A GraphQL answer: errors, data, extensions."""

T = TypeVar("T")


class Asked(Protocol):
    """The context of one operation, as far as it concerns the edge."""

    principal: Principal | None
    cookies: dict[str, str | None]


Authenticate = Callable[[HTTPConnection, Mapping[str, object] | None], Awaitable[Principal | None]]
"""Who asks. The second argument is the payload of connection_init, None over HTTP. Refused when a credential is bad."""

MakeContext = Callable[[Principal | None, HTTPConnection, str | None], Asked]
"""The context of one operation; the third argument is the idempotency key of the header."""

Admit = Callable[[Asked, HTTPConnection, "Prepared"], Awaitable[None]]
"""Takes the units of an operation, its root fields, from the caller's budget; Refused when there are not enough."""

Revalidate = Callable[[Principal], Awaitable[bool]]
"""Whether the credential of an open stream still holds."""

IsAwaitable = Callable[[Any], TypeGuard[Awaitable[Any]]]

RequestId = Callable[[HTTPConnection], str]
"""The reference under which the log knows a request."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the edge asks of the rest of the web process."""

    authenticate: Authenticate
    make_context: MakeContext
    admit: Admit
    request_id: RequestId


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds."""

    body: float = 30
    query: float = 15
    mutation: float = 60
    event: float = 15
    init: float = 10
    ping: float = 20
    idle: float = 600
    check: float = 5
    keep_alive: float = 12
    drain: float = 30


@dataclass(frozen=True, slots=True)
class Rights:
    """For (type, field) of root fields: the scopes of which one is enough, and which are for everybody."""

    required: Mapping[tuple[str, str], frozenset[Scope]]
    public: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """An operation that is valid and within the limits."""

    document: Document
    operation: Operation
    parameters: Parameters
    cost: int


@dataclass(frozen=True, slots=True)
class Begun:
    """An operation that may run now."""

    prepared: Prepared
    context: Asked
    executor: PacedExecutor
    request_id: str
    since: float
    """When it was asked for, by the clock of the loop: what comes before execution is part of its time."""

    @property
    def streams(self) -> bool:
        """Whether it answers more than once."""
        return self.prepared.operation.type is OperationType.SUBSCRIPTION


class Operations:
    """Runs the operations of one schema."""

    def __init__(
        self,
        schema: GraphQLSchema,
        executor: type[PacedExecutor],
        is_awaitable: IsAwaitable,
        source: Source,
        documents: Documents,
        rights: Rights,
        hooks: Hooks,
        timing: Timing,
    ) -> None:
        self._schema = schema
        self._executor = executor
        self._is_awaitable = is_awaitable
        self._source = source
        self._documents = documents
        self._rights = rights
        self._hooks = hooks
        self._timing = timing

    async def prepare(self, parameters: Parameters) -> Prepared:
        """Find the operation that is meant, and what it costs."""
        document = self._documents.load(await self._source.find(parameters))
        operation = document.select(parameters.operation_name)
        note(operation=operation.name, type=operation.type.value)
        cost = self._documents.cost(document, operation, parameters.variables)
        note(cost=cost)
        return Prepared(document, operation, parameters, cost)

    async def begin(
        self,
        prepared: Prepared,
        principal: Principal | None,
        connection: HTTPConnection,
        request_id: str,
        since: float,
        idempotency_key: str | None = None,
    ) -> Begun:
        """Check rights, variables and budget, in this order; nothing has run when one of them is missing."""
        self.authorize(prepared.operation, principal)
        context = self._hooks.make_context(principal, connection, idempotency_key)
        executor = self._executor.build(
            self._schema,
            prepared.document.ast,
            context_value=context,
            raw_variable_values=prepared.parameters.variables,
            operation_name=prepared.operation.name,
            is_awaitable=self._is_awaitable,
            hide_suggestions=self._documents.hide_suggestions,
            operation_extensions=prepared.parameters.extensions,
        )
        if isinstance(executor, list):
            raise Unsuitable(UNPROCESSABLE, "BAD_USER_INPUT", executor)
        await self._hooks.admit(context, connection, prepared)
        await self._source.keep(prepared.parameters)
        return Begun(prepared, context, cast("PacedExecutor", executor), request_id, since)

    def authorize(self, operation: Operation, principal: Principal | None) -> None:
        """All root fields before anything runs: 401 without a credential, 403 without a scope."""
        root = self._schema.get_root_type(operation.type)
        for node in operation.root_fields:
            field = (root.name if root else "", node.name.value)
            path = [node.alias.value if node.alias else node.name.value]
            if field in self._rights.public or field[1].startswith("__"):
                continue
            if principal is None:
                challenge = {"WWW-Authenticate": "Bearer"}
                raise Refused(401, "UNAUTHENTICATED", "This needs a credential.", headers=challenge, path=path)
            scopes = self._rights.required.get(field, frozenset())
            if not scopes & principal.scopes:
                message = "This credential may not do that."
                raise Refused(403, "FORBIDDEN", message, path=path, requiredScopes=sorted(scopes))

    async def answers(self, begun: Begun) -> AsyncGenerator[Answer, None]:
        """All answers of an operation of any kind. Refused when it cannot go on."""
        if not begun.streams:
            yield await self.run(begun)
            return
        async with aclosing(self.stream(begun)) as answers:
            async for answer in answers:
                yield answer

    async def run(self, begun: Begun) -> Answer:
        """Execute a query or a mutation; the fields of a mutation one after another."""
        mutates = begun.prepared.operation.type is OperationType.MUTATION
        executor = begun.executor
        if not mutates:  # what has been changed has been changed, and is told
            self._limit(executor)
        put_off.set(executor.put_off)
        result = execute_root_selection_set(executor)
        if self._is_awaitable(result):
            seconds = self._timing.mutation if mutates else self._timing.query
            result = await within(seconds, _awaited(result), begun.request_id, begun.since)
        note(actual=executor.objects)
        answer = self._told(begun, executor, cast("ExecutionResult", result))
        note(errors=len(answer.get("errors", ())))
        away = [it for it in answer.get("errors", ()) if it["extensions"]["code"] == UNAVAILABLE]
        if away and (not mutates or len(begun.prepared.operation.root_fields) == 1):
            raise Failed(away)  # nothing has been changed, and the rest of the answer would be of no use
        return answer

    async def stream(self, begun: Begun) -> AsyncGenerator[Answer, None]:
        """Execute a subscription: one answer per event. Refused when its source fails."""
        with masking(begun.request_id):
            source = create_source_event_stream(begun.executor)
            if self._is_awaitable(source):
                source = await within(self._timing.query, _awaited(source), begun.request_id)
            if isinstance(source, ExecutionResult):
                raise Failed(tell(source.errors or [], begun.request_id))
            execute: Any = partial(self._event, begun)
            events = map_source_to_response_event(begun.executor, cast("AsyncIterable[Any]", source), execute)
            async with aclosing(cast("AsyncGenerator[Answer, None]", events)) as answers:
                async for answer in answers:
                    yield answer

    async def _event(self, begun: Begun, executor: PacedExecutor) -> Answer:
        """Execute a subscription for one event of its source."""
        self._limit(executor)
        put_off.set(executor.put_off)
        result = execute_subscription_event(executor)
        if self._is_awaitable(result):
            result = await within(self._timing.event, _awaited(result), begun.request_id)
        return self._told(begun, executor, cast("ExecutionResult", result))

    def _limit(self, executor: PacedExecutor) -> None:
        executor.most_objects, executor.most_characters = self._documents.limits.objects, self._documents.limits.answer

    def _told(self, begun: Begun, executor: PacedExecutor, result: ExecutionResult) -> Answer:
        """The answer with its price; LimitExceeded when it got out of hand."""
        limits = self._documents.limits
        if executor.is_out_of_hand:
            require("objects", limits.objects, executor.objects)
            require("answer", limits.answer, executor.characters)
        errors = {"errors": tell(result.errors, begun.request_id)} if result.errors else {}
        cost = {"requested": begun.prepared.cost, "actual": executor.objects, "limit": limits.cost}
        return {**errors, "data": result.data, "extensions": {"cost": cost}}


async def within(seconds: float, work: Awaitable[T], request_id: str, since: float | None = None) -> T:
    """The result of work that has so many seconds, from now on or since it was asked for; else Refused."""
    try:
        async with until((asyncio.get_running_loop().time() if since is None else since) + seconds):
            return await work
    except TimeoutError:
        log.warning("graphql given up", request_id=request_id, seconds=seconds)
        raise Refused(503, UNAVAILABLE, f"This took more than {seconds:g} s and was given up.") from None


def _awaited(value: Awaitable[T] | T) -> Awaitable[T]:
    return cast("Awaitable[T]", value)
