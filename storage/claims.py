"""Deliveries that wait: woken when they are due, claimed fairly under a lease, given back."""

import functools
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    BigInteger,
    Executable,
    Integer,
    LargeBinary,
    Row,
    String,
    bindparam,
    column,
    func,
    literal,
    select,
    text,
    union,
    update,
)
from sqlmodel import col

from storage import batches, deliveries, pacing
from storage.database import Transaction
from storage.tables import Delivery, DeliveryStatus, Endpoint, EndpointStatus
from storage.tables.columns import Instant, now
from storage.tables.webhooks import READY, TIMED

WOKEN_AT_ONCE = 500

STEPS = 256
"""Endpoints that one statement walks over."""

FRESH = 8
"""Room of an endpoint of which the claimer knows nothing."""

FRESH_PACED = 4
"""The same of one whose requests are limited."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the deliveries of an endpoint go, and what they are signed with; the secrets are sealed."""

    endpoint_id: str
    url: str
    secret: str
    previous_secret: str | None
    previous_until: datetime | None
    """When the overlap of a rotation ends, and the previous secret signs no more."""
    single: bool
    """It gets one at a time: the next one when this one is recorded."""
    paced: bool
    """Its requests are limited: what was claimed is sent at once, or it would come with what is let through later."""


class Owed(NamedTuple):
    """A claimed delivery with everything that sending it takes; ours until the lease ends."""

    id: str
    attempts: int
    target: Target
    event_id: str
    type: str
    body: bytes
    lease: datetime


@dataclass(frozen=True, slots=True)
class Claimed:
    """What was claimed, and how to go on."""

    owed: Sequence[Owed]
    position: str
    """The endpoint that had its turn last."""
    served: frozenset[str]
    """Endpoints of which something was asked for."""
    left: frozenset[str]
    """Endpoints that may be owed more than they had room for."""
    whole: bool
    """Every endpoint that is owed something had its turn."""
    look_at: datetime | None
    """When an endpoint that was passed over may be served again."""


async def wake(session: Transaction) -> datetime | None:
    """Make ready what has waited long enough, lost leases too; tells when the next one will have."""
    moment = now()
    due = (
        select(col(Delivery.id))
        .where(TIMED, col(Delivery.next_attempt_at) <= moment)
        .order_by(col(Delivery.next_attempt_at))
        .limit(WOKEN_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    await batches.run(session, update(Delivery).where(col(Delivery.id).in_(batches.chosen(due))).values(ready=True))
    return await session.scalar(select(func.min(col(Delivery.next_attempt_at))).where(TIMED))


async def stopped(session: Transaction, endpoint_ids: Collection[str]) -> Collection[str]:
    """Those of some endpoints that get nothing now: paused, disabled or deleted."""
    active = (col(Endpoint.status) == EndpointStatus.ACTIVE) & col(Endpoint.deleted_at).is_(None)
    return (await session.scalars(select(col(Endpoint.id)).where(col(Endpoint.id).in_(endpoint_ids), ~active))).all()


async def claim(
    session: Transaction, *, room: Mapping[str, int], limit: int, position: str, lease: timedelta
) -> Claimed:
    """
    The deliveries that are ready and have waited longest, of each endpoint as many as there is room for.

    Walks over the endpoints from the one that had its turn last, by one step in an index each, so it takes as long
    with a backlog of a million as without one. `room` is that of the endpoints the caller knows.
    """
    moment = now()
    turns = _Turns(moment, room, limit)
    whole = await _walk(session, turns, position)
    await _admit(session, turns)
    for endpoint_id in turns.dead:
        await deliveries.cancel(session, endpoint_id)
    until = moment + lease
    rows = await _take(session, turns, until) if turns.wanted else []
    owed = [
        Owed(row.id, row.attempt_count, turns.targets[row.endpoint_id], row.event_id, row.type, row.body, until)
        for row in sorted(rows, key=lambda row: (row.place, row.id))
    ]
    taken: defaultdict[str, list[str]] = defaultdict(list)
    for delivery in owed:
        taken[delivery.target.endpoint_id].append(delivery.id)
    for endpoint in turns.guarded:
        _mark(endpoint, taken[endpoint.id], moment, until)
    full = {id for id, asked in turns.wanted.items() if len(taken[id]) >= asked}
    return Claimed(
        owed,
        position=turns.position,
        served=frozenset(turns.wanted),
        left=frozenset(full | turns.crowded),
        whole=whole and len(owed) < limit,
        look_at=min(turns.later, default=None),
    )


@dataclass(slots=True)
class _Turns:
    """Who is served in one claim, and with how much."""

    moment: datetime
    room: Mapping[str, int]
    limit: int
    position: str = ""
    wanted: dict[str, int] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)
    guards: dict[str, int] = field(default_factory=dict)
    guarded: list[Endpoint] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    crowded: set[str] = field(default_factory=set)
    later: list[datetime] = field(default_factory=list)

    def visit(self, row: Row[Any]) -> None:
        """The turn of an endpoint that is owed something."""
        self.position = row.id
        paced = row.rate_limit_per_minute is not None
        room = self.room.get(row.id, FRESH_PACED if paced else FRESH)
        if row.deleted_at is not None or row.status is EndpointStatus.DISABLED:
            self.dead.append(row.id)
        elif row.status is EndpointStatus.PAUSED:
            pass
        elif room <= 0:
            self.crowded.add(row.id)
        elif row.closed_until is not None and row.closed_until > self.moment:
            self.later.append(row.closed_until)
        else:
            expires = row.previous_secret_expires_at
            previous = row.previous_secret if expires is not None and expires > self.moment else None
            single = row.ordered or row.closed_until is not None
            self.targets[row.id] = Target(row.id, row.url, row.secret, previous, expires, single, paced)
            (self.guards if single or paced else self.wanted)[row.id] = room

    @property
    def over(self) -> bool:
        """Whether so many have had their turn that each gets one at most."""
        return len(self.wanted) + len(self.guards) >= self.limit


async def _walk(session: Transaction, turns: _Turns, position: str) -> bool:
    """Give each endpoint its turn, from the one behind the position round to itself; tells whether all had it."""
    after, round_ = position, False
    while True:
        rows = (await session.execute(_walking(), {"after": after, "steps": STEPS})).all()
        for row in rows:
            if round_ and row.id > position:
                return True
            if turns.over:
                return False
            turns.visit(row)
        if len(rows) == STEPS:
            after = rows[-1].id
        elif round_ or not position:
            return True
        else:
            after, round_ = "", True


@functools.cache
def _walking() -> Executable:
    """The endpoints behind one that are owed something, each found by one step in the index."""
    following = select(func.min(col(Delivery.endpoint_id))).where(READY)
    first = (
        select(func.min(col(Delivery.endpoint_id)).label("endpoint_id"), literal(1).label("step"))
        .where(READY, col(Delivery.endpoint_id) > bindparam("after"))
        .cte("waiting", recursive=True)
    )
    next_ = following.where(col(Delivery.endpoint_id) > first.c.endpoint_id).scalar_subquery()
    further = first.c.endpoint_id.is_not(None) & (first.c.step < bindparam("steps"))
    waiting = first.union_all(select(next_, first.c.step + 1).where(further))
    return (
        select(
            col(Endpoint.id),
            col(Endpoint.status),
            col(Endpoint.deleted_at),
            col(Endpoint.url),
            col(Endpoint.secret),
            col(Endpoint.previous_secret),
            col(Endpoint.previous_secret_expires_at),
            col(Endpoint.ordered),
            col(Endpoint.closed_until),
            col(Endpoint.rate_limit_per_minute),
        )
        .join(waiting, waiting.c.endpoint_id == col(Endpoint.id))
        .order_by(waiting.c.step)
    )


async def _admit(session: Transaction, turns: _Turns) -> None:
    """
    Let in of the guarded endpoints what order, breaker and rate allow.

    Their rows are held until the commit, so that two processes do not let in one each; one that is held already is
    served there.
    """
    if not turns.guards:
        return
    query = select(Endpoint).where(col(Endpoint.id).in_(turns.guards), col(Endpoint.status) == EndpointStatus.ACTIVE)
    turns.guarded = list((await session.scalars(query.with_for_update(skip_locked=True, key_share=True))).all())
    busy = await _busy(session, [endpoint for endpoint in turns.guarded if endpoint.ordered])
    for endpoint in turns.guarded:
        allowed, later = _allowed(endpoint, turns.moment)
        if later is not None:
            turns.later.append(later)
        if allowed and endpoint.id not in busy:
            turns.wanted[endpoint.id] = min(allowed, turns.guards[endpoint.id])


async def _busy(session: Transaction, ordered: Sequence[Endpoint]) -> frozenset[str]:
    """Those of which a delivery is under way or waits for another attempt, be it from before they were ordered."""
    if not ordered:
        return frozenset()
    found = select(col(Delivery.endpoint_id)).where(TIMED)
    line = found.where(col(Delivery.id).in_([endpoint.line_id for endpoint in ordered if endpoint.line_id is not None]))
    retried = found.where(
        col(Delivery.endpoint_id).in_([endpoint.id for endpoint in ordered]),
        col(Delivery.status) == DeliveryStatus.RETRYING,
    )
    return frozenset((await session.scalars(union(line, retried))).all())


def _allowed(endpoint: Endpoint, moment: datetime) -> tuple[int, datetime | None]:
    """How many deliveries a guarded endpoint may get now, and when more."""
    if endpoint.closed_until is not None and endpoint.closed_until > moment:
        return 0, endpoint.closed_until
    allowed, later = pacing.allowed(endpoint.rate_limit_per_minute, endpoint.paced_until, moment)
    return (min(allowed, 1), None) if endpoint.ordered or endpoint.closed_until is not None else (allowed, later)


def _mark(endpoint: Endpoint, taken: Sequence[str], moment: datetime, until: datetime) -> None:
    """Note on a guarded endpoint what it was given."""
    if not taken:
        return
    if endpoint.ordered:
        endpoint.line_id = taken[-1]
    if endpoint.closed_until is not None:
        endpoint.closed_until = until
    if endpoint.rate_limit_per_minute is not None:
        endpoint.paced_until = pacing.used(endpoint.rate_limit_per_minute, endpoint.paced_until, moment, len(taken))


async def _take(session: Transaction, turns: _Turns, until: datetime) -> Sequence[Row[Any]]:
    parameters = {
        "wanted": orjson.dumps(turns.wanted).decode(),
        "most": max(turns.wanted.values()),
        "limit": turns.limit,
        "until": until,
    }
    return (await session.execute(_taking(session.on_sqlite), parameters)).all()


@functools.cache
def _taking(on_sqlite: bool) -> Executable:
    """
    Claim the first so many ready deliveries of each endpoint, the first of each before the second of any.

    On PostgreSQL those that another process is just claiming are passed over, and the next ones taken in their place;
    an array of ids is looked up one by one, where a list of rows may be joined to the whole table. SQLite has no
    LATERAL, but a function in FROM may refer to what stands before it.
    """
    found = "id IN (SELECT id FROM chosen)" if on_sqlite else "id = ANY (ARRAY(SELECT id FROM chosen))"
    chosen = (
        """
        SELECT found.value AS id
        FROM json_each(:wanted) AS wanted, json_each((
            SELECT json_group_array(id) FROM (
                SELECT id FROM delivery WHERE ready AND endpoint_id = wanted.key ORDER BY place, id LIMIT :most
            )
        )) AS found
        WHERE found.key < wanted.value
        ORDER BY found.key
        LIMIT :limit
        """
        if on_sqlite
        else """
        SELECT head.id
        FROM json_each_text(CAST(CAST(:wanted AS text) AS json)) AS wanted
        CROSS JOIN LATERAL (
            SELECT id, place FROM delivery WHERE ready AND endpoint_id = wanted.key
            ORDER BY place, id LIMIT least(CAST(wanted.value AS integer), :most)
            FOR UPDATE SKIP LOCKED
        ) AS head
        ORDER BY row_number() OVER (PARTITION BY wanted.key ORDER BY head.place, head.id)
        LIMIT :limit
        """
    )
    return (
        text(f"""
        WITH chosen AS MATERIALIZED ({chosen})
        UPDATE delivery SET ready = false, next_attempt_at = :until WHERE {found}
        RETURNING id, place, attempt_count, endpoint_id, event_id,
            (SELECT type FROM event WHERE event.id = delivery.event_id) AS type,
            (SELECT body FROM event WHERE event.id = delivery.event_id) AS body
        """)  # noqa: S608  (nothing of it comes from outside)
        .bindparams(bindparam("until", type_=Instant()))
        .columns(
            column("id", String()),
            column("place", BigInteger()),
            column("attempt_count", Integer()),
            column("endpoint_id", String()),
            column("event_id", String()),
            column("type", String()),
            column("body", LargeBinary()),
        )
    )


async def release(session: Transaction, owed: Iterable[Owed]) -> None:
    """Give back what was claimed and not sent; whoever claimed it meanwhile keeps it."""
    for lease, found in _by_lease(owed).items():
        query = update(Delivery).where(col(Delivery.id).in_(found), col(Delivery.next_attempt_at) == lease, TIMED)
        await batches.run(session, query.values(ready=True, next_attempt_at=now()))


def _by_lease(owed: Iterable[Owed]) -> Mapping[datetime, list[str]]:
    leases: defaultdict[datetime, list[str]] = defaultdict(list)
    for delivery in owed:
        leases[delivery.lease].append(delivery.id)
    return leases
