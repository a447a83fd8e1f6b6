"""Patterns: the sentences of outlines, and the places that a person fills."""

from dataclasses import dataclass

from storage.tables import QuestionType

CHOICE, RESPONSE = QuestionType.multiple_choice, QuestionType.multiple_response
VERDICT, SHORT = QuestionType.true_false, QuestionType.short_answer


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a lecture: its heading, what it says of itself, and what is to be filled in."""

    heading: str
    does: str
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shell:
    """A question to be filled in; the first answers are the right ones, as many as `right` says."""

    type: QuestionType
    stem: str
    place: str
    answers: tuple[str, ...] = ()
    right: int = 1


@dataclass(frozen=True, slots=True)
class Patterns:
    """Templates for str.format, what stands in marked places, and the names of parts in the order of a course."""

    place: str
    note: str
    about: str
    audience: str
    goals: str
    can: str
    abilities: tuple[str, ...]
    opening: tuple[Section, ...]
    topic: Section
    closing: tuple[Section, ...]
    what_does: str
    which_does: str
    comes_next: str
    comes_before: str
    section_says: str
    follows: str
    themes: tuple[str, ...]
    aspects: tuple[str, ...]
    chapters: tuple[str, ...]
    chapter: str
    chapter_about: str
    overview: str
    summary: str
    slide_places: tuple[str, ...]
    remember: str
    welcome: str
    scene: str
    scene_place: str
    farewell: str
    farewell_place: str
    test: str
    shells: tuple[Shell, ...]
    shell_reason: str
    variant: str
