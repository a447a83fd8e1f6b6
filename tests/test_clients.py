"""
The clients people use, against a real installation. Issue 8, lines 1, 2 and 4.

The npm packages are those of tests/clients; `make test-clients` installs them. gql is ours to install, so it is always
here.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import gql
import pytest
import pytest_asyncio
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport

from tests.processes import Installation, installation
from tests.test_crashes import CREATE
from tests.test_live import FOLLOW
from tests.world import GLOSSARY

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCRIPTS = Path(__file__).parent / "clients"

with_node = pytest.mark.skipif(
    shutil.which("node") is None or not (SCRIPTS / "node_modules").is_dir(),
    reason="needs Node and the packages that `make test-clients` installs",
)

BEHIND_THE_DRAFT = "572B 7B9B 86EE FDE2"
"""SHOULD audits that ask for 200 or for 400 where the draft has 422."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """One installation for all tests here."""
    async with installation(tmp_path_factory.mktemp("clients")) as made:
        yield made


async def ran(script: str, *arguments: str) -> tuple[int, str, str]:
    """Exit status and output of a script."""
    process = await asyncio.create_subprocess_exec(
        "node", SCRIPTS / script, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(90):
        output, errors = await process.communicate()
    return process.returncode or 0, output.decode().strip(), errors.decode()


@with_node
@pytest.mark.parametrize("script", ["graphql-ws.js", "graphql-sse.js", "apollo.js", "urql.js"])
async def test_a_client_of_npm_can_do_everything_it_is_for(running: Installation, script: str) -> None:
    status, output, errors = await ran(script, running.url, running.keys["CONTENT"])
    assert status == 0, output + errors
    assert "not ok" not in output


@with_node
async def test_all_audits_of_graphql_over_http_pass(running: Installation) -> None:
    status, others, errors = await ran("audit.js", running.url)
    assert (status, others) == (0, ""), errors
    assert "61 of 61 audits" in errors


@with_node
async def test_the_audits_are_behind_the_draft_in_four_places(tmp_path: Path) -> None:
    async with installation(tmp_path, LECTERN_HTTP_PROFILE="draft") as drafted:
        status, others, errors = await ran("audit.js", drafted.url)
    assert (status, others) == (0, BEHIND_THE_DRAFT), errors


async def test_gql_asks_over_http_and_follows_over_the_socket(running: Installation) -> None:
    credential = {"Authorization": f"Bearer {running.keys['CONTENT']}"}
    http = HTTPXAsyncTransport(url=running.url, headers=credential)
    async with gql.Client(transport=http, fetch_schema_from_transport=True) as session:
        request = gql.gql(CREATE)
        request.variable_values = {"payload": GLOSSARY}
        made = await session.execute(request)
    socket = WebsocketsTransport(url=running.url.replace("http", "ws", 1), init_payload=credential)
    async with gql.Client(transport=socket) as session:
        request = gql.gql(FOLLOW)
        request.variable_values = {"id": made["createExpansion"]["job"]["id"], "after": 0}
        told = [answer["jobProgress"] async for answer in session.subscribe(request)]
    assert [event["sequence"] for event in told] == list(range(1, len(told) + 1))
    assert told[-1]["state"] == "COMPLETED"
