"""What follows an attempt."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.webhooks import schedule
from dispatcher.webhooks.outcomes import Failure, Outcome, Timings
from dispatcher.webhooks.schedule import SCHEDULE, Again, Decision, Delivered, Exhausted, Gone, Postponed

NOW = datetime(2026, 7, 2, 9, 30, tzinfo=UTC)
LONGEST = 36000


def outcome(status: int | None, retry_after: str | None = None, failure: Failure | None = None) -> Outcome:
    return Outcome(NOW, Timings(None, None, None, 1.0), status=status, failure=failure, retry_after=retry_after)


def after(seconds: float) -> Again:
    return Again(NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("number", [1, 8])
@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(status: int, number: int) -> None:
    assert schedule.decide(outcome(status), number, NOW, SCHEDULE, 0) == Delivered()


@pytest.mark.parametrize("number", [1, 8])
def test_410_ends_the_endpoint(number: int) -> None:
    assert schedule.decide(outcome(410), number, NOW, SCHEDULE, 0) == Gone()


@pytest.mark.parametrize(
    "status", [None, 101, 199, 300, 301, 302, 304, 307, 308, 400, 401, 404, 409, 429, 500, 503, 999]
)
def test_anything_else_is_made_again_and_at_last_given_up(status: int | None) -> None:
    assert schedule.decide(outcome(status), 1, NOW, SCHEDULE, 0) == after(5)
    assert schedule.decide(outcome(status), 8, NOW, SCHEDULE, 0) == Exhausted()


@pytest.mark.parametrize("failure", [each for each in Failure if each is not Failure.OFFLINE])
def test_no_answer_is_made_again_whatever_the_reason(failure: Failure) -> None:
    assert schedule.decide(outcome(None, failure=failure), 2, NOW, SCHEDULE, 0) == after(30)


@pytest.mark.parametrize("number", [1, 8])
def test_a_want_of_this_machine_is_no_attempt(number: int) -> None:
    offline = outcome(None, failure=Failure.OFFLINE)
    assert schedule.decide(offline, number, NOW, SCHEDULE, 0) == Postponed(NOW + timedelta(seconds=30))


@pytest.mark.parametrize(
    ("hours", "failure", "counts_as"),
    [
        (23, Failure.OFFLINE, Failure.OFFLINE),
        (25, Failure.OFFLINE, Failure.UNREACHABLE),
        (25, Failure.TIMEOUT, Failure.TIMEOUT),
    ],
)
def test_a_want_of_this_machine_counts_after_a_day(hours: float, failure: Failure, counts_as: Failure) -> None:
    made = NOW - timedelta(hours=hours)
    assert schedule.judged(outcome(None, failure=failure), made, NOW).failure is counts_as


def test_the_waits_are_those_of_the_schedule() -> None:
    waits = [schedule.decide(outcome(500), number, NOW, SCHEDULE, 0) for number in range(1, 9)]
    assert waits == [*(after(seconds) for seconds in (5, 30, 300, 1800, 7200, 18000, 36000)), Exhausted()]


@pytest.mark.parametrize(("jitter", "seconds"), [(-1, 240), (-0.5, 270), (0, 300), (1, 360)])
def test_chance_moves_a_wait_by_a_fifth_at_most(jitter: float, seconds: float) -> None:
    assert schedule.decide(outcome(500), 3, NOW, SCHEDULE, jitter) == after(seconds)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("0", 5),
        ("4", 5),
        ("36001", LONGEST),
        ("9" * 400, LONGEST),
        ("Thu, 02 Jul 2026 09:32:00 GMT", 120),
        ("Thursday, 02-Jul-26 09:32:00 GMT", 120),
        ("Thu Jul  2 09:32:00 2026", 120),
        ("Thu, 02 Jul 2026 11:32:00 +0200", 120),
        ("Thu, 02 Jul 2026 09:32:00 -0000", 120),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST),
        ("Thu, 02 Jul 2026 09:00:00 GMT", 5),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 5),
        *(
            (junk, 5)
            for junk in (None, "", " ", "-1", "1.5", "1e3", "soon", "٣", "0x10", "12 0", "Thu, 99 Jul 2026", "inf")
        ),
    ],
)
def test_retry_after_is_kept(status: int, retry_after: str | None, seconds: float) -> None:
    assert schedule.decide(outcome(status, retry_after), 1, NOW, SCHEDULE, 0) == after(seconds)


@pytest.mark.parametrize("status", [500, 502, 504, 408, 301])
def test_retry_after_of_another_status_is_not(status: int) -> None:
    assert schedule.decide(outcome(status, "120"), 1, NOW, SCHEDULE, 0) == after(5)


def test_a_longer_wait_of_the_schedule_is_not_shortened_by_retry_after() -> None:
    assert schedule.decide(outcome(429, "120"), 4, NOW, SCHEDULE, 0) == after(1800)


def test_chance_never_moves_an_attempt_before_retry_after() -> None:
    assert schedule.decide(outcome(429, "300"), 3, NOW, SCHEDULE, -1) == after(300)


@pytest.mark.parametrize("waits", [(), (0,)])
def test_a_schedule_of_one_attempt_has_no_second(waits: tuple[float, ...]) -> None:
    assert schedule.decide(outcome(500), 1, NOW, waits, 0) == Exhausted()


STATUSES = st.none() | st.integers(100, 599)
RETRY_AFTER = (
    st.none() | st.text() | st.integers(0).map(str) | st.datetimes().map("{:%a, %d %b %Y %H:%M:%S GMT}".format)
)
SCHEDULES = st.lists(st.floats(0, 100_000), min_size=1, max_size=10)


@given(STATUSES, RETRY_AFTER, st.integers(1, 12), SCHEDULES, st.floats(-1, 1))
def test_every_outcome_has_one_decision_and_every_wait_its_bounds(
    status: int | None, retry_after: str | None, number: int, waits: list[float], jitter: float
) -> None:
    decision: Decision = schedule.decide(outcome(status, retry_after), number, NOW, waits, jitter)
    match decision:
        case Delivered():
            assert status is not None
            assert 200 <= status < 300
        case Gone():
            assert status == 410
        case Exhausted():
            assert number >= len(waits)
        case Again(at):
            seconds = (at - NOW).total_seconds()
            assert number < len(waits)
            assert 0.8 * waits[number] - 0.001 <= seconds <= 1.2 * max(waits) + 0.001


@given(st.integers(1, 7), st.floats(-1, 1), st.integers(0, 10**6))
def test_an_attempt_is_never_made_before_the_time_asked_for(number: int, jitter: float, seconds: int) -> None:
    decision = schedule.decide(outcome(503, str(seconds)), number, NOW, SCHEDULE, jitter)
    assert isinstance(decision, Again)
    assert decision.at >= NOW + timedelta(seconds=min(seconds, LONGEST))
