"""What the background processes have still to do, of all tenants together: for operators."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage.tables import Delivery, Job, JobKind, JobState
from storage.tables.jobs import FINISHED
from storage.tables.webhooks import READY, TIMED

UNFINISHED = tuple(state for state in JobState if state not in FINISHED)


class Backlog(NamedTuple):
    """Jobs that are not finished, and deliveries that are owed: due, or being sent or waiting for another attempt."""

    jobs: Mapping[tuple[JobKind, JobState], int]
    deliveries: Mapping[str, int]


async def read(session: AsyncSession) -> Backlog:
    """The figures of this moment."""
    counted = (
        select(col(Job.kind), col(Job.state), func.count())
        .where(col(Job.state).in_(UNFINISHED))
        .group_by(col(Job.kind), col(Job.state))
    )
    jobs = {(kind, state): number for kind, state, number in await session.execute(counted)}
    owed = {"due": READY, "timed": TIMED}
    deliveries = {
        name: await session.scalar(select(func.count()).select_from(Delivery).where(which)) or 0
        for name, which in owed.items()
    }
    return Backlog(jobs, deliveries)
