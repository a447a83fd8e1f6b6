"""Beyond one machine: PostgreSQL, an outside Valkey and S3 by three URLs, and the same processes."""

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import BUCKET
from tests.postgres import Postgres
from tests.processes import LECTERN, environment, free_port, process
from tests.test_expansions import CREATE, STATUS, asked
from tests.world import SECRET, eventually


@pytest.fixture
def settings(postgres: Postgres, valkey_url: str, s3: dict[str, str]) -> Any:
    """What an operator would set."""
    with postgres.database("postgres") as url:
        yield {
            "LECTERN_DATABASE_URL": url,
            "LECTERN_REDIS_URL": valkey_url,
            "LECTERN_BLOB_URL": f"s3://{BUCKET}/beyond",
            "LECTERN_SECRET_KEY": SECRET,
            **s3,
        }


def command(folder: Path, settings: dict[str, str], *words: str) -> str:
    """What a command prints."""
    done = subprocess.run([*LECTERN, *words], cwd=folder, env=environment(**settings), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def test_the_same_processes_run_on_postgresql_an_outside_valkey_and_s3(
    settings: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    graph = f"http://127.0.0.1:{port}/graphql"
    command(tmp_path, settings, "migrate")
    command(tmp_path, settings, "workspace", "create", "school")
    words = ("key", "create", "--kind", "content", "--environment", "production", "--name", "lms")
    headers = {"Authorization": f"Bearer {command(tmp_path, settings, *words)}"}

    with ExitStack() as running:
        running.enter_context(process([*LECTERN, "web", "--port", str(port)], tmp_path, **settings))
        for _ in range(2):
            running.enter_context(process([*LECTERN, "work"], tmp_path, **settings))
        async with httpx.AsyncClient(timeout=10, headers=headers) as client:

            async def ready() -> Any:
                try:
                    answer = await client.get(f"http://127.0.0.1:{port}/readyz")
                except httpx.TransportError:
                    return None
                return answer.json() if answer.status_code == 200 else None

            said = await eventually(ready, within=60)
            assert said == {"status": "ok", "database": "ok", "redis": "ok", "blob": "ok", "migrations": "ok"}

            made = await client.post(graph, json={"query": CREATE, "variables": {"input": asked()}})
            job = made.json()["data"]["createExpansion"]["job"]

            async def completed() -> bool:
                answer = await client.post(graph, json={"query": STATUS, "variables": {"id": job["id"]}})
                return bool(answer.json()["data"]["expansion"]["status"] == "completed")

            await eventually(completed)
    assert not (tmp_path / "var").exists(), "nothing is kept on the machine"
    lines = [json.loads(line) for line in (tmp_path / "output.txt").read_text().splitlines() if line.startswith("{")]
    assert {line["level"] for line in lines} <= {"info"}
