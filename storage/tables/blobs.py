"""Files that jobs made: the bytes are in the blob store under the key, what they are is here."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field

from storage.tables.columns import Instant, Row, stored


class AttachmentRole(StrEnum):
    """What a file is to its job."""

    artifact = "artifact"
    captions = "captions"
    poster = "poster"
    package = "package"


class Attachment(Row, table=True):
    """A file made by a job; after expires_at it is gone for everybody, and its bytes may be removed."""

    __table_args__ = (UniqueConstraint("job_id", "role"),)

    job_id: str = Field(foreign_key="job.id", ondelete="CASCADE", max_length=64)
    role: AttachmentRole = Field(sa_type=stored(AttachmentRole))
    key: str = Field(max_length=255)
    filename: str = Field(max_length=255)
    content_type: str = Field(max_length=127)
    byte_size: int = Field(default=0, sa_type=BigInteger)
    sha256: str = Field(default="", max_length=64)
    expires_at: datetime | None = Field(default=None, sa_type=Instant, index=True)
