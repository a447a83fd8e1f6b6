"""Kinds of questions, shared by quizzes and test items."""

from schema.types.scalars import described
from storage.tables import QuestionType

described(
    QuestionType,
    "QuestionType",
    multiple_choice="On the wire: multiple-choice, one right option.",
    multiple_response="On the wire: multiple-response, several right options.",
    true_false="On the wire: true-false.",
    short_answer="On the wire: short-answer, free text compared without case and outer space.",
)

__all__ = ["QuestionType"]
