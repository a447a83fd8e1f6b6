"""What follows an attempt: delivered, another one later, or none. Pure: time and chance are arguments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from dispatcher.webhooks.outcomes import Failure, Outcome
from storage.health import LONGEST_REST, Seen, Sign

SCHEDULE = (0.0, 5.0, 30.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0)
"""Seconds before each attempt."""

JITTER = 0.2

OFFLINE_SECONDS = 30.0
"""Until the same attempt is made again, when this machine could not make it."""

OFFLINE_AT_MOST = timedelta(days=1)
"""After that a want of this machine is one of the receiver: it cannot be reached from here."""

PATIENT = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""Answers whose Retry-After counts."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver took it."""


@dataclass(frozen=True, slots=True)
class Again:
    """Another attempt, not before this time."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Postponed:
    """That was none: the same attempt at this time."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Exhausted:
    """That was the last attempt."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The receiver wants nothing any more: its endpoint is to be disabled."""


Decision = Delivered | Again | Postponed | Exhausted | Gone


def judged(outcome: Outcome, since: datetime, now: datetime) -> Outcome:
    """The outcome as it counts for a delivery that was made at `since`."""
    if outcome.failure is Failure.OFFLINE and now - since > OFFLINE_AT_MOST:
        return outcome._replace(failure=Failure.UNREACHABLE)
    return outcome


def decide(outcome: Outcome, number: int, now: datetime, schedule: Sequence[float], jitter: float) -> Decision:
    """What follows the attempt of this number, counted from 1.

    `schedule` has the seconds before each attempt; `jitter`, from -1 to 1, moves the next one by up to 20 %.
    """
    if outcome.failure is Failure.OFFLINE:
        return Postponed(now + timedelta(seconds=OFFLINE_SECONDS * (1 + JITTER * jitter)))
    match outcome.status:
        case int(status) if 200 <= status < 300:
            return Delivered()
        case HTTPStatus.GONE:
            return Gone()
        case _ if number >= len(schedule):
            return Exhausted()
    asked = min(_asked(outcome, now), max(schedule))
    planned = schedule[number] * (1 + JITTER * jitter)
    return Again(now + timedelta(seconds=max(planned, asked)))


def seen(outcome: Outcome, now: datetime) -> Seen:
    """What the attempt says of the endpoint."""
    match outcome.status:
        case None:
            return Seen(Sign.NONE if outcome.failure is Failure.OFFLINE else Sign.SILENT, now)
        case int(status) if 200 <= status < 300:
            return Seen(Sign.DELIVERED, now)
        case HTTPStatus.GONE:
            return Seen(Sign.GONE, now)
    return Seen(Sign.REFUSED, now, timedelta(seconds=min(max(_asked(outcome, now), 0.0), LONGEST_REST.total_seconds())))


def _asked(outcome: Outcome, now: datetime) -> float:
    return _retry_after(outcome.retry_after, now) if outcome.status in PATIENT else 0.0


def _retry_after(value: str | None, now: datetime) -> float:
    """Seconds to wait by a Retry-After header, in seconds or as a date; 0 for what is neither."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return (aware - now).total_seconds()
