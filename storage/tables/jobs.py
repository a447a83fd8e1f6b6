"""Work asked for: one table, one document of parameters per kind."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import pydantic
from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from storage.errors import JobErrorCode
from storage.packages.manifest import PackageType
from storage.tables.children import VisualType
from storage.tables.columns import Document, Instant, Row, Subject, now, stored


class JobKind(StrEnum):
    """The kinds of jobs."""

    EXPANSION = "EXPANSION"
    CLASSROOM_EXPORT = "CLASSROOM_EXPORT"
    GENERATION = "GENERATION"
    RENDER = "RENDER"
    CONTENT_EXPORT = "CONTENT_EXPORT"
    INGESTION = "INGESTION"


class JobState(StrEnum):
    """One state machine for every job; within one attempt it only moves forward."""

    AWAITING_UPLOAD = "AWAITING_UPLOAD"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    CANCELING = "CANCELING"
    COMPLETED = "COMPLETED"
    COMPLETED_WITH_ERRORS = "COMPLETED_WITH_ERRORS"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


LEASED = (JobState.RUNNING, JobState.CANCELING)
SUCCEEDED = (JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS)
FINISHED = (*SUCCEEDED, JobState.FAILED, JobState.CANCELED, JobState.EXPIRED)


class OutputType(StrEnum):
    """What an expansion can make."""

    interactive_module = "interactive_module"
    summary_video = "summary_video"
    expanded_quiz = "expanded_quiz"


class OutputStatus(StrEnum):
    """An output's status; for a job the same words are a projection of its state."""

    queued = "queued"
    processing = "processing"
    completed = "completed"
    failed = "failed"


class ExportType(StrEnum):
    """What a content export makes."""

    common_cartridge = "common_cartridge"
    qti = "qti"
    zip = "zip"


class WorkflowState(StrEnum):
    """How an export stands, in the words of the Content Exports API."""

    created = "created"
    exporting = "exporting"
    exported = "exported"
    failed = "failed"


class IntegrationParameters(pydantic.BaseModel):
    """What expansions and classroom exports share."""

    source_type: str
    requested_outputs: list[OutputType]


class ExpansionParameters(IntegrationParameters):
    """What an expansion was asked for: of a payload, which is kept as it was sent, or of ingested items."""

    kind: Literal[JobKind.EXPANSION] = JobKind.EXPANSION
    payload: Any = None
    content_item_ids: list[str] = []


class ClassroomExportParameters(IntegrationParameters):
    """The lesson that was handed out."""

    kind: Literal[JobKind.CLASSROOM_EXPORT] = JobKind.CLASSROOM_EXPORT
    classroom_id: str
    lesson_id: str


class GenerationParameters(pydantic.BaseModel):
    """
    What the author was asked for, besides what the resource says of itself.

    With a lesson its content, with a count of new items those, else the whole resource: so many lessons, scenes,
    slides or items as part_count says, or as many as the prompt says.
    """

    kind: Literal[JobKind.GENERATION] = JobKind.GENERATION
    prompt: str
    lesson_id: str | None = None
    new_item_count: int | None = None
    part_count: int | None = None


class PlannedScene(pydantic.BaseModel):
    """A scene as it was when its render was asked for."""

    id: str
    script: str
    display_text: str | None
    duration: float
    visual_type: VisualType


class RenderParameters(pydantic.BaseModel):
    """The plan that is rendered: a copy, so that later edits of the video do not change this render."""

    kind: Literal[JobKind.RENDER] = JobKind.RENDER
    plan_version: int
    title: str
    language: str
    aspect_ratio: str
    scenes: list[PlannedScene]

    @property
    def seconds(self) -> float:
        """How long the film is."""
        return sum(scene.duration for scene in self.scenes)


class ContentExportParameters(pydantic.BaseModel):
    """What is exported; the course, group or user is the job's resource_id, and this was its title."""

    kind: Literal[JobKind.CONTENT_EXPORT] = JobKind.CONTENT_EXPORT
    export_type: ExportType
    title: str
    skip_notifications: bool = False


class IngestionParameters(pydantic.BaseModel):
    """
    The package that was announced, and once it has come where it is and what it turned out to be.

    Skipped counts the resources that are no content by rule.
    """

    kind: Literal[JobKind.INGESTION] = JobKind.INGESTION
    item_count: int
    zip_file_size: int
    upload_expires_at: datetime
    blob_key: str | None = None
    package_type: PackageType | None = None
    package_identifier: str | None = None
    skipped: int = 0


Parameters = Annotated[
    ExpansionParameters
    | ClassroomExportParameters
    | GenerationParameters
    | RenderParameters
    | ContentExportParameters
    | IngestionParameters,
    pydantic.Field(discriminator="kind"),
]


class Failure(pydantic.BaseModel):
    """Why a job, an output or an item failed."""

    code: JobErrorCode
    message: str


class Notice(pydantic.BaseModel):
    """Something was left out, guessed or repaired."""

    code: str
    message: str
    subject: str | None = None


class Progress(pydantic.BaseModel):
    """How far a job is, and by the pace of its attempt so far, how long it will still take."""

    percent: float = 0.0
    phase: str | None = None
    completed_units: int = 0
    failed_units: int = 0
    total_units: int | None = None
    seconds_remaining: float | None = None


class Spending(pydantic.BaseModel):
    """What a model took for a job, all its attempts together, as the model's service counts it."""

    model: str
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class Job(Subject, table=True):
    """
    Anything that runs in the worker.

    A job is due when it is queued and due_at has come, or when the lease of whoever ran it has ended. The attempt is
    the fencing token: whoever lost its lease to a later attempt writes nothing more. Only content exports have a user
    who started them, and a number, which counts those of the workspace.
    """

    __table_args__ = (
        Index("ix_job_due", "state", "due_at"),
        Index("ix_job_list", "workspace_id", "environment", "kind", "id"),
        Index("ix_job_mixed", "workspace_id", "environment", "id"),
        UniqueConstraint("workspace_id", "number"),
    )

    kind: JobKind = Field(sa_type=stored(JobKind))
    state: JobState = Field(default=JobState.QUEUED, sa_type=stored(JobState))
    parameters: Parameters = Field(sa_type=Document(Parameters))
    resource_id: str | None = Field(default=None, max_length=64, index=True)
    user_id: str | None = Field(default=None, foreign_key="user.id", ondelete="CASCADE", max_length=64, index=True)
    number: int | None = None
    progress: Progress = Field(default_factory=Progress, sa_type=Document(Progress))
    error: Failure | None = Field(default=None, sa_type=Document(Failure))
    warnings: list[Notice] = Field(default_factory=list, sa_type=Document(list[Notice]))
    spending: Spending | None = Field(default=None, sa_type=Document(Spending))
    attempt: int = 1
    lost_workers: int = 0
    idempotency_key: str | None = Field(default=None, max_length=255)
    due_at: datetime | None = Field(default_factory=now, sa_type=Instant)
    announced_at: datetime | None = Field(default=None, sa_type=Instant)
    started_at: datetime | None = Field(default=None, sa_type=Instant)
    attempt_started_at: datetime | None = Field(default=None, sa_type=Instant)
    attempt_began_percent: float = 0.0
    completed_at: datetime | None = Field(default=None, sa_type=Instant)

    @property
    def ended_at(self) -> datetime:
        """When it was finished, of a job that is."""
        if self.completed_at is None:
            raise ValueError("the job is not finished")
        return self.completed_at


class Output(Row, table=True):
    """One requested output of an expansion and the resource it becomes."""

    __table_args__ = (UniqueConstraint("job_id", "output_type"),)

    job_id: str = Field(foreign_key="job.id", ondelete="CASCADE", max_length=64)
    sequence: int
    output_type: OutputType = Field(sa_type=stored(OutputType))
    status: OutputStatus = Field(default=OutputStatus.queued, sa_type=stored(OutputStatus))
    resource_id: str | None = Field(default=None, max_length=64, index=True)
    error: Failure | None = Field(default=None, sa_type=Document(Failure))
