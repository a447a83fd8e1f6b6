"""How answers are graded: decision D30, R-TST-10."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import scoring
from storage.tables import Item, QuestionType

CHOICE, RESPONSE = QuestionType.multiple_choice, QuestionType.multiple_response
TRUE_FALSE, SHORT = QuestionType.true_false, QuestionType.short_answer

NOON = datetime(2026, 7, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("type", "right", "given_", "expected"),
    [
        (CHOICE, ["a"], ["a"], True),
        (CHOICE, ["a"], ["b"], False),
        (CHOICE, ["a"], ["A"], False),
        (CHOICE, ["a"], [" a"], False),
        (CHOICE, ["a"], [], False),
        (CHOICE, ["a"], ["a", "b"], False),
        (CHOICE, ["a"], ["a", "a"], False),
        (CHOICE, [], ["a"], False),
        (TRUE_FALSE, ["True"], ["True"], True),
        (TRUE_FALSE, ["True"], ["False"], False),
        (TRUE_FALSE, ["True"], ["true"], False),
        (TRUE_FALSE, ["True"], ["True", "False"], False),
        (RESPONSE, ["a", "b"], ["a", "b"], True),
        (RESPONSE, ["a", "b"], ["b", "a"], True),
        (RESPONSE, ["a", "b"], ["b", "a", "b"], True),
        (RESPONSE, ["a", "b"], ["a"], False),
        (RESPONSE, ["a", "b"], ["a", "b", "c"], False),
        (RESPONSE, ["a"], ["A"], False),
        (RESPONSE, ["a"], [], False),
        (RESPONSE, [], [], False),
        (SHORT, ["Paris"], ["Paris"], True),
        (SHORT, ["Paris"], ["  pARIS\n"], True),
        (SHORT, ["Paris"], ["\u00a0paris"], True),
        (SHORT, ["Paris"], ["Par is"], False),
        (SHORT, ["Paris", "City of Light"], ["city of light"], True),
        (SHORT, ["New  York"], ["new york"], False),
        (SHORT, ["Straße"], ["STRASSE"], True),
        (SHORT, ["caf\u00e9"], ["CAFE\u0301"], True),
        (SHORT, ["café"], ["cafe"], False),
        (SHORT, ["Paris"], ["Paris", "Paris"], False),
        (SHORT, ["Paris"], [], False),
        (SHORT, ["Paris"], [""], False),
    ],
)
def test_an_answer_is_right_or_wrong(type: QuestionType, right: list[str], given_: list[str], expected: bool) -> None:
    assert scoring.is_right(type, right, given_) is expected


@given(st.sets(st.text(), min_size=1), st.lists(st.text()))
def test_a_multiple_response_is_right_for_the_whole_set_only(right: set[str], given_: list[str]) -> None:
    assert scoring.is_right(RESPONSE, sorted(right), given_) is (set(given_) == right)


@given(st.text())
def test_case_and_outer_space_never_make_a_short_answer_wrong(text: str) -> None:
    assert scoring.is_right(SHORT, [text], [f" \t{text.casefold()}\n"])


def item(id: str, score: float = 1.0) -> Item:
    return Item(
        id=id,
        resource_id="test",
        sequence=1,
        question="?",
        type=CHOICE,
        options=["a", "b"],
        correct_answers=["a"],
        score=score,
    )


def test_a_right_answer_has_the_score_of_its_item_and_a_wrong_one_none() -> None:
    items = [item("1", 10), item("2", 0.5), item("3")]
    graded = scoring.grade(items, {"3": ["a"], "1": ["a"], "2": ["b"], "gone": ["a"]})
    assert [(answer.item_id, answer.answers, answer.correct, answer.score) for answer in graded] == [
        ("1", ["a"], True, 10.0),
        ("2", ["b"], False, 0.0),
        ("3", ["a"], True, 1.0),
    ]


def test_what_was_not_answered_is_not_graded() -> None:
    assert scoring.grade([item("1")], {}) == []


def test_a_total_has_no_noise() -> None:
    assert scoring.total([0.1] * 10) == 1.0
    assert scoring.total([0.1, 0.2]) == 0.3
    assert scoring.total([]) == 0


@pytest.mark.parametrize(
    ("started", "minutes", "expected"),
    [
        (timedelta(minutes=20), 20, False),
        (timedelta(minutes=20, milliseconds=1), 20, True),
        (timedelta(minutes=-3), 20, False),
        (timedelta(days=1), None, False),
        (None, 20, False),
    ],
)
def test_late_is_more_than_the_time_limit_after_the_beginning(
    started: timedelta | None, minutes: int | None, expected: bool
) -> None:
    assert scoring.is_late(NOON - started if started is not None else None, NOON, minutes) is expected
