"""Generations: what the author was asked for, and what becomes of the resource when it ends."""

from storage import resources
from storage.bodies import GenerationBody, why
from storage.database import Transaction
from storage.endings import Ending
from storage.errors import JobErrorCode, JobStateInvalid, NotFound
from storage.tables import EventType, Job, JobState, Meter, Resource, ResourceKind, ResourceStatus, Spending
from storage.tables.columns import shaped
from storage.tables.jobs import Failure, GenerationParameters

METERS = {
    ResourceKind.module: Meter.interactive_module,
    ResourceKind.course: Meter.course_generation,
    ResourceKind.video: Meter.summary_video,
    ResourceKind.slide: Meter.slide_generation,
    ResourceKind.test: Meter.expanded_quiz,
}


def asked(job: Job) -> GenerationParameters:
    """What a generation was asked for."""
    return shaped(job.parameters, GenerationParameters)


def whole(job: Job) -> bool:
    """Whether the resource itself is generated; a part that is added to it leaves it READY."""
    return asked(job).lesson_id is None and asked(job).new_item_count is None


def spend(session: Transaction, job: Job, model: str, input_tokens: int, output_tokens: int) -> None:
    """One more request to a model."""
    so_far = job.spending or Spending(model=model)
    job.spending = Spending(
        model=model,
        requests=so_far.requests + 1,
        input_tokens=so_far.input_tokens + input_tokens,
        output_tokens=so_far.output_tokens + output_tokens,
    )
    session.add(job)


async def subject(session: Transaction, job: Job) -> Resource:
    """The resource that the job fills, held until the commit; NotFound once it is deleted."""
    return await resources.locked(session, job.realm, job.resource_id or "")


async def ending(session: Transaction, job: Job, failure: Failure | None) -> Ending:
    """Completed, or failed or cancelled, and then the resource that was being generated has failed too."""
    if failure is not None and whole(job):
        await _become(session, job, ResourceStatus.GENERATING, ResourceStatus.FAILED)
    if failure is None:
        state = JobState.COMPLETED
    else:
        state = JobState.CANCELED if failure.code is JobErrorCode.CANCELED else JobState.FAILED
    body = GenerationBody(
        job_id=job.id,
        resource_type=ResourceKind((job.resource_id or "").partition("_")[0]),
        resource_id=job.resource_id or "",
        state=state,
        completed_at=job.ended_at,
        error=why(failure),
    )
    return Ending(state, EventType.GENERATION_FAILED if failure else EventType.GENERATION_COMPLETED, body)


async def retry(session: Transaction, job: Job) -> None:
    """The resource is being generated again; JobStateInvalid once it is deleted."""
    try:
        await subject(session, job)
    except NotFound:
        raise JobStateInvalid("What this job was to fill has been deleted.") from None
    if whole(job):
        await _become(session, job, ResourceStatus.FAILED, ResourceStatus.GENERATING)


async def _become(session: Transaction, job: Job, was: ResourceStatus, status: ResourceStatus) -> None:
    try:
        resource = await subject(session, job)
    except NotFound:
        return
    if resource.status is was:
        await resources.become(session, resource, status)
