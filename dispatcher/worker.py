"""The arq worker, the relay that feeds it, and the delivery loop: one process, any number of which may run."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import structlog
from arq.connections import ArqRedis
from arq.cron import CronJob, cron
from arq.worker import Worker, func
from redis.exceptions import RedisError

from dispatcher.jobs import run_job
from dispatcher.jobs.readers import Readers
from dispatcher.queue import FUNCTION, QUEUE, connected, deserialize, serialize
from dispatcher.relay import Relay
from dispatcher.settings import Settings
from dispatcher.webhooks.loop import DeliveryLoop
from dispatcher.webhooks.sender import Sender
from storage.blobs import Blobs
from storage.database import Database, Unavailable
from storage.notify import Bell, RedisBells, wait
from storage.retention import Days, Housekeeping
from storage.revisions import require
from storage.sealing import Sealer

log = structlog.get_logger(__name__)

RECONNECT_SECONDS = 0.3
TIDY_MINUTE = 17
TIDY_SECONDS = 3_000
GRACE_SECONDS = 5.0

LOOK_EVERY_SECONDS = 0.5
"""How often arq looks at its queue without being rung."""


class Jobs:
    """
    The jobs that run in this process.

    They outlive the arq worker that rang for them: an outage of Redis ends that worker, not the work.
    """

    def __init__(self, database: Database, settings: Settings, sealer: Sealer) -> None:
        self.database = database
        self.settings = settings
        self.sealer = sealer
        self.blobs = Blobs(settings.blob_url)
        self.readers = Readers(settings.idle_readers)
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, _context: dict[str, Any], id: str) -> None:
        """What arq calls."""
        work = run_job(self.database, self.settings, self.sealer, self.blobs, self.readers, id)
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        await asyncio.shield(task)

    async def tidy(self, _context: dict[str, Any]) -> None:
        """What arq calls every hour, in one of all processes; two at once would do no harm."""
        settings = self.settings
        days = Days(settings.delivery_days, settings.event_days, settings.job_days)
        try:
            removed = await Housekeeping(self.database, self.blobs, days).sweep()
        except (Unavailable, OSError) as error:
            log.warning("housekeeping waits for the next hour", error=str(error))
        else:
            log.info("housekeeping done", **removed)

    async def stop(self) -> None:
        """Let what is nearly done end, and give the rest back."""
        if self._running:
            await asyncio.wait(self._running, timeout=GRACE_SECONDS)
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)
        await self.readers.close()


async def listen_to_arq(running: Jobs, settings: Settings) -> None:
    """Run arq workers, one after another: an outage of Redis ends a worker, and the next one is made."""
    away = False
    while True:
        try:
            async with connected(settings.shared_redis_url) as redis:
                away = False
                with running.database.bells.listening(Bell.QUEUE) as rung:
                    await _run_worker(create_worker(running, settings, redis, rung))
        except (RedisError, OSError) as error:
            if not away:
                log.warning("the worker waits for Redis", error=str(error))
            away = True
            await asyncio.sleep(RECONNECT_SECONDS)


class RungWorker(Worker):
    """
    An arq worker that looks at its queue when it is rung, or has room again.

    arq itself looks all the time, at the jobs under way as well: often enough to begin at once took a thirtieth of a
    core while there was nothing to do, and more the more there was.
    """

    def __init__(self, rung: asyncio.Event, **options: Any) -> None:
        super().__init__(**options)
        self.rung = rung

    async def main(self) -> None:
        """Until cancelled, or until a job of arq's own fails."""
        while True:
            self.rung.clear()
            await self._poll_iteration()
            await wait(self.rung, LOOK_EVERY_SECONDS)

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        """As always; each that ends makes room for another."""
        under_way = {*self.tasks}
        await super().start_jobs(job_ids)
        for name in self.tasks.keys() - under_way:
            self.tasks[name].add_done_callback(lambda _: self.rung.set())


async def _run_worker(worker: Worker) -> None:
    try:
        await worker.main()
    finally:
        for task in worker.tasks.values():
            task.cancel()
        await asyncio.gather(*worker.tasks.values(), return_exceptions=True)


def create_worker(running: Jobs, settings: Settings, redis: ArqRedis, rung: asyncio.Event) -> Worker:
    """An arq worker that keeps nothing: attempts, results and leases are in our rows."""
    return RungWorker(
        rung,
        cron_jobs=[hourly(running.tidy)],
        functions=[func(running.run, name=FUNCTION, timeout=settings.job_timeout + 60)],  # type: ignore[arg-type]
        queue_name=QUEUE,
        redis_pool=redis,
        max_jobs=settings.job_slots,
        max_tries=1,
        keep_result=0,
        poll_delay=LOOK_EVERY_SECONDS,
        handle_signals=False,
        job_serializer=serialize,
        job_deserializer=deserialize,
        log_results=False,
    )


def hourly(tidy: Callable[[dict[str, Any]], Awaitable[None]]) -> CronJob:
    """Also at each start: machines that run for less than an hour a day are kept tidy, too."""
    return cron(tidy, name="tidy", minute=TIDY_MINUTE, run_at_startup=True, timeout=TIDY_SECONDS)  # type: ignore[arg-type]


async def work(settings: Settings) -> None:
    """Do jobs and deliver webhooks until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with background(settings) as loops:
        log.info("background process ready")
        waiting = asyncio.create_task(stopped.wait())
        await asyncio.wait([waiting, *loops], return_when=asyncio.FIRST_COMPLETED)
        if not stopped.is_set():
            raise RuntimeError("a loop of the background process ended")  # a new process is better than half of one


@contextlib.asynccontextmanager
async def background(settings: Settings) -> AsyncIterator[Sequence[asyncio.Task[None]]]:
    """Everything the background process does, as long as the block runs; nothing is left half done at its end."""
    bells = RedisBells(settings.shared_redis_url)
    database = Database(settings.database_url, bells)
    await require(database)
    sealer = Sealer(settings.secret_keys)
    running = Jobs(database, settings, sealer)
    relay = Relay(database, settings.shared_redis_url, settings.job_attempts)
    async with bells.connected(), Sender(allow_private=settings.webhook_allow_private) as sender:
        deliveries = DeliveryLoop(database, sender, sealer, settings.webhook_schedule)
        loops = [
            asyncio.create_task(loop) for loop in (relay.run(), listen_to_arq(running, settings), deliveries.run())
        ]
        running.readers.prepare()
        try:
            yield loops
        finally:
            for task in loops:
                task.cancel()
            ended = await asyncio.gather(*loops, return_exceptions=True)
            await running.stop()
            await deliveries.stop()
            await database.dispose()
    for fault in ended:
        if isinstance(fault, Exception):
            raise fault
