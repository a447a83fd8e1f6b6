"""Breaking text into lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.jobs.rendering.lines import columns, pieces, wrapped

WORDS = st.text(alphabet="ab é世界。（」한ก้ש \n-", max_size=80)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("   ", []),
        ("one two three", ["one two", "three"]),
        ("  one  ", ["one"]),
        ("abcdefghijklmnop", ["abcdefgh", "ijklmnop"]),
        ("ab abcdefghijk", ["ab abcde", "fghijk"]),
        ("世界世界世界", ["世界世界", "世界"]),
        ("世界世界。世界", ["世界世", "界。世界"]),
        ("（世界）世界世", ["（世界）", "世界世"]),
    ],
)
def test_lines_hold_eight_columns(text: str, lines: list[str]) -> None:
    assert wrapped(text, lambda line: columns(line) <= 8) == lines


def test_marks_stay_with_their_letter() -> None:
    assert wrapped("กก้กก้", lambda line: columns(line) <= 3) == ["กก้", "กก้"]


@given(WORDS)
def test_pieces_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text.lstrip()


@given(WORDS, st.integers(4, 30))
def test_nothing_is_lost_and_every_line_fits(text: str, width: int) -> None:
    lines = wrapped(text, lambda line: columns(line) <= width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(columns(line) <= width for line in lines)
    assert all(line == line.rstrip() and line for line in lines)
