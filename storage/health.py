"""How an endpoint fares: what a series of outcomes makes of its failures in a row and of its breaker. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

GIVEN_UP_AFTER = timedelta(hours=120)
"""Failing for so long, without any success, disables an endpoint."""

SILENT_IN_A_ROW = 5
"""Failures in a row, the last one without any answer, that open the breaker."""

FIRST_REST = timedelta(seconds=1)
LONGEST_REST = timedelta(seconds=60)

GONE = "The receiver answered 410 Gone."
FAILING = "Deliveries have failed for 5 days, and none has succeeded."


class Sign(StrEnum):
    """What an attempt says of its endpoint."""

    DELIVERED = "DELIVERED"
    REFUSED = "REFUSED"
    """It answers, but not well."""
    SILENT = "SILENT"
    """There was no answer."""
    GONE = "GONE"
    NONE = "NONE"
    """The fault was ours."""


class Seen(NamedTuple):
    """One attempt from the endpoint's point of view, when it ended, and how long it asked to be left alone."""

    sign: Sign
    at: datetime
    asked: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Health:
    """
    How an endpoint stands.

    Nothing is sent before `closed_until`, and then one delivery to try it; `verdict` says why to disable it, if so.
    """

    failures: int = 0
    since: datetime | None = None
    closed_until: datetime | None = None
    verdict: str | None = None


def after(health: Health, seen: Iterable[Seen]) -> Health:
    """The health after some attempts, in the order in which they ended."""
    for attempt in seen:
        health = _after(health, attempt)
    return health


def _after(health: Health, seen: Seen) -> Health:
    match seen.sign:
        case Sign.NONE:
            return health
        case Sign.DELIVERED:
            return Health(verdict=health.verdict)
    failures, since = health.failures + 1, health.since or seen.at
    verdict = health.verdict
    if seen.sign is Sign.GONE:
        verdict = GONE
    elif seen.at - since >= GIVEN_UP_AFTER:
        verdict = verdict or FAILING
    rest = _rest(failures) if seen.sign is Sign.SILENT else min(seen.asked, LONGEST_REST)
    return replace(
        health, failures=failures, since=since, closed_until=seen.at + rest if rest else None, verdict=verdict
    )


def _rest(failures: int) -> timedelta:
    """How long a silent endpoint is left alone: not at all at first, then twice as long after each failure."""
    if failures < SILENT_IN_A_ROW:
        return timedelta()
    doublings: int = min(failures - SILENT_IN_A_ROW, 10)
    return min(FIRST_REST * (1 << doublings), LONGEST_REST)
