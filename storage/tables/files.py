"""Files that people store for a course, a group or themselves."""

from datetime import datetime
from posixpath import basename

from sqlalchemy import BigInteger, Index
from sqlmodel import Field

from storage.packages import filenames
from storage.tables.columns import Instant, Owned


class StoredFile(Owned, table=True):
    """
    A file of a course, a group or a user.

    It is there from the arrival of its bytes until another file takes its place. What was replaced, or never came, is
    removed later, so that whoever is reading it can end.
    """

    __tablename__ = "stored_file"
    __table_args__ = (Index("ix_stored_file_path", "context_id", "environment", "path"),)

    context_id: str = Field(max_length=64)
    path: str = Field(max_length=500)
    content_type: str = Field(max_length=127)
    byte_size: int = Field(sa_type=BigInteger)
    upload_expires_at: datetime = Field(sa_type=Instant)
    key: str | None = Field(default=None, max_length=255)
    sha256: str | None = Field(default=None, max_length=64)
    replaced_at: datetime | None = Field(default=None, sa_type=Instant)

    @property
    def filename(self) -> str:
        """The last step of its path, as every system can save it."""
        return filenames.portable(basename(self.path))
