"""What learners hand in."""

from datetime import datetime

import pydantic
from sqlalchemy import Index
from sqlmodel import Field

from storage.tables.columns import Document, Instant, Row


class GradedAnswer(pydantic.BaseModel):
    """One answered item; it stays when the item is changed or deleted later."""

    item_id: str
    answers: list[str]
    correct: bool
    score: float


class Submission(Row, table=True):
    """One hand-in of a test, graded against the version of that moment."""

    __table_args__ = (Index("ix_submission_list", "resource_id", "id"),)

    resource_id: str = Field(foreign_key="resource.id", ondelete="CASCADE", max_length=64)
    test_version: int
    learner_ref: str | None = Field(default=None, max_length=255)
    answers: list[GradedAnswer] = Field(sa_type=Document(list[GradedAnswer]))
    score: float
    max_score: float
    started_at: datetime | None = Field(default=None, sa_type=Instant)
    late: bool = False
