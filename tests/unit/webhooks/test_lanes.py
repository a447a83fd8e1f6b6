"""Who sends next: lanes that widen and narrow, take turns, and lose nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.webhooks.lanes import REMEMBERED, SLOTS, WIDEST, WIDTH, Lanes
from dispatcher.webhooks.outcomes import Failure, Outcome, Timings
from storage.claims import Claimed, Owed, Target

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = Outcome(NOW, Timings(None, None, 1.0, 1.0), status=204)
SILENT = Outcome(NOW, Timings(None, None, None, 1.0), failure=Failure.TIMEOUT)


def answered(status: int) -> Outcome:
    return GOOD._replace(status=status)


def owed(endpoint_id: str, count: int) -> list[Owed]:
    target = Target(endpoint_id, "https://a.example", "secret", None, None, single=False, paced=False)
    return [Owed(f"{endpoint_id}-{number}", 0, target, "evt", "a.type", b"{}", NOW) for number in range(count)]


def claimed(*deliveries: Owed, left: Sequence[str] = ()) -> Claimed:
    served = frozenset(delivery.target.endpoint_id for delivery in deliveries)
    return Claimed(deliveries, "", served, frozenset(left), whole=True, look_at=None)


def started(lanes: Lanes) -> list[str]:
    found = []
    while delivery := lanes.next():
        found.append(delivery.target.endpoint_id)
    return found


def widened(lanes: Lanes, endpoint_id: str) -> int:
    """Answers well until the lane is as wide as it gets; tells how wide that is."""
    for _ in range(WIDEST):
        lanes.put(claimed(*owed(endpoint_id, 2 * WIDEST)))
        while sent := started(lanes):
            for each in sent:
                lanes.ended(each, GOOD)
    lanes.put(claimed(*owed(endpoint_id, 2 * WIDEST)))
    under_way = started(lanes)
    lanes.drain()
    for each in under_way:
        lanes.ended(each, GOOD)
    return len(under_way)


def test_endpoints_take_turns_and_none_gets_more_than_its_lane_is_wide() -> None:
    lanes = Lanes()
    lanes.put(claimed(*owed("a", 10), *owed("b", 10)))
    assert started(lanes) == ["a", "b"] * WIDTH


def test_a_lane_widens_with_good_answers() -> None:
    assert widened(Lanes(), "a") == WIDEST


def test_a_lane_that_was_idle_is_as_wide_as_before() -> None:
    lanes = Lanes()
    widened(lanes, "a")
    assert not lanes.sending + lanes.waiting
    assert lanes.room()["a"] == 2 * WIDEST


@pytest.mark.parametrize(
    ("outcome", "then"),
    [
        pytest.param(SILENT, 1, id="no answer"),
        pytest.param(answered(429), WIDEST // 2, id="overloaded"),
        pytest.param(answered(500), WIDEST, id="a fault of its own"),
        pytest.param(answered(410), 0, id="gone"),
    ],
)
def test_an_answer_decides_how_wide_the_lane_is(outcome: Outcome, then: int) -> None:
    lanes = Lanes()
    widened(lanes, "a")
    lanes.put(claimed(*owed("a", 1)))
    started(lanes)
    lanes.ended("a", outcome)
    lanes.put(claimed(*owed("a", 2 * WIDEST)))
    assert len(started(lanes)) == then


def test_what_waits_for_a_lane_that_narrows_is_given_back() -> None:
    lanes = Lanes()
    lanes.put(claimed(*owed("a", WIDTH + 3)))
    started(lanes)
    assert len(lanes.ended("a", SILENT)) == 3
    assert lanes.waiting == 0


def test_the_lanes_that_were_busy_last_are_remembered() -> None:
    lanes = Lanes()
    for number in range(REMEMBERED + 10):
        for endpoint_id in ("again", f"once-{number}"):
            lanes.put(claimed(*owed(endpoint_id, 1)))
            started(lanes)
            lanes.ended(endpoint_id, GOOD)
    known = lanes.room()
    assert len(known) == REMEMBERED
    assert known.keys() >= {"again", f"once-{REMEMBERED + 9}"}
    assert "once-0" not in known


ENDPOINTS = [f"endpoint-{number}" for number in range(5)]
STEPS = st.lists(
    st.tuples(st.sampled_from(ENDPOINTS), st.integers(0, 300), st.sampled_from([GOOD, SILENT, answered(429)])),
    max_size=30,
)


@given(STEPS)
def test_whatever_is_claimed_is_sent_or_given_back_and_never_more_at_a_time_than_there_are_slots(
    steps: list[tuple[str, int, Outcome]],
) -> None:
    lanes, under_way = Lanes(), list[str]()
    put, gone = 0, 0
    for endpoint_id, count, outcome in steps:
        lanes.put(claimed(*owed(endpoint_id, count)))
        put += count
        sent = started(lanes)
        under_way += sent
        gone += len(sent)
        assert len(under_way) == lanes.sending <= SLOTS
        assert put == gone + lanes.waiting
        if under_way:
            gone += len(lanes.ended(under_way.pop(), outcome))
    gone += len(lanes.drain())
    assert (put, lanes.waiting) == (gone, 0)
