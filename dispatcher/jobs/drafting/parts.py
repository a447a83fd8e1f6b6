"""Parts: dividing a subject into exactly as many named parts as were asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TypeVar

from dispatcher.jobs.drafting.patterns import Patterns
from dispatcher.jobs.drafting.wording import seconds, shortened, word_count

# Which of the sixteen themes come first when there is room for few: what it is, how it is done, an example, ...
BY_IMPORTANCE = (0, 5, 7, 2, 8, 1, 15, 9, 6, 3, 4, 11, 10, 12, 13, 14)
CHAPTER_SIZE = 4
ASPECTS = 3
LONGEST_TITLE = 200

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a subject; parts of one group belong together, and one part may hold several topics."""

    title: str
    group: str = ""
    topics: tuple[str, ...] = ()


def parts(topics: Sequence[str], count: int, pattern: Patterns, *, summed_up: bool = False) -> tuple[Part, ...]:
    """Exactly so many parts: of the topics, none of them lost, or of the usual themes where there are no topics.

    A summary is no theme of its own where the whole is summed up anyway.
    """
    if not topics:
        topics = _themes(count, pattern.themes[:-1] if summed_up else pattern.themes)
        if count == len(topics):
            return tuple(map(Part, topics))
    if count <= len(topics):
        return tuple(
            Part(shortened(", ".join(group), LONGEST_TITLE), topics=tuple(group)) for group in divided(topics, count)
        )
    sizes = (len(group) for group in divided(range(count), len(topics)))
    return tuple(chain.from_iterable(_aspects(topic, size, pattern) for topic, size in zip(topics, sizes, strict=True)))


def chapters(found: tuple[Part, ...], subject: str, pattern: Patterns) -> tuple[tuple[str, tuple[Part, ...]], ...]:
    """The parts by the topic that they belong to, else in chapters of at most four, each with a title."""
    groups = tuple(dict.fromkeys(part.group for part in found))
    if len(groups) > 1:
        return tuple((name, tuple(part for part in found if part.group == name)) for name in groups)
    count = -(-len(found) // CHAPTER_SIZE)
    numbered = tuple(pattern.chapter.format(number=number) for number in range(1, count + 1))
    titles = (subject,) if count == 1 else pattern.chapters if count <= len(pattern.chapters) else numbered
    return tuple(zip(titles, map(tuple, divided(found, count)), strict=False))


def divided(things: Sequence[T], count: int) -> Iterator[Sequence[T]]:
    """So many runs of almost equal length."""
    edges = (index * len(things) // count for index in range(count + 1))
    return (things[start:end] for start, end in pairwise(edges))


def lasting(weights: Sequence[int], seconds: int) -> tuple[float, ...]:
    """Durations in proportion to the weights, each above zero, that add up to the seconds exactly.

    They are whole numbers of halves, or of finer binary fractions where there are more scenes than halves.
    """
    fineness = 2
    while seconds * fineness < len(weights):
        fineness *= 2
    spare, total = seconds * fineness - len(weights), sum(weights)
    edges = [sum(weights[:index]) * spare // total + index for index in range(len(weights) + 1)]
    return tuple((end - start) / fineness for start, end in pairwise(edges))


def durations(scripts: Sequence[str], target: int | None) -> tuple[float, ...]:
    """How long each scene lasts: as long as its script takes to say, or its share of the target."""
    if target is None:
        return tuple(map(seconds, scripts))
    return lasting([round(10 * word_count(script)) for script in scripts], target)


def _merged(topics: tuple[str, ...]) -> Part:
    return Part(shortened(", ".join(topics), LONGEST_TITLE), topics=topics)


def _themes(count: int, themes: Sequence[str]) -> tuple[str, ...]:
    """The most important themes in their usual order: one for each part, or for every three where that is too many."""
    wanted = count if count <= len(themes) else min(count // ASPECTS, len(themes))
    possible = [place for place in BY_IMPORTANCE if place < len(themes)]
    return tuple(themes[place] for place in sorted(possible[:wanted]))


def _aspects(topic: str, count: int, pattern: Patterns) -> Iterator[Part]:
    """A topic as it is, or from several sides; more sides than have names are counted."""
    if count == 1:
        yield Part(topic, topic)
        return
    for index in range(count):
        turn, place = divmod(index, len(pattern.aspects))
        number = f" {turn + 1}" if turn else ""
        yield Part(f"{topic}: {pattern.aspects[place]}{number}", topic)
