"""Questions on a source: what they ask and what they offer is in the source's own words."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from dispatcher.jobs.drafting.bounds import spread
from dispatcher.jobs.drafting.drafts import QuestionDraft
from dispatcher.jobs.drafting.forms import choice, verdict
from dispatcher.jobs.drafting.languages import phrases
from dispatcher.jobs.drafting.phrases import Phrases
from dispatcher.jobs.drafting.relations import Relations, hint, hinted, keyword, relations
from dispatcher.jobs.drafting.source import Example, Lesson, Line, Source, Term
from dispatcher.jobs.drafting.wording import blanked, fold, sentences, shortened, stable
from storage.tables import QuestionType

WRONG = 3
PER_LESSON = 2
IN_A_MODULE = 10
MOST_RIGHT = 10
LONGEST_SENTENCE = 1_000


def all_questions(source: Source) -> tuple[QuestionDraft, ...]:
    """Every given question, and every form of every question that can be made; none twice."""
    asked = _askers(source)
    made = ((*lesson.questions, *chain.from_iterable(asker.groups(lesson))) for lesson, asker in asked)
    return _distinct(chain.from_iterable(made), source)


def chosen_questions(source: Source) -> tuple[QuestionDraft, ...]:
    """Every given question, and up to two more from each lesson while there are fewer than ten; at least one."""
    picked = [(lesson, _picked(asker.groups(lesson))) for lesson, asker in _askers(source)]
    wanted: set[str] = set()
    for turn in range(PER_LESSON):
        offered = [questions[turn].question for _, questions in picked if len(questions) > turn]
        room = IN_A_MODULE - len(wanted) - sum(len(lesson.questions) for lesson in source.lessons)
        wanted.update(spread(offered, room))
    made = ((*lesson.questions, *(q for q in questions if q.question in wanted)) for lesson, questions in picked)
    return _distinct(chain.from_iterable(made), source)


@dataclass(frozen=True, slots=True)
class Asker:
    """Makes the questions of one lesson."""

    title: str
    said: Phrases
    known: Relations

    def groups(self, lesson: Lesson) -> Iterator[tuple[QuestionDraft, ...]]:
        """For every entry of the lesson that allows any, the questions on it."""
        made = chain(
            map(self.on_term, lesson.terms),
            map(self.on_example, lesson.examples),
            map(self.on_line, lesson.lines),
            (self.on_sentence(_opening(text)) for text in lesson.texts),
        )
        return (group for questions in made if (group := tuple(questions)))

    def on_term(self, term: Term) -> Iterator[QuestionDraft]:
        """Term to meaning, meaning to term, and the term in its examples."""
        why = self._explained(term)
        if term.meaning:
            yield self._meaning(term, why)
            yield from self._term(term, why)
        for example in term.examples:
            gap = blanked(example.sentence, term.term)
            if gap and len(self.known.term_of_gap.right(hinted(gap, term))) <= MOST_RIGHT:
                yield self._gap(term, gap, why)
            else:
                yield self._illustrated(term, example.sentence)

    def on_example(self, example: Example) -> Iterator[QuestionDraft]:
        """A sentence to its translation and back; without one, what the lesson says."""
        if example.translation:
            yield from self._translation(example.sentence, example.translation)
        else:
            yield from self.on_sentence(example.sentence)

    def on_line(self, line: Line) -> Iterator[QuestionDraft]:
        """Who says it, and what it means; where neither can be asked, what the lesson says."""
        if line.translation:
            yield from self._translation(line.text, line.translation)
        if line.speaker and len(self.known.speaker_of_line) > 1:
            yield self._speaker(line)
        elif not line.translation:
            yield from self.on_sentence(line.text)

    def on_sentence(self, sentence: str) -> Iterator[QuestionDraft]:
        """A word of the sentence, where enough others can stand beside it; else whether the lesson says it."""
        word, known = keyword(sentence), self.known
        gap = blanked(sentence, word)
        wrong = known.word_of_gap.wrong(gap, WRONG, also_right=_folded(sentence.split())) if gap else ()
        if gap and len(wrong) == WRONG:
            yield self._choice(self.said.complete.format(sentence=gap), word, wrong, self._tells(sentence))
        else:
            yield self._verdict(sentence, known.sentence_of_lesson.wrong(self.title, 1), self._tells)

    def _meaning(self, term: Term, why: str) -> QuestionDraft:
        wrong = self.known.meaning_of_term.wrong(term.term, WRONG)
        if len(wrong) == WRONG:
            return self._choice(self.said.what_means.format(term=term.term), term.meaning, wrong, why)
        return self._verdict(term.meaning, wrong, lambda meaning: self._means(term.term, meaning), why)

    def _term(self, term: Term, why: str) -> Iterator[QuestionDraft]:
        known, stem = self.known.term_of_meaning, self.said.which_term.format(meaning=hint(term))
        right, wrong = known.right(term.meaning), known.wrong(term.meaning, WRONG)
        if len(wrong) == WRONG:
            yield self._choice(stem, term.term, wrong, why)
        elif len(right) <= MOST_RIGHT:
            yield self._short(stem, right.values(), why)

    def _gap(self, term: Term, gap: str, why: str) -> QuestionDraft:
        known, key = self.known.term_of_gap, hinted(gap, term)
        synonyms = self.known.term_of_meaning.right(term.meaning)
        stem = self.said.complete.format(sentence=gap) + (f" ({hint(term)})" if term.meaning else "")
        wrong = known.wrong(key, WRONG, also_right=synonyms)
        if len(wrong) == WRONG:
            return self._choice(stem, term.term, wrong, why)
        return self._short(stem, known.right(key).values(), why)

    def _illustrated(self, term: Term, sentence: str) -> QuestionDraft:
        wrong = tuple(
            other for other in self.known.term_of_example.wrong(sentence, 3 * WRONG) if not blanked(sentence, other)
        )[:WRONG]
        why = self._illustrates(sentence, term.term)
        if len(wrong) == WRONG:
            return self._choice(self.said.which_illustrated.format(sentence=sentence), term.term, wrong, why)
        return self._verdict(term.term, wrong, lambda other: self._illustrates(sentence, other), why)

    def _translation(self, sentence: str, translation: str) -> Iterator[QuestionDraft]:
        said, why = self.said, self._means(sentence, translation)
        wrong = self.known.translation_of_sentence.wrong(sentence, WRONG)
        if len(wrong) == WRONG:
            yield self._choice(said.what_sentence_means.format(sentence=sentence), translation, wrong, why)
        else:
            yield self._verdict(translation, wrong, lambda other: self._means(sentence, other), why)
        wrong = self.known.sentence_of_translation.wrong(translation, WRONG)
        if len(wrong) == WRONG:
            yield self._choice(said.which_sentence.format(meaning=translation), sentence, wrong, why)

    def _speaker(self, line: Line) -> QuestionDraft:
        wrong, why = self.known.speaker_of_line.wrong(line.text, WRONG), self._says(line.speaker, line.text)
        if len(wrong) == WRONG:
            return self._choice(self.said.who_says.format(sentence=line.text), line.speaker, wrong, why)
        return self._verdict(line.speaker, wrong, lambda speaker: self._says(speaker, line.text), why)

    def _choice(self, stem: str, right: str, wrong: tuple[str, ...], why: str) -> QuestionDraft:
        return choice(self.title, stem, (right,), wrong, why)

    def _verdict(
        self, right: str, wrong: tuple[str, ...], state: Callable[[str], str], why: str | None = None
    ) -> QuestionDraft:
        """A true statement, or a false one where the source has another answer to make it with."""
        truth = state(right)
        holds = not wrong or stable(truth) % 2 == 0
        return verdict(self.title, truth if holds else state(wrong[0]), why or truth, self.said, holds=holds)

    def _short(self, stem: str, right: Iterable[str], why: str) -> QuestionDraft:
        return QuestionDraft(self.title, stem, QuestionType.short_answer, (), tuple(right), why)

    def _explained(self, term: Term) -> str:
        means = [self._means(term.term, term.meaning)] if term.meaning else []
        examples = [self.said.example.format(sentence=example.sentence) for example in term.examples[:1]]
        return " ".join(means + examples)

    def _means(self, term: str, meaning: str) -> str:
        return self.said.means.format(term=term, meaning=meaning)

    def _illustrates(self, sentence: str, term: str) -> str:
        return self.said.is_example.format(sentence=sentence, term=term)

    def _says(self, speaker: str, sentence: str) -> str:
        return self.said.says.format(speaker=speaker, sentence=sentence)

    def _tells(self, sentence: str) -> str:
        return self.said.lesson_says.format(lesson=self.title, sentence=sentence)


def _askers(source: Source) -> list[tuple[Lesson, Asker]]:
    known, said = relations(source), phrases(source.language)
    return [(lesson, Asker(lesson.title, said, known)) for lesson in source.lessons]


def _picked(groups: Iterator[tuple[QuestionDraft, ...]]) -> tuple[QuestionDraft, ...]:
    """Two questions of a lesson, on two entries and in two forms where it has them."""
    first = list(islice(groups, PER_LESSON))
    if len(first) == 1:
        return first[0][:PER_LESSON]
    return tuple(group[index % len(group)] for index, group in enumerate(first))


def _distinct(questions: Iterable[QuestionDraft], source: Source) -> tuple[QuestionDraft, ...]:
    """Without repetitions; a question of ours gives way to a given one with the same text."""
    given = {question for lesson in source.lessons for question in lesson.questions}
    texts = {question.question.casefold() for question in given}
    found: dict[object, QuestionDraft] = {}
    for question in questions:
        text = question.question.casefold()
        if question in given:
            found.setdefault(question, question)
        elif text not in texts:
            found.setdefault(text, question)
    return tuple(found.values())


def _opening(text: str) -> str:
    """The first sentence of a text, as far as a question can hold it."""
    first = sentences(text)[0]
    return first if len(first) <= LONGEST_SENTENCE else shortened(first, LONGEST_SENTENCE)


def _folded(words: Iterable[str]) -> frozenset[str]:
    return frozenset(map(fold, words))
