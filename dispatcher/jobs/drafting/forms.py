"""Forms: a question put together from its right and wrong answers."""

from dispatcher.jobs.drafting.drafts import QuestionDraft
from dispatcher.jobs.drafting.phrases import Phrases
from dispatcher.jobs.drafting.wording import stable
from storage.tables import QuestionType


def choice(
    title: str, stem: str, right: tuple[str, ...], wrong: tuple[str, ...], why: str, *, several: bool = False
) -> QuestionDraft:
    """The right answers among the wrong ones, at a place that varies with the question."""
    place = stable(stem) % (len(wrong) + 1)
    options = (*wrong[:place], *right, *wrong[place:])
    type_ = QuestionType.multiple_response if several else QuestionType.multiple_choice
    return QuestionDraft(title, stem, type_, options, right, why)


def verdict(title: str, statement: str, why: str, said: Phrases, *, holds: bool) -> QuestionDraft:
    """Whether a statement is true."""
    stem = said.is_it_true.format(statement=statement)
    answer = said.true if holds else said.false
    return QuestionDraft(title, stem, QuestionType.true_false, (said.true, said.false), (answer,), why)
