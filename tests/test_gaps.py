"""Whoever follows the log misses nothing and sees nothing twice, whatever dies meanwhile. Issue 6, line 5; R-CARD-3."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.processes import Installation, installation, running
from tests.test_crashes import CREATE, large
from tests.test_live import say
from tests.world import eventually

JOBS = 12
BLOWS = 9
LOG = "subscription ($after: String) { events(after: $after) { cursor sequence subjectId } }"
JOB = "subscription ($id: ID!, $after: Int) { jobProgress(jobId: $id, after: $after) { sequence state } }"
PAGE = """query ($after: String) { events(first: 100, after: $after) {
  nodes { cursor sequence subjectId } pageInfo { hasNextPage endCursor }
} }"""
GONE = (WebSocketException, OSError, TimeoutError, EOFError)


@dataclass
class Follower:
    """A client that follows one subscription, and comes back with the last it has seen whenever it is cut off."""

    lectern: Installation
    query: str
    variables: dict[str, Any]
    after: Callable[[dict[str, Any]], Any]
    told: list[dict[str, Any]] = field(default_factory=list)
    connections: int = 0
    socket: Any = None

    async def run(self) -> None:
        """Until the stream completes, or for ever."""
        while True:
            with contextlib.suppress(*GONE):
                if await self._follow():
                    return
            await asyncio.sleep(0.05)

    def cut(self) -> None:
        """The network fails."""
        if self.socket is not None:
            self.socket.transport.abort()

    async def _follow(self) -> bool:
        seen = self.after(self.told[-1]) if self.told else self.variables.get("after")
        address = self.lectern.url.replace("http", "ws", 1)
        async with connect(address, subprotocols=["graphql-transport-ws"], open_timeout=2) as self.socket:  # type: ignore[list-item]
            self.connections += 1
            credential = {"Authorization": f"Bearer {self.lectern.keys['CONTENT']}"}
            await say(self.socket, {"type": "connection_init", "payload": credential})
            payload = {"query": self.query, "variables": {**self.variables, "after": seen}}
            async for text in self.socket:
                match json.loads(text):
                    case {"type": "connection_ack"}:
                        await say(self.socket, {"id": "1", "type": "subscribe", "payload": payload})
                    case {"type": "next", "payload": {"data": dict(data)}}:
                        self.told += data.values()
                    case {"type": "complete"}:
                        return True
                    case {"type": "ping"}:
                        await say(self.socket, {"type": "pong"})
        return False


@pytest.fixture
async def lectern(tmp_path: Path) -> AsyncIterator[Installation]:
    async with installation(tmp_path) as made:
        yield made


async def test_every_event_is_seen_exactly_once_whatever_dies(lectern: Installation) -> None:
    rng = random.Random(7)
    first = (await _ask(lectern, PAGE))["events"]["nodes"]
    begin = first[-1]["cursor"] if first else None
    log = Follower(lectern, LOG, {"after": begin}, lambda event: event["cursor"])
    following = [asyncio.create_task(log.run())]
    await eventually(lambda: _connected(log))
    followers: list[Follower] = []
    blows = [log.cut, *(_killer(lectern, words) for words in ("-m gateway.server", "-m dispatcher", "valkey-server"))]
    for number in range(JOBS):
        id = (await _ask(lectern, CREATE, payload=large(20)))["createExpansion"]["job"]["id"]
        followers.append(Follower(lectern, JOB, {"id": id, "after": 0}, lambda event: event["sequence"]))
        following.append(asyncio.create_task(followers[-1].run()))
        if number < BLOWS:
            blow = blows[number % len(blows)]
            await asyncio.sleep(rng.uniform(0, 0.3))
            blow()
            rng.choice([*followers, log]).cut()
    async with asyncio.timeout(60):
        await asyncio.gather(*following[1:])
    written = [event async for event in _log(lectern, begin)]
    await eventually(lambda: _all_there(log, len(written)))
    following[0].cancel()

    assert [event["cursor"] for event in log.told] == [event["cursor"] for event in written]
    for follower in followers:
        sequences = [event["sequence"] for event in written if event["subjectId"] == follower.variables["id"]]
        assert [event["sequence"] for event in follower.told] == sequences == list(range(1, len(sequences) + 1))
        assert follower.told[-1]["state"] == "COMPLETED"
    assert log.connections > 1
    assert sum(follower.connections for follower in followers) > JOBS, "they were cut off and came back"


async def _connected(log: Follower) -> bool:
    return log.connections > 0


async def _all_there(log: Follower, count: int) -> bool:
    return len(log.told) >= count


def _killer(lectern: Installation, words: str) -> Callable[[], None]:
    def kill() -> None:
        if running(lectern.folder, words):  # else it has not come back from the last time
            lectern.kill(words)

    return kill


async def _ask(lectern: Installation, query: str, **variables: Any) -> dict[str, Any]:
    """Ask until somebody answers; asking twice is no matter here."""

    async def answered() -> Any:
        with contextlib.suppress(httpx.TransportError):
            return await lectern.graph(query, **variables)

    found: dict[str, Any] = await eventually(answered, within=20, every=0.1)
    return found


async def _log(lectern: Installation, after: str | None) -> AsyncIterator[dict[str, Any]]:
    """The log as pages."""
    while True:
        page = (await _ask(lectern, PAGE, after=after))["events"]
        for event in page["nodes"]:
            yield event
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]
