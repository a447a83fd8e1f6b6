"""The event log: everything that happens is one row."""

from datetime import datetime
from enum import StrEnum

import pydantic
from sqlalchemy import BigInteger, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from storage.tables.columns import Document, Environment, Instant, stored
from storage.tables.jobs import JobState, OutputType, Progress


class EventType(StrEnum):
    """What happened, by wire name."""

    CONTENT_COMPLETED = "content.completed"
    CONTENT_FAILED = "content.failed"
    EXPORT_COMPLETED = "export.completed"
    EXPORT_FAILED = "export.failed"
    INGESTION_COMPLETED = "ingestion.completed"
    INGESTION_FAILED = "ingestion.failed"
    RENDER_COMPLETED = "render.completed"
    RENDER_FAILED = "render.failed"
    GENERATION_COMPLETED = "generation.completed"
    GENERATION_FAILED = "generation.failed"
    RESOURCE_CREATED = "resource.created"
    RESOURCE_UPDATED = "resource.updated"
    RESOURCE_DELETED = "resource.deleted"
    JOB_PROGRESS = "job.progress"
    WEBHOOK_TEST = "webhook.test"
    ENDPOINT_DISABLED = "endpoint.disabled"


class JobMoment(pydantic.BaseModel):
    """How a job stood when an event was written, and the part that had just been finished."""

    state: JobState
    progress: Progress
    item_id: str | None = None
    item_position: int | None = None
    output_type: OutputType | None = None


class Event(SQLModel, table=True):
    """
    A fact.

    The position counts the events of the realm, the sequence those of the subject; both have no gaps. The body is
    what webhooks sign and send, byte for byte.
    """

    __table_args__ = (
        UniqueConstraint("workspace_id", "environment", "position"),
        UniqueConstraint("subject_id", "sequence"),
        Index("ix_event_time", "workspace_id", "environment", "at"),
    )

    id: str = Field(primary_key=True, max_length=64)
    workspace_id: str = Field(foreign_key="workspace.id", ondelete="CASCADE", max_length=64)
    environment: Environment = Field(sa_type=stored(Environment))
    position: int = Field(sa_type=BigInteger)
    type: EventType = Field(sa_type=stored(EventType))
    subject_id: str = Field(max_length=64)
    sequence: int
    at: datetime = Field(sa_type=Instant)
    body: bytes = Field(sa_type=LargeBinary)
    moment: JobMoment | None = Field(default=None, sa_type=Document(JobMoment))
