"""
Wake-up calls between processes: they name bells and carry nothing, whoever wakes reads the database.

A call may be lost (Redis away), so every listener also looks by itself now and then.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from enum import StrEnum

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

CHANNEL = "lectern:bells"
RECONNECT_SECONDS = 0.2


class Bell(StrEnum):
    """What there may be something new of."""

    JOBS = "jobs"
    QUEUE = "queue"
    CANCELS = "cancels"
    EVENTS = "events"
    DELIVERIES = "deliveries"
    ATTEMPTS = "attempts"
    CREDENTIALS = "credentials"


class Bells:
    """The bells of one process; without Redis they are heard in this process only."""

    def __init__(self) -> None:
        self._listeners: dict[Bell, set[asyncio.Event]] = {bell: set() for bell in Bell}

    @contextlib.contextmanager
    def listening(self, bell: Bell) -> Iterator[asyncio.Event]:
        """An event that is set at each ring. Clear it, read the database, wait."""
        heard = asyncio.Event()
        self._listeners[bell].add(heard)
        try:
            yield heard
        finally:
            self._listeners[bell].discard(heard)

    def ring(self, bells: Iterable[Bell]) -> None:
        """Wake whoever listens, here and elsewhere; never waits and never fails."""
        self._wake(bells)

    def _wake(self, bells: Iterable[Bell]) -> None:
        for bell in bells:
            for heard in self._listeners[bell]:
                heard.set()


class RedisBells(Bells):
    """Bells that are heard in every process on the same Redis."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._redis = Redis.from_url(url, socket_connect_timeout=2, socket_timeout=None)
        self._due: set[Bell] = set()
        self._rung = asyncio.Event()

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator["RedisBells"]:
        """Keep the connections up as long as the block runs."""
        tasks = [asyncio.create_task(self._publish()), asyncio.create_task(self._subscribe())]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._redis.aclose()

    def ring(self, bells: Iterable[Bell]) -> None:
        self._due.update(bells)
        self._rung.set()
        self._wake(bells)

    async def _publish(self) -> None:
        """Send what is due; calls that come while one is under way are sent together."""
        while True:
            await self._rung.wait()
            self._rung.clear()
            due, self._due = self._due, set()
            try:
                await self._redis.publish(CHANNEL, " ".join(due))
            except (RedisError, OSError):
                log.warning("a wake-up call was lost", bells=sorted(due))

    async def _subscribe(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as channels:
                    await channels.subscribe(CHANNEL)
                    self._wake(Bell)  # something may have been missed while we were away
                    async for message in channels.listen():
                        if message["type"] == "message":
                            named = message["data"].decode().split()
                            self._wake(bell for bell in Bell if bell in named)
            except (RedisError, OSError):
                await asyncio.sleep(RECONNECT_SECONDS)


async def wait(heard: asyncio.Event, seconds: float) -> None:
    """
    Until the bell rings, but no longer than the given time.

    Not by asyncio.wait_for: on Python 3.11 it forgets a cancellation that comes together with the ring.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await heard.wait()
