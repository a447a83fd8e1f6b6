"""Answers: the shapes in which a model is asked to write, what is wrong with an answer, and the drafts it becomes."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Literal, TypeVar

import pydantic
from pydantic.alias_generators import to_camel

from dispatcher.jobs.drafting.drafts import QuestionDraft, SceneDraft
from dispatcher.jobs.drafting.markup import bullets, element, leaf
from dispatcher.jobs.drafting.wording import fold
from storage.limits import LONGEST, MOST
from storage.tables import QuestionType, VisualType

LONGEST_TITLE, LONGEST_TEXT, LONGEST_OPTION = LONGEST["title"], LONGEST["question"], LONGEST["option"]
LONGEST_SHOWN = LONGEST["display_text"]
LONGEST_LECTURE = 200_000
MOST_OPTIONS = MOST["options"]
MOST_POINTS = 12
MOST_COMPLAINTS = 12
FENCE = re.compile(r"```(?:json)?[^\S\n]*+\n(.*)\n[^\S\n]*+```", re.DOTALL)


class Shape(pydantic.BaseModel):
    """Something a model fills in; every field has to be there, and nothing else."""

    model_config = pydantic.ConfigDict(extra="forbid", alias_generator=to_camel, frozen=True)


class WrittenQuestion(Shape):
    """A question with its right answers."""

    question: str
    type: Literal["multiple-choice", "multiple-response", "true-false", "short-answer"]
    options: list[str]
    correct_answers: list[str]
    explanation: str

    def faults(self, place: str) -> Iterator[str]:
        """Why nobody could answer it, or it would not be one of ours."""
        yield from missing(place, question=self.question, explanation=self.explanation)
        options, right = [*map(fold, self.options)], [*map(fold, self.correct_answers)]
        if not right or not all(right):
            yield f"{place} has no right answer, or a blank one"
        if len(right) > MOST_OPTIONS or any(len(text) > LONGEST_OPTION for text in (*self.options, *right)):
            yield f"{place} has more than {MOST_OPTIONS} answers, or one of more than {LONGEST_OPTION} characters"
        if self.type == "short-answer":
            if options:
                yield f"{place} is a short-answer question and must not have options"
            return
        if not 2 <= len(options) <= MOST_OPTIONS or len(set(options)) < len(options) or not all(options):
            yield f"{place} needs 2 to {MOST_OPTIONS} different options that are not blank"
        if not set(self.correct_answers) <= set(self.options):
            yield f"{place} has a right answer that is not among its options, letter for letter"
        if self.type != "multiple-response" and len(right) != 1:
            yield f"{place} must have exactly one right answer, or be a multiple-response question"
        if self.type == "true-false" and len(options) != 2:
            yield f"{place} is a true-false question and needs exactly two options"

    def draft(self, title: str | None) -> QuestionDraft:
        """The question under a title."""
        return QuestionDraft(
            title=title,
            question=self.question.strip(),
            type=QuestionType(self.type),
            options=tuple(self.options),
            correct_answers=tuple(dict.fromkeys(self.correct_answers)),
            explanation=self.explanation.strip() or None,
        )


class WrittenModule(Shape):
    """A module."""

    description: str
    lecture: str
    quizzes: list[WrittenQuestion]

    def faults(self, *, quizzes: int) -> Iterator[str]:
        """What is wrong with it."""
        yield from missing("the module", description=self.description)
        yield from lecture_faults(self.lecture)
        yield from question_faults("quizzes", self.quizzes, quizzes)


class WrittenLesson(Shape):
    """A lesson of a course."""

    description: str
    lecture: str
    quizzes: list[WrittenQuestion]
    practice: list[WrittenQuestion]

    def faults(self, *, quizzes: int, exercises: int) -> Iterator[str]:
        """What is wrong with it."""
        yield from missing("the lesson", description=self.description)
        yield from lecture_faults(self.lecture)
        yield from question_faults("quizzes", self.quizzes, quizzes)
        yield from question_faults("practice", self.practice, exercises)


class PlannedLesson(Shape):
    """A lesson before it is written."""

    title: str
    covers: str


class PlannedChapter(Shape):
    """A chapter before its lessons are written."""

    title: str
    description: str
    lessons: list[PlannedLesson]


class WrittenOutline(Shape):
    """A course before its lessons are written."""

    description: str
    chapters: list[PlannedChapter]

    def faults(self, *, lessons: int) -> Iterator[str]:
        """What is wrong with it."""
        yield from missing("the course", description=self.description)
        yield from count_faults("lessons in all chapters together", self.lessons, lessons)
        for number, chapter in enumerate(self.chapters, 1):
            yield from missing(f"chapter {number}", LONGEST_TITLE, title=chapter.title)
            yield from missing(f"chapter {number}", description=chapter.description)
            if not chapter.lessons:
                yield f"chapter {number} has no lesson"
        for number, lesson in enumerate(self.lessons, 1):
            yield from missing(f"lesson {number}", LONGEST_TITLE, title=lesson.title)
            yield from missing(f"lesson {number}", covers=lesson.covers)

    @property
    def lessons(self) -> Sequence[PlannedLesson]:
        """All of them, in order."""
        return [lesson for chapter in self.chapters for lesson in chapter.lessons]


class WrittenScene(Shape):
    """A scene; how long it lasts follows from its script."""

    script: str
    display_text: str
    visual_type: Literal["title", "text", "bullets"]

    def draft(self, seconds: float) -> SceneDraft:
        """The scene with its duration."""
        return SceneDraft(self.script.strip(), self.display_text.strip(), seconds, VisualType(self.visual_type))


class WrittenVideo(Shape):
    """A video."""

    description: str
    scenes: list[WrittenScene]

    def faults(self, *, scenes: int) -> Iterator[str]:
        """What is wrong with it."""
        yield from missing("the video", description=self.description)
        yield from count_faults("scenes", self.scenes, scenes)
        for number, scene in enumerate(self.scenes, 1):
            yield from missing(f"scene {number}", script=scene.script)
            yield from missing(f"scene {number}", LONGEST_SHOWN, displayText=scene.display_text)


class WrittenSlide(Shape):
    """A slide."""

    heading: str
    points: list[str]

    @property
    def markup(self) -> str:
        """The slide as an element."""
        listed = [bullets(self.points)] if self.points else []
        return element("slide", leaf("h2", self.heading.strip()), *listed)


class WrittenDeck(Shape):
    """A deck."""

    description: str
    slides: list[WrittenSlide]

    def faults(self, *, slides: int) -> Iterator[str]:
        """What is wrong with it."""
        yield from missing("the deck", description=self.description)
        yield from count_faults("slides", self.slides, slides)
        for number, slide in enumerate(self.slides, 1):
            yield from missing(f"slide {number}", LONGEST_TITLE, heading=slide.heading)
            yield from missing(f"slide {number}", points="\n".join(slide.points) or "none")
            if len(slide.points) > MOST_POINTS:
                yield f"slide {number} has {len(slide.points)} points; {MOST_POINTS} at most"


class WrittenItems(Shape):
    """Questions of a test."""

    description: str
    items: list[WrittenQuestion]

    def faults(self, *, items: int, known: Collection[str]) -> Iterator[str]:
        """What is wrong with them."""
        yield from missing("the test", description=self.description)
        yield from question_faults("items", self.items, items)
        repeated = {fold(item.question) for item in self.items} & set(map(fold, known))
        yield from (f"the question “{question[:200]}” is in the test already" for question in sorted(repeated))


Written = TypeVar("Written", bound=Shape)


def schema_of(shape: type[Shape]) -> dict[str, Any]:
    """The JSON Schema of a shape, as structured outputs want it: every property required, nothing added."""
    return shape.model_json_schema(by_alias=True)


def read(shape: type[Written], text: str) -> Written:
    """What a model wrote, in a code fence or not; Unsuitable says what does not fit the shape."""
    fenced = FENCE.fullmatch(text.strip())
    try:
        return shape.model_validate_json(fenced[1] if fenced else text, strict=True)
    except pydantic.ValidationError as invalid:
        said = (f"{'.'.join(map(str, error['loc'])) or 'the answer'}: {error['msg']}" for error in invalid.errors())
        raise Unsuitable(said) from None


class Unsuitable(Exception):  # noqa: N818
    """An answer that is not what was asked for; its complaints are for whoever wrote it."""

    def __init__(self, complaints: Iterable[str]) -> None:
        self.complaints = tuple(complaints)[:MOST_COMPLAINTS]
        super().__init__("; ".join(self.complaints))


def missing(place: str, longest: int = LONGEST_TEXT, **texts: str) -> Iterator[str]:
    """Texts that say nothing, say too much, or cannot be stored."""
    for name, text in texts.items():
        if not text.strip():
            yield f"{place} has an empty {name}"
        elif len(text) > longest:
            yield f"{place} has a {name} of more than {longest} characters"
        elif "\0" in text:
            yield f"{place} has a {name} with a NUL character"


def lecture_faults(lecture: str) -> Iterator[str]:
    """A lecture has no limit but its own."""
    if not lecture.strip() or len(lecture) > LONGEST_LECTURE or "\0" in lecture:
        yield f"the lecture is empty, has a NUL character, or has more than {LONGEST_LECTURE} characters"


def count_faults(name: str, found: Sequence[object], wanted: int) -> Iterator[str]:
    """Counts are exact."""
    if len(found) != wanted:
        yield f"there have to be exactly {wanted} {name}, and there are {len(found)}"


def question_faults(name: str, questions: Sequence[WrittenQuestion], wanted: int) -> Iterator[str]:
    """Exactly so many, each sound, none twice."""
    yield from count_faults(name, questions, wanted)
    for number, question in enumerate(questions, 1):
        yield from question.faults(f"{name} {number}")
    if len({fold(question.question) for question in questions}) < len(questions):
        yield f"{name} has the same question twice"
