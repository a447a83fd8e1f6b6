"""What a source relates to each other: the right answers, and the wrong ones that may stand beside them."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from dispatcher.jobs.drafting.source import Lesson, Source, Term
from dispatcher.jobs.drafting.wording import EDGE, UNSPACED, blanked, fold, sentences, stable

SHORTEST_KEYWORD = 5

Pair = tuple[str, str]


class Relation:
    """Answers by key. What belongs to another key only, or is merely offered, is a wrong answer to this one."""

    def __init__(self, pairs: Iterable[Pair], offered: Iterable[str] = ()) -> None:
        self._right: dict[str, dict[str, str]] = {}
        self._offered: dict[str, str] = {}
        for key, answer in pairs:
            self._right.setdefault(fold(key), {}).setdefault(fold(answer), answer)
            self._offered.setdefault(fold(answer), answer)
        for answer in offered:
            self._offered.setdefault(fold(answer), answer)
        self._order = tuple(self._offered)

    def __len__(self) -> int:
        return len(self._order)

    def right(self, key: str) -> dict[str, str]:
        """All right answers to a key, by what is left of them when folded."""
        return self._right.get(fold(key), {})

    def wrong(self, key: str, count: int, also_right: Collection[str] = ()) -> tuple[str, ...]:
        """Up to so many wrong answers, distinct without case; which ones, varies with the key and with nothing else."""
        right = self.right(key)
        if len(right) >= len(self):
            return ()
        start = stable(key) % len(self)
        names = chain(self._order[start:], self._order[:start])
        wrong = (self._offered[name] for name in names if name not in right and name not in also_right)
        return tuple(islice(wrong, count))


@dataclass(frozen=True, slots=True)
class Relations:
    """The relations of a whole level, so that wrong answers come from all of its lessons."""

    meaning_of_term: Relation
    term_of_meaning: Relation
    term_of_gap: Relation
    term_of_example: Relation
    translation_of_sentence: Relation
    sentence_of_translation: Relation
    speaker_of_line: Relation
    word_of_gap: Relation
    sentence_of_lesson: Relation


def relations(source: Source) -> Relations:
    """Read the relations off a source."""
    terms = [term for lesson in source.lessons for term in lesson.terms]
    names = [term.term for term in terms]
    meant = [(term.term, term.meaning) for term in terms if term.meaning]
    shown = [(example.sentence, term.term) for term in terms for example in term.examples]
    translated = [pair for lesson in source.lessons for pair in _translated(lesson)]
    told = [(lesson.title, sentence) for lesson in source.lessons for sentence in _told(lesson)]
    spoken = [(line.text, line.speaker) for lesson in source.lessons for line in lesson.lines if line.speaker]
    return Relations(
        meaning_of_term=Relation(meant),
        term_of_meaning=Relation(map(_turned, meant)),
        term_of_gap=Relation(_term_gaps(terms), offered=names),
        term_of_example=Relation(shown, offered=names),
        translation_of_sentence=Relation(translated),
        sentence_of_translation=Relation(map(_turned, translated)),
        speaker_of_line=Relation(spoken),
        word_of_gap=Relation(_gaps((sentence, keyword(sentence)) for _, sentence in told)),
        sentence_of_lesson=Relation(told),
    )


def keyword(sentence: str) -> str:
    """The longest word of a sentence in a script with spaces; empty when none is long."""
    words = (word.strip(EDGE) for word in sentence.split())
    long = (word for word in words if len(word) >= SHORTEST_KEYWORD and word.isalpha() and not UNSPACED.search(word))
    return max(long, key=len, default="")


def hint(term: Term) -> str:
    """The meaning of a term, where it names the term itself with a blank in its place; empty without a meaning."""
    return blanked(term.meaning, term.term) or term.meaning


def hinted(gap: str, term: Term) -> str:
    """A gap with the meaning beside it, so that no other term of the level fits as well."""
    return f"{gap} ({hint(term)})" if term.meaning else gap


def _term_gaps(terms: Iterable[Term]) -> Iterator[Pair]:
    """The terms by their gaps, with and without the hint: a term that fits a bare gap is no wrong answer to it."""
    for term in terms:
        for gap in filter(None, (blanked(example.sentence, term.term) for example in term.examples)):
            yield from ((gap, term.term), (hinted(gap, term), term.term))


def _turned(pair: Pair) -> Pair:
    return pair[1], pair[0]


def _gaps(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """The words of sentences by the sentence with a blank in their place."""
    return ((gap, word) for sentence, word in pairs if (gap := blanked(sentence, word)))


def _translated(lesson: Lesson) -> Iterator[Pair]:
    yield from ((example.sentence, example.translation) for example in lesson.examples if example.translation)
    yield from ((line.text, line.translation) for line in lesson.lines if line.translation)


def _told(lesson: Lesson) -> Iterator[str]:
    """Every sentence of a lesson."""
    yield from chain.from_iterable(map(sentences, lesson.texts))
    yield from (example.sentence for example in lesson.examples)
    yield from (line.text for line in lesson.lines)
    yield from (example.sentence for term in lesson.terms for example in term.examples)
