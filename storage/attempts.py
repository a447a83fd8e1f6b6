"""Attempts: each recorded once, with what follows from it for its delivery and for its endpoint."""

import functools
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    JSON,
    DateTime,
    Float,
    Insert,
    Integer,
    String,
    Update,
    bindparam,
    case,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import batches, deliveries, health
from storage.claims import Owed
from storage.database import Transaction
from storage.health import Health, Seen, Sign
from storage.notify import Bell
from storage.tables import Attempt, Delivery, DeliveryStatus, Endpoint
from storage.tables.columns import Instant, now
from storage.tables.webhooks import TIMED, NextChange


class Made(NamedTuple):
    """One request and its outcome, as the attempt is kept."""

    delivery_id: str
    number: int
    started_at: datetime
    duration_ms: int
    dns_ms: float | None
    connect_ms: float | None
    first_byte_ms: float | None
    request_headers: dict[str, str]
    response_status: int | None
    response_body: str | None
    error: str | None


class Recorded(NamedTuple):
    """What becomes of a delivery after an attempt, and what the attempt says of the endpoint; how it went is `made`."""

    owed: Owed
    status: DeliveryStatus
    next_attempt_at: datetime | None
    seen: Seen
    made: Made | None
    """None when it never got as far as the network, for a fault of ours: it is made again under the same number."""


DECIDED: batches.Columns = {
    "delivery_id": String(),
    "number": Integer(),
    "status": String(),
    "next_attempt_at": DateTime(timezone=True),
}
MADE: batches.Columns = {
    "delivery_id": String(),
    "number": Integer(),
    "started_at": DateTime(timezone=True),
    "duration_ms": Integer(),
    "dns_ms": Float(),
    "connect_ms": Float(),
    "first_byte_ms": Float(),
    "request_headers": JSON(),
    "response_status": Integer(),
    "response_body": String(),
    "error": String(),
}
NAMED: batches.Columns = {"id": String()}


async def record(session: Transaction, outcomes: Sequence[Recorded]) -> None:
    """Write attempts and what follows from them, each once: an attempt that is known already changes nothing."""
    made = [outcome for outcome in outcomes if outcome.made is not None]
    for outcome in outcomes:
        if outcome.made is None:
            query = update(Delivery).where(col(Delivery.id) == outcome.owed.id, TIMED)
            await batches.run(session, query.values(next_attempt_at=outcome.next_attempt_at))
    if made:
        await _keep(session, made)
        await _report(session, made)
        session.bells.add(Bell.ATTEMPTS)


async def _keep(session: Transaction, outcomes: Sequence[Recorded]) -> None:
    decided = [
        (outcome.owed.id, outcome.owed.attempts + 1, outcome.status, outcome.next_attempt_at) for outcome in outcomes
    ]
    made = [outcome.made for outcome in outcomes if outcome.made is not None]
    on_sqlite = session.on_sqlite
    decide, keep = _keeping(on_sqlite)
    connection = await session.connection()
    parameter = batches.rows(decided, DECIDED, on_sqlite=on_sqlite)
    await connection.execute(decide, {"decided": parameter, "moment": now()})
    await connection.execute(keep, {"made": batches.rows(made, MADE, on_sqlite=on_sqlite)})


@functools.cache
def _keeping(on_sqlite: bool) -> tuple[Update, Insert]:
    """
    Two statements over all outcomes: what becomes of the deliveries, then the attempts.

    A delivery that was cancelled meanwhile stays so, unless it has been delivered.
    """
    decided = batches.table("decided", DECIDED, on_sqlite=on_sqlite)
    moment = bindparam("moment", type_=Instant())
    owed = col(Delivery.next_attempt_at).is_not(None)
    counts = or_(owed, decided.c.status == DeliveryStatus.SUCCEEDED.value)
    settled = case((decided.c.next_attempt_at.is_(None), moment))
    decide = (
        update(Delivery)
        .where(col(Delivery.id) == decided.c.delivery_id, col(Delivery.attempt_count) == decided.c.number - 1)
        .values(
            attempt_count=decided.c.number,
            status=case((counts, decided.c.status), else_=col(Delivery.status)),
            ready=False,
            next_attempt_at=case((owed, decided.c.next_attempt_at)),
            completed_at=case((counts, settled), else_=col(Delivery.completed_at)),
            updated_at=moment,
            change=NextChange(),
        )
    )
    made = batches.table("made", MADE, on_sqlite=on_sqlite)
    counted = (col(Delivery.id) == made.c.delivery_id) & (col(Delivery.attempt_count) >= made.c.number)
    rows = select(*(made.c[name] for name in MADE)).join(Delivery, counted).where(literal(value=True))
    insert = (sqlite.insert if on_sqlite else postgresql.insert)(Attempt)
    return decide, insert.from_select(list(MADE), rows).on_conflict_do_nothing()


async def _report(session: Transaction, outcomes: Sequence[Recorded]) -> None:
    """What the attempts make of the health of their endpoints."""
    seen: defaultdict[str, list[Seen]] = defaultdict(list)
    for outcome in outcomes:
        seen[outcome.owed.target.endpoint_id].append(outcome.seen)
    failing = {id for id, series in seen.items() if any(one.sign is not Sign.DELIVERED for one in series)}
    if healthy := seen.keys() - failing:
        parameter = batches.rows(((id,) for id in healthy), NAMED, on_sqlite=session.on_sqlite)
        await (await session.connection()).execute(_recovering(session.on_sqlite), {"healthy": parameter})
    if not failing:
        return
    query = select(Endpoint).where(col(Endpoint.id).in_(failing)).order_by(col(Endpoint.id))
    for endpoint in (await session.scalars(query.with_for_update(key_share=True))).all():
        was = Health(endpoint.consecutive_failures, endpoint.failing_since, endpoint.closed_until)
        is_ = health.after(was, seen[endpoint.id])
        endpoint.consecutive_failures, endpoint.failing_since = is_.failures, is_.since
        endpoint.closed_until = is_.closed_until
        if is_.verdict is not None:
            await deliveries.disable(session, endpoint, is_.verdict)


@functools.cache
def _recovering(on_sqlite: bool) -> Update:
    """Touches only the endpoints that had failed before."""
    healthy = batches.table("healthy", NAMED, on_sqlite=on_sqlite)
    return (
        update(Endpoint)
        .where(col(Endpoint.id) == healthy.c.id, col(Endpoint.consecutive_failures) > 0)
        .values(consecutive_failures=0, failing_since=None, closed_until=None)
    )


async def of_deliveries(session: AsyncSession, delivery_ids: Sequence[str]) -> Sequence[Attempt]:
    """The attempts of some deliveries, in order."""
    query = select(Attempt).where(col(Attempt.delivery_id).in_(delivery_ids))
    return (await session.scalars(query.order_by(col(Attempt.delivery_id), col(Attempt.number)))).all()
