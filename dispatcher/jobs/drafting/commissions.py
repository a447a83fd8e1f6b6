"""Commissions: what an author is asked to write, and how much of it."""

from collections.abc import Collection
from dataclasses import dataclass, field

from dispatcher.jobs.drafting.outline import Intent, read_intent

# How many are made when nobody says, and how many at most when only the prompt says.
LESSONS, MOST_LESSONS = 5, 50
SCENES, MOST_SCENES = 5, 60
SLIDES, MOST_SLIDES = 10, 100
ITEMS, MOST_ITEMS = 10, 200
QUIZZES, MOST_QUIZZES = 3, 20
EXERCISES = 2
MOST_SECONDS = 7_200


@dataclass(frozen=True, slots=True)
class Request:
    """A prompt, the title of what is made from it, and the language to write in."""

    prompt: str
    title: str
    language: str = "en"

    @property
    def intent(self) -> Intent:
        """What the prompt says, as far as it can be read."""
        return read_intent(self.prompt, self.title)


@dataclass(frozen=True, slots=True)
class ModuleCommission:
    """A module, with questions on what it says when they are asked for."""

    request: Request
    has_quiz: bool

    @property
    def quizzes(self) -> int:
        """As many as the prompt says."""
        return counted(None, self.request.intent.questions, QUIZZES, MOST_QUIZZES) if self.has_quiz else 0


@dataclass(frozen=True, slots=True)
class LessonCommission:
    """One lesson, with quizzes and exercises when they are asked for."""

    request: Request
    has_quiz: bool
    has_practice: bool

    @property
    def quizzes(self) -> int:
        """How many questions there are on what it says."""
        return QUIZZES if self.has_quiz else 0

    @property
    def exercises(self) -> int:
        """How many there are to practise with."""
        return EXERCISES if self.has_practice else 0


@dataclass(frozen=True, slots=True)
class CourseCommission:
    """A course of so many lessons, or as many as the prompt says."""

    request: Request
    lesson_count: int | None
    has_quiz: bool
    has_practice: bool

    @property
    def lessons(self) -> int:
        """An explicit number wins over one in the prompt."""
        return counted(self.lesson_count, self.request.intent.lessons, LESSONS, MOST_LESSONS)


@dataclass(frozen=True, slots=True)
class VideoCommission:
    """A video of so many scenes, or as many as the prompt says; with a target it lasts exactly so many seconds."""

    request: Request
    scene_count: int | None
    target_duration_seconds: int | None
    aspect_ratio: str = "16:9"

    @property
    def scenes(self) -> int:
        """An explicit number wins over one in the prompt."""
        return counted(self.scene_count, self.request.intent.scenes, SCENES, MOST_SCENES)

    @property
    def seconds(self) -> int | None:
        """How long all scenes last together; None when each lasts as long as it takes to say it."""
        return self.target_duration_seconds or min(self.request.intent.seconds or 0, MOST_SECONDS) or None


@dataclass(frozen=True, slots=True)
class DeckCommission:
    """A deck of so many slides, or as many as the prompt says."""

    request: Request
    slide_count: int | None

    @property
    def slides(self) -> int:
        """An explicit number wins over one in the prompt."""
        return counted(self.slide_count, self.request.intent.slides, SLIDES, MOST_SLIDES)


@dataclass(frozen=True, slots=True)
class AssessmentCommission:
    """A test of so many items, or as many as the prompt says."""

    request: Request
    item_count: int | None

    @property
    def items(self) -> int:
        """An explicit number wins over one in the prompt."""
        return counted(self.item_count, self.request.intent.questions, ITEMS, MOST_ITEMS)


@dataclass(frozen=True, slots=True)
class ItemsCommission:
    """So many more items, none of which repeats a question that is there."""

    request: Request
    count: int
    known: Collection[str] = field(default=frozenset())


Commission = ModuleCommission | CourseCommission | VideoCommission | DeckCommission | AssessmentCommission
"""The content of a resource."""


def counted(explicit: int | None, found: int | None, default: int, most: int) -> int:
    """An explicit number wins over one in the prompt, which is kept within what may be asked for."""
    return explicit if explicit is not None else min(found or default, most)
