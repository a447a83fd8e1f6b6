"""Reading the event log and the endpoints."""

import strawberry
from sqlalchemy import select
from sqlmodel import col

from schema.context import Info
from schema.pagination import Connection, page
from schema.permissions import query
from schema.types.webhooks import LOG, Event, WebhookEndpoint, WebhookEventType, log_position
from storage import tables, webhooks
from storage.tables import EventType, Scope


@strawberry.type
class WebhookQueries:
    @query(
        Scope.WEBHOOKS,
        description="The log of the environment, oldest first. When some of what comes behind after is no longer kept: "
        "rule cursor_expired.",
    )
    async def events(
        self,
        info: Info,
        first: int | None = 20,
        after: str | None = None,
        types: list[EventType] | None = None,
        subject_id: strawberry.ID | None = None,
    ) -> Connection[Event]:
        realm = info.context.realm
        if after is not None:
            async with info.context.database.snapshot() as session:
                await log_position(session, realm, after)
        found = select(tables.Event).where(
            col(tables.Event.workspace_id) == realm.workspace_id, col(tables.Event.environment) == realm.environment
        )
        if types is not None:
            found = found.where(col(tables.Event.type).in_(types))
        if subject_id is not None:
            found = found.where(col(tables.Event.subject_id) == subject_id)
        return await page(info, found, LOG, Event.from_row, first=first, after=after)

    @query(description="The catalogue of events: what may be subscribed to, and what comes then.")
    def webhook_event_types(self) -> list[WebhookEventType]:
        return [WebhookEventType.of(type) for type in EventType]

    @query(Scope.WEBHOOKS, description="At most 50.")
    async def webhook_endpoints(self, info: Info) -> list[WebhookEndpoint]:
        async with info.context.database.snapshot() as session:
            rows = await webhooks.list_endpoints(session, info.context.realm)
        return [WebhookEndpoint.from_row(row) for row in rows]

    @query(Scope.WEBHOOKS)
    async def webhook_endpoint(self, info: Info, id: strawberry.ID) -> WebhookEndpoint | None:
        return await info.context.loaders.endpoints.load(id)
