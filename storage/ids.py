"""Type-prefixed, time-ordered ids: a prefix, an underscore and a UUIDv7 in 26 lower-case base-32 characters."""

import re
import secrets
import threading
import time
from datetime import UTC, datetime
from enum import StrEnum

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: sorts as the bits do
PATTERN = re.compile(rf"([a-z]+)_[{ALPHABET}]{{26}}")


class Prefix(StrEnum):
    """What an id names."""

    WORKSPACE = "workspace"
    MODULE = "module"
    COURSE = "course"
    CHAPTER = "chapter"
    LESSON = "lesson"
    QUIZ = "quiz"  # internal: clients know a quiz by the id that its author chose
    VIDEO = "video"
    SCENE = "scene"
    SLIDE = "slide"
    TEST = "test"
    ITEM = "item"
    SUBMISSION = "submission"
    CLASSROOM = "classroom"
    USER = "user"
    GROUP = "group"
    FILE = "file"
    NOTIFICATION = "notification"
    JOB = "job"
    OUTPUT = "output"  # internal: an output is reached through its job
    ATTACHMENT = "attachment"  # internal: so is a file that it made
    CONTENT = "content"
    EVENT = "event"
    ENDPOINT = "endpoint"
    DELIVERY = "delivery"
    KEY = "key"
    CLIENT = "client"
    REPLAY = "replay"  # internal: what one replayWebhooks made
    REQUEST = "request"  # internal: what the log calls a request


_PAIRS = tuple(f"{one}{two}" for one in ALPHABET for two in ALPHABET)
_PREFIXES = {prefix.value: prefix for prefix in Prefix}


class _Clock:
    """Milliseconds and a 12-bit fraction of them, strictly growing within the process."""

    def __init__(self) -> None:
        self.last = 0
        self.lock = threading.Lock()

    def tick(self) -> int:
        with self.lock:
            self.last = max(self.last + 1, (time.time_ns() << 12) // 1_000_000)
            return self.last


_clock = _Clock()


def new(prefix: Prefix) -> str:
    """A fresh id; ids of one process sort in the order in which they were made."""
    instant = _clock.tick()
    return _written(prefix, instant >> 12 << 80 | 7 << 76 | (instant & 0xFFF) << 64 | 2 << 62 | secrets.randbits(62))


def first_at(prefix: Prefix, instant: datetime) -> str:
    """What no id is smaller than that was made at this time or later."""
    return _written(prefix, max(0, int(instant.timestamp() * 1000)) << 80)


def made_at(id: str) -> datetime:
    """When the id was made, to the millisecond."""
    number = 0
    for character in id.rpartition("_")[2][:10]:
        number = number << 5 | ALPHABET.index(character)
    return datetime.fromtimestamp((number >> 2) / 1000, UTC)


def _written(prefix: Prefix, uuid: int) -> str:
    bits = uuid << 2  # 26 characters hold 130 bits
    return f"{prefix}_{''.join(_PAIRS[bits >> shift & 1023] for shift in range(120, -1, -10))}"


def prefix_of(id: str) -> Prefix | None:
    """What the id names; None for what is no id of ours."""
    match = PATTERN.fullmatch(id)
    return _PREFIXES.get(match[1]) if match else None
