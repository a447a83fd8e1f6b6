"""Following a job while it runs: web and worker are different processes here. R-CARD-3."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect

from tests.processes import Installation, installation
from tests.test_crashes import CREATE, large, start, until
from tests.world import GLOSSARY

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOLLOW = """subscription ($id: ID!, $after: Int) {
  jobProgress(jobId: $id, after: $after) {
    sequence state progress { percent } output { outputType resourceId } event { type cursor }
  }
}"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """One installation for all tests here."""
    async with installation(tmp_path_factory.mktemp("live")) as made:
        yield made


async def told_by_socket(lectern: Installation, query: str, **variables: Any) -> list[dict[str, Any]]:
    """What a subscription yields over graphql-transport-ws until the server completes it."""
    address = lectern.url.replace("http", "ws", 1)
    async with connect(address, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        credential = {"Authorization": f"Bearer {lectern.keys['CONTENT']}"}
        await say(socket, {"type": "connection_init", "payload": credential})
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        await say(socket, {"id": "1", "type": "subscribe", "payload": {"query": query, "variables": variables}})
        told: list[dict[str, Any]] = []
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "complete":
                return told
            assert message["type"] == "next", message
            told.append(message["payload"]["data"])
    raise AssertionError("the socket closed before the stream completed")


async def say(socket: ClientConnection, message: dict[str, Any]) -> None:
    await socket.send(json.dumps(message))


async def told_by_events(lectern: Installation, query: str, **variables: Any) -> list[dict[str, Any]]:
    """The same over server-sent events."""
    headers = {"Authorization": f"Bearer {lectern.keys['CONTENT']}", "Accept": "text/event-stream"}
    body = {"query": query, "variables": variables}
    told: list[dict[str, Any]] = []
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream("POST", lectern.url, json=body, headers=headers) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        kind = ""
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: ") and kind == "next":
                told.append(json.loads(line.removeprefix("data: "))["data"])
            if kind == "complete":
                return told
    raise AssertionError("the answer ended before the stream completed")


@pytest.mark.parametrize("follow", [told_by_socket, told_by_events])
async def test_a_follower_sees_growing_percent_then_the_last_state_then_the_end(
    running: Installation, follow: Any
) -> None:
    id = await start(running, large(20))
    told = [data["jobProgress"] for data in await follow(running, FOLLOW, id=id, after=0)]
    assert [event["sequence"] for event in told] == list(range(1, len(told) + 1))
    percents = [event["progress"]["percent"] for event in told]
    assert percents == sorted(percents)
    assert told[0]["state"] == "QUEUED"
    assert told[-1]["state"] == "COMPLETED"
    assert told[-1]["event"]["type"] == "CONTENT_COMPLETED"
    assert [event["output"]["outputType"] for event in told if event["output"]] == [
        "interactive_module",
        "summary_video",
        "expanded_quiz",
    ]


async def test_who_comes_back_gets_what_was_missed_and_nothing_twice(running: Installation) -> None:
    id = await start(running, GLOSSARY)
    found = await until(running, id, "COMPLETED")
    told = [data["jobProgress"] for data in await told_by_socket(running, FOLLOW, id=id, after=3)]
    assert [event["sequence"] for event in told] == list(range(4, found["sequence"] + 1))


async def test_without_a_position_the_newest_event_comes_first(running: Installation) -> None:
    id = await start(running, GLOSSARY)
    found = await until(running, id, "COMPLETED")
    told = [data["jobProgress"] for data in await told_by_socket(running, FOLLOW, id=id)]
    assert [event["sequence"] for event in told] == [found["sequence"]]


async def test_the_whole_log_can_be_followed_from_any_cursor(running: Installation) -> None:
    made = await running.graph(CREATE, payload=GLOSSARY)
    await until(running, made["createExpansion"]["job"]["id"], "COMPLETED")
    page = (await running.graph("{ events(first: 100) { nodes { cursor id type } } }"))["events"]["nodes"]
    address = running.url.replace("http", "ws", 1)
    query = "subscription ($after: String) { events(after: $after) { cursor id type } }"
    async with connect(address, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        credential = {"Authorization": f"Bearer {running.keys['CONTENT']}"}
        await say(socket, {"type": "connection_init", "payload": credential})
        await socket.recv()
        after = {"after": page[2]["cursor"]}
        await say(socket, {"id": "1", "type": "subscribe", "payload": {"query": query, "variables": after}})
        told = [json.loads(await socket.recv())["payload"]["data"]["events"] for _ in page[3:]]
    assert told == page[3:]


async def test_a_place_behind_the_end_is_told_rather_than_waited_for(running: Installation) -> None:
    id = await start(running, GLOSSARY)
    beyond = base64.urlsafe_b64encode(b"log:999999999").decode().rstrip("=")
    for query, variables in (
        (FOLLOW, {"id": id, "after": 99999}),
        ("subscription ($after: String) { events(after: $after) { id } }", {"after": beyond}),
    ):
        headers = {"Authorization": f"Bearer {running.keys['CONTENT']}", "Accept": "text/event-stream"}
        async with httpx.AsyncClient() as client:
            response = await client.post(running.url, json={"query": query, "variables": variables}, headers=headers)
        error = json.loads(response.text.splitlines()[1].removeprefix("data: "))["errors"][0]
        assert (error["extensions"]["code"], error["extensions"]["rule"]) == ("BAD_USER_INPUT", "cursor")


async def test_an_unknown_job_is_an_error_and_the_socket_lives_on(running: Installation) -> None:
    address = running.url.replace("http", "ws", 1)
    async with connect(address, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        credential = {"Authorization": f"Bearer {running.keys['CONTENT']}"}
        await say(socket, {"type": "connection_init", "payload": credential})
        await socket.recv()
        variables = {"id": "job_00000000000000000000000000"}
        await say(socket, {"id": "1", "type": "subscribe", "payload": {"query": FOLLOW, "variables": variables}})
        refused = json.loads(await socket.recv())
        assert refused["type"] == "error"
        assert refused["payload"][0]["extensions"]["code"] == "NOT_FOUND"
        await say(socket, {"type": "ping"})
        assert json.loads(await socket.recv())["type"] == "pong"
