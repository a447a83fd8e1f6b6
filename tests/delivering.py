"""A process that delivers webhooks and nothing else, to be killed: it is forked from a server that has imported all."""

import asyncio
import gc
import multiprocessing
from multiprocessing.context import ForkServerProcess

from dispatcher.webhooks.loop import DeliveryLoop
from dispatcher.webhooks.schedule import SCHEDULE
from dispatcher.webhooks.sender import Sender
from storage.database import Database
from storage.notify import RedisBells
from storage.sealing import Sealer
from tests.world import SECRET

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.delivering"])


def start(database_url: str, redis_url: str) -> ForkServerProcess:
    """One such process."""
    process = context.Process(target=_run, args=(database_url, redis_url), daemon=True)
    process.start()
    return process


def _run(database_url: str, redis_url: str) -> None:
    gc.freeze()  # as `python -m dispatcher` does
    asyncio.run(_deliver(database_url, redis_url))


async def _deliver(database_url: str, redis_url: str) -> None:
    bells = RedisBells(redis_url)
    database = Database(database_url, bells)
    async with bells.connected(), Sender(allow_private=True) as sender:
        await DeliveryLoop(database, sender, Sealer([SECRET]), SCHEDULE).run()
