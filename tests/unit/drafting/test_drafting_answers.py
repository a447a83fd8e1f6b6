"""What a model wrote: read, judged, and told why it cannot be used."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.jobs.drafting import answers
from dispatcher.jobs.drafting.answers import (
    Shape,
    Unsuitable,
    WrittenDeck,
    WrittenItems,
    WrittenLesson,
    WrittenModule,
    WrittenOutline,
    WrittenQuestion,
    WrittenVideo,
)

SOUND: dict[str, Any] = {
    "question": "Which exit is green?",
    "type": "multiple-choice",
    "options": ["The left", "The right"],
    "correctAnswers": ["The left"],
    "explanation": "It has a green sign.",
}
SHAPES = [WrittenModule, WrittenLesson, WrittenOutline, WrittenVideo, WrittenDeck, WrittenItems]


def question(**changes: Any) -> WrittenQuestion:
    return WrittenQuestion.model_validate({**SOUND, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"type": "true-false"},
        {"type": "multiple-response", "correctAnswers": ["The left", "The right"]},
        {"type": "short-answer", "options": [], "correctAnswers": ["left", "the left"]},
    ],
)
def test_a_sound_question_has_no_faults(changes: dict[str, Any]) -> None:
    assert list(question(**changes).faults("item 1")) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"question": " "}, "empty question"),
        ({"question": "x" * 5_001}, "more than 5000"),
        ({"explanation": ""}, "empty explanation"),
        ({"question": "a\0b"}, "NUL"),
        ({"options": ["One"], "correctAnswers": ["One"]}, "2 to 50 different"),
        ({"options": ["One", "one "], "correctAnswers": ["One"]}, "different"),
        ({"options": ["One", " "], "correctAnswers": ["One"]}, "not blank"),
        ({"options": [str(n) for n in range(51)], "correctAnswers": ["1"]}, "2 to 50"),
        ({"options": ["x" * 1_001, "y"], "correctAnswers": ["y"]}, "1000 characters"),
        ({"correctAnswers": []}, "no right answer"),
        ({"correctAnswers": [" "]}, "no right answer"),
        ({"correctAnswers": ["the left"]}, "letter for letter"),
        ({"correctAnswers": ["The left", "The right"]}, "exactly one right answer"),
        ({"type": "true-false", "options": ["a", "b", "c"], "correctAnswers": ["a"]}, "exactly two options"),
        ({"type": "short-answer"}, "must not have options"),
    ],
)
def test_a_fault_of_a_question_is_named_with_its_place(changes: dict[str, Any], fault: str) -> None:
    faults = list(question(**changes).faults("item 7"))
    assert any(fault in said for said in faults), faults
    assert all(said.startswith("item 7") for said in faults)


def test_counts_repetitions_and_known_questions_are_faults() -> None:
    items = WrittenItems(description="x", items=[question(), question(question="which exit is GREEN")])
    faults = list(items.faults(items=3, known=["Which exit is green"]))
    assert faults == [
        "there have to be exactly 3 items, and there are 2",
        "items has the same question twice",
        "the question “which exit is green” is in the test already",
    ]


def test_a_chapter_without_lessons_is_a_fault() -> None:
    plan = WrittenOutline.model_validate(
        {"description": "x", "chapters": [{"title": "x", "description": "x", "lessons": []}]}
    )
    assert "chapter 1 has no lesson" in list(plan.faults(lessons=0))


@pytest.mark.parametrize("fence", ["{}", "```json\n{}\n```", "\n```\n{}\n```\n"])
def test_a_fence_around_the_answer_is_no_fault(fence: str) -> None:
    text = '{"description": "x", "slides": []}'
    assert answers.read(WrittenDeck, fence.replace("{}", text)) == WrittenDeck(description="x", slides=[])


@pytest.mark.parametrize("endless", ["```\n" + "\n" * 200_000, "```" + " " * 200_000, "\n " * 200_000 + "`"])
def test_an_answer_that_never_comes_to_its_end_is_refused_at_once(endless: str) -> None:
    """Models write line breaks until they are stopped; to look for a fence in those took a week."""
    with pytest.raises(Unsuitable):
        answers.read(WrittenDeck, endless)


@given(st.sampled_from(SHAPES), st.text() | st.recursive(st.none() | st.text(), st.lists).map(str))
def test_anything_else_is_unsuitable_and_says_where(shape: type[Shape], text: str) -> None:
    with pytest.raises(Unsuitable) as wrong:
        answers.read(shape, text)
    assert 0 < len(wrong.value.complaints) <= answers.MOST_COMPLAINTS


@pytest.mark.parametrize("shape", SHAPES)
def test_the_schema_of_a_shape_is_strict(shape: type[Shape]) -> None:
    schema = answers.schema_of(shape)
    for node in (schema, *schema.get("$defs", {}).values()):
        assert node["additionalProperties"] is False
        assert set(node["required"]) == set(node["properties"])
