"""Asks the database which jobs are due, and rings arq for them."""

import asyncio

import structlog
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from dispatcher import queue
from storage import jobs
from storage.database import Database, Unavailable
from storage.notify import Bell, wait

log = structlog.get_logger(__name__)

LOOK_EVERY_SECONDS = 1.0
HANDED_AT_MOST = 64

LONG_SECONDS = 4.0
"""
Without a look at the leases: the database was away, or the machine slept, and nobody could prolong any. Whoever still
works gets the time of a lease to do so. A want that passes sooner lets no lease end.
"""


class Relay:
    """From rows to rings; whatever is lost on the way is due again soon."""

    def __init__(self, database: Database, redis_url: str, max_lost: int) -> None:
        self.database = database
        self.redis_url = redis_url
        self.max_lost = max_lost
        self.looked = self.patient_until = 0.0
        """Of the loop's clock: when the leases were looked at last, and until when none of them is taken for lost."""

    async def run(self) -> None:
        """Until cancelled; a want of Redis or of the database only delays jobs."""
        self.looked = asyncio.get_running_loop().time()
        while True:
            try:
                async with queue.connected(self.redis_url) as redis:
                    await self._relay(redis)
            except (RedisError, OSError, Unavailable) as error:
                log.warning("jobs wait", error=str(error))
                await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _relay(self, redis: ArqRedis) -> None:
        with self.database.bells.listening(Bell.JOBS) as rung:
            while True:
                rung.clear()
                moment = asyncio.get_running_loop().time()
                if moment - self.looked > LONG_SECONDS:
                    self.patient_until = moment + jobs.LEASE.total_seconds()
                async with self.database.transaction() as session:
                    if moment >= self.patient_until:
                        await jobs.reclaim(session, self.max_lost)
                    await jobs.expire(session)
                    handed = await jobs.due(session, HANDED_AT_MOST)
                self.looked = moment
                for handing in handed:
                    await queue.put(redis, handing)
                if handed:
                    self.database.bells.ring({Bell.QUEUE})
                await wait(rung, LOOK_EVERY_SECONDS)
