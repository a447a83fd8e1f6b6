"""Outputs of expansions: what was asked for, what became of it, and the result as one document."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import ids, resources, usage
from storage.bodies import ContentBody, OutputBody, why
from storage.database import Transaction
from storage.endings import Ending
from storage.errors import JobErrorCode
from storage.tables import (
    EventType,
    Job,
    JobState,
    Meter,
    Output,
    OutputStatus,
    OutputType,
    Realm,
    Resource,
    ResourceKind,
    ResourceStatus,
    Workspace,
)
from storage.tables.columns import now, shaped
from storage.tables.jobs import FINISHED, LEASED, SUCCEEDED, ExpansionParameters, Failure, IntegrationParameters

RESOURCE_KINDS = {
    OutputType.interactive_module: ResourceKind.module,
    OutputType.summary_video: ResourceKind.video,
    OutputType.expanded_quiz: ResourceKind.test,
}
METERS = {
    OutputType.interactive_module: Meter.interactive_module,
    OutputType.summary_video: Meter.summary_video,
    OutputType.expanded_quiz: Meter.expanded_quiz,
}


def status(state: JobState) -> OutputStatus:
    """A job's state in the words of the Content Integration API (decisions, table 1)."""
    if state in SUCCEEDED:
        return OutputStatus.completed
    if state in FINISHED:
        return OutputStatus.failed
    return OutputStatus.processing if state in LEASED else OutputStatus.queued


def asked(job: Job) -> ExpansionParameters:
    """What an expansion was asked for."""
    return shaped(job.parameters, ExpansionParameters)


def requested(job: Job) -> IntegrationParameters:
    """What any integration was asked for, expansions and classroom exports alike."""
    return shaped(job.parameters, IntegrationParameters)


def plan(session: Transaction, job: Job) -> None:
    """One output per requested type, in the order of the request, present from the start."""
    for sequence, output_type in enumerate(asked(job).requested_outputs, start=1):
        output = Output(id=ids.new(ids.Prefix.OUTPUT), job_id=job.id, sequence=sequence, output_type=output_type)
        session.add(output)


async def outputs(session: AsyncSession, job_ids: Sequence[str]) -> Sequence[Output]:
    """The outputs of some jobs, in the order of the request."""
    query = select(Output).where(col(Output.job_id).in_(job_ids)).order_by(col(Output.job_id), col(Output.sequence))
    return (await session.scalars(query)).all()


def begin(session: Transaction, output: Output, resource: Resource) -> None:
    """The output is becoming this resource."""
    output.status, output.resource_id, output.updated_at = OutputStatus.processing, resource.id, now()
    session.add(output)


async def complete(session: Transaction, output: Output, realm: Realm) -> None:
    """The output is done and counted, once."""
    output.status, output.error, output.updated_at = OutputStatus.completed, None, now()
    session.add(output)
    await usage.count(session, realm, METERS[output.output_type], output.id)


async def fail(session: Transaction, output: Output, realm: Realm, failure: Failure) -> None:
    """The output failed, and with it the resource that it was becoming, if that is still there."""
    output.status, output.error, output.updated_at = OutputStatus.failed, failure, now()
    session.add(output)
    for resource in await resources.find(session, realm, [output.resource_id] if output.resource_id else []):
        await resources.become(session, resource, ResourceStatus.FAILED)


async def retry(session: Transaction, job: Job) -> None:
    """What failed is asked for again; what is done stays done."""
    await session.execute(
        update(Output)
        .where(col(Output.job_id) == job.id, col(Output.status) == OutputStatus.failed)
        .values(status=OutputStatus.queued, error=None)
    )


async def ending(session: Transaction, job: Job, failure: Failure | None) -> Ending:
    """
    Completed when at least one output is (decision D16), failed or cancelled otherwise.

    Whatever a failure left unfinished fails with it.
    """
    made = await outputs(session, [job.id])
    if failure is not None:
        for output in made:
            if output.status is not OutputStatus.completed:
                await fail(session, output, job.realm, failure)
    done = [output for output in made if output.status is OutputStatus.completed]
    if failure is not None and failure.code is JobErrorCode.CANCELED:
        state = JobState.CANCELED
    elif not done:
        state = JobState.FAILED
    else:
        state = JobState.COMPLETED if len(done) == len(made) else JobState.COMPLETED_WITH_ERRORS
    body = ContentBody(
        job_id=job.id,
        status=status(state),
        source_type=requested(job).source_type,
        requested_outputs=requested(job).requested_outputs,
        completed_at=job.ended_at,
        outputs=[describe(output) for output in made],
        error=None if state in SUCCEEDED else why(failure),
    )
    return Ending(state, EventType.CONTENT_COMPLETED if state in SUCCEEDED else EventType.CONTENT_FAILED, body)


def describe(output: Output) -> OutputBody:
    """An output as webhooks tell it."""
    return OutputBody(
        output_type=output.output_type,
        status=output.status,
        resource_type=RESOURCE_KINDS[output.output_type],
        resource_id=output.resource_id if output.status is OutputStatus.completed else None,
        error=why(output.error),
    )


async def verified(session: Transaction, workspace_id: str) -> None:
    """A finished result has been read: polling works, webhooks may come (decision D28)."""
    query = update(Workspace).where(col(Workspace.id) == workspace_id, col(Workspace.polling_verified).is_(False))
    await session.execute(query.values(polling_verified=True))
