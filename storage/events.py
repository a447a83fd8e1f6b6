"""The event log: emit() writes what happened and the deliveries it owes; after() reads on from a position."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import col

from storage import ids
from storage.bodies import Body
from storage.database import Transaction
from storage.notify import Bell
from storage.tables import Delivery, Endpoint, EndpointStatus, Event, EventType, JobMoment, Log, Realm
from storage.tables.columns import Subject, dump, now, wire


class _Pending(NamedTuple):
    """An event of a transaction that has no position yet, and whom it goes to."""

    event: Event
    deliver: bool
    only: Delivery | None

    @property
    def realm(self) -> Realm:
        return Realm(self.event.workspace_id, self.event.environment)


async def emit(
    session: Transaction,
    subject: Subject,
    type: EventType,
    body: Body,
    *,
    moment: JobMoment | None = None,
    deliver: bool = True,
    only: Delivery | None = None,
) -> Event:
    """
    Log one fact about a subject, in the transaction that makes it true.

    The subject's sequence grows at once; the position in the log is taken when the transaction closes. An event goes
    to every endpoint that asked for its type, to none unless `deliver`, and to one alone as the delivery `only`.
    """
    sequence = await _count(session, subject)
    at = now()
    event = Event(
        id=ids.new(ids.Prefix.EVENT),
        workspace_id=subject.workspace_id,
        environment=subject.environment,
        position=0,
        type=type,
        subject_id=subject.id,
        sequence=sequence,
        at=at,
        body=b"",
        moment=moment,
    )
    envelope = {
        "id": event.id,
        "type": type,
        "timestamp": wire(at),
        "environment": subject.environment,
        "subjectId": subject.id,
        "sequence": sequence,
    }
    event.body = dump(envelope | body.told())
    pending: list[_Pending] = session.info.setdefault("events", [])
    if not pending:
        session.closing.append(_append)
    pending.append(_Pending(event, deliver and only is None, only))
    return event


async def _count(session: Transaction, subject: Subject) -> int:
    """The next sequence number of a subject; its row is held until the commit."""
    table = subject.__class__
    counted = await session.execute(
        update(table)
        .where(col(table.id) == subject.id)
        .values(sequence=col(table.sequence) + 1)
        .returning(col(table.sequence))
        .execution_options(synchronize_session=False)
    )
    sequence: int = counted.scalar_one()
    set_committed_value(subject, "sequence", sequence)
    return sequence


async def _append(session: Transaction) -> None:
    """Give the events of a transaction their positions and write them with the deliveries they owe."""
    pending: list[_Pending] = session.info.pop("events")
    for realm in sorted({each.realm for each in pending}):
        entries = [each for each in pending if each.realm == realm]
        last = await session.scalar(
            update(Log)
            .where(col(Log.workspace_id) == realm.workspace_id, col(Log.environment) == realm.environment)
            .values(position=col(Log.position) + len(entries))
            .returning(col(Log.position))
            .execution_options(synchronize_session=False)
        )
        for position, entry in enumerate(entries, start=(last or 0) - len(entries) + 1):
            entry.event.position = position
        session.add_all(entry.event for entry in entries)
        await session.flush()
        await _owe(session, realm, [entry.event for entry in entries if entry.deliver])
        _owe_only(session, entries)
    session.bells.add(Bell.EVENTS)


def _owe_only(session: Transaction, entries: Sequence[_Pending]) -> None:
    for entry in entries:
        if entry.only is not None:
            entry.only.event_id, entry.only.place = entry.event.id, entry.event.position
            session.add(entry.only)
            session.bells |= {Bell.DELIVERIES, Bell.ATTEMPTS}


async def _owe(session: Transaction, realm: Realm, events: Sequence[Event]) -> None:
    """One delivery for each event and endpoint of the realm that asked for its type."""
    if not events:
        return
    endpoints = await _listeners(session, realm)
    owed = [
        Delivery(
            id=ids.new(ids.Prefix.DELIVERY), endpoint_id=endpoint_id, event_id=event.id, place=event.position
        ).model_dump(exclude={"change"})
        for endpoint_id, types in endpoints
        for event in events
        if event.type in types
    ]
    if owed:
        await session.execute(insert(Delivery), owed)
        session.bells |= {Bell.DELIVERIES, Bell.ATTEMPTS}


async def wanted(session: AsyncSession, realm: Realm, type: EventType) -> bool:
    """Whether any endpoint of the realm asked for events of this type."""
    return any(type in types for _, types in await _listeners(session, realm))


async def _listeners(session: AsyncSession, realm: Realm) -> Sequence[tuple[str, list[EventType]]]:
    """The endpoints of a realm that get deliveries, paused ones too, with the types they asked for."""
    found = await session.execute(
        select(col(Endpoint.id), col(Endpoint.events)).where(
            col(Endpoint.workspace_id) == realm.workspace_id,
            col(Endpoint.environment) == realm.environment,
            col(Endpoint.deleted_at).is_(None),
            col(Endpoint.status) != EndpointStatus.DISABLED,
        )
    )
    return [(row.id, row.events) for row in found]


async def position(session: AsyncSession, realm: Realm) -> int:
    """The last position of the realm's log, 0 when it is empty."""
    log = await session.get(Log, realm)
    return log.position if log else 0


async def removed(session: AsyncSession, realm: Realm) -> int:
    """The last position of the realm's log that was removed, 0 when none was; some before it may be left."""
    log = await session.get(Log, realm)
    return log.removed if log else 0


async def remove(session: Transaction, removed_ids: Sequence[str]) -> int:
    """Remove events, but for those that a delivery names, and note how far the log has holes; tells how many."""
    named = exists().where(col(Delivery.event_id) == col(Event.id))
    gone = await session.execute(
        delete(Event)
        .where(col(Event.id).in_(removed_ids), ~named)
        .returning(col(Event.workspace_id), col(Event.environment), col(Event.position))
        .execution_options(synchronize_session=False)
    )
    positions: defaultdict[Realm, list[int]] = defaultdict(list)
    for row in gone:
        positions[Realm(row.workspace_id, row.environment)].append(row.position)
    for realm in sorted(positions):
        last = max(positions[realm])
        await session.execute(
            update(Log)
            .where(col(Log.workspace_id) == realm.workspace_id, col(Log.environment) == realm.environment)
            .where(col(Log.removed) < last)
            .values(removed=last)
            .execution_options(synchronize_session=False)
        )
    return sum(map(len, positions.values()))


async def after(
    session: AsyncSession,
    realm: Realm,
    position: int,
    *,
    types: Collection[EventType] | None = None,
    subject_id: str | None = None,
    limit: int = 100,
) -> Sequence[Event]:
    """The next events of a realm, or of one of its subjects, behind a position, oldest first."""
    query = (
        select(Event)
        .where(
            col(Event.workspace_id) == realm.workspace_id,
            col(Event.environment) == realm.environment,
            col(Event.position) > position,
        )
        .order_by(col(Event.position))
        .limit(limit)
    )
    if types is not None:
        query = query.where(col(Event.type).in_(types))
    if subject_id is not None:
        query = query.where(col(Event.subject_id) == subject_id)
    return (await session.scalars(query)).all()


async def of_subject(
    session: AsyncSession, subject_id: str, *, after_sequence: int = 0, after_position: int = 0, limit: int = 100
) -> Sequence[Event]:
    """The next events of a subject behind a sequence number or a position, oldest first."""
    return (
        await session.scalars(
            select(Event)
            .where(
                col(Event.subject_id) == subject_id,
                col(Event.sequence) > after_sequence,
                col(Event.position) > after_position,
            )
            .order_by(col(Event.sequence))
            .limit(limit)
        )
    ).all()


async def count_of_subject(session: AsyncSession, subject_id: str, after_sequence: int) -> int:
    """How many events of a subject behind a sequence number are kept."""
    kept = select(func.count()).where(col(Event.subject_id) == subject_id, col(Event.sequence) > after_sequence)
    return await session.scalar(kept) or 0


async def find(session: AsyncSession, realm: Realm, found_ids: Sequence[str]) -> Sequence[Event]:
    """
    The events of a realm among some ids.

    Whose they are is judged here: of a condition on the realm SQLite makes a walk through all of its log.
    """
    found = (await session.scalars(select(Event).where(col(Event.id).in_(found_ids)))).all()
    return [event for event in found if (event.workspace_id, event.environment) == realm]
