"""Grading what a learner answered: exact for choices, without case and outer space for free text (decision D30)."""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import fsum

from storage.tables import GradedAnswer, Item, QuestionType


def is_right(type: QuestionType, right: Sequence[str], given: Sequence[str]) -> bool:
    """
    Whether the given answers are the right ones.

    A multiple-response question wants the whole set and nothing else; the others want one answer, which for
    short-answer may be any of the right texts.
    """
    match type:
        case QuestionType.multiple_response:
            return bool(given) and set(given) == set(right)
        case QuestionType.short_answer:
            return len(given) == 1 and folded(given[0]) in {folded(text) for text in right}
        case _:
            return len(given) == 1 and given[0] in right


def folded(text: str) -> str:
    """What is left of a text without case and outer space, however its characters are composed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).strip()


def grade(items: Sequence[Item], answers: Mapping[str, Sequence[str]]) -> list[GradedAnswer]:
    """The answered items in the order of the test; a right one has its item's score, a wrong one 0."""
    graded = []
    for item in items:
        if item.id in answers:
            given = list(answers[item.id])
            correct = is_right(item.type, item.correct_answers, given)
            score = item.score if correct else 0.0
            graded.append(GradedAnswer(item_id=item.id, answers=given, correct=correct, score=score))
    return graded


def total(scores: Sequence[float]) -> float:
    """The sum, without the noise of adding floats one by one."""
    return round(fsum(scores), 6)


def is_late(started_at: datetime | None, submitted_at: datetime, minutes: int | None) -> bool:
    """Whether more time went by than the test allows; unknown beginnings and untimed tests are never late."""
    return minutes is not None and started_at is not None and submitted_at - started_at > timedelta(minutes=minutes)
