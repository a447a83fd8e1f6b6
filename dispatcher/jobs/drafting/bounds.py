"""Bounds: what a draft leaves out, so that its readers can write all of it back."""

from collections.abc import Collection, Sequence
from typing import TypeVar

from dispatcher.jobs.drafting.drafts import QuestionDraft
from storage.limits import LONGEST, MOST

T = TypeVar("T")


def excess(question: QuestionDraft) -> str | None:
    """What of a question is too much, and what to change; None when an author could have sent it."""
    for name, texts in (
        ("title", [question.title or ""]),
        ("question", [question.question]),
        ("option", [*question.options, *question.correct_answers]),
        ("explanation", [question.explanation or ""]),
    ):
        if max(map(len, texts), default=0) > LONGEST[name]:
            return f"has {'an' if name[0] in 'aeo' else 'a'} {name} of more than {LONGEST[name]} characters; shorten it"
    for name, answers in (("options", question.options), ("answers", question.correct_answers)):
        if len(answers) > MOST["options"]:
            return f"has more than {MOST['options']} {name}; remove some"
    return None


def within(
    questions: Sequence[QuestionDraft], given: Collection[QuestionDraft], most: int
) -> tuple[QuestionDraft, ...]:
    """Those that are not too much, and so many of them, in their order: the given ones before ours, evenly chosen."""
    fitting = [question for question in questions if excess(question) is None]
    kept = set(spread([question for question in fitting if question in given], most))
    kept |= set(spread([question for question in fitting if question not in given], most - len(kept)))
    return tuple(question for question in fitting if question in kept)


def spread(things: Sequence[T], count: int) -> list[T]:
    """So many of the things, evenly from the whole list."""
    count = max(0, min(count, len(things)))
    return [things[index * len(things) // count] for index in range(count)]
