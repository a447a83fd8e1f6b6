"""The sliding minute: what counts, what comes back, and what a process remembers."""

from collections import deque
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limits import Limiter, RateLimited, Window, Windows

NOWHERE = "redis://127.0.0.1:1"
"""Nobody listens there, so each process counts for itself."""


@dataclass
class Clock:
    """Time that passes when it is told to."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("taken", "cost", "wait"),
    [
        ({}, 5, 0),
        ({100: 5}, 1, 61),
        ({95: 1, 100: 4}, 1, 56),
        ({95: 1, 100: 4}, 2, 61),
        ({40: 2, 60: 2, 99: 1}, 3, 21),
        ({100: 5}, 6, 61),
    ],
)
def test_units_come_back_61_seconds_after_the_second_in_which_they_were_taken(
    taken: dict[int, int], cost: int, wait: int
) -> None:
    window = Window(100, taken)
    assert window.has_room(5, cost) is (wait == 0)
    if wait:
        assert window.wait(5, cost) == wait


def test_a_budget_says_what_is_left_and_when_more_comes() -> None:
    budget = Window(100, {95: 1, 100: 2}).budget(5)
    assert (budget.limit, budget.remaining, budget.resets_at.timestamp()) == (5, 2, 156)
    assert Window(100, {}).budget(5).resets_at.timestamp() == 100
    assert Window(100, {100: 9}).budget(5).remaining == 0


@given(st.lists(st.tuples(st.floats(0, 45), st.integers(1, 4)), max_size=60), st.integers(1, 12))
async def test_no_sixty_seconds_hold_more_than_the_limit(requests: list[tuple[float, int]], limit: int) -> None:
    clock = Clock()
    limiter = Limiter(NOWHERE, clock)
    admitted: deque[tuple[float, int]] = deque()
    for pause, cost in requests:
        clock.now += pause
        try:
            await limiter.take("key", limit, cost)
        except RateLimited:
            continue
        admitted.append((clock.now, cost))
        within = sum(units for moment, units in admitted if moment > clock.now - 60)
        assert within <= limit


@given(st.lists(st.integers(0, 30), max_size=30), st.integers(1, 5))
async def test_after_the_announced_wait_there_is_room(pauses: list[int], limit: int) -> None:
    clock = Clock()
    limiter = Limiter(NOWHERE, clock)
    for pause in pauses:
        clock.now += pause
        try:
            await limiter.take("key", limit, 1)
        except RateLimited as limited:
            clock.now += int(limited.headers["Retry-After"])
            await limiter.take("key", limit, 1)


async def test_what_is_refused_takes_nothing() -> None:
    limiter = Limiter(NOWHERE, Clock())
    await limiter.take("key", 5, 3)
    for _ in range(3):
        with pytest.raises(RateLimited):
            await limiter.take("key", 5, 3)
    await limiter.take("key", 5, 2)


async def test_windows_are_apart() -> None:
    limiter = Limiter(NOWHERE, Clock())
    await limiter.take("one", 1, 1)
    await limiter.take("other", 1, 1)
    assert (await limiter.look("one", 1)).used == 1


async def test_without_redis_a_process_counts_for_itself() -> None:
    """It fails safe, not open."""
    clock = Clock()
    limiter = Limiter(NOWHERE, clock)
    for _ in range(5):
        await limiter.take("key", 5, 1)
    with pytest.raises(RateLimited):
        await limiter.take("key", 5, 1)
    clock.now += 61
    await limiter.take("key", 5, 1)
    await limiter.close()


def test_a_process_remembers_only_so_many_windows() -> None:
    windows = Windows(Clock(), most=2)
    for name in ("a", "b", "a", "c"):
        windows.add(name, 1)
    assert [windows.look(name).used for name in "abc"] == [2, 0, 1]
