"""What comes back from a package that was written of a course, beside what was said."""

import io
from collections.abc import Sequence
from typing import Any

from storage.packages import html
from storage.packages.outcomes import Content, ContentType, Failure, Outcome
from storage.packages.package import read_package
from storage.packages.writing.course import Course, Question, QuestionKind, legible


def plain(text: str) -> str:
    """Text as a reader sees it."""
    return " ".join(legible(text).split())


def markup(html: str) -> str:
    """HTML, tags and all, without differences that no reader sees."""
    return plain(html.replace("\xa0", "&nbsp;"))


def outcomes(data: bytes) -> list[Outcome]:
    """What our own reader makes of a package."""
    return list(read_package(io.BytesIO(data)).outcomes())


def asked(found: Sequence[Outcome]) -> list[Content]:
    """The questions among them, in their order."""
    return [each for each in found if isinstance(each, Content) and each.type is ContentType.QUESTION]


def told(content: Content) -> dict[str, Any]:
    """A question as it came back."""
    assert content.question is not None
    (interaction,) = content.question.interactions
    texts = {choice.id: choice.text for choice in interaction.choices}
    accepted = [entry.key for entry in interaction.mapping.entries] if interaction.mapping else []
    right = [texts[id] for id in interaction.correct_responses] if texts else accepted
    return {
        "kind": (interaction.kind.value, interaction.cardinality.value),
        "title": content.title,
        "text": html.plain(interaction.prompt or content.body or ""),
        "options": list(texts.values()),
        "answers": _answers(right, is_text=not texts),
        "standards": [alignment.curriculum_item_id for alignment in content.alignments],
    }


def expected(question: Question, course: Course) -> dict[str, Any]:
    """The same question as it was written."""
    is_text = question.kind is QuestionKind.SHORT_ANSWER
    answers = question.answers if is_text else [question.options[index] for index in question.right]
    several = question.kind is QuestionKind.MULTIPLE_RESPONSE
    text_kind = "TEXT_ENTRY" if question.answers else "EXTENDED_TEXT"
    return {
        "kind": (text_kind if is_text else "CHOICE", "MULTIPLE" if several else "SINGLE"),
        "title": legible(question).heading,
        "text": plain(question.text),
        "options": [] if is_text else [plain(option) for option in question.options],
        "answers": _answers(answers, is_text=is_text),
        "standards": list(course.standards),
    }


def _answers(texts: Sequence[str], *, is_text: bool) -> list[str]:
    """As a reader sees them; a text that is accepted twice is accepted."""
    seen = list(map(plain, texts))
    return list(dict.fromkeys(seen)) if is_text else seen


def failed(found: Sequence[Outcome]) -> list[Failure]:
    """What could not be read."""
    return [each for each in found if isinstance(each, Failure)]
