"""Endpoints: make, change, remove, rotate, try; and deliveries: send again."""

from datetime import datetime, timedelta
from typing import Any

import strawberry

from schema.context import Info
from schema.mutations import KEY, CreatedPayload, Payload, mutation, once
from schema.types.errors import JobWarning
from schema.types.scalars import URL
from schema.types.webhooks import WebhookDelivery, WebhookEndpoint
from storage import deliveries, ids, replays, tables, webhooks
from storage.database import Transaction
from storage.destinations import check_destination
from storage.errors import Checks, ValidationFailed
from storage.limits import LONGEST
from storage.replays import Replay, Wanted
from storage.tables import DeliveryStatus, EndpointStatus, EventType, Scope
from storage.tables.columns import now

LONGEST_GRACE_SECONDS = 604800
LONGEST_HERE = {"url": 2_000, "description": LONGEST["description"]}
HIGHEST_RATE = 60_000

POLLING_NOT_VERIFIED = JobWarning(
    code="polling_not_verified",
    message="No finished result has been read yet; verify the polling flow before you rely on webhooks.",
)


@strawberry.input(description="The endpoint belongs to the environment of the credential.")
class CreateWebhookEndpointInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    url: URL = strawberry.field(
        description="https, a host name, and not on a private network; at most 2000 characters."
    )
    description: str | None = strawberry.field(default=None, description="At most 5000 characters.")
    events: list[EventType] = strawberry.field(
        default_factory=lambda: [EventType.CONTENT_COMPLETED, EventType.CONTENT_FAILED]
    )
    ordered: bool = strawberry.field(
        default=False, description="Deliver one at a time, in the order of the log; retries hold the line."
    )
    rate_limit_per_minute: int | None = strawberry.field(
        default=None, description="Requests per minute at most, 1 to 60000, retries included; null for no limit."
    )


@strawberry.type
class CreateWebhookEndpointPayload(CreatedPayload):
    endpoint: WebhookEndpoint | None = None
    secret: str | None = strawberry.field(default=None, description="Shown once; null in a replay.")
    warnings: list[JobWarning] = strawberry.field(default_factory=list, description="E.g. polling_not_verified.")

    @classmethod
    def about(cls, row: Any) -> "CreateWebhookEndpointPayload":
        return cls(endpoint=WebhookEndpoint.from_row(row))


@strawberry.input
class UpdateWebhookEndpointInput:
    id: strawberry.ID
    url: URL | None = strawberry.UNSET
    description: str | None = strawberry.field(default=strawberry.UNSET, description="At most 5000 characters.")
    events: list[EventType] | None = strawberry.UNSET
    status: EndpointStatus | None = strawberry.field(
        default=strawberry.UNSET, description="ACTIVE resumes and re-enables, PAUSED pauses; DISABLED is refused."
    )
    ordered: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Deliver one at a time, in the order of the log; retries hold the line."
    )
    rate_limit_per_minute: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="Requests per minute at most, 1 to 60000, retries included; null for no limit.",
    )


@strawberry.type
class UpdateWebhookEndpointPayload(Payload):
    endpoint: WebhookEndpoint | None = None


@strawberry.input
class DeleteWebhookEndpointInput:
    id: strawberry.ID


@strawberry.type
class DeleteWebhookEndpointPayload(Payload):
    deleted_id: strawberry.ID | None = None


@strawberry.input
class RotateWebhookSecretInput:
    endpoint_id: strawberry.ID
    grace_seconds: int = strawberry.field(
        default=86400, description="How long the previous secret goes on signing too; 0 to 604800."
    )


@strawberry.type
class RotateWebhookSecretPayload(Payload):
    endpoint: WebhookEndpoint | None = None
    secret: str | None = strawberry.field(default=None, description="Shown once.")


@strawberry.input
class SendTestWebhookInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    endpoint_id: strawberry.ID


@strawberry.type
class SendTestWebhookPayload(CreatedPayload):
    delivery: WebhookDelivery | None = None

    @classmethod
    def about(cls, row: Any) -> "SendTestWebhookPayload":
        return cls(delivery=WebhookDelivery.from_row(row))


@strawberry.input(description="All given conditions must hold; deliveryIds or endpointId is needed.")
class ReplayWebhooksInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    delivery_ids: list[strawberry.ID] | None = strawberry.field(default=None, description="At most 500, as any list.")
    endpoint_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Without status every event of its types, delivered or not, but for what is still owed to it.",
    )
    status: DeliveryStatus | None = strawberry.field(
        default=None, description="Of the newest delivery of an event to the endpoint."
    )
    since: datetime | None = strawberry.field(default=None, description="Event time.")
    until: datetime | None = strawberry.field(default=None, description="Event time.")


@strawberry.type
class ReplayWebhooksPayload(CreatedPayload):
    count: int | None = strawberry.field(default=None, description="How many deliveries were made.")
    deliveries: list[WebhookDelivery] | None = strawberry.field(default=None, description="The first 100 of them.")
    replayed: bool = strawberry.field(default=False, description="About idempotency, as everywhere.")

    @classmethod
    def about(cls, row: Any) -> "ReplayWebhooksPayload":
        return cls(count=row.count, deliveries=[WebhookDelivery.from_row(delivery) for delivery in row.deliveries])


@strawberry.type
class WebhookMutations:
    @mutation(Scope.WEBHOOKS)
    async def create_webhook_endpoint(
        self, info: Info, input: CreateWebhookEndpointInput
    ) -> CreateWebhookEndpointPayload:
        await check_destination(input.url, allow_private=info.context.settings.webhook_allow_private)
        _check_events(input.events)
        _check_limits(input)
        realm, shown = info.context.realm, {}

        async def make(session: Transaction, endpoint_id: str) -> tables.Endpoint:
            await webhooks.require_room(session, realm)
            endpoint, shown["secret"] = webhooks.create(
                session,
                realm,
                endpoint_id,
                input.url,
                input.events,
                input.description,
                info.context.sealer,
                ordered=input.ordered,
                rate_limit_per_minute=input.rate_limit_per_minute,
            )
            return endpoint

        async def find(session: Any, endpoint_id: str) -> tables.Endpoint | None:
            return next(iter(await webhooks.find(session, realm, [endpoint_id])), None)

        endpoint_id = ids.new(ids.Prefix.ENDPOINT)
        endpoint, replayed = await once(info, "createWebhookEndpoint", input, endpoint_id, make, find)
        payload = CreateWebhookEndpointPayload.about(endpoint)
        payload.replayed, payload.secret = replayed, shown.get("secret")
        if not (await info.context.loaders.workspace()).polling_verified:
            payload.warnings = [POLLING_NOT_VERIFIED]
        return payload

    @mutation(Scope.WEBHOOKS)
    async def update_webhook_endpoint(
        self, info: Info, input: UpdateWebhookEndpointInput
    ) -> UpdateWebhookEndpointPayload:
        _check_changes(input)
        if input.url:
            await check_destination(input.url, allow_private=info.context.settings.webhook_allow_private)
        async with info.context.database.transaction() as session:
            endpoint = await webhooks.locked(session, info.context.realm, input.id)
            for name in ("url", "description", "ordered", "rate_limit_per_minute"):
                if (value := getattr(input, name)) is not strawberry.UNSET:
                    setattr(endpoint, name, value)
            if input.events:
                endpoint.events = list(dict.fromkeys(input.events))
            if input.status is EndpointStatus.ACTIVE:
                webhooks.resume(session, endpoint)
            elif input.status is EndpointStatus.PAUSED:
                webhooks.pause(endpoint)
            endpoint.updated_at = now()
        return UpdateWebhookEndpointPayload(endpoint=WebhookEndpoint.from_row(endpoint))

    @mutation(Scope.WEBHOOKS)
    async def delete_webhook_endpoint(
        self, info: Info, input: DeleteWebhookEndpointInput
    ) -> DeleteWebhookEndpointPayload:
        async with info.context.database.transaction() as session:
            endpoint = await webhooks.locked(session, info.context.realm, input.id)
            endpoint.deleted_at = now()
            await deliveries.cancel(session, endpoint.id)
        return DeleteWebhookEndpointPayload(deleted_id=input.id)

    @mutation(Scope.WEBHOOKS)
    async def rotate_webhook_secret(self, info: Info, input: RotateWebhookSecretInput) -> RotateWebhookSecretPayload:
        with Checks() as checks:
            checks.require(
                0 <= input.grace_seconds <= LONGEST_GRACE_SECONDS,
                "grace_range",
                f"graceSeconds is 0 to {LONGEST_GRACE_SECONDS}.",
                "input",
                "graceSeconds",
            )
        async with info.context.database.transaction() as session:
            endpoint = await webhooks.locked(session, info.context.realm, input.endpoint_id)
            secret = webhooks.rotate(endpoint, timedelta(seconds=input.grace_seconds), info.context.sealer)
        return RotateWebhookSecretPayload(endpoint=WebhookEndpoint.from_row(endpoint), secret=secret)

    @mutation(Scope.WEBHOOKS)
    async def send_test_webhook(self, info: Info, input: SendTestWebhookInput) -> SendTestWebhookPayload:
        realm = info.context.realm

        async def make(session: Transaction, delivery_id: str) -> tables.Delivery:
            endpoint = await webhooks.locked(session, realm, input.endpoint_id)
            return await webhooks.test(session, endpoint, delivery_id)

        async def find(session: Any, delivery_id: str) -> tables.Delivery | None:
            return next(iter(await deliveries.find(session, realm, [delivery_id])), None)

        delivery_id = ids.new(ids.Prefix.DELIVERY)
        delivery, replayed = await once(info, "sendTestWebhook", input, delivery_id, make, find)
        payload = SendTestWebhookPayload.about(delivery)
        payload.replayed = replayed
        return payload

    @mutation(Scope.WEBHOOKS, description="Sends deliveries again, succeeded ones too, under the same webhook-id.")
    async def replay_webhooks(self, info: Info, input: ReplayWebhooksInput) -> ReplayWebhooksPayload:
        _check_scope(input)
        realm = info.context.realm
        wanted = Wanted(input.delivery_ids, input.endpoint_id, input.status, input.since, input.until)

        async def make(session: Transaction, replay_id: str) -> Replay:
            return await replays.start(session, realm, replay_id, wanted)

        async def find(session: Any, replay_id: str) -> Replay:
            return await replays.find(session, realm, replay_id)

        replay_id = ids.new(ids.Prefix.REPLAY)
        replay, replayed = await once(info, "replayWebhooks", input, replay_id, make, find)
        payload = ReplayWebhooksPayload.about(replay)
        payload.replayed = replayed
        return payload


def _check_scope(input: ReplayWebhooksInput) -> None:
    with Checks() as checks:
        checks.require(
            input.delivery_ids or (input.delivery_ids is None and input.endpoint_id),
            "replay_scope",
            "Name deliveries or an endpoint.",
            "input",
        )
        checks.require(
            input.since is None or input.until is None or input.since <= input.until,
            "range_empty",
            "since is after until.",
            "input",
            "since",
        )


def _check_limits(input: CreateWebhookEndpointInput | UpdateWebhookEndpointInput) -> None:
    limit = input.rate_limit_per_minute
    with Checks() as checks:
        for name, most in LONGEST_HERE.items():
            fits = len(getattr(input, name) or "") <= most
            checks.require(fits, "too_long", f"{name} has at most {most} characters.", "input", name)
        in_range = not isinstance(limit, int) or 1 <= limit <= HIGHEST_RATE
        message = f"rateLimitPerMinute is 1 to {HIGHEST_RATE}."
        checks.require(in_range, "rate_limit_range", message, "input", "rateLimitPerMinute")


def _check_events(events: list[EventType]) -> None:
    if not events:
        raise ValidationFailed("events_empty", "Name at least one event type.", "input", "events")


def _check_changes(input: UpdateWebhookEndpointInput) -> None:
    with Checks() as checks:
        for name in ("url", "events", "status", "ordered"):
            checks.require(getattr(input, name) is not None, "required", f"{name} cannot be null.", "input", name)
        checks.require(
            input.status is not EndpointStatus.DISABLED,
            "status_disabled",
            "Only the dispatcher disables; pause the endpoint or delete it.",
            "input",
            "status",
        )
    if input.events is not strawberry.UNSET and input.events is not None:
        _check_events(input.events)
    _check_limits(input)
