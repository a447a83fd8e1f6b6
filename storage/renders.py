"""Renders: which plan, what is to be seen of them on their video, and what becomes of it when they end."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import resources, usage
from storage.bodies import RenderBody, why
from storage.database import Transaction
from storage.endings import Ending
from storage.errors import JobErrorCode, JobStateInvalid, NotFound, ResourceLocked, ValidationFailed
from storage.tables import EventType, Job, JobKind, JobState, Meter, Resource, ResourceStatus, Scene
from storage.tables.columns import shaped
from storage.tables.jobs import FINISHED, Failure, PlannedScene, RenderParameters
from storage.tables.resources import RenderStatus, VideoDetails

STATUSES = {
    JobState.QUEUED: RenderStatus.QUEUED,
    JobState.RUNNING: RenderStatus.RENDERING,
    JobState.CANCELING: RenderStatus.RENDERING,
    JobState.COMPLETED: RenderStatus.RENDERED,
    JobState.FAILED: RenderStatus.FAILED,
    JobState.CANCELED: RenderStatus.CANCELED,
}
"""Decisions, table 1."""


def asked(job: Job) -> RenderParameters:
    """The plan that a job renders."""
    return shaped(job.parameters, RenderParameters)


def status(newest: Job | None, reopened: str | None) -> RenderStatus:
    """What a video shows of its newest render; nothing when there was none since it was reopened."""
    return RenderStatus.NOT_RENDERED if newest is None or newest.id == reopened else STATUSES[newest.state]


async def of_videos(session: AsyncSession, video_ids: Sequence[str]) -> Sequence[Job]:
    """The renders of some videos, the newest first."""
    query = select(Job).where(col(Job.resource_id).in_(video_ids), col(Job.kind) == JobKind.RENDER)
    return (await session.scalars(query.order_by(col(Job.id).desc()))).all()


async def newest(session: AsyncSession, video_id: str) -> Job | None:
    """The render that counts."""
    return next(iter(await of_videos(session, [video_id])), None)


async def planned(session: Transaction, video: Resource, job_id: str, key: str | None) -> Job:
    """
    A job that renders a video as it is now; the video is held by the caller.

    JobStateInvalid while the video is generated or another render of it goes on, ResourceLocked once it is rendered,
    ValidationFailed when there is nothing to render.
    """
    if video.status is ResourceStatus.GENERATING:
        raise JobStateInvalid("The video is still being generated; render it once it is READY.")
    latest = await newest(session, video.id)
    if latest is not None and latest.state not in FINISHED:
        raise JobStateInvalid(f"A render of this video is {latest.state}; cancel it, or wait until it has ended.")
    if not shaped(video.details, VideoDetails).editable:
        raise ResourceLocked
    scenes = await resources.children_of(Scene)(session, [video.id])
    if not scenes:
        raise ValidationFailed("scenes_missing", "A video without scenes cannot be rendered.", "input", "videoId")
    return Job(
        id=job_id,
        workspace_id=video.workspace_id,
        environment=video.environment,
        kind=JobKind.RENDER,
        parameters=_plan(video, scenes),
        resource_id=video.id,
        idempotency_key=key,
    )


def _plan(video: Resource, scenes: Sequence[Scene]) -> RenderParameters:
    return RenderParameters(
        plan_version=video.version,
        title=video.title,
        language=video.language,
        aspect_ratio=shaped(video.details, VideoDetails).aspect_ratio,
        scenes=[PlannedScene.model_validate(scene, from_attributes=True) for scene in scenes],
    )


async def retry(session: Transaction, job: Job) -> None:
    """Render the same plan again; only the newest render of a video that is still there."""
    try:
        video = await resources.locked(session, job.realm, job.resource_id or "")
    except NotFound:
        raise JobStateInvalid("The video has been deleted.") from None
    latest = await newest(session, video.id)
    if latest is not None and latest.id != job.id:
        raise JobStateInvalid("There is a newer render of this video; only the newest can be run again.")


async def reopen(session: Transaction, video: Resource) -> None:
    """A rendered video can be edited again; its version stays, for nothing of it has changed."""
    if not shaped(video.details, VideoDetails).editable:
        latest = await newest(session, video.id)
        update = {"editable": True, "reopened_render": latest.id if latest else None}
        video.details = video.details.model_copy(update=update)
        session.add(video)


async def ending(session: Transaction, job: Job, failure: Failure | None) -> Ending:
    """Completed, and then the video is locked and the render counted; or failed or cancelled, and nothing remains."""
    if failure is None:
        state = JobState.COMPLETED
        await _lock(session, job)
        await usage.count(session, job.realm, Meter.video_render, job.id)
    else:
        state = JobState.CANCELED if failure.code is JobErrorCode.CANCELED else JobState.FAILED
    body = RenderBody(
        job_id=job.id,
        video_id=job.resource_id or "",
        state=state,
        plan_version=asked(job).plan_version,
        completed_at=job.ended_at,
        error=why(failure),
    )
    return Ending(state, EventType.RENDER_FAILED if failure else EventType.RENDER_COMPLETED, body)


async def _lock(session: Transaction, job: Job) -> None:
    """From now on the video is what was rendered, until it is reopened (decision D22)."""
    try:
        video = await resources.locked(session, job.realm, job.resource_id or "")
    except NotFound:
        return
    video.details = video.details.model_copy(update={"editable": False})
    session.add(video)
