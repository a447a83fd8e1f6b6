"""
Jobs: the row rules, queues only ring.

    add → AWAITING_UPLOAD → uploaded → QUEUED → claim → RUNNING → finish → COMPLETED, COMPLETED_WITH_ERRORS, FAILED
                  ↘ expire → EXPIRED      ↑ reclaim (lease lost), retry    ↘ cancel → CANCELING → finish → CANCELED

due_at says when somebody must look at a job again: a queued one when it may be handed to a worker, a running one when
the lease of its worker ends, one that awaits its upload when that comes too late. The attempt
fences: whoever was overtaken by a later attempt gets LeaseLost.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import events, exports, generations, ids, ingestions, integrations, renders
from storage.bodies import ProgressBody
from storage.database import Transaction
from storage.endings import Ending
from storage.errors import JobErrorCode, JobStateInvalid, NotFound
from storage.notify import Bell
from storage.tables import EventType, Job, JobKind, JobMoment, JobState, OutputType, Progress, Realm
from storage.tables.columns import now
from storage.tables.jobs import FINISHED, LEASED, SUCCEEDED, Failure

LEASE = timedelta(seconds=8)
HAND_OVER = timedelta(seconds=5)
ANNOUNCE_EVERY = timedelta(seconds=5)
LEAST_PERCENT = 1.0

NOTHING_DONE = Failure(code=JobErrorCode.GENERATION_FAILED, message="No part of the job could be done.")
CANCELED = Failure(code=JobErrorCode.CANCELED, message="The job was cancelled.")

ENDINGS: dict[JobKind, Callable[[Transaction, Job, Failure | None], Awaitable[Ending]]] = {
    JobKind.EXPANSION: integrations.ending,
    JobKind.CLASSROOM_EXPORT: integrations.ending,
    JobKind.GENERATION: generations.ending,
    JobKind.RENDER: renders.ending,
    JobKind.CONTENT_EXPORT: exports.ending,
    JobKind.INGESTION: ingestions.ending,
}
RETRIES: dict[JobKind, Callable[[Transaction, Job], Awaitable[None]]] = {
    JobKind.EXPANSION: integrations.retry,
    JobKind.CLASSROOM_EXPORT: integrations.retry,
    JobKind.GENERATION: generations.retry,
    JobKind.RENDER: renders.retry,
    JobKind.CONTENT_EXPORT: exports.retry,
    JobKind.INGESTION: ingestions.retry,
}


class LeaseLost(Exception):  # noqa: N818
    """The job is somebody else's now, or finished; whoever gets this stops without a word."""


def new_id() -> str:
    """A fresh job id."""
    return ids.new(ids.Prefix.JOB)


async def add(session: Transaction, job: Job) -> None:
    """Store a new job; its first event is its first state."""
    session.add(job)
    await session.flush()
    await _tell(session, job)
    session.bells.add(Bell.JOBS)


@dataclass(frozen=True, slots=True)
class Handing:
    """A job on its way to a worker, and the names of this handing and of the one before, should there be one."""

    job_id: str
    name: str
    before: str


async def due(session: Transaction, most: int, moment: datetime | None = None) -> Sequence[Handing]:
    """
    Queued jobs to hand to workers now: the oldest of each workspace in turn, `most` on their way at a time.

    Whoever is handed a job has HAND_OVER to claim it, then it is due again; and being among the oldest it is handed
    over again before younger ones, so that no more are on their way than that, however long all workers are busy.
    """
    moment = moment or now()
    queued = col(Job.state) == JobState.QUEUED
    on_their_way = await session.scalar(select(func.count()).where(queued, col(Job.due_at) > moment)) or 0
    turn = func.row_number().over(partition_by=col(Job.workspace_id), order_by=col(Job.id))
    waiting = (
        select(col(Job.id), col(Job.due_at), turn.label("turn")).where(queued, col(Job.due_at) <= moment).subquery()
    )
    query = select(waiting.c.id, waiting.c.due_at).order_by(waiting.c.turn, waiting.c.id)
    chosen = (await session.execute(query.limit(max(0, most - on_their_way)))).all()
    handed = await session.execute(
        update(Job)
        .where(col(Job.id).in_([row.id for row in chosen]), queued, col(Job.due_at) <= moment)
        .values(due_at=moment + HAND_OVER)
        .returning(col(Job.id), col(Job.attempt))
        .execution_options(synchronize_session=False)
    )
    attempts = {row.id: row.attempt for row in handed}

    def name(id: str, due_at: datetime) -> str:
        return f"job:{id}:{attempts[id]}:{due_at.timestamp():.3f}"

    return [
        Handing(row.id, name(row.id, moment + HAND_OVER), name(row.id, row.due_at))
        for row in chosen
        if row.id in attempts
    ]


async def reclaim(session: Transaction, max_lost: int) -> None:
    """Queue again, as a new attempt, what lost its worker; give up on what lost too many."""
    lost = select(Job).where(col(Job.state).in_(LEASED), col(Job.due_at) <= now()).limit(100)
    for job in (await session.scalars(lost.with_for_update(skip_locked=True))).all():
        job.lost_workers += 1
        if job.state is JobState.CANCELING:
            await finish(session, job, CANCELED)
        elif job.lost_workers >= max_lost:
            message = f"The worker was lost {job.lost_workers} times while it did this job."
            await finish(session, job, Failure(code=JobErrorCode.INTERNAL, message=message))
        else:
            await _queue_again(session, job)


async def uploaded(session: Transaction, job: Job) -> None:
    """What the job waited for has arrived: it is due."""
    job.state = JobState.QUEUED
    job.due_at = now()
    await _tell(session, job)
    session.bells.add(Bell.JOBS)


async def expire(session: Transaction) -> None:
    """End what nobody uploaded anything for in time."""
    late = select(Job).where(col(Job.state) == JobState.AWAITING_UPLOAD, col(Job.due_at) <= now()).limit(100)
    for job in (await session.scalars(late.with_for_update(skip_locked=True))).all():
        await finish(session, job, ingestions.EXPIRED)


async def give_back(session: Transaction, job: Job, *, pause: timedelta = timedelta()) -> None:
    """The worker stops before the job is done: somebody else goes on with it after a pause, as a new attempt."""
    if job.state is JobState.CANCELING:
        await finish(session, job, CANCELED)
    else:
        await _queue_again(session, job, pause)


async def _queue_again(session: Transaction, job: Job, pause: timedelta = timedelta()) -> None:
    job.attempt += 1
    job.state = JobState.QUEUED
    job.due_at = now() + pause
    job.progress = job.progress.model_copy(update={"seconds_remaining": None})
    await _tell(session, job)
    session.bells.add(Bell.JOBS)


async def claim(session: Transaction, id: str) -> Job | None:
    """The job, now running under our lease; None when it is not waiting any more."""
    job = await _locked(session, select(Job).where(col(Job.id) == id))
    if job is None or job.state is not JobState.QUEUED:
        return None
    job.state = JobState.RUNNING
    job.attempt_started_at = now()
    job.attempt_began_percent = job.progress.percent
    job.started_at = job.started_at or job.attempt_started_at
    job.due_at = job.attempt_started_at + LEASE
    await _tell(session, job)
    return job


async def heartbeat(session: Transaction, id: str, attempt: int) -> JobState:
    """Prolong our lease; tells the state, CANCELING when somebody wants the job to stop."""
    state = await session.scalar(
        update(Job)
        .where(col(Job.id) == id, col(Job.attempt) == attempt, col(Job.state).in_(LEASED))
        .values(due_at=now() + LEASE)
        .returning(col(Job.state))
        .execution_options(synchronize_session=False)
    )
    if state is None:
        raise LeaseLost
    return state


async def held(session: Transaction, id: str, attempt: int) -> Job:
    """The job as it is now, locked; LeaseLost unless it still runs in this attempt. Begins every write of a worker."""
    job = await _locked(session, select(Job).where(col(Job.id) == id))
    if job is None or job.attempt != attempt or job.state not in LEASED:
        raise LeaseLost
    return job


async def advance(
    session: Transaction,
    job: Job,
    progress: Progress,
    *,
    item_id: str | None = None,
    item_position: int | None = None,
    output_type: OutputType | None = None,
) -> None:
    """A part is done: the new numbers, which never go back, as an event."""
    progress = onward(job.progress, progress)
    if job.attempt_started_at is not None:
        elapsed = (now() - job.attempt_started_at).total_seconds()
        progress.seconds_remaining = remaining(progress.percent, job.attempt_began_percent, elapsed)
    job.progress = progress
    await _tell(session, job, item_id=item_id, item_position=item_position, output_type=output_type)


def onward(before: Progress, after: Progress) -> Progress:
    """
    Numbers that follow others: neither the percent nor the units done go back, and only the end is 100 percent.

    Whoever begins again after another worker, or writes again what came too late, is ahead of itself for a while.
    """
    done = max(after, before, key=lambda each: each.completed_units + each.failed_units)
    units = done.completed_units + done.failed_units
    return after.model_copy(
        update={
            "percent": round(max(before.percent, min(after.percent, 99.9)), 1),
            "completed_units": done.completed_units,
            "failed_units": done.failed_units,
            "total_units": None if after.total_units is None else max(after.total_units, units),
        }
    )


def remaining(percent: float, began: float, elapsed: float) -> float | None:
    """Seconds until 100 percent at the pace of an attempt that began at some; None before there is a pace."""
    made = percent - began
    return round(elapsed * (100 - percent) / made, 1) if made >= LEAST_PERCENT else None


async def finish(session: Transaction, job: Job, failure: Failure | None) -> None:
    """The last state with its event, and whatever the kind does at the end."""
    job.completed_at = job.updated_at = now()
    job.due_at = None
    ending = await ENDINGS[job.kind](session, job, failure)
    job.state = ending.state
    job.error = None if ending.state in SUCCEEDED else failure or NOTHING_DONE
    done = {"percent": 100.0, "phase": None} if ending.state in SUCCEEDED else {}
    job.progress = job.progress.model_copy(update={"seconds_remaining": None, **done})
    session.add(job)
    await session.flush()
    await events.emit(session, job, ending.event, ending.body, moment=_moment(job))


async def cancel(session: Transaction, job: Job) -> None:
    """A waiting job ends at once, a running one as soon as its worker notices; a finished one is JobStateInvalid."""
    if job.state in FINISHED:
        raise JobStateInvalid(f"The job is {job.state}; only a job that is not finished can be cancelled.")
    if job.state is JobState.RUNNING:
        job.state = JobState.CANCELING
        await _tell(session, job)
        session.bells.add(Bell.CANCELS)
    elif job.state is not JobState.CANCELING:
        await finish(session, job, CANCELED)


def retryable(job: Job) -> bool:
    """Whether anything of the job failed or was cancelled; a package that never came cannot be read again."""
    failed = job.state in (JobState.FAILED, JobState.CANCELED, JobState.COMPLETED_WITH_ERRORS)
    return failed and (job.kind is not JobKind.INGESTION or ingestions.arrived(job))


async def retry(session: Transaction, job: Job) -> None:
    """Run again what failed or was cancelled, and nothing else of it."""
    if not retryable(job):
        raise JobStateInvalid(f"The job is {job.state}; only what failed or was cancelled can be run again.")
    await RETRIES[job.kind](session, job)
    job.error = None
    job.completed_at = None
    job.lost_workers = 0
    job.progress = Progress()
    await _queue_again(session, job)


async def locked(session: Transaction, realm: Realm, id: str, member_id: str | None = None) -> Job:
    """A job of the realm that is about to change, held until the commit; NotFound when there is none."""
    job = await _locked(session, select(Job).where(*visible(realm, member_id), col(Job.id) == id))
    if job is None:
        raise NotFound
    return job


async def of_resource(session: Transaction, realm: Realm, resource_id: str) -> Sequence[Job]:
    """The jobs that work on one resource and are not finished, held until the commit."""
    query = select(Job).where(*visible(realm), col(Job.resource_id) == resource_id, col(Job.state).not_in(FINISHED))
    return (await session.scalars(query.order_by(col(Job.id)).with_for_update())).all()


def visible(realm: Realm, member_id: str | None = None) -> tuple[ColumnElement[bool], ...]:
    """The conditions under which a job exists for somebody; of what users started a member sees only its own."""
    ours = col(Job.workspace_id) == realm.workspace_id, col(Job.environment) == realm.environment
    return ours if member_id is None else (*ours, or_(col(Job.user_id).is_(None), col(Job.user_id) == member_id))


async def find(
    session: AsyncSession, realm: Realm, found_ids: Sequence[str], member_id: str | None = None
) -> Sequence[Job]:
    """The jobs of a realm among some ids."""
    query = select(Job).where(*visible(realm, member_id), col(Job.id).in_(found_ids))
    return (await session.scalars(query)).all()


def finder(realm: Realm, member_id: str | None = None) -> Callable[[AsyncSession, str], Awaitable[Job | None]]:
    """Finds one job of the realm."""

    async def find_one(session: AsyncSession, id: str) -> Job | None:
        return next(iter(await find(session, realm, [id], member_id)), None)

    return find_one


async def _locked(session: Transaction, query: Select[Job]) -> Job | None:
    return (await session.scalars(query.with_for_update().execution_options(populate_existing=True))).one_or_none()


async def _tell(
    session: Transaction,
    job: Job,
    *,
    item_id: str | None = None,
    item_position: int | None = None,
    output_type: OutputType | None = None,
) -> None:
    """How the job stands now, as an event; webhooks get at most one of them in five seconds."""
    job.updated_at = now()
    session.add(job)
    rested = job.announced_at is None or job.announced_at + ANNOUNCE_EVERY <= job.updated_at
    announce = rested and await events.wanted(session, job.realm, EventType.JOB_PROGRESS)
    if announce:
        job.announced_at = job.updated_at
    await session.flush()
    body = ProgressBody(
        job_id=job.id,
        kind=job.kind,
        state=job.state,
        percent=job.progress.percent,
        phase=job.progress.phase,
        seconds_remaining=job.progress.seconds_remaining,
        item_id=item_id,
        output_type=output_type,
    )
    moment = _moment(job, item_id=item_id, item_position=item_position, output_type=output_type)
    await events.emit(session, job, EventType.JOB_PROGRESS, body, moment=moment, deliver=announce)


def _moment(
    job: Job,
    *,
    item_id: str | None = None,
    item_position: int | None = None,
    output_type: OutputType | None = None,
) -> JobMoment:
    return JobMoment(
        state=job.state, progress=job.progress, item_id=item_id, item_position=item_position, output_type=output_type
    )
