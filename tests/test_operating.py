"""What an operator sees and may rely on: logs, figures, readiness, limits, an end without losses. Issue 8, line 7."""

import asyncio
import json
import re
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gateway import console, valkey
from gateway.app import create_app
from gateway.settings import Settings
from gateway.supervisor import Supervisor
from storage.settings import SettingsInvalid
from tests.processes import Installation, installation
from tests.test_crashes import CREATE, start, until
from tests.test_live import FOLLOW, say
from tests.world import GLOSSARY, SECRET, World, eventually, world

on_one_installation = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """One installation for all tests here."""
    async with installation(tmp_path_factory.mktemp("operating"), LECTERN_METRICS="1") as made:
        yield made


def lines(lectern: Installation, event: str) -> list[dict[str, Any]]:
    """What the log says of such events."""
    told = (json.loads(line) for line in lectern.output().splitlines() if line.startswith("{"))
    return [entry for entry in told if entry["event"] == event]


async def line_of(lectern: Installation, response: httpx.Response) -> dict[str, Any]:
    """The one line about a request; it is written after the response."""

    async def written() -> list[dict[str, Any]]:
        return [it for it in lines(lectern, "request") if it["request_id"] == response.headers["x-request-id"]]

    (line,) = await eventually(written)
    return dict(line)


@asynccontextmanager
async def joined(lectern: Installation) -> AsyncIterator[ClientConnection]:
    """A socket with the content key, after its connection_ack."""
    address = lectern.url.replace("http", "ws", 1)
    async with connect(address, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        credential = {"Authorization": f"Bearer {lectern.keys['CONTENT']}"}
        await say(socket, {"type": "connection_init", "payload": credential})
        await socket.recv()
        yield socket


async def sent(lectern: Installation, **body: Any) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        headers = {"Authorization": f"Bearer {lectern.keys['CONTENT']}"}
        return await client.post(lectern.url, json=body, headers=headers)


@on_one_installation
async def test_a_request_is_one_line_without_anything_secret(running: Installation) -> None:
    query = "query Mine($id: ID!) { job(id: $id) { id } jobs(first: 3) { nodes { id } } }"
    response = await sent(running, query=query, variables={"id": "job_very-private"})
    line = await line_of(running, response)
    assert line.pop("ms") > 0
    assert line.pop("principal").startswith("key_")
    del line["timestamp"]
    assert line == {
        "event": "request",
        "level": "info",
        "request_id": response.headers["x-request-id"],
        "method": "POST",
        "route": "/graphql",
        "status": 200,
        "type": "query",
        "operation": "Mine",
        "cost": 5,
        "actual": response.json()["extensions"]["cost"]["actual"],
        "errors": 0,
    }
    assert "very-private" not in running.output()
    assert running.output().count(running.keys["CONTENT"]) == 1, "where `lectern up` hands it out"


@on_one_installation
async def test_what_a_library_has_to_say_is_a_line_of_the_same_form(running: Installation) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(b"This is no HTTP.\r\n\r\n")
    writer.close()

    async def written() -> list[dict[str, Any]]:
        return lines(running, "Invalid HTTP request received.")

    (line,) = await eventually(written)
    assert line.keys() == {"event", "level", "timestamp"}
    assert line["level"] == "warning"


@on_one_installation
async def test_a_refused_request_is_a_line_with_its_code(running: Installation) -> None:
    response = await sent(running, query="{ nope }")
    line = await line_of(running, response)
    assert (line["status"], line["code"]) == (400, "GRAPHQL_VALIDATION_FAILED")


@on_one_installation
async def test_an_operation_on_a_socket_is_a_line_of_its_own(running: Installation) -> None:
    id = await start(running, GLOSSARY)
    async with joined(running) as socket:
        query = FOLLOW.replace("subscription", "subscription Following", 1)
        await say(socket, {"id": "1", "type": "subscribe", "payload": {"query": query, "variables": {"id": id}}})
        await say(socket, {"id": "2", "type": "subscribe", "payload": {"query": "{ nope }"}})
        while json.loads(await socket.recv()) != {"id": "1", "type": "complete"}:
            pass
    told = {it.get("operation"): it for it in await eventually(lambda: both(running))}
    assert told["Following"].items() >= {"type": "subscription", "level": "info"}.items()
    assert told[None]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert told["Following"]["principal"] == told[None]["principal"]


async def both(lectern: Installation) -> list[dict[str, Any]]:
    told = lines(lectern, "operation")
    return told if len(told) == 2 else []


@on_one_installation
async def test_an_unknown_path_is_told_without_the_path(running: Installation) -> None:
    async with httpx.AsyncClient(base_url=running.url.removesuffix("/graphql")) as client:
        await client.get("/share/module/a-secret-code?token=hunter2")
        await client.get("/no/such/thing")
        await client.get("/healthz")

    async def written() -> bool:
        routes = {it["route"] for it in lines(running, "request")}
        return {"/share/{type}/{code}", "none"} <= routes

    await eventually(written)
    routes = {it["route"] for it in lines(running, "request")}
    assert "/healthz" not in routes
    assert not re.search("a-secret-code|hunter2|such/thing", running.output())


@on_one_installation
async def test_prometheus_can_read_the_figures(running: Installation) -> None:
    await sent(running, query="{ jobs { nodes { id } } }")
    figures = await read_figures(running)
    assert figures['lectern_requests_total{route="/graphql",method="POST",status="200"}'] >= 1
    assert figures['lectern_operations_total{type="query",code="OK"}'] >= 1
    assert figures['lectern_request_seconds_bucket{route="/graphql",le="+Inf"}'] >= 1
    assert figures["lectern_subscriptions"] == 0
    refused = 'lectern_operations_total{type="unknown",code="GRAPHQL_VALIDATION_FAILED"}'
    before = figures.get(refused, 0)
    asked = figures['lectern_request_seconds_count{route="/graphql"}']
    async with joined(running) as socket:
        await say(socket, {"id": "1", "type": "subscribe", "payload": {"query": "{ nope }"}})
        await socket.recv()
    await sent(running, query="{ nope }")

    async def counted() -> bool:
        now = await read_figures(running)
        streams = now.get('lectern_stream_seconds_count{route="/graphql"}', 0)
        requests = now['lectern_request_seconds_count{route="/graphql"}'] - asked
        return (now[refused] - before, requests, streams >= 1) == (2, 1, True)

    await eventually(counted)


async def test_prometheus_sees_what_the_background_process_has_to_do(settings: dict[str, Any]) -> None:
    async with world(settings, metrics=True) as lectern:
        await lectern.graph(ENDPOINT)
        made = (await lectern.graph(CREATE, payload=GLOSSARY))["createExpansion"]["job"]["id"]
        waiting = await figures_of(lectern.client)
        assert waiting['lectern_jobs{kind="EXPANSION",state="QUEUED"}'] == 1
        assert waiting['lectern_deliveries{state="due"}'] == 1
        await lectern.graph("mutation ($id: ID!) { cancelJob(input: {jobId: $id}) { errors { code } } }", id=made)
        assert 'lectern_jobs{kind="EXPANSION",state="QUEUED"}' not in await figures_of(lectern.client)


ENDPOINT = """mutation {
  createWebhookEndpoint(input: { url: "http://127.0.0.1:9/", events: [RESOURCE_CREATED] }) { errors { message } }
  createModule(input: { title: "One" }) { errors { message } }
}"""


async def read_figures(lectern: Installation) -> dict[str, float]:
    """Every sample by its name and labels."""
    async with httpx.AsyncClient(base_url=lectern.url.removesuffix("/graphql")) as client:
        return await figures_of(client)


async def figures_of(client: httpx.AsyncClient) -> dict[str, float]:
    """The same of any client."""
    response = await client.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = [line.rpartition(" ") for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in samples}


@on_one_installation
@pytest.mark.parametrize("header", [b"X-Long: " + b"x" * 200_000, b"X-Many: y\r\n" * 20_000])
async def test_headers_without_end_are_refused(running: Installation, header: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    with suppress(ConnectionError):
        for start_ in range(0, len(header), 10_000):
            writer.write(
                (b"" if start_ else b"GET /healthz HTTP/1.1\r\nHost: x\r\n") + header[start_ : start_ + 10_000]
            )
            await writer.drain()
    with suppress(ConnectionError):
        assert (await reader.read(12)) in (b"HTTP/1.1 431", b"")
    writer.close()
    async with httpx.AsyncClient() as client:
        assert (await client.get(running.url.replace("graphql", "healthz"))).status_code == 200


@on_one_installation
async def test_a_stopping_process_finishes_requests_and_moves_subscribers(running: Installation) -> None:
    id = await start(running, GLOSSARY)
    await until(running, id, "COMPLETED")
    page = await running.graph("{ events(first: 100) { nodes { cursor } } }")
    follow = "subscription ($after: String) { events(after: $after) { subjectId } }"
    variables = {"after": page["events"]["nodes"][-1]["cursor"]}
    locked = sqlite3.connect(running.folder / "var" / "lectern.db", isolation_level=None)
    async with joined(running) as socket:
        await say(socket, {"id": "1", "type": "subscribe", "payload": {"query": follow, "variables": variables}})
        locked.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(sent(running, query=CREATE, variables={"payload": GLOSSARY}))

        async def waits() -> bool:
            return (await read_figures(running))["lectern_requests_in_progress"] >= 3

        await eventually(waits)
        running.kill("gateway.server", signal.SIGTERM)
        with suppress(ConnectionClosed):
            async for _ in socket:
                pass
        assert (socket.close_code, socket.close_reason) == (1001, "Going away")
    locked.execute("COMMIT")
    locked.close()
    response = await writing
    assert response.status_code == 200
    made = response.json()["data"]["createExpansion"]["job"]["id"]
    await eventually(lambda: back(running), within=30)
    await until(running, made, "COMPLETED")
    async with joined(running) as socket:
        await say(socket, {"id": "1", "type": "subscribe", "payload": {"query": follow, "variables": variables}})
        first = json.loads(await socket.recv())
    assert first["payload"]["data"]["events"]["subjectId"] == made, "nothing was missed in between"


async def back(lectern: Installation) -> bool:
    with suppress(httpx.TransportError):
        async with httpx.AsyncClient() as client:
            return (await client.get(lectern.url.replace("graphql", "readyz"))).status_code == 200
    return False


async def test_a_process_is_ready_as_long_as_everything_it_needs_answers(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    with Supervisor(tmp_path / "valkey", grace=5) as supervisor:
        own = settings | {"redis_url": valkey.start(supervisor, tmp_path / "valkey")}
        async with world(own) as lectern:
            ready = await lectern.client.get("/readyz")
            assert (ready.status_code, ready.json()) == (200, dict.fromkeys(EVERYTHING, "ok"))
            supervisor.__exit__(None, None, None)
            await refuses(lectern, "redis")
            assert (await lectern.client.get("/healthz")).json() == {"status": "ok"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_process_that_stops_is_not_ready(lectern: World) -> None:
    await lectern.client._transport.app.graphql.shutdown()  # type: ignore[attr-defined]
    answer = await lectern.client.get("/readyz")
    assert (answer.status_code, answer.json()["status"], answer.json()["database"]) == (503, "stopping", "ok")


EVERYTHING = ("status", "database", "redis", "blob", "migrations")


async def refuses(lectern: World, *missing: str) -> None:
    """Not ready, for these reasons and no others."""
    answer = await lectern.client.get("/readyz")
    assert answer.status_code == 503
    told = dict.fromkeys(EVERYTHING, "ok") | dict.fromkeys(("status", *missing), "unavailable")
    assert answer.json() == told


async def test_a_database_that_is_not_migrated_is_not_ready(settings: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "new.db").touch()
    fresh = {"secret_key": SECRET, "database_url": f"sqlite+aiosqlite:///{tmp_path}/new.db"}
    app = create_app(Settings(**settings | fresh))
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client,
    ):
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["migrations"], answer.json()["database"]) == (503, "unavailable", "ok")


async def test_an_installation_may_trust_a_list_of_documents(settings: dict[str, Any], tmp_path: Path) -> None:
    text = "{ jobs { totalCount } }"
    (tmp_path / "trusted.json").write_text(json.dumps({sha256(text.encode()).hexdigest(): text}))
    async with world(settings, trusted_documents=tmp_path / "trusted.json") as lectern:
        assert (await lectern.graph(text))["jobs"] == {"totalCount": 0}
        refused = await lectern.post("{ jobs { totalCount } } ")
        (viewer,) = (it for it in console.documents() if it.startswith("query Viewer"))
        assert (await lectern.graph(viewer))["viewer"], "the console goes on working"
        browser = {"accept": "text/html"}
        assert (await lectern.client.get("/graphql", headers=browser)).status_code == 404, "an explorer could not ask"
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (403, "DOCUMENT_NOT_TRUSTED")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("documents", "reason"),
    [
        (None, "cannot be read"),
        ({"x": "{ jobs { totalCount } }"}, "x is not the SHA-256 of its document"),
        ({sha256(b"{ nope }").hexdigest(): "{ nope }"}, "Cannot query field 'nope'"),
    ],
)
def test_a_list_of_documents_that_could_not_run_stops_the_start(
    settings: dict[str, Any], tmp_path: Path, documents: dict[str, str] | None, reason: str
) -> None:
    file = tmp_path / "trusted.json"
    if documents is not None:
        file.write_text(json.dumps(documents))
    with pytest.raises(SettingsInvalid, match=f"LECTERN_TRUSTED_DOCUMENTS: .*{reason}"):
        create_app(Settings(**settings | {"secret_key": SECRET, "trusted_documents": file}))


@pytest.mark.parametrize("path", ["/graphql", "/healthz", "/nothing", "/schema.graphql", "/static/page.css"])
async def test_every_response_has_the_headers_that_keep_browsers_careful(lectern: World, path: str) -> None:
    headers = (await lectern.client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-request-id"]
    assert "cache-control" in headers
    assert not {"server", "access-control-allow-origin", "x-powered-by"} & headers.keys()


async def test_over_tls_browsers_are_told_to_stay_there(settings: dict[str, Any]) -> None:
    async with world(settings, public_url="https://lectern.example.org") as lectern:
        assert (await lectern.client.get("/healthz")).headers["strict-transport-security"] == "max-age=31536000"


async def test_figures_are_shown_only_where_they_are_wanted(lectern: World) -> None:
    assert (await lectern.client.get("/metrics")).status_code == 404
