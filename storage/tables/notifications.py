"""Messages to users."""

from enum import StrEnum

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from storage.tables.columns import Owned, stored


class NotificationKind(StrEnum):
    """How an export ended."""

    content_export_finished = "content_export_finished"
    content_export_failed = "content_export_failed"


class Notification(Owned, table=True):
    """A message to whoever started an export; the sequence counts the messages of the user and has no gaps."""

    __table_args__ = (UniqueConstraint("user_id", "sequence"),)

    user_id: str = Field(foreign_key="user.id", ondelete="CASCADE", max_length=64)
    sequence: int
    kind: NotificationKind = Field(sa_type=stored(NotificationKind))
    job_id: str = Field(foreign_key="job.id", ondelete="CASCADE", max_length=64)
    message: str
