"""What events say besides their envelope: one shape for each family of types, in the words of the wire."""

from datetime import datetime
from typing import Any

import pydantic
from pydantic.alias_generators import to_camel

from storage.errors import JobErrorCode
from storage.packages.manifest import PackageType
from storage.tables import (
    EventType,
    ExportType,
    IngestionStatus,
    JobKind,
    JobState,
    OutputStatus,
    OutputType,
    ResourceKind,
    ResourceStatus,
    WorkflowState,
)
from storage.tables.jobs import Failure


class Body(pydantic.BaseModel):
    """Keys of an event; what is None is left out."""

    model_config = pydantic.ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    def told(self) -> dict[str, Any]:
        """The keys as they are sent."""
        return self.model_dump(by_alias=True, exclude_none=True)


class Problem(Body):
    """Why something failed."""

    code: JobErrorCode
    message: str


def why(failure: Failure | None) -> Problem | None:
    """Why something failed, if it did."""
    return Problem(code=failure.code, message=failure.message) if failure else None


class OutputBody(Body):
    """One requested output."""

    output_type: OutputType
    status: OutputStatus
    resource_type: ResourceKind
    resource_id: str | None = None
    error: Problem | None = None


class ContentBody(Body):
    """content.*"""

    job_id: str
    status: OutputStatus
    source_type: str
    requested_outputs: list[OutputType]
    completed_at: datetime
    outputs: list[OutputBody]
    error: Problem | None = None


class ExportBody(Body):
    """export.*"""

    job_id: str
    number: int
    export_type: ExportType
    workflow_state: WorkflowState
    context_id: str
    user_id: str
    skip_notifications: bool
    completed_at: datetime
    error: Problem | None = None


class IngestionBody(Body):
    """ingestion.*; the numbers count resources of the package."""

    job_id: str
    status: IngestionStatus
    package_type: PackageType | None = None
    completed: int
    failed: int
    skipped: int
    completed_at: datetime
    error: Problem | None = None


class RenderBody(Body):
    """render.*"""

    job_id: str
    video_id: str
    state: JobState
    plan_version: int
    completed_at: datetime
    error: Problem | None = None


class GenerationBody(Body):
    """generation.*"""

    job_id: str
    resource_type: ResourceKind
    resource_id: str
    state: JobState
    completed_at: datetime
    error: Problem | None = None


class ResourceBody(Body):
    """resource.*"""

    resource_type: ResourceKind
    resource_id: str
    version: int
    status: ResourceStatus


class ProgressBody(Body):
    """job.progress"""

    job_id: str
    kind: JobKind
    state: JobState
    percent: float
    phase: str | None = None
    seconds_remaining: float | None = None
    item_id: str | None = None
    output_type: OutputType | None = None


class WebhookTestBody(Body):
    """webhook.test"""

    endpoint_id: str


class DisabledBody(Body):
    """endpoint.disabled"""

    endpoint_id: str
    reason: str


BODIES: dict[EventType, type[Body]] = {
    EventType.CONTENT_COMPLETED: ContentBody,
    EventType.CONTENT_FAILED: ContentBody,
    EventType.EXPORT_COMPLETED: ExportBody,
    EventType.EXPORT_FAILED: ExportBody,
    EventType.INGESTION_COMPLETED: IngestionBody,
    EventType.INGESTION_FAILED: IngestionBody,
    EventType.RENDER_COMPLETED: RenderBody,
    EventType.RENDER_FAILED: RenderBody,
    EventType.GENERATION_COMPLETED: GenerationBody,
    EventType.GENERATION_FAILED: GenerationBody,
    EventType.RESOURCE_CREATED: ResourceBody,
    EventType.RESOURCE_UPDATED: ResourceBody,
    EventType.RESOURCE_DELETED: ResourceBody,
    EventType.JOB_PROGRESS: ProgressBody,
    EventType.WEBHOOK_TEST: WebhookTestBody,
    EventType.ENDPOINT_DISABLED: DisabledBody,
}
