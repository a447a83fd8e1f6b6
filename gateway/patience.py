"""What a request asks of Redis: it is answered soon, or the request goes on without."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from redis.asyncio import Redis

T = TypeVar("T")

SECONDS = 0.25
"""How long a request waits for Redis."""

_running: set[asyncio.Future[Any]] = set()


def connected(url: str) -> Redis:
    """A client that gives up after that time."""
    client: Redis = Redis.from_url(url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS)
    return client


async def aside(work: Awaitable[T]) -> T:
    """
    Wait for work that goes on in a task of its own when whoever waits is cancelled.

    With time-outs redis-py forgets one in twenty cancellations, and what should have ended would go on without anybody.
    """
    task = asyncio.ensure_future(work)
    _running.add(task)  # the loop alone would forget it
    task.add_done_callback(_running.discard)
    return await asyncio.shield(task)
