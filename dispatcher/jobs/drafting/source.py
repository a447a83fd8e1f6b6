"""What an expansion is made from: lessons with what they hold, read from a payload or from ingested items."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from dispatcher.jobs.drafting.drafts import QuestionDraft
from dispatcher.jobs.drafting.given import is_question, read_question
from dispatcher.jobs.drafting.languages import phrases
from dispatcher.jobs.drafting.markup import paragraphs
from dispatcher.jobs.drafting.phrases import Phrases
from dispatcher.jobs.drafting.values import (
    Unreadable,
    depth_exceeds,
    entries,
    fields,
    first_text,
    kind,
    quoted,
    required,
    text,
    texts,
)
from dispatcher.jobs.drafting.wording import shortened
from storage.errors import JobErrorCode, JobFailed

LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}")
LONGEST_TITLE = 400
MOST_LEVELS = 32
MOST_LESSONS = 500
MOST_ENTRIES = 5_000

TERMS = ("terms", "vocabulary", "words", "glossary")
EXAMPLES = ("examples", "example", "sentences", "sentence")
DIALOGUES = ("dialogue", "dialog", "lines", "turns")
QUESTIONS = ("questions", "quizzes", "quiz")
TEXTS = ("description", "content", "text", "points", "summary", "notes")
SENTENCE = ("sentence", "text", "example")
MEANING = ("meaning", "definition", "translation")
SPEAKER = ("speaker", "name", "role")

Row = tuple[str, object]
"""An entry of a list, after its name for messages."""


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence; the translation is empty where the source has none."""

    sentence: str
    translation: str = ""


@dataclass(frozen=True, slots=True)
class Term:
    """A term with a meaning, or with examples, or both."""

    term: str
    meaning: str = ""
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """What one speaker says in a dialogue."""

    text: str
    speaker: str = ""
    translation: str = ""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One lesson and what it holds; without anything it recaps the lessons before it."""

    title: str
    terms: tuple[Term, ...] = ()
    examples: tuple[Example, ...] = ()
    lines: tuple[Line, ...] = ()
    questions: tuple[QuestionDraft, ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def entries(self) -> int:
        """How many things it holds."""
        return len(self.terms) + len(self.examples) + len(self.lines) + len(self.questions) + len(self.texts)


@dataclass(frozen=True, slots=True)
class Source:
    """A level: its title, its language as a BCP 47 tag, and its lessons in order."""

    title: str
    description: str
    language: str
    lessons: tuple[Lesson, ...]


class ItemKind(StrEnum):
    """The ingested types that can be a source."""

    QUESTION = "QUESTION"
    ARTICLE = "ARTICLE"
    STIMULUS = "STIMULUS"
    VIDEO = "VIDEO"


@dataclass(frozen=True, slots=True)
class SourceItem:
    """An ingested item: its body in HTML, and its questions as far as they can be asked here."""

    title: str
    kind: ItemKind
    body: str = ""
    questions: tuple[QuestionDraft, ...] = ()


def read_source(payload: object) -> Source:
    """Read an expansion's payload; raises JobFailed SOURCE_INVALID, naming the lesson and what to change in it."""
    try:
        return _source(payload)
    except Unreadable as problem:
        raise _invalid(str(problem)) from problem


def source_from_items(items: Sequence[SourceItem], *, title: str = "", language: str = "en") -> Source:
    """The same from ingested items, one lesson each; raises JobFailed SOURCE_INVALID for an item without content."""
    lessons = tuple(Lesson(item.title, questions=item.questions, texts=_body(item)) for item in items)
    if not lessons:
        raise _invalid("There are no items; name at least one")
    if empty := next((lesson for lesson in lessons if not lesson.entries), None):
        raise _invalid(f"The item {quoted(empty.title)} holds no text and no question; leave it out")
    return Source(shortened(title or lessons[0].title, LONGEST_TITLE), "", language, lessons)


def _body(item: SourceItem) -> tuple[str, ...]:
    """A question's text is in its questions already."""
    return () if item.kind is ItemKind.QUESTION and item.questions else paragraphs(item.body)


def _source(payload: object) -> Source:
    if not isinstance(payload, dict):
        raise Unreadable(f'The payload is {kind(payload)}; send an object with "category" and "level"')
    if depth_exceeds(payload, MOST_LEVELS):
        raise Unreadable(f"The payload is nested deeper than {MOST_LEVELS} levels; flatten it")
    outer = fields(payload)
    level = outer.get("level")
    if not isinstance(level, dict):
        raise Unreadable(f'"level" is {kind(level)}; send an object with "title" and "lessons"')
    inner = fields(level)
    language = _language(outer, inner)
    lessons = _lessons(inner.get("lessons"), phrases(language))
    names = (first_text(inner, "title"), first_text(outer, "category"), first_text(inner, "id"), lessons[0].title)
    title = next(filter(None, names))
    if len(title) > LONGEST_TITLE:
        raise Unreadable(f"The level's title has more than {LONGEST_TITLE} characters; shorten it")
    return Source(title, first_text(inner, "description"), language, lessons)


def _language(*places: Mapping[str, object]) -> str:
    named = (place["language"] for place in places if isinstance(place.get("language"), str))
    tags = (str(name).strip().replace("_", "-") for name in named)
    return next(filter(LANGUAGE_TAG.fullmatch, tags), "en")


def _lessons(value: object, said: Phrases) -> tuple[Lesson, ...]:
    if not isinstance(value, list) or not value:
        raise Unreadable(f'"lessons" of the level is {kind(value or None)}; send a list of at least one lesson')
    if len(value) > MOST_LESSONS:
        raise Unreadable(f"The level has more than {MOST_LESSONS} lessons; split it")
    lessons: list[Lesson] = []
    for number, entry in enumerate(value, 1):
        try:
            lessons.append(_lesson(entry, number, said, first=not lessons))
        except Unreadable as problem:
            raise Unreadable(f"Lesson {_name(entry, number)}: {problem}") from problem
    if sum(lesson.entries for lesson in lessons) > MOST_ENTRIES:
        raise Unreadable(f"The level holds more than {MOST_ENTRIES} terms, sentences and questions; split it")
    return tuple(lessons)


def _name(value: object, number: int) -> str:
    """How a message names a lesson: by its title, else its id, else its position."""
    entry = fields(value) if isinstance(value, dict) else {}
    names = (entry.get("title"), entry.get("id"))
    return next((quoted(str(name)) for name in names if isinstance(name, str | int) and str(name).strip()), str(number))


def _lesson(value: object, number: int, said: Phrases, *, first: bool) -> Lesson:
    if not isinstance(value, dict):
        raise Unreadable(f'it is {kind(value)}; send an object with "title" and "terms"')
    entry = _opened(fields(value))
    title = shortened(first_text(entry, "title"), LONGEST_TITLE) or said.lesson.format(number=number)
    questions, terms = _items(entry)
    lesson = Lesson(
        title=title,
        terms=tuple(_term(*row) for row in (*_listed_terms(entry), *terms)),
        examples=tuple(_example(*row) for row in _rows(entry, EXAMPLES, "example")),
        lines=tuple(_line(*row) for row in _rows(entry, DIALOGUES, "line")),
        questions=tuple(_question(*row, title, said) for row in (*_rows(entry, QUESTIONS, "question"), *questions)),
        texts=tuple(said for name in TEXTS for said in _prose(entry.get(name), name)),
    )
    recaps = first_text(entry, "type").lower() == "review" and not first
    if not lesson.entries and not recaps:
        raise Unreadable("it holds nothing that can be read; give it terms, examples, a dialogue, questions or a text")
    return lesson


def _opened(entry: dict[str, object]) -> dict[str, object]:
    """Some systems keep all that a lesson holds under "content"."""
    content = entry.get("content")
    if not isinstance(content, dict):
        return entry
    return {**fields(content), **{name: held for name, held in entry.items() if held is not content}}


def _prose(value: object, name: str) -> tuple[str, ...]:
    """The texts under a name; a bare number there, as in "points", is a score."""
    return () if isinstance(value, int | float) else texts(value, name)


def _rows(entry: Mapping[str, object], names: tuple[str, ...], singular: str) -> Iterator[Row]:
    """The entries under these names; an object that holds such a list, as a dialogue holds lines, stands for it."""
    for name in names:
        for place, value in entries(entry.get(name), singular):
            held = fields(value) if isinstance(value, dict) and "speaker" not in value else {}
            inner = next((held[key] for key in names if isinstance(held.get(key), list)), None)
            yield from entries(inner, singular) if inner else [(place, value)]


def _listed_terms(entry: Mapping[str, object]) -> Iterator[Row]:
    for name in TERMS:
        if name in entry and not isinstance(entry[name], list):
            raise Unreadable(f'"{name}" is {kind(entry[name])}; send a list of objects with "term" and "meaning"')
        yield from entries(entry.get(name), "term")


def _items(entry: Mapping[str, object]) -> tuple[list[Row], list[Row]]:
    """What "items" holds, which is questions in one system and terms in another."""
    rows = list(entries(entry.get("items"), "item"))
    return [row for row in rows if is_question(row[1])], [row for row in rows if not is_question(row[1])]


def _term(place: str, value: object) -> Term:
    if not isinstance(value, dict):
        raise Unreadable(f'{place} is {kind(value)}; send an object with "term" and "meaning"')
    entry = fields(value)
    term = Term(
        term=required(entry, place, "term", "word"),
        meaning=first_text(entry, *MEANING),
        examples=tuple(_example(*row) for row in _rows(entry, EXAMPLES, f"the example of {place}")),
    )
    if not term.meaning and not term.examples:
        raise Unreadable(f"the term {quoted(term.term)} has neither a meaning nor an example; give it one of them")
    return term


def _example(place: str, value: object) -> Example:
    if not isinstance(value, dict):
        return Example(text(value, place))
    entry = fields(value)
    return Example(required(entry, place, *SENTENCE), first_text(entry, *MEANING))


def _line(place: str, value: object) -> Line:
    if not isinstance(value, dict):
        return Line(text(value, place))
    entry = fields(value)
    return Line(
        required(entry, place, "text", "line", "sentence"), first_text(entry, *SPEAKER), first_text(entry, *MEANING)
    )


def _question(place: str, value: object, title: str, said: Phrases) -> QuestionDraft:
    """A question without a title of its own has its lesson's."""
    question = read_question(value, place, said)
    return replace(question, title=question.title or title)


def _invalid(message: str) -> JobFailed:
    return JobFailed(JobErrorCode.SOURCE_INVALID, f"{message}.")
