"""Drafts: what the author hands over, before it becomes rows."""

from dataclasses import dataclass

from storage.tables import QuestionType, VisualType


@dataclass(frozen=True, slots=True)
class QuestionDraft:
    """One question; its right answers are among its options, unless it is a short answer, which has none."""

    title: str | None
    question: str
    type: QuestionType
    options: tuple[str, ...]
    correct_answers: tuple[str, ...]
    explanation: str | None
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class SceneDraft:
    """One picture with its narration; the duration is in seconds, bullets are lines of the display text."""

    script: str
    display_text: str
    duration: float
    visual_type: VisualType


@dataclass(frozen=True, slots=True)
class ModuleDraft:
    """A lecture in HTML, the questions on it, and how many there was no room for."""

    title: str
    description: str
    lecture: str
    quizzes: tuple[QuestionDraft, ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class VideoDraft:
    """The scenes of a video, in order, and how many there was no room for."""

    title: str
    description: str
    scenes: tuple[SceneDraft, ...]
    aspect_ratio: str = "16:9"
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class AssessmentDraft:
    """The items of a test, in order, and how many there was no room for."""

    title: str
    description: str
    items: tuple[QuestionDraft, ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class LessonDraft:
    """A lesson of a course: a lecture in HTML, quizzes and exercises."""

    title: str
    description: str
    lecture: str
    quizzes: tuple[QuestionDraft, ...]
    practice: tuple[QuestionDraft, ...]


@dataclass(frozen=True, slots=True)
class ChapterDraft:
    """A named group of lessons."""

    title: str
    description: str
    lessons: tuple[LessonDraft, ...]


@dataclass(frozen=True, slots=True)
class CourseDraft:
    """The chapters of a course, in order."""

    title: str
    description: str
    chapters: tuple[ChapterDraft, ...]


@dataclass(frozen=True, slots=True)
class SlideDeckDraft:
    """A deck as a sequence of `<slide>` elements."""

    title: str
    description: str
    content: str


Draft = ModuleDraft | CourseDraft | VideoDraft | SlideDeckDraft | AssessmentDraft
"""The content of a resource."""
