"""The engine under everything: one writer, positions without gaps, ids in order, the same on both databases."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel, col

from storage import events, ids, ingestions, jobs, revisions, search, sqlite, workspaces
from storage.bodies import WebhookTestBody
from storage.database import RESTED_SECONDS, Database, Unavailable
from storage.intake import Intake
from storage.notify import Bells
from storage.tables import Endpoint, Environment, Event, EventType, Log, Realm, Workspace

BODY = WebhookTestBody(endpoint_id="x")


@pytest.fixture
async def database(database_url: str) -> Any:
    made = Database(database_url, Bells())
    yield made
    await made.dispose()


async def an_endpoint(database: Database) -> Endpoint:
    """A subject for events, in a realm of its own."""
    async with database.transaction() as session:
        tenant = await workspaces.create(session, "ours")
        endpoint = Endpoint(
            id=ids.new(ids.Prefix.ENDPOINT),
            workspace_id=tenant.id,
            environment=Environment.TEST,
            url="https://example.org",
            events=[],
            secret="",
            secret_hint="",
        )
        session.add(endpoint)
    return endpoint


async def test_the_migrations_make_the_tables_that_the_code_has(database: Database) -> None:
    async with database.writer.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(
                MigrationContext.configure(sync, opts={"compare_type": False}), SQLModel.metadata
            )
        )
    named = [difference for difference in differences if "fts" not in str(difference)]
    assert named == []


async def test_fifty_changes_at_once_are_all_counted(database: Database) -> None:
    endpoint = await an_endpoint(database)

    async def happen() -> None:
        async with database.transaction() as session:
            await events.emit(session, endpoint, EventType.WEBHOOK_TEST, BODY)

    await asyncio.gather(*(happen() for _ in range(50)))
    async with database.snapshot() as session:
        rows = (await session.scalars(select(Event).order_by(col(Event.position)))).all()
        log = await session.get_one(Log, endpoint.realm)
    assert [row.position for row in rows] == list(range(1, 51))
    assert sorted(row.sequence for row in rows) == list(range(1, 51))
    assert log.position == 50


async def test_a_reader_never_sees_a_position_before_a_smaller_one(database: Database) -> None:
    """Else whoever asks for what comes after 41 could see 43 first and lose 42 for ever."""
    endpoint = await an_endpoint(database)
    seen: list[int] = []
    done = asyncio.Event()

    async def happen() -> None:
        async with database.transaction() as session:
            await events.emit(session, endpoint, EventType.WEBHOOK_TEST, BODY)
            await asyncio.sleep(0)
            await events.emit(session, endpoint, EventType.WEBHOOK_TEST, BODY)

    async def follow() -> None:
        while not done.is_set() or len(seen) < 80:
            async with database.snapshot() as session:
                seen.extend(row.position for row in await events.after(session, endpoint.realm, len(seen)))

    follower = asyncio.create_task(follow())
    await asyncio.gather(*(happen() for _ in range(40)))
    done.set()
    await follower
    assert seen == list(range(1, 81))


async def test_what_fails_leaves_nothing_behind(database: Database) -> None:
    endpoint = await an_endpoint(database)

    async def fail() -> None:
        async with database.transaction() as session:
            await events.emit(session, endpoint, EventType.WEBHOOK_TEST, BODY)
            session.add(Workspace(id=ids.new(ids.Prefix.WORKSPACE), name="other"))
            await session.flush()
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with database.snapshot() as session:
        assert (await session.scalars(select(Event))).all() == []
        assert await workspaces.find(session, "other") is None


async def test_a_snapshot_cannot_write_on_sqlite(database: Database) -> None:
    if "sqlite" not in database.url:
        pytest.skip("PostgreSQL's snapshots are ordinary transactions that are never committed")
    async with database.snapshot() as session:
        with pytest.raises(DBAPIError, match="readonly"):
            await session.execute(text("delete from workspace"))


async def test_instants_come_back_in_utc_to_the_millisecond(database: Database) -> None:
    at = datetime(2026, 7, 2, 11, 30, 0, 123000, tzinfo=UTC).astimezone()
    async with database.transaction() as session:
        tenant = await workspaces.create(session, "ours")
        tenant.updated_at = at
    async with database.snapshot() as session:
        found = await session.get_one(Workspace, tenant.id)
    assert found.updated_at == at
    assert found.updated_at.utcoffset() == timedelta(0)


async def test_the_log_of_an_environment_is_its_own(database: Database) -> None:
    endpoint = await an_endpoint(database)
    async with database.transaction() as session:
        await events.emit(session, endpoint, EventType.WEBHOOK_TEST, BODY)
    other = Realm(endpoint.workspace_id, Environment.PRODUCTION)
    async with database.snapshot() as session:
        assert len(await events.after(session, endpoint.realm, 0)) == 1
        assert await events.after(session, other, 0) == []
        assert await events.position(session, other) == 0


async def test_a_change_that_fails_leaves_nothing_on_a_connection_that_has_just_read(database: Database) -> None:
    for _ in range(3):
        async with database.snapshot() as session:
            assert (await session.scalars(select(Workspace))).all() == []
        with contextlib.suppress(LookupError):
            async with database.transaction() as session:
                await workspaces.create(session, "ours")
                raise LookupError


async def test_connections_that_the_server_ended_are_replaced(database: Database, database_url: str) -> None:
    if not database_url.startswith("postgresql"):
        pytest.skip("SQLite has no server")
    server = Database(database_url, Bells())
    for rested in (False, True):
        ended = {*await asyncio.gather(*(_connection(database) for _ in range(5)))}
        async with server.transaction() as session:
            await session.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": 1.1 * RESTED_SECONDS * rested})
            for pid in ended:
                await session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        if not rested:
            with pytest.raises(Unavailable):
                await _connection(database)
        assert await _connection(database) not in ended
    await server.dispose()


async def _connection(database: Database) -> int:
    """Which of the server's processes answers."""
    async with database.snapshot() as session:
        pid: int = await session.scalar(text("SELECT pg_backend_pid() FROM pg_sleep(0.05)"))
    return pid


def test_the_newest_migration_is_known_by_its_name() -> None:
    config = Config()
    config.set_main_option("script_location", str(revisions.MIGRATIONS.parent))
    assert ScriptDirectory.from_config(config).get_heads() == [revisions.NEWEST]


async def test_rows_that_were_there_before_get_the_blocks_of_the_search_index(database: Database) -> None:
    row = {"item_id": "content_1", "facets": "Rours", "title": "sums", "about": "sums", "everything": "sums"}
    blocks = text("SELECT count(*) FROM content_fts WHERE words @@ 'S0 & L0'::tsquery")
    async with database.transaction() as session:
        await search.add(session, [row])
        if session.on_sqlite:
            pytest.skip("SQLite needs none")
        assert await session.scalar(blocks) == 1
    for move, revision, found in ((command.downgrade, "0002", 0), (command.upgrade, "head", 1)):
        async with database.writer.begin() as connection:
            await connection.run_sync(_migrate, move, revision)
        async with database.snapshot() as session:
            assert await session.scalar(blocks) == found


def _migrate(connection: Connection, move: Callable[[Config, str], None], revision: str) -> None:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(revisions.MIGRATIONS.parent))
    move(config, revision)


async def test_a_connection_that_is_made_when_nobody_waits_any_more_is_closed() -> None:
    asked, answer = threading.Event(), threading.Event()
    made: list[sqlite3.Connection] = []

    def connector() -> sqlite3.Connection:
        asked.set()
        answer.wait(20)
        made.append(sqlite3.connect(":memory:", check_same_thread=False))
        return made[0]

    connection = sqlite.Connection(connector)
    connecting = asyncio.ensure_future(connection)
    await asyncio.to_thread(asked.wait, 20)
    connecting.cancel()
    await asyncio.wait([connecting])
    answer.set()
    await asyncio.to_thread(connection._thread.join, 20)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        made[0].execute("SELECT 1")


async def test_whoever_is_cancelled_while_many_rows_are_written_keeps_no_lock(database: Database) -> None:
    """A driver may be in the middle of sending them."""
    async with database.transaction() as session:
        tenant = await workspaces.create(session, "ours")
        job = ingestions.awaiting(Realm(tenant.id, Environment.TEST), jobs.new_id(), 1, 1, None)
        await jobs.add(session, job)
    intake = Intake(job)
    files = [[f"{number}/{'x' * 900}", 1, 1, 0, 0, 0] for number in range(3_000)]

    async def write() -> None:
        async with database.transaction() as session:
            assert await jobs.locked(session, job.realm, job.id)
            await intake.list_files(session, files)

    turns = 0
    ended = False
    while not ended:
        turns += 20 + turns // 3
        writing = asyncio.create_task(write())
        for _ in range(turns):
            await asyncio.sleep(0)
        ended = writing.done()
        writing.cancel()
        done, _ = await asyncio.wait([writing], timeout=20)
        assert done, f"still waits when cancelled after {turns} turns of the loop"
        async with asyncio.timeout(20), database.transaction() as session:
            assert await jobs.locked(session, job.realm, job.id)
