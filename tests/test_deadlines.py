"""Time limits reach the database: what nobody waits for any more does not go on. R-IMP-9, GRAPHQL.md section 4."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from sqlalchemy import text

from gateway.app import create_app
from gateway.settings import Settings
from storage.database import Database, until
from storage.notify import Bells
from tests.processes import free_port
from tests.world import SECRET, World, eventually, world

ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(600)",
}
# Of a CROSS JOIN, SQLite reads the left side first whatever it thinks of it.
SLOW_JOBS = """
ALTER TABLE job RENAME TO quick_job;
CREATE VIEW job AS SELECT quick_job.* FROM (
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n
) CROSS JOIN quick_job
"""
RUNNING = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    made = Database(database_url, Bells())
    yield made
    await made.dispose()


async def idle(database: Database) -> bool:
    """Whether no statement runs: a SQLite connection that was given up has ended its thread."""
    if database.url.startswith("sqlite"):
        busy = [it for it in threading.enumerate() if "_connection_worker_thread" in it.name]
        return len(busy) <= 1
    async with database.snapshot() as session:
        return bool(await session.scalar(text(RUNNING)) == 0)


@pytest.mark.parametrize("block", ["snapshot", "transaction"])
async def test_a_statement_ends_with_its_deadline(database: Database, block: str) -> None:
    endless = ENDLESS[database.writer.dialect.name]
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        async with until(asyncio.get_running_loop().time() + 0.1), getattr(database, block)() as session:
            await session.execute(text(endless))
    await eventually(lambda: idle(database), within=3)
    async with getattr(database, block)() as session:
        assert await session.scalar(text("SELECT 1")) == 1
    assert time.monotonic() - started < 5


async def test_a_statement_in_a_task_of_its_own_ends_too(database: Database) -> None:
    async def read() -> None:
        async with database.snapshot() as session:
            await session.execute(text(ENDLESS[database.writer.dialect.name]))

    async with until(asyncio.get_running_loop().time() + 0.1):
        reading = asyncio.create_task(read())
    with pytest.raises(TimeoutError):
        await reading
    await eventually(lambda: idle(database), within=3)


@asynccontextmanager
async def slow_jobs(database: Database) -> AsyncIterator[None]:
    """Whoever reads jobs takes forever: behind a lock on PostgreSQL, by counting to infinity on SQLite."""
    if database.url.startswith("sqlite"):
        async with database.transaction() as session:
            for statement in SLOW_JOBS.split(";"):
                await session.execute(text(statement))
        yield
        return
    async with database.transaction() as session:
        await session.execute(text("LOCK TABLE job IN ACCESS EXCLUSIVE MODE"))
        yield


@pytest.mark.parametrize("query", ['{ job(id: "job_00000000000000000000000000") { id } }', "{ jobs { nodes { id } } }"])
async def test_an_operation_that_takes_too_long_leaves_nothing_running(settings: dict[str, Any], query: str) -> None:
    async with world(settings, query_seconds=0.2) as lectern, slow_jobs(lectern.database):
        response = await lectern.post(query)
        assert response.status_code == 503
        assert response.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        assert response.json()["errors"][0]["message"] == "This took more than 0.2 s and was given up."
        await nothing_waits(lectern)


async def nothing_waits(lectern: World) -> None:
    """Returns once PostgreSQL has nobody at the lock, and SQLite has given its processor back."""
    on_sqlite = lectern.database.url.startswith("sqlite")
    await eventually(processor_rests() if on_sqlite else lambda: nobody_is_locked_out(lectern.database.url), within=3)


def processor_rests() -> Callable[[], Awaitable[bool]]:
    """Tells whether this process has been idle most of the time since it was asked last."""
    last = (time.monotonic(), time.process_time())

    async def rests() -> bool:
        nonlocal last
        before, last = last, (time.monotonic(), time.process_time())
        return last[1] - before[1] < (last[0] - before[0]) / 2

    return rests


async def nobody_is_locked_out(url: str) -> bool:
    database = Database(url, Bells())
    async with database.snapshot() as session:
        waiting = await session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))
    await database.dispose()
    return bool(waiting == 0)


async def test_a_locked_database_is_read_and_not_waited_for(settings: dict[str, Any]) -> None:
    """Noting that a key was used is a write; the query does without."""
    async with world(settings, mutation_seconds=0.2) as lectern:
        async with everything_locked(lectern.database):
            started = time.monotonic()
            assert (await lectern.post("{ jobs { totalCount } }")).json()["data"] == {"jobs": {"totalCount": 0}}
            response = await lectern.post('mutation { createModule(input: {title: "m"}) { module { id } } }')
            assert (response.status_code, time.monotonic() - started < 5) == (503, True)
            assert response.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        assert (await lectern.graph("{ modules { totalCount } }"))["modules"] == {"totalCount": 0}


@asynccontextmanager
async def everything_locked(database: Database) -> AsyncIterator[None]:
    """Nobody else writes."""
    async with database.transaction() as session:
        locked = "SELECT 1" if session.on_sqlite else "LOCK TABLE api_key, resource, log IN SHARE MODE"
        await session.execute(text(locked))
        yield


async def test_a_database_that_cannot_be_reached_is_a_503(valkey_url: str, tmp_path: Path) -> None:
    nowhere = f"postgresql+asyncpg://nobody@127.0.0.1:{free_port()}/nothing"
    app = create_app(
        Settings(database_url=nowhere, redis_url=valkey_url, blob_url=f"file://{tmp_path}", secret_key=SECRET)
    )
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway.test")
    async with app.router.lifespan_context(app), client:
        headers = {"Authorization": "Bearer some-key"}
        with structlog.testing.capture_logs() as logs:
            response = await client.post("/graphql", json={"query": "{ jobs { totalCount } }"}, headers=headers)
    assert [it["event"] for it in logs] == ["the database is away", "request"]
    assert response.status_code == 503
    assert response.json()["errors"][0]["extensions"].items() >= {"code": "UNAVAILABLE"}.items()
    assert "127.0.0.1" not in response.text
