"""OpenTelemetry: one span for each GraphQL operation, sent to a collector where an installation names one."""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from opentelemetry.trace import SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from storage.settings import SettingsInvalid

try:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
except ImportError:  # the extra `telemetry` is not installed
    TracerProvider = None  # type: ignore[assignment,misc]

NAMES = {
    "type": "graphql.operation.type",
    "operation": "graphql.operation.name",
    "status": "http.response.status_code",
    "route": "http.route",
}
"""What the log calls things, and what OpenTelemetry does; the rest keeps its name below `lectern.`"""

PATIENCE_SECONDS = 2.0

_propagator = TraceContextTextMapPropagator()


class Spans(Protocol):
    """Takes an operation that has ended."""

    def add(self, facts: Mapping[str, Any], parent: str | None, began_ns: int, ended_ns: int) -> None:
        """One operation with what is known of it; the parent is a traceparent header."""


class Collector:
    """Sends spans in batches, from a thread of its own; what cannot be sent is dropped and holds nobody up."""

    def __init__(self, url: str) -> None:
        if TracerProvider is None:
            raise SettingsInvalid("LECTERN_OTLP_URL: install the extra first: pip install 'lectern[telemetry]'")
        self._provider = TracerProvider(resource=Resource.create({"service.name": "lectern-web"}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=PATIENCE_SECONDS)))
        self._tracer: Tracer = self._provider.get_tracer("lectern")

    async def close(self) -> None:
        """Send what is left, if somebody takes it."""
        await asyncio.to_thread(self._provider.shutdown)

    def add(self, facts: Mapping[str, Any], parent: str | None, began_ns: int, ended_ns: int) -> None:
        """A span of an operation that has ended."""
        context = _propagator.extract({"traceparent": parent}) if parent else None
        name = " ".join(filter(None, (facts.get("type", "graphql"), facts.get("operation"))))
        attributes = {NAMES.get(key, f"lectern.{key}"): value for key, value in facts.items() if value is not None}
        span = self._tracer.start_span(name, context, SpanKind.SERVER, attributes, start_time=began_ns)
        if facts.get("code") in ("INTERNAL", "UNAVAILABLE"):
            span.set_status(StatusCode.ERROR)
        span.end(ended_ns)
