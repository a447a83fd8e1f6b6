"""What is kept as long as there is room."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.recent import Recent


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 5))))
def test_it_never_holds_more_than_fits_and_always_what_came_last(kept: list[tuple[str, int]]) -> None:
    recent: Recent[int] = Recent(entries=3, size=7)
    for key, size in kept:
        recent.keep(key, size, size)
        held = {name: value for name in "abcdef" if (value := recent.get(name)) is not None}
        assert len(held) <= 3
        assert sum(held.values()) <= 7
        assert held[key] == size


def test_what_is_used_stays_longest() -> None:
    recent: Recent[str] = Recent(entries=2, size=100)
    recent.keep("a", "A", 1)
    recent.keep("b", "B", 1)
    assert recent.get("a") == "A"
    recent.keep("c", "C", 1)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == ("A", None, "C")


def test_what_is_too_large_is_not_kept() -> None:
    recent: Recent[str] = Recent(entries=2, size=10)
    recent.keep("a", "A", 11)
    assert recent.get("a") is None
