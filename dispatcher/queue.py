"""Ringing the workers: arq entries carry a job's id and nothing else."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.constants import job_key_prefix

from storage.jobs import Handing

QUEUE = "lectern:jobs"
FUNCTION = "run_job"

MOST_SKEW = timedelta(seconds=1)
"""The clock of a worker may be so far behind, and yet the worker finds what it has just been rung for."""


def redis_settings(url: str) -> RedisSettings:
    """How to reach Redis; an outage is noticed at once, whoever needs it builds a new connection."""
    settings = RedisSettings.from_dsn(url)
    settings.conn_retries = 0
    return settings


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[ArqRedis]:
    """A connection to put and take jobs with."""
    redis = await create_pool(
        redis_settings(url), job_serializer=serialize, job_deserializer=deserialize, default_queue_name=QUEUE
    )
    try:
        yield redis
    finally:
        await redis.aclose(close_connection_pool=True)


async def put(redis: ArqRedis, handing: Handing) -> None:
    """
    Ask for a job to be run; putting the same handing twice is harmless, and so is running a job twice.

    The handing before, if nobody has taken it, is withdrawn, and this one gets its place: while all workers are busy
    the queue does not grow, and nobody who comes later gets ahead.
    """
    async with redis.pipeline(transaction=True) as withdrawn:
        withdrawn.zscore(QUEUE, handing.before)
        withdrawn.zrem(QUEUE, handing.before)
        withdrawn.delete(job_key_prefix + handing.before)
        place, *_ = await withdrawn.execute()
    since = datetime.now(UTC) - MOST_SKEW if place is None else datetime.fromtimestamp(place / 1000, UTC)
    await redis.enqueue_job(
        FUNCTION, handing.job_id, _job_id=handing.name, _defer_until=since, _expires=timedelta(days=1)
    )


def serialize(data: dict[str, Any]) -> bytes:
    """JSON: whoever can write to Redis must not be able to run code here."""
    return orjson.dumps(data, default=repr)


def deserialize(data: bytes) -> dict[str, Any]:
    """The entry again."""
    loaded: dict[str, Any] = orjson.loads(data)
    return loaded
