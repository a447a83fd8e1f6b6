"""What one connection may collect here, and how long it may keep us waiting. Issue 8, line 7."""

import asyncio
from contextlib import suppress

import pytest
import structlog

from gateway.protocol import Protocol
from tests.toy_graph import Seen, endpoint, served
from tests.world import eventually

HOST = b"Host: lectern.test\r\nContent-Type: application/json\r\n"
CHUNKED = b"POST /graphql HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
FLOOD = b'{"query":"subscription { flood }"}'


class Hasty(Protocol):
    """Waits for nobody."""

    header_seconds = body_seconds = answer_seconds = 0.0
    most_connections = 5


async def told(address: str, *parts: bytes) -> bytes:
    """What the server says to these bytes until it closes the connection."""
    reader, writer = await asyncio.open_connection(*address.removesuffix("/graphql").split(":"))
    with suppress(ConnectionError):
        for part in parts:
            writer.write(part)
            await writer.drain()
    said = b""
    with suppress(ConnectionError):
        said = await reader.read()
    writer.close()
    return said


async def test_who_begins_and_does_not_go_on_is_let_go(seen: Seen) -> None:
    async with served(endpoint(seen), protocol=Hasty) as (_, address):
        silent, slow_header, slow_body, slow_chunks = await asyncio.gather(
            told(address),
            told(address, b"POST /graphql HTTP/1.1\r\nHost:"),
            told(address, b"POST /graphql HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\n{"),
            told(address, CHUNKED + b"1\r\n{\r\n"),
        )
    assert (silent, slow_body, slow_chunks) == (b"", b"", b"")
    assert slow_header.startswith(b"HTTP/1.1 408 Request Timeout\r\n")


async def test_who_does_not_read_an_answer_ends_it(seen: Seen) -> None:
    async with served(endpoint(seen), protocol=Hasty) as (_, address):
        _, writer = await asyncio.open_connection(*address.removesuffix("/graphql").split(":"), limit=1)
        fields = b"Accept: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(FLOOD)
        writer.write(b"POST /graphql HTTP/1.1\r\n" + HOST + fields + FLOOD)
        await seen.ended.wait()
        writer.close()


async def test_a_query_ends_when_nobody_waits_for_it(seen: Seen) -> None:
    query = b'{"query":"{ slow }"}'
    async with served(endpoint(seen)) as (_, address):
        _, writer = await asyncio.open_connection(*address.removesuffix("/graphql").split(":"))
        writer.write(b"POST /graphql HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(query) + query)
        await seen.started.wait()
        with structlog.testing.capture_logs() as logs:
            writer.close()
            await seen.ended.wait()
    assert logs == [], "which is no fault of ours"


async def test_a_mutation_goes_on_when_nobody_waits_for_it(seen: Seen) -> None:
    mutation = b'{"query":"mutation { pause write(number: 1) }"}'
    async with served(endpoint(seen)) as (server, address):
        _, writer = await asyncio.open_connection(*address.removesuffix("/graphql").split(":"))
        fields = b"Authorization: Bearer writer\r\nContent-Length: %d\r\n\r\n" % len(mutation)
        writer.write(b"POST /graphql HTTP/1.1\r\n" + HOST + fields + mutation)
        await seen.started.wait()
        writer.close()

        async def gone() -> bool:
            return not server.server_state.connections

        await eventually(gone)
        seen.going_on.set()
    assert seen.written == [1]


async def test_there_may_be_so_many_connections(seen: Seen) -> None:
    async with served(endpoint(seen), protocol=Hasty) as (_, address):
        answers = await asyncio.gather(*(told(address) for _ in range(7)))
    assert sorted(answers)[:5] == [b""] * 5
    assert all(it.startswith(b"HTTP/1.1 503 Service Unavailable\r\n") for it in sorted(answers)[5:])


async def test_trailers_are_no_headers_and_end_somewhere(seen: Seen) -> None:
    body = b'16\r\n{"query":"{ secret }"}\r\n0\r\n'
    async with served(endpoint(seen)) as (_, address):
        last = CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        answer = await told(address, last + body + b"Authorization: Bearer reader\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
        for endless in (b"X: y\r\n" * 200, b"y" * 1_000):
            assert await told(address, CHUNKED, body, b"X: ", *[endless] * 1_000) == b""


@pytest.fixture
def seen() -> Seen:
    return Seen()
