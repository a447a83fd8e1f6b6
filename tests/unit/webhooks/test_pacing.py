"""The rate limit of an endpoint."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import pacing

NOW = datetime(2026, 7, 2, 9, 30, tzinfo=UTC)


def sent(per_minute: int, waits: list[float], greed: int = 10_000) -> list[datetime]:
    """When requests are made by somebody who asks after each of these waits, and takes what there is."""
    times: list[datetime] = []
    used_until, moment = None, NOW
    for seconds in waits:
        moment += timedelta(seconds=seconds)
        count = min(pacing.allowed(per_minute, used_until, moment)[0], greed)
        used_until = pacing.used(per_minute, used_until, moment, count)
        times += [moment] * count
    return times


@given(
    st.integers(1, 2000),
    st.lists(st.sampled_from([0.0, 0.001, 0.1, 0.26, 1.0, 7.0, 59.0, 61.0]), min_size=1, max_size=200),
    st.sampled_from([1, 3, 10_000]),
)
def test_no_minute_has_more_requests_than_allowed(per_minute: int, waits: list[float], greed: int) -> None:
    times = sent(per_minute, waits, greed)
    for earlier, later in zip(times, times[per_minute:], strict=False):
        assert later - earlier >= timedelta(seconds=59.999)


@pytest.mark.parametrize("per_minute", [1, 30, 60, 240, 6000])
def test_whoever_comes_when_told_uses_the_whole_limit(per_minute: int) -> None:
    used_until, moment, count = None, NOW, 0
    while moment < NOW + timedelta(minutes=1):
        allowed, later = pacing.allowed(per_minute, used_until, moment)
        used_until = pacing.used(per_minute, used_until, moment, allowed)
        count += allowed
        assert later is not None
        assert later > moment
        moment = later
    assert per_minute - 1 <= count <= per_minute


def test_a_seconds_worth_may_go_at_once() -> None:
    first, *others = sent(240, [0.0] + [0.26] * 4)
    assert others[:3] == [first] * 3
    assert all(later > earlier for earlier, later in pairwise(others[2:]))


def test_without_a_limit_anything_goes() -> None:
    assert pacing.allowed(None, None, NOW) == (pacing.UNLIMITED, None)
