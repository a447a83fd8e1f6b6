"""Deliveries: found, watched, cancelled, forgotten."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Text, cast, delete, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import batches, events, ids
from storage.bodies import DisabledBody
from storage.database import Transaction
from storage.notify import Bell
from storage.tables import Delivery, DeliveryStatus, Endpoint, EndpointStatus, EventType, Realm
from storage.tables.columns import now
from storage.tables.webhooks import OWED, NextChange

CANCELED_AT_ONCE = 1000
EXPIRED_AT_ONCE = 1000


async def find(session: AsyncSession, realm: Realm, found_ids: Sequence[str]) -> Sequence[Delivery]:
    """
    The deliveries of a realm among some ids; those of a deleted endpoint are gone with it.

    Whose they are is judged here, so that the ids alone lead to the rows.
    """
    query = select(Delivery, Endpoint).join(Endpoint, col(Endpoint.id) == col(Delivery.endpoint_id))
    rows = (await session.execute(query.where(col(Delivery.id).in_(found_ids)))).all()
    return [delivery for delivery, endpoint in rows if endpoint.realm == realm and endpoint.deleted_at is None]


async def of_events(session: AsyncSession, event_ids: Sequence[str]) -> Sequence[Delivery]:
    """The deliveries of some events, oldest first."""
    query = select(Delivery).join(Endpoint, col(Endpoint.id) == col(Delivery.endpoint_id))
    query = query.where(col(Delivery.event_id).in_(event_ids), col(Endpoint.deleted_at).is_(None))
    return (await session.scalars(query.order_by(col(Delivery.id)))).all()


def visible(realm: Realm) -> tuple[ColumnElement[bool], ...]:
    """The conditions on its endpoint under which a delivery exists for somebody."""
    return (
        col(Endpoint.workspace_id) == realm.workspace_id,
        col(Endpoint.environment) == realm.environment,
        col(Endpoint.deleted_at).is_(None),
    )


async def disable(session: Transaction, endpoint: Endpoint, reason: str) -> None:
    """Send nothing more until somebody enables the endpoint again, and tell the other endpoints."""
    if endpoint.status is EndpointStatus.DISABLED or endpoint.deleted_at is not None:
        return
    endpoint.status, endpoint.disabled_reason, endpoint.updated_at = EndpointStatus.DISABLED, reason, now()
    await session.flush()
    await cancel(session, endpoint.id)
    body = DisabledBody(endpoint_id=endpoint.id, reason=reason)
    await events.emit(session, endpoint, EventType.ENDPOINT_DISABLED, body)


async def cancel(session: Transaction, endpoint_id: str) -> None:
    """
    Nothing more goes to this endpoint.

    A thousand at a time, so that a long queue holds nobody up; the rest is cancelled when its turn comes to be claimed,
    for which one of them is ready at once.
    """
    owed = (
        select(col(Delivery.id))
        .where(col(Delivery.endpoint_id) == endpoint_id, col(Delivery.status).in_(OWED))
        .with_for_update(skip_locked=True)
    )
    moment = now()
    canceled = await batches.run(
        session,
        update(Delivery)
        .where(col(Delivery.id).in_(batches.chosen(owed.limit(CANCELED_AT_ONCE))))
        .values(
            status=DeliveryStatus.CANCELED,
            ready=False,
            next_attempt_at=None,
            completed_at=moment,
            updated_at=moment,
            change=NextChange(),
        ),
    )
    session.bells.add(Bell.ATTEMPTS)
    if canceled >= CANCELED_AT_ONCE:
        first = batches.chosen(owed.limit(1))
        await batches.run(session, update(Delivery).where(col(Delivery.id).in_(first)).values(ready=True))
        session.bells.add(Bell.DELIVERIES)


async def horizon(session: AsyncSession) -> int:
    """The last change that everything up to it is visible of; whoever watches reads up to it and no further."""
    if session.get_bind().dialect.name == "sqlite":
        return await session.scalar(select(func.max(col(Delivery.change)))) or 0
    oldest_running = cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), BigInteger)
    return (await session.scalar(select(oldest_running)) or 0) - 1


async def changed(
    session: AsyncSession, realm: Realm, endpoint_id: str | None, after: tuple[int, str], upto: int, limit: int
) -> Sequence[Delivery]:
    """The deliveries of a realm, or of one of its endpoints, that changed behind a place (change, id), as they are."""
    change, id = col(Delivery.change), col(Delivery.id)
    query = (
        select(Delivery)
        .join(Endpoint, col(Endpoint.id) == col(Delivery.endpoint_id))
        .where(
            *visible(realm),
            tuple_(change, id) > after,
            change.between(after[0], upto),
        )
        .order_by(change, id)
        .limit(limit)
    )
    if endpoint_id is not None:
        query = query.where(col(Delivery.endpoint_id) == endpoint_id)
    return (await session.scalars(query)).all()


async def expire(session: Transaction, before: datetime, after: str = "") -> tuple[int, str | None]:
    """
    Forget a thousand settled deliveries, with their attempts, that were made before a time, the oldest first.

    What is still owed stays, however old. Answers how many were forgotten, and the id to go on behind, None at the end.
    """
    old = (
        select(col(Delivery.id), col(Delivery.next_attempt_at))
        .where(col(Delivery.id) > after, col(Delivery.id) < ids.first_at(ids.Prefix.DELIVERY, before))
        .order_by(col(Delivery.id))
        .limit(EXPIRED_AT_ONCE)
    )
    rows = (await session.execute(old)).all()
    settled = [row.id for row in rows if row.next_attempt_at is None]
    if settled:
        query = delete(Delivery).where(col(Delivery.id).in_(settled), col(Delivery.next_attempt_at).is_(None))
        await session.execute(query.execution_options(synchronize_session=False))
    return len(settled), rows[-1].id if len(rows) == EXPIRED_AT_ONCE else None
