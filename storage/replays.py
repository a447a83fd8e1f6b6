"""Sending again: deliveries by id, or a stretch of the event log; what was never sent is found there too."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from storage import deliveries, events, ids, webhooks
from storage.database import Transaction
from storage.errors import NotFound, ValidationFailed
from storage.notify import Bell
from storage.tables import Delivery, DeliveryStatus, Endpoint, EndpointStatus, Event, EventType, Realm

MOST = 10_000
SHOWN = 100
INSERTED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be sent again: all conditions hold; without ids there is an endpoint."""

    delivery_ids: Sequence[str] | None = None
    endpoint_id: str | None = None
    status: DeliveryStatus | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """What was made: how many, and the first of them."""

    count: int
    deliveries: Sequence[Delivery]


@dataclass(frozen=True, slots=True)
class _Again:
    """One event for one endpoint, and the delivery that is repeated, if there was one."""

    endpoint_id: str
    event_id: str
    replay_of: str | None


async def start(session: Transaction, realm: Realm, replay_id: str, wanted: Wanted) -> Replay:
    """
    Make the deliveries; they line up behind what their endpoints are owed already.

    NotFound for a delivery or endpoint that does not exist here; ValidationFailed for a disabled endpoint, and for
    more than fits into one transaction.
    """
    found = await _by_ids(session, realm, wanted) if wanted.delivery_ids is not None else None
    if found is None:
        endpoint = await _endpoint(session, realm, wanted.endpoint_id or "")
        found = await (_sent if wanted.status is not None else _logged)(session, endpoint, wanted)
    if len(found) > MOST:
        raise ValidationFailed("replay_too_large", f"More than {MOST} deliveries: narrow the conditions.", "input")
    place = await events.position(session, realm)
    for batch in _batches(found):
        rows = [
            Delivery(
                id=ids.new(ids.Prefix.DELIVERY),
                endpoint_id=again.endpoint_id,
                event_id=again.event_id,
                place=place,
                replay_of=again.replay_of,
                replay_id=replay_id,
            ).model_dump(exclude={"change"})
            for again in batch
        ]
        await session.execute(insert(Delivery), rows)
    session.bells |= {Bell.DELIVERIES, Bell.ATTEMPTS}
    return await find(session, realm, replay_id)


async def find(session: AsyncSession, realm: Realm, replay_id: str) -> Replay:
    """What a replay made, and is still there."""
    query = select(Delivery).join(Endpoint, col(Endpoint.id) == col(Delivery.endpoint_id))
    query = query.where(*deliveries.visible(realm), col(Delivery.replay_id) == replay_id)
    count = await session.scalar(select(func.count()).select_from(query.subquery())) or 0
    return Replay(count, (await session.scalars(query.order_by(col(Delivery.id)).limit(SHOWN))).all())


def _batches(found: Sequence[_Again]) -> Iterator[Sequence[_Again]]:
    for begin in range(0, len(found), INSERTED_AT_ONCE):
        yield found[begin : begin + INSERTED_AT_ONCE]


async def _endpoint(session: Transaction, realm: Realm, id: str) -> Endpoint:
    endpoint = next(iter(await webhooks.find(session, realm, [id])), None)
    if endpoint is None:
        raise NotFound(path=("input", "endpointId"))
    _check_enabled(endpoint)
    return endpoint


def _check_enabled(endpoint: Endpoint) -> None:
    if endpoint.status is EndpointStatus.DISABLED:
        raise ValidationFailed("endpoint_disabled", "The endpoint is disabled; enable it first.", "input")


async def _by_ids(session: Transaction, realm: Realm, wanted: Wanted) -> list[_Again]:
    """The named deliveries that fulfil the other conditions, in the order of their events."""
    query = (
        select(Delivery, Endpoint, Event)
        .join(Endpoint, col(Endpoint.id) == col(Delivery.endpoint_id))
        .join(Event, col(Event.id) == col(Delivery.event_id))
        .where(*deliveries.visible(realm), col(Delivery.id).in_(wanted.delivery_ids or ()))
        .order_by(col(Event.position), col(Delivery.id))
    )
    rows = (await session.execute(query)).all()
    known = {delivery.id for delivery, _, _ in rows}
    for index, id in enumerate(wanted.delivery_ids or ()):
        if id not in known:
            raise NotFound(path=("input", "deliveryIds", index))
    found = []
    for delivery, endpoint, event in rows:
        if wanted.endpoint_id in (None, endpoint.id) and _fits(delivery, event, wanted):
            _check_enabled(endpoint)
            found.append(_Again(endpoint.id, event.id, delivery.id))
    return found


def _fits(delivery: Delivery, event: Event, wanted: Wanted) -> bool:
    return (
        wanted.status in (None, delivery.status)
        and (wanted.since is None or event.at >= wanted.since)
        and (wanted.until is None or event.at <= wanted.until)
    )


async def _sent(session: Transaction, endpoint: Endpoint, wanted: Wanted) -> list[_Again]:
    """Of each event the newest delivery, when it has the status."""
    later = aliased(Delivery)
    repeated = exists().where(
        col(later.event_id) == col(Delivery.event_id),
        col(later.endpoint_id) == endpoint.id,
        col(later.id) > col(Delivery.id),
    )
    conditions = [
        col(Delivery.endpoint_id) == endpoint.id,
        col(Delivery.status) == wanted.status,
        ~repeated,
        *_at(wanted),
    ]
    if wanted.since is not None:  # no delivery is older than its event
        conditions.append(col(Delivery.id) >= ids.first_at(ids.Prefix.DELIVERY, wanted.since))
    rows = await session.execute(
        select(col(Event.id), col(Delivery.id))
        .select_from(Delivery)
        .join(Event, col(Event.id) == col(Delivery.event_id))
        .where(*conditions)
        .order_by(col(Event.position))
        .limit(MOST + 1)
    )
    return [_Again(endpoint.id, event_id, delivery_id) for event_id, delivery_id in rows]


async def _logged(session: Transaction, endpoint: Endpoint, wanted: Wanted) -> list[_Again]:
    """
    The events of the types that the endpoint asks for, sent to it before or not, but for what it is owed already.

    Not what would not have been sent to it in the first place: tests, news of itself, and the steps of jobs between
    those that webhooks are told.
    """
    sent = and_(col(Delivery.event_id) == col(Event.id), col(Delivery.endpoint_id) == endpoint.id)
    newest = select(func.max(col(Delivery.id))).where(sent).correlate(Event).scalar_subquery()
    owed = exists().where(sent, col(Delivery.next_attempt_at).is_not(None))
    types = [type for type in endpoint.events if type is not EventType.WEBHOOK_TEST]
    query: Select[Any] = (
        select(col(Event.id), newest.label("delivery_id"))
        .where(
            col(Event.workspace_id) == endpoint.workspace_id,
            col(Event.environment) == endpoint.environment,
            col(Event.type).in_(types),
            col(Event.subject_id) != endpoint.id,
            or_(col(Event.type) != EventType.JOB_PROGRESS, exists().where(sent)),
            ~owed,
            *_at(wanted),
        )
        .order_by(col(Event.position))
        .limit(MOST + 1)
    )
    return [_Again(endpoint.id, row.id, row.delivery_id) for row in await session.execute(query)]


def _at(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if wanted.since is not None:
        yield col(Event.at) >= wanted.since
    if wanted.until is not None:
        yield col(Event.at) <= wanted.until
