"""The rate limit of an endpoint: how many requests may go now, and what those that go use up of it. Pure."""

from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)
UNLIMITED = 1_000_000


def allowed(per_minute: int | None, used_until: datetime | None, moment: datetime) -> tuple[int, datetime | None]:
    """
    How many requests the limit allows now, and when the next one after them.

    `used_until` is when the requests made so far would have been made at an even pace.
    """
    if per_minute is None:
        return UNLIMITED, None
    interval, burst = _even(per_minute)
    ahead = _ahead(used_until, moment)
    return max(0, int((burst * interval - ahead) / interval)), moment + max(ahead - (burst - 1) * interval, interval)


def used(per_minute: int, used_until: datetime | None, moment: datetime, count: int) -> datetime:
    """When so many more requests, made now, would have been made at an even pace."""
    interval, _ = _even(per_minute)
    return moment + _ahead(used_until, moment) + count * interval


def _even(per_minute: int) -> tuple[timedelta, int]:
    """
    The time between requests at an even pace, and how many may go at once: a second's worth.

    The pace is so much slower than the limit that no minute, wherever it begins, has more requests than allowed.
    """
    burst = max(1, per_minute // 60)
    return MINUTE / (per_minute - burst + 1), burst


def _ahead(used_until: datetime | None, moment: datetime) -> timedelta:
    return max(used_until - moment, timedelta()) if used_until is not None else timedelta()
