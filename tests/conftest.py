"""What tests stand on: a real Valkey, a real PostgreSQL, a migrated database for each test, and a loopback guard."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
import redis
import structlog
from moto.server import ThreadedMotoServer

from gateway import valkey
from gateway.supervisor import Supervisor
from storage.migrations import upgrade
from tests import loopback
from tests.postgres import Postgres, running
from tests.world import World, world

BUCKET = "lectern"

MEMORY = Path("/dev/shm")
ROOM = 4 << 30

loopback.install()

# A script's background ignores interrupts, and so would whatever is started here to be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A commit is judged by itself and not by its luck: `make test` tries the same cases each time, `make explore` new ones.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True)
hypothesis.settings.register_profile("new", deadline=None, derandomize=False)
hypothesis.settings.load_profile("same")

# A traceback with everybody's variables takes seconds to draw.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
    # A database of PostgreSQL is a thousand small files: in memory they are made twenty times as fast.
    tempfile.tempdir = os.environ["TMPDIR"] = str(MEMORY)


@pytest.fixture(autouse=True)
def _only_loopback() -> Iterator[None]:
    before = len(loopback.escapes)
    yield
    assert loopback.escapes[before:] == [], "a test tried to leave this machine"


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A short path: sockets live in it."""
    made = Path(tempfile.mkdtemp(prefix="lectern-"))
    made.chmod(0o755)  # as root, PostgreSQL runs as nobody
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def valkey_url(folder: Path) -> Iterator[str]:
    """The server that `lectern up` brings."""
    with Supervisor(folder / "valkey", grace=5) as supervisor:
        yield valkey.start(supervisor, folder / "valkey")


@pytest.fixture(scope="session")
def postgres(folder: Path) -> Iterator[Postgres]:
    """A server with a migrated template."""
    home = folder / "pg"
    home.mkdir()
    with running(home) as server:
        server.sql("create database template")
        asyncio.run(upgrade(server.url("template")))
        yield server


@pytest.fixture(scope="session")
def migrated_file(folder: Path) -> Path:
    """A migrated SQLite database to copy."""
    path = folder / "template.db"
    asyncio.run(upgrade(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def s3() -> Iterator[dict[str, str]]:
    """An S3 server with a bucket; what the environment says of it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    httpx.put(f"{address}/{BUCKET}").raise_for_status()
    yield {
        "AWS_ENDPOINT_URL": address,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh, migrated database of each kind."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "test.db")
        yield f"sqlite+aiosqlite:///{tmp_path / 'test.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        with server.migrated() as url:
            yield url


@pytest.fixture
def settings(database_url: str, valkey_url: str, tmp_path: Path) -> dict[str, Any]:
    """What the environment would say; Valkey is empty."""
    with redis.Redis.from_url(valkey_url) as server:
        server.flushall()
    return {
        "database_url": database_url,
        "redis_url": valkey_url,
        "blob_url": f"file://{tmp_path / 'blobs'}",
        "webhook_allow_private": True,
    }


@pytest.fixture
async def lectern(settings: dict[str, Any]) -> AsyncIterator[World]:
    """An installation without a background process; `async with lectern.background()` brings one."""
    async with world(settings) as made:
        yield made
