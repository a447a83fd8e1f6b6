"""Content exports: what was asked for, how they are numbered, and how they end."""

from sqlalchemy import update
from sqlmodel import col

from storage import notifications
from storage.bodies import ExportBody, why
from storage.contexts import Context
from storage.database import Transaction
from storage.endings import Ending
from storage.errors import JobErrorCode, UnsupportedExportType
from storage.tables import (
    EventType,
    ExportType,
    Job,
    JobKind,
    JobState,
    NotificationKind,
    Realm,
    WorkflowState,
    Workspace,
)
from storage.tables.columns import shaped
from storage.tables.jobs import FINISHED, LEASED, SUCCEEDED, ContentExportParameters, Failure


def workflow_state(state: JobState) -> WorkflowState:
    """A job's state in the words of the Content Exports API (decisions, table 1)."""
    if state in SUCCEEDED:
        return WorkflowState.exported
    if state in FINISHED:
        return WorkflowState.failed
    return WorkflowState.exporting if state in LEASED else WorkflowState.created


def progress_url(job: Job, public_url: str) -> str:
    """Where the progress of a job is told as JSON."""
    return f"{public_url}/api/v1/progress/{job.id}"


def asked(job: Job) -> ContentExportParameters:
    """What an export was asked for."""
    return shaped(job.parameters, ContentExportParameters)


async def planned(
    session: Transaction, realm: Realm, context: Context, user_id: str, asked: ContentExportParameters, id: str
) -> Job:
    """The job of an export, with the next number of its workspace; UnsupportedExportType for what no owner has."""
    if asked.export_type is not ExportType.zip and not context.is_course:
        raise UnsupportedExportType(path=("input", "exportType"))
    number = await session.scalar(
        update(Workspace)
        .where(col(Workspace.id) == realm.workspace_id)
        .values(content_exports=col(Workspace.content_exports) + 1)
        .returning(col(Workspace.content_exports))
        .execution_options(synchronize_session=False)
    )
    return Job(
        id=id,
        workspace_id=realm.workspace_id,
        environment=realm.environment,
        kind=JobKind.CONTENT_EXPORT,
        parameters=asked,
        resource_id=context.id,
        user_id=user_id,
        number=number,
    )


async def ending(session: Transaction, job: Job, failure: Failure | None) -> Ending:
    """Exported, or failed or cancelled; in either case its user is told, unless nobody wanted to be (decision D9)."""
    if failure is None:
        state = JobState.COMPLETED
    else:
        state = JobState.CANCELED if failure.code is JobErrorCode.CANCELED else JobState.FAILED
    if not asked(job).skip_notifications:
        await _notify(session, job, failure)
    body = ExportBody(
        job_id=job.id,
        number=job.number or 0,
        export_type=asked(job).export_type,
        workflow_state=workflow_state(state),
        context_id=job.resource_id or "",
        user_id=job.user_id or "",
        skip_notifications=asked(job).skip_notifications,
        completed_at=job.ended_at,
        error=why(failure),
    )
    return Ending(state, EventType.EXPORT_FAILED if failure else EventType.EXPORT_COMPLETED, body)


async def _notify(session: Transaction, job: Job, failure: Failure | None) -> None:
    subject = f"Export {job.number} of “{asked(job).title}”"
    if failure is None:
        kind, message = NotificationKind.content_export_finished, f"{subject} is ready."
    else:
        kind, message = NotificationKind.content_export_failed, f"{subject} failed: {failure.message}"
    await notifications.send(session, job, kind, message)


async def retry(session: Transaction, job: Job) -> None:  # noqa: ARG001  (others look up what they repair)
    """Nothing is left of what failed; it is made anew."""
    job.warnings = []
