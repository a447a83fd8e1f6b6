"""Endpoints: made, changed, found; and what was sent to them."""

import base64
import secrets
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import events, workspaces
from storage.bodies import WebhookTestBody
from storage.database import Transaction
from storage.errors import NotFound, ValidationFailed
from storage.notify import Bell
from storage.sealing import Sealer
from storage.tables import Delivery, Endpoint, EndpointStatus, EventType, Realm
from storage.tables.columns import now

HINT_LENGTH = len("whsec_") + 4
MOST_ENDPOINTS = 50


async def require_room(session: Transaction, realm: Realm) -> None:
    """ValidationFailed (rule too_many_endpoints) when there are as many as may be; others wait for their turn."""
    await workspaces.hold(session, realm.workspace_id)
    if len(await list_endpoints(session, realm)) >= MOST_ENDPOINTS:
        message = f"An environment has at most {MOST_ENDPOINTS} endpoints."
        raise ValidationFailed("too_many_endpoints", message, "input")


def new_secret() -> str:
    """A signing secret in the form of Standard Webhooks: whsec_ and 32 random bytes in base64."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def create(
    session: Transaction,
    realm: Realm,
    id: str,
    url: str,
    types: Sequence[EventType],
    description: str | None,
    sealer: Sealer,
    *,
    ordered: bool = False,
    rate_limit_per_minute: int | None = None,
) -> tuple[Endpoint, str]:
    """A new endpoint and its secret, which is shown only now."""
    secret = new_secret()
    endpoint = Endpoint(
        id=id,
        workspace_id=realm.workspace_id,
        environment=realm.environment,
        url=url,
        description=description,
        events=list(dict.fromkeys(types)),
        secret=sealer.seal(secret),
        secret_hint=secret[:HINT_LENGTH],
        ordered=ordered,
        rate_limit_per_minute=rate_limit_per_minute,
    )
    session.add(endpoint)
    return endpoint, secret


def rotate(endpoint: Endpoint, grace: timedelta, sealer: Sealer) -> str:
    """A new secret; the previous one goes on signing too until the grace ends."""
    secret = new_secret()
    endpoint.previous_secret = endpoint.secret if grace else None
    endpoint.previous_secret_expires_at = now() + grace if grace else None
    endpoint.secret, endpoint.secret_hint = sealer.seal(secret), secret[:HINT_LENGTH]
    endpoint.updated_at = now()
    return secret


async def list_endpoints(session: AsyncSession, realm: Realm) -> Sequence[Endpoint]:
    """The endpoints of a realm, oldest first."""
    query = select(Endpoint).where(
        col(Endpoint.workspace_id) == realm.workspace_id,
        col(Endpoint.environment) == realm.environment,
        col(Endpoint.deleted_at).is_(None),
    )
    return (await session.scalars(query.order_by(col(Endpoint.id)))).all()


async def find(session: AsyncSession, realm: Realm, found_ids: Sequence[str]) -> Sequence[Endpoint]:
    """The endpoints of a realm among some ids."""
    return [endpoint for endpoint in await list_endpoints(session, realm) if endpoint.id in found_ids]


async def locked(session: Transaction, realm: Realm, id: str) -> Endpoint:
    """An endpoint that is about to change, held until the commit; NotFound when there is none."""
    query = select(Endpoint).where(
        col(Endpoint.id) == id,
        col(Endpoint.workspace_id) == realm.workspace_id,
        col(Endpoint.environment) == realm.environment,
        col(Endpoint.deleted_at).is_(None),
    )
    endpoint = (await session.scalars(query.with_for_update(key_share=True))).one_or_none()
    if endpoint is None:
        raise NotFound
    return endpoint


def resume(session: Transaction, endpoint: Endpoint) -> None:
    """What queued up goes out now, and what was held against the endpoint is forgotten."""
    endpoint.status = EndpointStatus.ACTIVE
    endpoint.disabled_reason = None
    endpoint.consecutive_failures, endpoint.failing_since, endpoint.closed_until = 0, None, None
    session.bells.add(Bell.DELIVERIES)


def pause(endpoint: Endpoint) -> None:
    """Deliveries are made, and wait until it is resumed; one that was disabled is so no more."""
    endpoint.status, endpoint.disabled_reason = EndpointStatus.PAUSED, None


async def test(session: Transaction, endpoint: Endpoint, delivery_id: str) -> Delivery:
    """A delivery to try the endpoint with, whatever it asked for."""
    if endpoint.status is EndpointStatus.DISABLED:
        raise ValidationFailed("endpoint_disabled", "The endpoint is disabled; enable it first.", "input", "endpointId")
    delivery = Delivery(id=delivery_id, endpoint_id=endpoint.id, event_id="")
    await events.emit(
        session, endpoint, EventType.WEBHOOK_TEST, WebhookTestBody(endpoint_id=endpoint.id), only=delivery
    )
    return delivery
