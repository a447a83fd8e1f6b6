"""What is asked of this process: one line in the log for each request and each operation on a socket, and figures."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from gateway.metrics import Gauge, Histogram, Metric
from gateway.telemetry import Spans

log = structlog.get_logger(__name__)

QUIET = {"/healthz", "/readyz", "/metrics", "/static"}
"""Routes that are asked for all the time: the log has them at level debug."""

REQUESTS = Metric("lectern_requests_total", "Requests that have been answered.", ("route", "method", "status"))
REQUEST_SECONDS = Histogram("lectern_request_seconds", "How long requests took that are no streams.", ("route",))
STREAM_SECONDS = Histogram(
    "lectern_stream_seconds",
    "How long sockets and event streams were open.",
    ("route",),
    (1, 10, 60, 600, 3_600, 36_000),
)
IN_PROGRESS = Gauge("lectern_requests_in_progress", "Requests that are being worked on.")
OPERATIONS = Metric("lectern_operations_total", "GraphQL operations, by the code of their refusal.", ("type", "code"))
COST = Metric("lectern_operation_cost_total", "Objects that GraphQL operations have answered with.", ("type",))
CONNECTIONS = Gauge("lectern_connections", "Sockets and event streams that are open.")
SUBSCRIPTIONS = Gauge("lectern_subscriptions", "Subscriptions that are open.")
JOBS = Gauge("lectern_jobs", "Jobs of all processes that are not finished.", ("kind", "state"))
DELIVERIES = Gauge("lectern_deliveries", "Deliveries of all processes: due, or timed for later.", ("state",))

ALL = (
    REQUESTS,
    REQUEST_SECONDS,
    STREAM_SECONDS,
    IN_PROGRESS,
    OPERATIONS,
    COST,
    CONNECTIONS,
    SUBSCRIPTIONS,
    JOBS,
    DELIVERIES,
)


def note(**facts: object) -> None:
    """Say something about the request or the operation that is being worked on; its line in the log will have it."""
    bind_contextvars(**facts)


_spans: ContextVar[Spans | None] = ContextVar("spans", default=None)
_parent: ContextVar[str | None] = ContextVar("parent", default=None)


class RequestLog:
    """Writes one line per request, with what has been noted about it; never its headers, path, query or body."""

    def __init__(self, app: ASGIApp, spans: Spans | None = None) -> None:
        self.app = app
        self.spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter_ns(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            status = 101 if message["type"] == "websocket.accept" else message.get("status", status)
            await send(message)

        clear_contextvars()
        _spans.set(self.spans)
        _parent.set(Headers(scope=scope).get("traceparent"))
        note(request_id=scope["state"]["request_id"])
        IN_PROGRESS.add()
        try:
            await self.app(scope, receive, watched)
        finally:
            IN_PROGRESS.add(amount=-1)
            _finish(scope, status, started)


@contextmanager
def operation(request_id: str) -> Iterator[None]:
    """An operation on a socket, in a task of its own: counted, and told when it ends."""
    started = time.perf_counter_ns()
    note(request_id=request_id)
    try:
        yield
    finally:
        _end_operation(get_contextvars(), started)
        log.info("operation", ms=_milliseconds(started))


def route_of(scope: Scope) -> str:
    """What a request is told and counted by: paths can hold secrets, and there are too many of them."""
    return getattr(scope.get("route"), "path", "none")


def _finish(scope: Scope, status: int, started: int) -> None:
    route = route_of(scope)
    method = scope.get("method", "WEBSOCKET")
    facts = get_contextvars()
    if facts.keys() & {"type", "code"} and method != "WEBSOCKET":
        _end_operation({**facts, "route": route, "status": status}, started)
    REQUESTS.add(route, method, str(status))
    streamed = status == 101 or (facts.get("type") == "subscription" and status == 200)
    seconds = STREAM_SECONDS if streamed else REQUEST_SECONDS
    seconds.observe(route, value=(time.perf_counter_ns() - started) / 1e9)
    tell = log.debug if route in QUIET else log.info
    tell("request", method=method, route=route, status=status, ms=_milliseconds(started))


def _end_operation(facts: Mapping[str, Any], started: int) -> None:
    if spans := _spans.get():
        ended = time.time_ns()
        spans.add(facts, _parent.get(), ended - (time.perf_counter_ns() - started), ended)
    kind = str(facts.get("type", "unknown"))
    OPERATIONS.add(kind, str(facts.get("code", "OK")))
    COST.add(kind, amount=facts.get("actual", 0))


def _milliseconds(started: int) -> float:
    return round((time.perf_counter_ns() - started) / 1e6, 1)
