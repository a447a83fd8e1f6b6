"""Lectures: a section for every lesson of a source, as HTML."""

from collections.abc import Iterator
from html import escape

from dispatcher.jobs.drafting.languages import phrases
from dispatcher.jobs.drafting.markup import element, leaf
from dispatcher.jobs.drafting.phrases import Phrases
from dispatcher.jobs.drafting.source import Example, Lesson, Line, Source, Term
from dispatcher.jobs.drafting.wording import shortened

RECAPPED = 5


def lecture(source: Source) -> str:
    """The sections in the order of the lessons; only elements that a sanitizer keeps."""
    said = phrases(source.language)
    sections = (section(source.lessons, index, said) for index in range(len(source.lessons)))
    return "".join(sections)


def section(lessons: tuple[Lesson, ...], index: int, said: Phrases) -> str:
    """One lesson under its title; where it holds several kinds of things, each has a heading."""
    lesson = lessons[index]
    parts = list(_parts(lesson, said))
    if not lesson.entries:
        body = "".join(_recap(earlier) for earlier in recapped(lessons, index))
        return leaf("h2", lesson.title) + element("ul", body)
    headed = (leaf("h3", heading) + body if len(parts) > 1 else body for heading, body in parts)
    return leaf("h2", lesson.title) + "".join(headed)


def recapped(lessons: tuple[Lesson, ...], index: int) -> tuple[Lesson, ...]:
    """The lessons before this one that hold something themselves."""
    return tuple(lesson for lesson in lessons[:index] if lesson.entries)


def points(lesson: Lesson) -> tuple[str, ...]:
    """What a recap says of a lesson: its first terms, else its first sentences."""
    said = (
        [term.term for term in lesson.terms]
        or [example.sentence for example in lesson.examples]
        or [line.text for line in lesson.lines]
        or list(lesson.texts)
        or [question.question for question in lesson.questions]
    )
    return tuple(shortened(text) for text in said[:RECAPPED])


def _recap(lesson: Lesson) -> str:
    return element("li", leaf("strong", shortened(lesson.title)), escape(f": {'; '.join(points(lesson))}", quote=False))


def _parts(lesson: Lesson, said: Phrases) -> Iterator[tuple[str, str]]:
    if lesson.texts:
        yield (
            said.notes,
            "".join(leaf("p", line) for text in lesson.texts for line in text.splitlines() if line.strip()),
        )
    if lesson.terms:
        yield said.terms, element("dl", *map(_term, lesson.terms))
    if lesson.examples:
        yield said.examples, element("ul", *(element("li", _example(example)) for example in lesson.examples))
    if lesson.lines:
        yield said.dialogue, "".join(map(_line, lesson.lines))
    if lesson.questions:
        yield said.questions, leaf("p", said.question_count.format(count=len(lesson.questions)))


def _term(term: Term) -> str:
    meaning = leaf("dd", term.meaning) if term.meaning else ""
    return leaf("dt", term.term) + meaning + "".join(element("dd", _example(example)) for example in term.examples)


def _example(example: Example) -> str:
    return leaf("em", example.sentence) + _after(example.translation)


def _line(line: Line) -> str:
    speaker = leaf("strong", f"{line.speaker}:") + " " if line.speaker else ""
    return element("p", speaker, escape(line.text, quote=False), _after(line.translation))


def _after(translation: str) -> str:
    return f" ({escape(translation, quote=False)})" if translation else ""
