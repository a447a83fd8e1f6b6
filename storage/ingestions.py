"""Ingestions: the package that is awaited, what became of its resources, and how the job ends."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import content
from storage.bodies import IngestionBody, why
from storage.database import Transaction
from storage.endings import Ending
from storage.errors import JobErrorCode
from storage.tables import EventType, IngestionItem, IngestionStatus, ItemState, Job, JobKind, JobState, Realm
from storage.tables.columns import now, shaped
from storage.tables.jobs import SUCCEEDED, Failure, IngestionParameters, Notice

UPLOAD_TIME = timedelta(hours=1)

EXPIRED = Failure(code=JobErrorCode.UPLOAD_EXPIRED, message="The package was not uploaded within one hour.")

REFUSALS = frozenset({JobErrorCode.PACKAGE_INVALID, JobErrorCode.PACKAGE_UNSAFE})
"""Of a package that is refused nothing is kept, even if that is found out late."""

STATES = {JobErrorCode.CANCELED: JobState.CANCELED, JobErrorCode.UPLOAD_EXPIRED: JobState.EXPIRED}


def asked(job: Job) -> IngestionParameters:
    """What an ingestion was asked for, and what is known of its package."""
    return shaped(job.parameters, IngestionParameters)


def awaiting(realm: Realm, id: str, item_count: int, zip_file_size: int, key: str | None) -> Job:
    """A job that waits for its package; it is due when the hour is over."""
    moment = now()
    parameters = IngestionParameters(
        item_count=item_count, zip_file_size=zip_file_size, upload_expires_at=moment + UPLOAD_TIME
    )
    return Job(
        id=id,
        workspace_id=realm.workspace_id,
        environment=realm.environment,
        kind=JobKind.INGESTION,
        state=JobState.AWAITING_UPLOAD,
        parameters=parameters,
        idempotency_key=key,
        created_at=moment,
        due_at=parameters.upload_expires_at,
    )


def expects(job: Job) -> bool:
    """Whether the package may still be uploaded."""
    return job.state is JobState.AWAITING_UPLOAD and asked(job).upload_expires_at > now()


def arrived(job: Job) -> bool:
    """Whether there is a package to read."""
    return asked(job).blob_key is not None


def status(state: JobState, completed: int) -> IngestionStatus:
    """A job's state in the words of the Content Ingestion API; its polling loop knows no cancelled job."""
    if state in IngestionStatus.__members__:
        return IngestionStatus(state)
    if state in (JobState.CANCELED, JobState.EXPIRED):
        return IngestionStatus.COMPLETED_WITH_ERRORS if completed else IngestionStatus.FAILED
    return IngestionStatus.PROCESSING


async def items(session: AsyncSession, places: Sequence[tuple[str, int]]) -> Sequence[IngestionItem]:
    """What became of some resources, by job and position."""
    place = tuple_(col(IngestionItem.job_id), col(IngestionItem.position))
    return (await session.scalars(select(IngestionItem).where(place.in_(places)))).all()


async def counts(session: AsyncSession, job_id: str) -> dict[ItemState, int]:
    """How many resources stand where."""
    query = select(col(IngestionItem.state), func.count()).where(col(IngestionItem.job_id) == job_id)
    found = await session.execute(query.group_by(col(IngestionItem.state)))
    return dict.fromkeys(ItemState, 0) | {state: number for state, number in found.all()}  # noqa: C416


async def retry(session: Transaction, job: Job) -> None:
    """What failed is tried again; what is done stays done. Why it failed is kept in case nobody comes to trying."""
    await _become(session, job, ItemState.FAILED, state=ItemState.PROCESSING)


async def ending(session: Transaction, job: Job, failure: Failure | None) -> Ending:
    """By what became of the resources (rule P18)."""
    if failure is None:
        await session.execute(delete(IngestionItem).where(*_standing(job, ItemState.PROCESSING)))
    else:
        await _fail(session, job, failure)
    standing = await counts(session, job.id)
    completed, failed = standing[ItemState.COMPLETED], standing[ItemState.FAILED]
    job.progress = job.progress.model_copy(update={"completed_units": completed, "failed_units": failed})
    if failure is None:
        count(job, completed + failed)
        state = JobState.COMPLETED_WITH_ERRORS if failed else JobState.COMPLETED
    else:
        state = STATES.get(failure.code, JobState.FAILED)
    body = IngestionBody(
        job_id=job.id,
        status=status(state, completed),
        package_type=asked(job).package_type,
        completed=completed,
        failed=failed,
        skipped=asked(job).skipped,
        completed_at=job.ended_at,
        error=why(failure),
    )
    return Ending(state, EventType.INGESTION_COMPLETED if state in SUCCEEDED else EventType.INGESTION_FAILED, body)


def count(job: Job, found: int) -> None:
    """The whole package has been read: so many items it has, which may be others than were announced."""
    job.progress = job.progress.model_copy(update={"total_units": found})
    announced = asked(job).item_count
    if found != announced:
        message = f"The upload announced {announced:,} items; the package has {found:,}."
        job.warnings = [*job.warnings, Notice(code="item_count_mismatch", message=message)]


async def _fail(session: Transaction, job: Job, failure: Failure) -> None:
    """What was being read stands as before; of a package that is refused everything has failed."""
    unread = *_standing(job, ItemState.PROCESSING), col(IngestionItem.code).is_(None)
    await session.execute(delete(IngestionItem).where(*unread))
    await _become(session, job, ItemState.PROCESSING, state=ItemState.FAILED)
    if failure.code in REFUSALS:
        await content.remove(session, job)
        reason = {"code": failure.code, "message": failure.message, "content_id": None}
        await _become(session, job, ItemState.COMPLETED, state=ItemState.FAILED, **reason)


async def _become(session: Transaction, job: Job, before: ItemState, **values: object) -> None:
    changed = update(IngestionItem).where(*_standing(job, before)).values(updated_at=now(), **values)
    await session.execute(changed.execution_options(synchronize_session=False))


def _standing(job: Job, state: ItemState) -> tuple[ColumnElement[bool], ...]:
    return col(IngestionItem.job_id) == job.id, col(IngestionItem.state) == state
