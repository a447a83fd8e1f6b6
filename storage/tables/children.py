"""Ordered parts of resources that clients address by id."""

from enum import StrEnum

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from storage.tables.columns import Document, Row, stored
from storage.tables.resources import ModuleType


class QuestionType(StrEnum):
    """Kinds of questions, by wire name."""

    multiple_choice = "multiple-choice"
    multiple_response = "multiple-response"
    true_false = "true-false"
    short_answer = "short-answer"


class VisualType(StrEnum):
    """What a scene shows."""

    text = "text"
    title = "title"  # type: ignore[assignment]  # str has a method of this name
    bullets = "bullets"


class Child(Row):
    """A part of one resource, kept in order from 1 without gaps."""

    resource_id: str = Field(foreign_key="resource.id", ondelete="CASCADE", max_length=64, index=True)
    sequence: int


class Question(Child):
    """What quizzes and test items share."""

    question: str
    type: QuestionType = Field(default=QuestionType.multiple_choice, sa_type=stored(QuestionType))
    options: list[str] = Field(sa_type=Document(list[str]))
    correct_answers: list[str] = Field(sa_type=Document(list[str]))
    explanation: str | None = None


class Quiz(Question, table=True):
    """A knowledge check or an exercise of its owner, a module or a lesson; key is the id that its author chose."""

    __table_args__ = (UniqueConstraint("owner_id", "key"),)

    owner_id: str = Field(max_length=64)
    key: str = Field(max_length=255)
    practice: bool = False
    title: str | None = None
    show_feedback: bool = True


class Item(Question, table=True):
    """A question of a test; job_id is the job that added it later."""

    score: float = 1.0
    job_id: str | None = Field(default=None, max_length=64, index=True)


class Scene(Child, table=True):
    """A picture of a video with its narration."""

    script: str
    display_text: str | None = None
    duration: float
    visual_type: VisualType = Field(default=VisualType.text, sa_type=stored(VisualType))


class Chapter(Child, table=True):
    """A named group of lessons of a course."""

    title: str = Field(max_length=500)
    description: str | None = None


class Lesson(Child, table=True):
    """A lesson of a course; its sequence counts through the whole course."""

    chapter_id: str = Field(foreign_key="chapter.id", ondelete="CASCADE", max_length=64, index=True)
    title: str = Field(max_length=500)
    description: str | None = None
    type: ModuleType = Field(default=ModuleType.markdown, sa_type=stored(ModuleType))
    lecture: str | None = None
    version: int = 1
    job_id: str | None = Field(default=None, max_length=64)
