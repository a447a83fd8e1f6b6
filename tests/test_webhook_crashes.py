"""Every event arrives although whoever delivers is killed again and again. Issue 7, line 1; R-CARD-4, R-CARD-6."""

import asyncio
import random
import signal
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkServerProcess

import pytest
from sqlalchemy import make_url, update

from storage.database import Database
from storage.notify import RedisBells
from storage.tables import Attempt, Delivery
from storage.tables.columns import now
from storage.tables.webhooks import TIMED
from tests import delivering
from tests.hooks import Hooks, hooks
from tests.receivers import Received, Receiver

EVENTS_PER_LIFE = 40
ENDPOINTS = 3
DRAIN_SECONDS = 60
KILLS = {"sqlite": 50, "postgresql": 10}
"""Of each process that delivers one; PostgreSQL, where they take longer, sees fewer of the same."""


@pytest.fixture
async def made(database_url: str, valkey_url: str) -> AsyncIterator[Hooks]:
    """Events ring for a delivery loop in another process."""
    bells = RedisBells(valkey_url)
    async with bells.connected(), hooks(database_url) as hooked:
        hooked.database = Database(database_url, bells)
        yield hooked
        await hooked.database.dispose()


@pytest.mark.timeout(180)
async def test_fifty_kills_lose_nothing_and_repeat_only_what_was_not_recorded(
    made: Hooks, valkey_url: str, database_url: str
) -> None:
    """2,000 events flow meanwhile; a kill comes when a random part of them has arrived, and a random bit later."""
    rng = random.Random(2026)
    began: list[datetime] = []
    ids: list[str] = []
    async with Receiver() as receiver:
        endpoints = {f"/hook?{n}": await made.endpoint(f"{receiver.url}?{n}") for n in range(ENDPOINTS)}
        for _ in range(KILLS[make_url(database_url).get_backend_name()]):
            began.append(datetime.now(UTC))
            process = delivering.start(database_url, valkey_url)
            emitting = asyncio.create_task(made.emit(EVENTS_PER_LIFE))
            part = rng.randint(1, ENDPOINTS * EVENTS_PER_LIFE // 2)
            await receiver.wait(len(receiver.requests) + part, within=20)
            await asyncio.sleep(rng.uniform(0, 0.02))
            await _kill(process)
            ids += await emitting
            await _lapse(made)
        began.append(datetime.now(UTC))
        process = delivering.start(database_url, valkey_url)
        assert set(await made.settled(within=DRAIN_SECONDS)) == {"SUCCEEDED"}
        await _kill(process)
        requests = receiver.requests

    arrived: defaultdict[tuple[str, str], list[Received]] = defaultdict(list)
    for request in requests:
        arrived[endpoints[request.path].id, request.headers["webhook-id"]].append(request)
    assert len(arrived) == ENDPOINTS * len(ids)
    assert {event_id for _, event_id in arrived} == set(ids), "every event arrived, under its own id"
    deliveries = {row.id: row for row in await made.all(Delivery)}
    taken = [row for row in await made.all(Attempt) if row.response_status == 204]
    assert sorted(row.delivery_id for row in taken) == sorted(deliveries), "each was taken once, as far as is recorded"
    for attempt in taken:
        delivery = deliveries[attempt.delivery_id]
        came = arrived[delivery.endpoint_id, delivery.event_id]
        assert len({request.body for request in came}) == 1, "the same bytes each time"
        over = attempt.started_at + timedelta(milliseconds=attempt.duration_ms + 5)
        assert all(request.at <= over for request in came), "nothing is sent again after its 2xx"
        lives = [sum(start <= request.at for start in began) for request in came]
        assert len(set(lives)) == len(lives), "and only once by each process, so those before were killed"
    assert len(requests) > len(arrived), "some were repeated, or the kills have proved nothing"


async def _kill(process: ForkServerProcess) -> None:
    process.kill()
    await asyncio.to_thread(process.join)
    assert process.exitcode == -signal.SIGKILL


async def _lapse(made: Hooks) -> None:
    """A minute later: the leases of the dead are over."""
    async with made.database.transaction() as session:
        await session.execute(update(Delivery).where(TIMED).values(next_attempt_at=now()))
