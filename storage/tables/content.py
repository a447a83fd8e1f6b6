"""Ingested content: items, how they belong together, what became of each resource, and where a package's files lie."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Index, LargeBinary
from sqlmodel import Field, SQLModel

from storage.errors import JobErrorCode
from storage.packages.manifest import PackageType
from storage.packages.outcomes import AssociationType, ContentType
from storage.tables.columns import Instant, Owned, now, stored


class IngestionStatus(StrEnum):
    """A job's state in the words of the Content Ingestion API (decisions, table 1)."""

    AWAITING_UPLOAD = "AWAITING_UPLOAD"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    COMPLETED_WITH_ERRORS = "COMPLETED_WITH_ERRORS"


class ItemState(StrEnum):
    """Where one resource of a package stands."""

    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class ContentItem(Owned, table=True):
    """
    A question, stimulus, article, container or video from a package.

    The documents are JSON as the reader of the package wrote it; nobody reads them before they are asked for. Source is
    the XML of a question that shares its file with others; that of any other question is the file itself.
    """

    __tablename__ = "content_item"
    __table_args__ = (Index("ix_content_item_job", "job_id"),)

    job_id: str = Field(foreign_key="job.id", ondelete="CASCADE", max_length=64)
    type: ContentType = Field(sa_type=stored(ContentType))
    source_identifier: str = Field(max_length=512)
    title: str = Field(max_length=500)
    description: str | None = None
    language: str | None = Field(default=None, max_length=64)
    difficulty: str | None = Field(default=None, max_length=100)
    alignments: str
    path: str | None = None
    sha256: str | None = Field(default=None, max_length=64)
    body: str | None = None
    question: str | None = None
    source: bytes | None = Field(default=None, sa_type=LargeBinary)
    video_url: str | None = None
    provider: str | None = Field(default=None, max_length=32)
    version: int = 1


class Association(SQLModel, table=True):
    """A directed relation between two items of one package; the position counts the members of a container from 0."""

    __table_args__ = (
        Index("ix_association_target", "target_id", "type", "position", "source_id"),
        {"sqlite_with_rowid": False},
    )

    source_id: str = Field(primary_key=True, foreign_key="content_item.id", ondelete="CASCADE", max_length=64)
    type: AssociationType = Field(primary_key=True, sa_type=stored(AssociationType))
    target_id: str = Field(primary_key=True, foreign_key="content_item.id", ondelete="CASCADE", max_length=64)
    position: int = Field(primary_key=True)


class IngestionItem(SQLModel, table=True):
    """What became of one resource, or of one question of an assessment; the position is that in the manifest."""

    __tablename__ = "ingestion_item"
    __table_args__ = ({"sqlite_with_rowid": False},)

    job_id: str = Field(primary_key=True, foreign_key="job.id", ondelete="CASCADE", max_length=64)
    position: int = Field(primary_key=True)
    item_id: str = Field(max_length=512)
    state: ItemState = Field(sa_type=stored(ItemState))
    code: JobErrorCode | None = Field(default=None, sa_type=stored(JobErrorCode))
    message: str | None = None
    content_id: str | None = Field(default=None, max_length=64)
    updated_at: datetime = Field(default_factory=now, sa_type=Instant)


class PackageFile(SQLModel, table=True):
    """Where a file lies in the zip of its package; nothing else of the zip is ever handed out."""

    __tablename__ = "package_file"
    __table_args__ = ({"sqlite_with_rowid": False},)

    job_id: str = Field(primary_key=True, foreign_key="job.id", ondelete="CASCADE", max_length=64)
    path: str = Field(primary_key=True)
    size: int = Field(sa_type=BigInteger)
    compressed: int = Field(sa_type=BigInteger)
    start: int = Field(sa_type=BigInteger)
    method: int
    crc: int = Field(sa_type=BigInteger)


class SpentCode(SQLModel, table=True):
    """A signed address that works once, and has."""

    __tablename__ = "spent_code"

    id: str = Field(primary_key=True, max_length=64)
    expires_at: datetime = Field(sa_type=Instant, index=True)


__all__ = [
    "Association",
    "AssociationType",
    "ContentItem",
    "ContentType",
    "IngestionItem",
    "IngestionStatus",
    "ItemState",
    "PackageFile",
    "PackageType",
    "SpentCode",
]
