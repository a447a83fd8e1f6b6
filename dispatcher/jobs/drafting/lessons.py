"""Lessons: the outline of a lecture, and questions that ask only what the outline itself says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from dispatcher.jobs.drafting.drafts import QuestionDraft
from dispatcher.jobs.drafting.forms import choice, verdict
from dispatcher.jobs.drafting.markup import bullets, leaf
from dispatcher.jobs.drafting.patterns import Patterns, Section
from dispatcher.jobs.drafting.phrases import Phrases
from dispatcher.jobs.drafting.relations import Relation
from dispatcher.jobs.drafting.wording import fold, stable

WRONG = 3


@dataclass(frozen=True, slots=True)
class Outline:
    """A lesson on a subject: its usual sections, with one for every topic in the middle."""

    subject: str
    opening: tuple[Section, ...]
    middle: tuple[Section, ...]
    closing: tuple[Section, ...]

    @property
    def usual(self) -> tuple[Section, ...]:
        """The sections that say more of themselves than their heading does."""
        return (*self.opening, *self.closing)

    @property
    def sections(self) -> tuple[Section, ...]:
        """All of them, in order."""
        return (*self.opening, *self.middle, *self.closing)


def outline(subject: str, topics: Sequence[str], pattern: Patterns) -> Outline:
    """The sections with the subject's name in them; a topic that is a usual section anyway gets no second one."""
    opening = tuple(_named(section, pattern, subject=subject) for section in pattern.opening)
    closing = tuple(_named(section, pattern, subject=subject) for section in pattern.closing)
    usual = {fold(section.heading) for section in (*opening, *closing)}
    middle = tuple(_named(pattern.topic, pattern, topic=topic) for topic in topics if fold(topic) not in usual)
    return Outline(subject, opening, middle, closing)


def lecture(lesson: Outline, audience: str, pattern: Patterns) -> str:
    """What the outline is, the goals, and the sections with their places to fill, as HTML."""
    abilities = (ability.format(subject=lesson.subject) for ability in pattern.abilities)
    return "".join(
        (
            leaf("p", pattern.note),
            leaf("p", pattern.audience.format(audience=audience)) if audience else "",
            leaf("h2", pattern.goals),
            leaf("p", pattern.can),
            bullets(abilities),
            *(_section(section) for section in lesson.sections),
        )
    )


def quiz(lesson: Outline, title: str, count: int, pattern: Patterns, said: Phrases) -> tuple[QuestionDraft, ...]:
    """So many questions on what the sections say and how they follow each other, while there are any."""
    return tuple(islice(_Asker(lesson, title, pattern, said).questions(), count))


class _Asker:
    """Asks about one outline."""

    def __init__(self, lesson: Outline, title: str, pattern: Patterns, said: Phrases) -> None:
        self.lesson, self.title, self.pattern, self.said = lesson, title, pattern, said
        self.headings = [section.heading for section in lesson.sections]
        self.does = Relation((section.heading, section.does) for section in lesson.usual)
        self.section = Relation((section.does, section.heading) for section in lesson.usual)
        self.after = Relation(zip(self.headings, self.headings[1:], strict=False), offered=self.headings)

    def questions(self) -> Iterator[QuestionDraft]:
        """Forms and sections in turn; lessons of other titles begin elsewhere."""
        usual, start = self.lesson.usual, stable(self.title)
        for turn in range(3):
            for place in range(len(usual)):
                section = usual[(start + place) % len(usual)]
                form = (self._what_it_does, self._which_does, self._order)[(turn + place) % 3]
                yield form(section)
        yield from map(self._next, self.headings[:-1])

    def _what_it_does(self, section: Section) -> QuestionDraft:
        stem = self.pattern.what_does.format(section=section.heading)
        return choice(self.title, stem, (section.does,), self.does.wrong(section.heading, WRONG), self._says(section))

    def _which_does(self, section: Section) -> QuestionDraft:
        stem = self.pattern.which_does.format(subject=self.lesson.subject, does=section.does)
        return choice(
            self.title, stem, (section.heading,), self.section.wrong(section.does, WRONG), self._says(section)
        )

    def _order(self, section: Section) -> QuestionDraft:
        """Two sections in their order or in the other one; which two, follows from the first."""
        here = self.headings.index(section.heading)
        there = (here + 1 + stable(section.does) % (len(self.headings) - 1)) % len(self.headings)
        first, second = (self.headings[place] for place in sorted((here, there)))
        truth = self.pattern.comes_before.format(first=first, second=second)
        claim = self.pattern.comes_before.format(first=section.heading, second=self.headings[there])
        return verdict(self.title, claim, truth, self.said, holds=here < there)

    def _next(self, heading: str) -> QuestionDraft:
        (following,) = self.after.right(heading).values()
        wrong = self.after.wrong(heading, WRONG, also_right=(fold(heading),))
        why = self.pattern.follows.format(first=heading, second=following)
        return choice(self.title, self.pattern.comes_next.format(section=heading), (following,), wrong, why)

    def _says(self, section: Section) -> str:
        return self.pattern.section_says.format(section=section.heading, does=section.does)


def _named(section: Section, pattern: Patterns, **names: str) -> Section:
    places = (pattern.place.format(what=place.format(**names)) for place in section.places)
    return Section(section.heading.format(**names), section.does.format(**names), tuple(places))


def _section(section: Section) -> str:
    places = bullets(section.places) if len(section.places) > 1 else leaf("p", section.places[0])
    return leaf("h2", section.heading) + leaf("p", section.does) + places
