"""Scenes: a source as the plan of a narrated video."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dispatcher.jobs.drafting.drafts import SceneDraft
from dispatcher.jobs.drafting.languages import phrases
from dispatcher.jobs.drafting.lectures import points, recapped
from dispatcher.jobs.drafting.phrases import Phrases, enumerated
from dispatcher.jobs.drafting.source import Example, Lesson, Line, Source, Term
from dispatcher.jobs.drafting.wording import closed, seconds, sentences, shortened
from storage.limits import LONGEST
from storage.tables import VisualType

LINES = 5


@dataclass(frozen=True, slots=True)
class Point:
    """One thing to say, and the line that stands on the screen meanwhile."""

    line: str
    spoken: str


def scenes(source: Source) -> tuple[SceneDraft, ...]:
    """The title, one scene per lesson or group of entries, and a recap."""
    said, lessons = phrases(source.language), source.lessons
    taught = (scene for index in range(len(lessons)) for scene in _taught(lessons, index, said))
    title = timed(closed(said.welcome.format(title=source.title)), source.title, VisualType.title)
    return (title, *taught, _recap(source, said))


def timed(script: str, display_text: str, visual_type: VisualType) -> SceneDraft:
    """A scene that lasts as long as its script takes to say; a script of no measure is cut."""
    script = script if len(script) <= LONGEST["script"] else shortened(script, LONGEST["script"])
    return SceneDraft(script, display_text, seconds(script), visual_type)


def grouped(points: Sequence[Point]) -> Iterator[Sequence[Point]]:
    """Groups of almost equal size that fit on the screen."""
    count = -(-len(points) // LINES)
    edges = [index * len(points) // count for index in range(count + 1)]
    return (points[start:end] for start, end in pairwise(edges))


def _taught(lessons: tuple[Lesson, ...], index: int, said: Phrases) -> Iterator[SceneDraft]:
    lesson = lessons[index]
    points = list(_points(lesson, said)) or [_recapping(earlier) for earlier in recapped(lessons, index)]
    for number, group in enumerate(grouped(points)):
        opening = [closed(lesson.title)] if number == 0 else []
        visual = VisualType.bullets if len(group) > 1 else VisualType.text
        script = " ".join((*opening, *(closed(point.spoken) for point in group)))
        yield timed(script, "\n".join(point.line for point in group), visual)


def _points(lesson: Lesson, said: Phrases) -> Iterator[Point]:
    """What a lesson has to say; questions only where it has nothing else, one screen of them."""
    yield from (_term(term, said) for term in lesson.terms)
    yield from (_example(example, said) for example in lesson.examples)
    yield from (_line(line, said) for line in lesson.lines)
    yield from (Point(shortened(first), first) for first in (sentences(text)[0] for text in lesson.texts))
    if lesson.entries == len(lesson.questions):
        asked = (question.question for question in lesson.questions[:LINES])
        yield from (Point(shortened(question), said.think.format(question=question)) for question in asked)


def _term(term: Term, said: Phrases) -> Point:
    example = term.examples[0].sentence if term.examples else ""
    parts = (
        closed(said.spoken_term.format(term=term.term, meaning=term.meaning) if term.meaning else term.term),
        said.spoken_example.format(example=example) if example else "",
    )
    return Point(shortened(f"{term.term} – {term.meaning or example}"), " ".join(filter(None, parts)))


def _example(example: Example, said: Phrases) -> Point:
    return Point(shortened(example.sentence), _translated(example.sentence, example.translation, said))


def _line(line: Line, said: Phrases) -> Point:
    spoken = _translated(line.text, line.translation, said)
    return Point(shortened(f"{line.speaker}: {line.text}" if line.speaker else line.text), spoken)


def _translated(sentence: str, translation: str, said: Phrases) -> str:
    whole = closed(sentence)
    return said.spoken_translation.format(sentence=whole, translation=translation) if translation else whole


def _recapping(lesson: Lesson) -> Point:
    line = f"{lesson.title}: {'; '.join(points(lesson))}"
    return Point(shortened(line), line)


def _recap(source: Source, said: Phrases) -> SceneDraft:
    """The lessons, or the points of a single one; of more than fit on the screen, the rest is counted."""
    lessons = [lesson for lesson in source.lessons if lesson.entries]
    lines = points(lessons[0]) if len(lessons) == 1 else tuple(_recapping(lesson).line for lesson in lessons)
    if len(lines) > LINES:
        lines = (*lines[: LINES - 1], said.and_more.format(titles="…", count=len(lines) - LINES + 1))
    script = closed(said.recap.format(titles=enumerated(said, tuple(lesson.title for lesson in lessons))))
    return timed(script, "\n".join(map(shortened, lines)), VisualType.bullets)
