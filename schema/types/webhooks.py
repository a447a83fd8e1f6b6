"""The event log, who listens to it, and what was sent."""

from datetime import datetime
from typing import Annotated

import orjson
import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from schema.context import Info
from schema.pagination import Below, Connection, Order, encode, page_below, position
from schema.permissions import guarded
from schema.types.ingestions import IngestionItemStatus
from schema.types.jobs import IntegrationOutput, Job, JobProgress
from schema.types.resources import Node
from schema.types.scalars import JSON, URL, described
from storage import catalog, events, tables
from storage.errors import ValidationFailed
from storage.tables import DeliveryStatus, EndpointStatus, Environment, EventType, JobState, Realm, Scope

LOG = Order("log", tables.Event.position, newest_first=False)  # type: ignore[arg-type]
EVENTS = Below(tables.Event.subject_id, LOG, sort=tables.Event.sequence)  # type: ignore[arg-type]
DELIVERIES = Below(
    tables.Delivery.endpoint_id,  # type: ignore[arg-type]
    Order("delivery", tables.Delivery.id),  # type: ignore[arg-type]
)


async def log_position(session: AsyncSession, realm: Realm, after: str) -> int:
    """Where in the log a cursor stands; ValidationFailed (rule cursor_expired) when events behind it were removed."""
    seen, removed = position(LOG, after), await events.removed(session, realm)
    if seen < removed:
        message = (
            "Events behind this cursor have been removed, for they are kept for a limited time; see how things stand "
            f"now, and go on after {encode(LOG.name, removed)}."
        )
        raise ValidationFailed("cursor_expired", message, "after")
    return seen


described(
    EventType,
    "EventType",
    "What happened. Each description starts with the wire name.",
    **{type.name: f"{type.value}: {entry.meaning}" for type, entry in catalog.CATALOG.items()},
)
described(
    EndpointStatus,
    "WebhookEndpointStatus",
    PAUSED="Deliveries queue up and go out on resume.",
    DISABLED="Set by the dispatcher after a 410 answer or days of failures; deliveries are not made.",
)
described(
    DeliveryStatus,
    "WebhookDeliveryStatus",
    FAILED="The last attempt failed.",
    CANCELED="The endpoint was deleted or disabled.",
)


@strawberry.type(description="A type of event as receivers see it: webhooks, subscriptions and the log say the same.")
class WebhookEventType:
    type: EventType
    name: str = strawberry.field(description="The wire name, e.g. content.completed.")
    description: str
    schema: JSON = strawberry.field(description="JSON Schema of the payload; keys may be added, none is taken away.")
    example: JSON

    @classmethod
    def of(cls, type: EventType) -> "WebhookEventType":
        """The entry of the catalogue."""
        return cls(
            type=type,
            name=type.value,
            description=catalog.CATALOG[type].meaning,
            schema=JSON(catalog.schema(type)),
            example=JSON(catalog.example(type)),
        )


@strawberry.type(description="Milliseconds of each step of a request; null where a step was not needed or reached.")
class WebhookTimings:
    dns: float | None = strawberry.field(description="Looking up the host; null on a kept connection.")
    connect: float | None = strawberry.field(description="TCP and TLS; null on a kept connection.")
    first_byte: float | None = strawberry.field(description="From the start to the head of the answer.")
    total: float = strawberry.field(description="From the start to the last byte that was read.")


@strawberry.type(description="One request to an endpoint and its outcome.")
class WebhookAttempt:
    number: int = strawberry.field(description="Counted from 1.")
    started_at: datetime
    duration_ms: int
    request_headers: JSON
    response_status: int | None = strawberry.field(description="Null when there was no answer.")
    response_body: str | None = strawberry.field(description="First 2048 bytes.")
    error: str | None = strawberry.field(description="Why there was no answer.")
    timings: WebhookTimings

    @classmethod
    def from_row(cls, row: tables.Attempt) -> "WebhookAttempt":
        """The graph's form of an attempt."""
        return cls(
            number=row.number,
            started_at=row.started_at,
            duration_ms=row.duration_ms,
            request_headers=JSON(row.request_headers),
            response_status=row.response_status,
            response_body=row.response_body,
            error=row.error,
            timings=WebhookTimings(
                dns=row.dns_ms, connect=row.connect_ms, first_byte=row.first_byte_ms, total=row.duration_ms
            ),
        )


@strawberry.type(description="One event on its way to one endpoint.")
class WebhookDelivery(Node):
    row: strawberry.Private[tables.Delivery]
    status: DeliveryStatus
    next_attempt_at: datetime | None
    created_at: datetime
    completed_at: datetime | None

    @strawberry.field
    async def endpoint(self, info: Info) -> Annotated["WebhookEndpoint", strawberry.lazy("schema.types.webhooks")]:
        return await info.context.loaders.endpoints.load(self.row.endpoint_id)

    @strawberry.field
    async def event(self, info: Info) -> Annotated["Event", strawberry.lazy("schema.types.webhooks")]:
        return await info.context.loaders.events.load(self.row.event_id)

    @strawberry.field
    async def attempts(self, info: Info) -> list[WebhookAttempt]:
        return [WebhookAttempt.from_row(row) for row in await info.context.loaders.attempts.load(self.id)]

    @strawberry.field(description="Set when this delivery repeats an earlier one.")
    async def replay_of(
        self, info: Info
    ) -> Annotated["WebhookDelivery", strawberry.lazy("schema.types.webhooks")] | None:
        return await info.context.loaders.deliveries_by_id.load(self.row.replay_of) if self.row.replay_of else None

    @classmethod
    def from_row(cls, row: tables.Delivery) -> "WebhookDelivery":
        """The graph's form of a delivery."""
        return cls(
            row=row,
            id=strawberry.ID(row.id),
            status=row.status,
            next_attempt_at=row.next_attempt_at,
            created_at=row.created_at,
            completed_at=row.completed_at,
        )


@strawberry.type(description="URL of a receiver and what is sent to it.")
class WebhookEndpoint(Node):
    url: URL
    description: str | None
    events: list[EventType] = strawberry.field(description="What is sent to it.")
    status: EndpointStatus
    disabled_reason: str | None = strawberry.field(description="Why it is DISABLED.")
    environment: Environment
    secret_hint: str = strawberry.field(
        description="First characters; the secret itself is shown only when it is made."
    )
    previous_secret_expires_at: datetime | None = strawberry.field(
        description="Until then deliveries also carry a signature with the previous secret."
    )
    ordered: bool = strawberry.field(
        description="One at a time, in the order of the log; a delivery that has to be repeated holds up those behind."
    )
    rate_limit_per_minute: int | None = strawberry.field(description="Requests at most, retries included; null: any.")
    consecutive_failures: int = strawberry.field(description="Failed requests since the last one that succeeded.")
    failing_since: datetime | None = strawberry.field(
        description="When the first of them failed; 5 days later the endpoint is disabled."
    )
    created_at: datetime
    updated_at: datetime

    @strawberry.field(description="Newest first.")
    async def deliveries(
        self,
        info: Info,
        status: DeliveryStatus | None = None,
        first: int | None = 20,
        after: str | None = None,
        offset: int | None = None,
    ) -> Connection[WebhookDelivery]:
        loaders, node, only = info.context.loaders, WebhookDelivery.from_row, ("status", status)
        return await page_below(loaders, DELIVERIES, self.id, node, first=first, after=after, offset=offset, only=only)

    @classmethod
    def from_row(cls, row: tables.Endpoint) -> "WebhookEndpoint":
        """The graph's form of an endpoint."""
        return cls(
            id=strawberry.ID(row.id),
            url=URL(row.url),
            description=row.description,
            events=row.events,
            status=row.status,
            disabled_reason=row.disabled_reason,
            environment=row.environment,
            secret_hint=row.secret_hint,
            previous_secret_expires_at=row.previous_secret_expires_at,
            ordered=row.ordered,
            rate_limit_per_minute=row.rate_limit_per_minute,
            consecutive_failures=row.consecutive_failures,
            failing_since=row.failing_since,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


@strawberry.type(description="One row of the workspace's event log, written in the transaction that made it happen.")
class Event(Node):
    row: strawberry.Private[tables.Event]
    id: strawberry.ID = strawberry.field(description="Also the webhook-id header, the same on every retry and replay.")
    cursor: str = strawberry.field(description="Position in the whole log; pass it as after.")
    sequence: int = strawberry.field(
        description="Position among the events of this subject: 1, 2, 3 and so on without gaps."
    )
    type: EventType
    at: datetime
    subject_id: strawberry.ID = strawberry.field(
        description="Id of the job, resource or endpoint that the event is about."
    )

    @strawberry.field(description="Null once deleted, and when the credential may not read it.")
    async def subject(self, info: Info) -> Node | None:
        return await info.context.loaders.node(self.subject_id)

    @strawberry.field(description="The exact body that webhooks sign and send.")
    def payload(self) -> JSON:
        return JSON(orjson.loads(self.row.body))

    @strawberry.field(description="The typed view; null unless the subject is a job that the credential may read.")
    async def job_event(self, info: Info) -> Annotated["JobEvent", strawberry.lazy("schema.types.webhooks")] | None:
        job = await info.context.loaders.node(self.subject_id)
        return JobEvent.from_row(self.row, job) if isinstance(job, Job) else None

    @guarded(Scope.WEBHOOKS)
    async def deliveries(self, info: Info) -> list[WebhookDelivery] | None:
        return [WebhookDelivery.from_row(row) for row in await info.context.loaders.deliveries.load(self.id)]

    @classmethod
    def from_row(cls, row: tables.Event) -> "Event":
        """The graph's form of an event."""
        return cls(
            row=row,
            id=strawberry.ID(row.id),
            cursor=encode(LOG.name, row.position),
            sequence=row.sequence,
            type=row.type,
            at=row.at,
            subject_id=strawberry.ID(row.subject_id),
        )


@strawberry.type(description="How a job stood when the event was written.")
class JobEvent:
    row: strawberry.Private[tables.Event]
    sequence: int = strawberry.field(
        description="The same number as in event; pass the last one seen as after to jobProgress."
    )
    job: Job = strawberry.field(description="The job as it is now.")
    state: JobState
    progress: JobProgress

    @strawberry.field
    def event(self) -> Event:
        return Event.from_row(self.row)

    @strawberry.field(description="The package resource that has just been finished, in an ingestion.")
    async def item(self, info: Info) -> IngestionItemStatus | None:
        if self.row.moment is None or self.row.moment.item_position is None:
            return None
        place = (self.row.subject_id, self.row.moment.item_position)
        row = await info.context.loaders.ingestion_items.load(place)
        return IngestionItemStatus.from_row(row) if row else None

    @strawberry.field(description="The output that has just been finished, in an expansion.")
    async def output(self, info: Info) -> IntegrationOutput | None:
        if self.row.moment is None or self.row.moment.output_type is None:
            return None
        for row in await info.context.loaders.outputs.load(self.row.subject_id):
            if row.output_type is self.row.moment.output_type:
                return IntegrationOutput.from_row(row)
        return None

    @classmethod
    def from_row(cls, row: tables.Event, job: Job) -> "JobEvent | None":
        """The view of a job's event; None for an event without one."""
        if row.moment is None:
            return None
        return cls(
            row=row,
            sequence=row.sequence,
            job=job,
            state=row.moment.state,
            progress=JobProgress.from_progress(row.moment.progress),
        )
