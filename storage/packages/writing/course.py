"""What is written into packages: a course as plain values that know nothing of tables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

V = TypeVar("V")

_ILLEGIBLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPACE = re.compile(r"\s+")

LONGEST_TITLE = 500


class QuestionKind(StrEnum):
    """How a question is answered, by wire name."""

    MULTIPLE_CHOICE = "multiple-choice"
    MULTIPLE_RESPONSE = "multiple-response"
    TRUE_FALSE = "true-false"
    SHORT_ANSWER = "short-answer"


@dataclass(frozen=True, slots=True)
class Question:
    """
    A question in plain text; the answers are the right ones among the options, or every accepted text.

    `key` is what its author calls it; the explanation is shown to learners only with `show_feedback`.
    """

    id: str
    kind: QuestionKind
    text: str
    options: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    title: str | None = None
    explanation: str | None = None
    show_feedback: bool = True
    key: str | None = None

    @property
    def can_be_asked(self) -> bool:
        """A question to choose in needs something to choose from."""
        return self.kind is QuestionKind.SHORT_ANSWER or bool(self.options)

    @property
    def right(self) -> tuple[int, ...]:
        """Where the right options stand, counted from 0."""
        return tuple(index for index, option in enumerate(self.options) if option in self.answers)

    @property
    def heading(self) -> str:
        """Its title, else the beginning of its text: never blank unless both are."""
        return line(self.title or "") or line(self.text)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A page of sanitised HTML with the questions that follow it; `number` counts through the whole course from 1."""

    id: str
    chapter_id: str
    number: int
    title: str
    description: str | None = None
    lecture: str | None = None
    quizzes: tuple[Question, ...] = ()
    practice: tuple[Question, ...] = ()

    @property
    def exercises(self) -> "tuple[Exercise, ...]":
        """Its lists of questions, as far as there is anything in them that can be asked."""
        lists = (("quiz", self.quizzes), ("practice", self.practice))
        asked = [
            (name, tuple(question for question in questions if question.can_be_asked)) for name, questions in lists
        ]
        return tuple(Exercise(self, name, questions) for name, questions in asked if questions)


@dataclass(frozen=True, slots=True)
class Exercise:
    """The quizzes of a lesson, or its practice."""

    lesson: Lesson
    name: str
    questions: tuple[Question, ...]

    @property
    def id(self) -> str:
        """What packages call it."""
        return f"{self.name}_{self.lesson.id}"

    @property
    def title(self) -> str:
        """As its lesson, and what it is of it."""
        return f"{line(self.lesson.title)[: LONGEST_TITLE - 20]}: {self.name}"


@dataclass(frozen=True, slots=True)
class Chapter:
    """A folder of lessons."""

    id: str
    title: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """A course without its lessons, which are read one after another; `standards` are CASE UUIDs."""

    id: str
    title: str
    description: str | None = None
    language: str = "en"
    standards: tuple[str, ...] = ()
    chapters: tuple[Chapter, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A stored file: where it lies among its owner's files, and what it holds."""

    id: str
    path: str
    content_type: str
    size: int
    sha256: str


def legible(value: V) -> V:
    """The same with U+FFFD for every character that XML cannot hold; the very same object when there is none."""
    return _cleaned(value) if any(map(_ILLEGIBLE.search, _texts(value))) else value


def line(text: str) -> str:
    """A title in one line, of at most 500 characters."""
    return _SPACE.sub(" ", text).strip()[:LONGEST_TITLE]


def _texts(value: Any) -> Iterator[str]:
    """All texts in a value; field by field without recursion, because every question is looked through twice."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text
            case tuple() as parts:
                waiting += parts
            case int() | None:
                pass
            case other:
                waiting += [getattr(other, name) for name in other.__slots__]


def _cleaned(value: Any) -> Any:
    match value:
        case str() if not isinstance(value, StrEnum):
            return _ILLEGIBLE.sub("\ufffd", value)
        case tuple():
            return tuple(map(_cleaned, value))
        case _ if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{field.name: _cleaned(getattr(value, field.name)) for field in fields(value)})
    return value
