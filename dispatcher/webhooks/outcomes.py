"""What came of one request: the value that the sender returns, the schedule judges and the loop records."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Failure(StrEnum):
    """Why there was no answer, or none that counts, in one word."""

    TIMEOUT = "timeout"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    OFFLINE = "offline"
    """A want of this machine: no network, no free port or descriptor. Says nothing about the receiver."""
    DNS = "dns"
    TLS = "tls"
    BLOCKED = "blocked"
    """The URL or its address is one that may not be called; nothing was sent."""
    RESET = "reset"
    """The connection ended before there was an answer."""
    PROTOCOL = "protocol"
    """What came was not HTTP."""
    TOO_LARGE = "too_large"
    """The head of the answer has no end."""
    REDIRECT = "redirect"
    """There is a status, but a redirect is never followed."""


class Timings(NamedTuple):
    """Milliseconds of each step; None for a step that was not needed or not reached."""

    dns: float | None
    connect: float | None
    first_byte: float | None
    """From the start to the head of the answer."""
    total: float


class Outcome(NamedTuple):
    """One request and its answer. A status alone decides; the body is only for the log."""

    started_at: datetime
    timings: Timings
    status: int | None = None
    failure: Failure | None = None
    retry_after: str | None = None
    """The header as it came."""
    body: str = ""
    """The first 2048 bytes, bad bytes replaced."""

    @property
    def duration_ms(self) -> int:
        """Whole milliseconds."""
        return round(self.timings.total)
