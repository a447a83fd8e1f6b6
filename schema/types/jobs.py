"""Jobs: the common face, and expansions with their outputs."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Self

import strawberry

from schema.context import Info
from schema.pagination import Connection
from schema.permissions import guarded
from schema.types.errors import JobError, JobWarning
from schema.types.resources import ContentResource, Node
from schema.types.scalars import JSON, URL, described
from storage import integrations, jobs, resources, tables
from storage.tables import JobKind, JobState, OutputStatus, OutputType, ResourceKind, Scope
from storage.tables.jobs import FINISHED, SUCCEEDED

if TYPE_CHECKING:
    from schema.types.content import ContentItem
    from schema.types.webhooks import Event

described(JobKind, "JobKind")
described(
    JobState,
    "JobState",
    "One state machine for every job; within one attempt it only moves forward. Kinds with status words of their own "
    "show it in those too.",
    AWAITING_UPLOAD="An ingestion waits for its package.",
    CANCELING="Cancellation was asked for and is not yet effective.",
    COMPLETED_WITH_ERRORS="Some parts are done and some failed.",
    EXPIRED="The upload never came in time.",
)
described(OutputStatus, "ExpansionStatus")
described(OutputType, "OutputType", "What an expansion can make: a module, a video, a test.")


@strawberry.type(description="How far a job is; units are outputs, items, scenes or files, as the kind has them.")
class JobProgress:
    percent: float = strawberry.field(
        description="0 to 100; never goes down within one attempt, and reaches 100 only in COMPLETED and "
        "COMPLETED_WITH_ERRORS."
    )
    phase: str | None = strawberry.field(description="What is being done, e.g. validating.")
    completed_units: int
    failed_units: int
    total_units: int | None = strawberry.field(description="Null while unknown.")
    seconds_remaining: float | None = strawberry.field(
        description="Estimated from the pace of the attempt so far; null while there is none, and at the end."
    )

    @classmethod
    def from_progress(cls, progress: tables.Progress) -> Self:
        """The graph's form of a job's numbers."""
        return cls(**progress.model_dump())


@strawberry.interface(description="Anything that runs in the worker.")
class Job(Node):
    row: strawberry.Private[tables.Job]
    kind: JobKind
    state: JobState
    progress: JobProgress
    error: JobError | None = strawberry.field(description="Set when the job failed, was cancelled or expired.")
    warnings: list[JobWarning]
    attempt: int = strawberry.field(
        description="1 for the first run; grows with every retry and every takeover from a lost worker."
    )
    cancelable: bool
    retryable: bool
    idempotency_key: str | None
    sequence: int = strawberry.field(
        description="Sequence of the newest event; as after of jobProgress it misses nothing."
    )
    created_at: datetime
    started_at: datetime | None
    last_updated: datetime
    completed_at: datetime | None

    @strawberry.field(description="The job's part of the event log, oldest first.")
    async def events(
        self, info: Info, first: int | None = 20, after: str | None = None
    ) -> Connection[Annotated["Event", strawberry.lazy("schema.types.webhooks")]]:
        return await info.context.loaders.job_events(self.id, first, after)

    @classmethod
    def from_row(cls, row: tables.Job) -> Self:
        """What every job shows, and what its kind adds."""
        return cls(
            row=row,
            id=strawberry.ID(row.id),
            kind=row.kind,
            state=row.state,
            progress=JobProgress.from_progress(row.progress),
            error=JobError.from_failure(row.error),
            warnings=[JobWarning.from_notice(notice) for notice in row.warnings],
            attempt=row.attempt,
            cancelable=row.state not in FINISHED and row.state is not JobState.CANCELING,
            retryable=jobs.retryable(row),
            idempotency_key=row.idempotency_key,
            sequence=row.sequence,
            created_at=row.created_at,
            started_at=row.started_at,
            last_updated=row.updated_at,
            completed_at=row.completed_at,
            **cls.of_kind(row),
        )

    @classmethod
    def of_kind(cls, row: tables.Job) -> dict[str, Any]:  # noqa: ARG003  (a kind reads its parameters)
        """The fields that the kind adds."""
        return {}


@strawberry.type
class OutputUrls:
    public_url: URL = strawberry.field(description="Share page of the resource.")


@strawberry.type(description="What an output is called and where it can be seen.")
class OutputManifest:
    title: str
    urls: OutputUrls


@strawberry.type(description="One requested output and the resource it became.")
class IntegrationOutput:
    row: strawberry.Private[tables.Output]
    output_type: OutputType
    status: OutputStatus
    resource_type: ResourceKind
    resource_id: strawberry.ID | None = strawberry.field(description="Null until the output is completed.")
    error: JobError | None

    @strawberry.field
    async def manifest(self, info: Info) -> OutputManifest | None:
        made = await self._resource(info)
        if made is None:
            return None
        url = resources.share_url(made.row, info.context.sealer, info.context.settings.public_url)
        return OutputManifest(title=made.title, urls=OutputUrls(public_url=URL(url))) if url else None

    @guarded(Scope.RESOURCES_READ)
    async def resource(self, info: Info) -> ContentResource | None:
        return await self._resource(info)

    async def _resource(self, info: Info) -> ContentResource | None:
        return await info.context.loaders.resources.load(self.resource_id) if self.resource_id else None

    @classmethod
    def from_row(cls, row: tables.Output) -> "IntegrationOutput":
        """The graph's form of an output; what it became is shown once it is complete."""
        completed = row.status is OutputStatus.completed and row.resource_id is not None
        return cls(
            row=row,
            output_type=row.output_type,
            status=row.status,
            resource_type=integrations.RESOURCE_KINDS[row.output_type],
            resource_id=strawberry.ID(row.resource_id) if completed and row.resource_id else None,
            error=JobError.from_failure(row.error),
        )


@strawberry.interface(description="A Content Integration job: source in, or lesson out, and one manifest per output.")
class IntegrationJob(Job):
    status: OutputStatus = strawberry.field(
        description="completed also when only some outputs are; failed also when cancelled."
    )
    source_type: str
    requested_outputs: list[OutputType]

    @strawberry.field(description="One entry per requested output, in that order, present from the start.")
    async def outputs(self, info: Info) -> list[IntegrationOutput]:
        return [IntegrationOutput.from_row(row) for row in await info.context.loaders.outputs.load(self.id)]

    @strawberry.field(description="Null until the job has completed.")
    async def result(self, info: Info) -> Annotated["IntegrationResult", strawberry.lazy("schema.types.jobs")] | None:
        return await IntegrationResult.of(info, self)

    @classmethod
    def of_kind(cls, row: tables.Job) -> dict[str, Any]:
        return {
            "status": integrations.status(row.state),
            "source_type": integrations.requested(row).source_type,
            "requested_outputs": integrations.requested(row).requested_outputs,
        }


@strawberry.type(description="What an integration job made, as one document.")
class IntegrationResult:
    job: IntegrationJob

    @strawberry.field
    async def outputs(self, info: Info) -> list[IntegrationOutput]:
        return await self.job.outputs(info)

    @classmethod
    async def of(cls, info: Info, job: IntegrationJob) -> "IntegrationResult | None":
        """The result of a completed job; reading it verifies that polling works (decision D28)."""
        if job.state not in SUCCEEDED:
            return None
        await info.context.loaders.verify_polling()
        return cls(job=job)


@strawberry.type(description="Existing source content in, editable resources out.")
class ExpansionJob(IntegrationJob):
    payload: JSON | None = strawberry.field(description="The source as it was sent, unknown keys included.")

    @guarded(Scope.CONTENT_READ, description="The ingested items that were the source instead of a payload.")
    async def source_items(
        self, info: Info
    ) -> list[Annotated["ContentItem", strawberry.lazy("schema.types.content")]] | None:
        items = await info.context.loaders.content.load_many(integrations.asked(self.row).content_item_ids)
        return [item for item in items if item is not None]

    @classmethod
    def of_kind(cls, row: tables.Job) -> dict[str, Any]:
        return IntegrationJob.of_kind(row) | {"payload": integrations.asked(row).payload}
