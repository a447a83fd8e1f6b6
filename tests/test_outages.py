"""What happens while the database is away: real worker processes, a real PostgreSQL that shuts everybody out."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from storage.database import Unavailable
from storage.tables import Job, JobState
from tests.postgres import Postgres
from tests.processes import LECTERN, process
from tests.test_crashes import large
from tests.test_expansions import create, finished
from tests.world import World, eventually


@pytest.fixture(params=["postgresql"])
def database_url(request: pytest.FixtureRequest, postgres: Postgres) -> Any:
    with postgres.migrated() as url:
        yield url


async def _row(lectern: World, id: str) -> Job:
    async with lectern.database.snapshot() as session:
        return (await session.scalars(select(Job).where(Job.id == id))).one()  # type: ignore[arg-type]


@asynccontextmanager
async def held_up(lectern: World) -> AsyncIterator[None]:
    """Nobody can write a resource, so that a job is still in the midst of its work when the database goes away."""
    with suppress(Unavailable):
        async with lectern.database.transaction() as session:
            await session.execute(text("LOCK TABLE resource IN SHARE MODE"))
            yield


async def test_an_outage_of_the_database_ends_no_process_and_costs_a_job_nothing(
    lectern: World, settings: dict[str, Any], database_url: str, postgres: Postgres, tmp_path: Path
) -> None:
    await asyncio.to_thread(postgres.shut, database_url)
    with process([*LECTERN, "work"], tmp_path, **lectern.environment) as worker:
        output = tmp_path / "output.txt"

        async def waits() -> bool:
            return "jobs wait" in output.read_text()

        await eventually(waits)
        await asyncio.to_thread(postgres.reopen, database_url)

        async with held_up(lectern):
            job = await create(lectern, payload=large(lessons=40))

            async def works() -> bool:
                return (await _row(lectern, job["id"])).state == JobState.RUNNING

            await eventually(works)
            await asyncio.to_thread(postgres.shut, database_url)

        async def noticed() -> bool:
            return "given back" in output.read_text()

        await eventually(noticed)
        refused = await lectern.post("{ viewer { workspaceName } }")
        assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
        await asyncio.to_thread(postgres.reopen, database_url)

        assert (await finished(lectern, job["id"]))["status"] == "completed"
        assert worker.poll() is None
        row = await _row(lectern, job["id"])
        assert (row.lost_workers, row.attempt) == (0, 2)
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert {line["level"] for line in lines} <= {"info", "warning"}, "an outage is no fault of ours"
