"""Watching: streams read the event log from a position, first what was missed, then what comes."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

import strawberry

from schema.context import Info
from schema.pagination import position
from schema.permissions import subscription
from schema.types.notifications import NOTIFICATIONS, Notification
from schema.types.webhooks import Event, JobEvent, WebhookDelivery, log_position
from storage import deliveries, events, ids, notifications, tables
from storage.errors import NotFound, ValidationFailed
from storage.notify import Bell, wait
from storage.tables import EventType, ResourceKind, Scope
from storage.tables.jobs import FINISHED

LOOK_EVERY_SECONDS = 1.0
BATCH = 100
LAST_ID = "~"
"""Sorts behind every id."""

EXPIRED = "Events of this job behind this number have been removed, for they are kept for a limited time; read the job."

RESOURCE_EVENTS = (EventType.RESOURCE_CREATED, EventType.RESOURCE_UPDATED, EventType.RESOURCE_DELETED)


@strawberry.type(
    description="graphql-transport-ws, or server-sent events. A stream is filtered like the queries are. With after it "
    "first replays what was missed, then goes on live; nothing is sent twice and nothing is left out."
)
class Subscription:
    @subscription(
        Scope.INTEGRATIONS_READ,
        Scope.RESOURCES_READ,
        Scope.CONTENT_READ,
        Scope.CONTENT_WRITE,
        Scope.EXPORTS,
        description="One job until it is finished. after is the last sequence seen, 0 for everything; without it the "
        "newest event comes first. When some of what was missed is no longer kept: rule cursor_expired.",
    )
    async def job_progress(
        self, info: Info, job_id: strawberry.ID, after: int | None = None
    ) -> AsyncIterator[JobEvent]:
        job = await info.context.loaders.job(job_id)
        if job is None:
            raise NotFound
        if after is not None and after > job.sequence:
            raise ValidationFailed("cursor", f"The last event of this job is {job.sequence}.", "after")
        seen = job.sequence - 1 if after is None else max(0, after)
        async with info.context.database.snapshot() as session:
            kept = await events.count_of_subject(session, job_id, seen)
        if kept < job.sequence - seen:
            if after is not None:
                raise ValidationFailed("cursor_expired", EXPIRED, "after")
            seen = job.sequence
        with info.context.database.bells.listening(Bell.EVENTS) as rung:
            while True:
                rung.clear()
                async with info.context.database.snapshot() as session:
                    news = await events.of_subject(session, job_id, after_sequence=seen, limit=BATCH)
                job = await info.context.loaders.job(job_id)
                if job is None:
                    return
                for row in news:
                    seen = row.sequence
                    if event := JobEvent.from_row(row, job):
                        yield event
                if job.state in FINISHED and seen >= job.sequence:
                    return
                if len(news) < BATCH:
                    await wait(rung, LOOK_EVERY_SECONDS)

    @subscription(
        Scope.WEBHOOKS,
        description="The log of the environment. after is the last cursor seen; without it only what happens from now "
        "on. When some of what was missed is no longer kept: rule cursor_expired.",
    )
    async def events(
        self, info: Info, types: list[EventType] | None = None, after: str | None = None
    ) -> AsyncIterator[Event]:
        async with aclosing(_log(info, after, types)) as log:
            async for row in log:
                yield Event.from_row(row)

    @subscription(Scope.RESOURCES_READ, description="Events resource.created, resource.updated and resource.deleted.")
    async def resource_changed(
        self,
        info: Info,
        resource_id: strawberry.ID | None = None,
        types: list[ResourceKind] | None = None,
        after: str | None = None,
    ) -> AsyncIterator[Event]:
        prefixes = None if types is None else {ids.Prefix(kind.value) for kind in types}
        async with aclosing(_log(info, after, RESOURCE_EVENTS, resource_id)) as log:
            async for row in log:
                if prefixes is None or ids.prefix_of(row.subject_id) in prefixes:
                    yield Event.from_row(row)

    @subscription(
        Scope.WEBHOOKS,
        description="A delivery each time it changes; after a reconnect its current state is in "
        "WebhookEndpoint.deliveries.",
    )
    async def webhook_delivery_updated(
        self, info: Info, endpoint_id: strawberry.ID | None = None
    ) -> AsyncIterator[WebhookDelivery]:
        if endpoint_id is not None and await info.context.loaders.endpoints.load(endpoint_id) is None:
            raise NotFound
        realm = info.context.realm
        async with info.context.database.snapshot() as session:
            seen = (await deliveries.horizon(session), LAST_ID)
        with info.context.database.bells.listening(Bell.ATTEMPTS) as rung:
            while True:
                rung.clear()
                async with info.context.database.snapshot() as session:
                    end = await deliveries.horizon(session)
                    news = await deliveries.changed(session, realm, endpoint_id, seen, end, BATCH)
                for row in news:
                    seen = (row.change, row.id)
                    yield WebhookDelivery.from_row(row)
                if len(news) < BATCH:
                    seen = (end, LAST_ID)
                    await wait(rung, LOOK_EVERY_SECONDS)

    @subscription(Scope.EXPORTS, description="after is a cursor of Viewer.notifications.")
    async def notification_received(self, info: Info, after: str | None = None) -> AsyncIterator[Notification]:
        caller, database = info.context.caller, info.context.database
        async with database.snapshot() as session:
            known = None if after is None else position(NOTIFICATIONS, after)
            seen = await notifications.latest(session, caller.id) if known is None else known
        with database.bells.listening(Bell.EVENTS) as rung:
            while True:
                rung.clear()
                async with database.snapshot() as session:
                    news = await notifications.after(session, caller.realm, caller.id, seen, limit=BATCH)
                for row in news:
                    seen = row.sequence
                    yield Notification.from_row(row)
                if len(news) < BATCH:
                    await wait(rung, LOOK_EVERY_SECONDS)


async def _log(
    info: Info, after: str | None, types: Sequence[EventType] | None, subject_id: str | None = None
) -> AsyncGenerator[tables.Event, None]:
    """The log of the caller's realm from a cursor on, or from now on; it never ends by itself."""
    realm = info.context.realm
    async with info.context.database.snapshot() as session:
        end = await events.position(session, realm)
        seen = end if after is None else await log_position(session, realm, after)
    if seen > end:
        raise ValidationFailed("cursor", "The log of this environment ends before this cursor.", "after")
    with info.context.database.bells.listening(Bell.EVENTS) as rung:
        while True:
            rung.clear()
            async with info.context.database.snapshot() as session:
                end = await events.position(session, realm)
                news = await events.after(session, realm, seen, types=types, subject_id=subject_id, limit=BATCH)
            for row in news:
                seen = row.position
                yield row
            if len(news) < BATCH:
                seen = max(seen, end)  # what was passed over need not be looked at again
                await wait(rung, LOOK_EVERY_SECONDS)
