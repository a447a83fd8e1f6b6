"""GraphQL over WebSocket, as graphql-transport-ws has it; real sockets on loopback."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from hashlib import sha256
from typing import Any

import gql
import orjson
import pytest
import structlog
from gql.transport.websockets import WebsocketsTransport
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import HTTPConnection
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol

from gateway.graphql import GraphQLEndpoint
from gateway.limits import Limiter
from gateway.operations import Asked, Prepared, Timing
from gateway.pricing import Limits
from gateway.refusals import Refused
from gateway.streams import CONNECTIONS
from gateway.websocket import OPERATIONS, PROTOCOL, shortened
from schema.context import Principal
from tests.toy_graph import Seen, endpoint, served
from tests.world import eventually

READER = {"authorization": "Bearer reader"}
WRITER = {"authorization": "Bearer writer"}


class Client:
    """Speaks frames."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, type: str, **frame: Any) -> None:
        await self.socket.send(orjson.dumps({"type": type, **frame}).decode())

    async def receive(self) -> dict[str, Any]:
        """The next frame, which has to be text; pings of the protocol are left out."""
        text = await self.socket.recv()
        assert isinstance(text, str)
        frame: dict[str, Any] = orjson.loads(text)
        return frame

    async def subscribe(self, id: str, query: str, **payload: Any) -> None:
        await self.send("subscribe", id=id, payload={"query": query, **payload})

    async def closed(self) -> tuple[int, str]:
        """How the server closed, after whatever it still said."""
        with suppress(ConnectionClosed):
            async for _ in self.socket:
                pass
        assert self.socket.close_code is not None
        return self.socket.close_code, self.socket.close_reason or ""


@pytest.fixture
def seen() -> Seen:
    return Seen()


@asynccontextmanager
async def opened(address: str, protocol: str | None = PROTOCOL) -> AsyncIterator[Client]:
    """A socket on which nothing has been said."""
    subprotocols = [Subprotocol(protocol)] if protocol else None
    async with connect(f"ws://{address}", subprotocols=subprotocols, compression=None) as socket:
        yield Client(socket)


@asynccontextmanager
async def joined(address: str, payload: Mapping[str, Any] = READER) -> AsyncIterator[Client]:
    """A socket after its connection_ack."""
    async with opened(address) as client:
        await client.send("connection_init", payload=payload)
        assert await client.receive() == {"type": "connection_ack"}
        yield client


@asynccontextmanager
async def talking(seen: Seen, payload: Mapping[str, Any] = READER, **edge: Any) -> AsyncIterator[Client]:
    """A server, and a socket after its connection_ack."""
    async with served(endpoint(seen, **edge)) as (_, address), joined(address, payload) as client:
        yield client


async def test_a_subscription_is_answered_until_it_is_complete_each_answer_with_its_price(seen: Seen) -> None:
    async with talking(seen) as client:
        await client.subscribe("a", "subscription ($to: Int!) { count(to: $to) }", variables={"to": 2})
        cost = {"cost": {"requested": 0, "actual": 0, "limit": 10000}}
        assert [await client.receive() for _ in range(3)] == [
            {"id": "a", "type": "next", "payload": {"data": {"count": 0}, "extensions": cost}},
            {"id": "a", "type": "next", "payload": {"data": {"count": 1}, "extensions": cost}},
            {"id": "a", "type": "complete"},
        ]
        await client.subscribe("b", "subscription { pages(first: 7) { nodes { id } } }")
        assert (await client.receive())["payload"]["extensions"]["cost"] == {
            "requested": 8,
            "actual": 8,
            "limit": 10000,
        }


async def test_an_event_that_gets_larger_than_answers_may_be_ends_its_stream(seen: Seen) -> None:
    async with talking(seen, limits=Limits(objects=20)) as client:
        await client.subscribe("a", "subscription { pages(first: 30) { nodes { id } } }")
        error = (await client.receive())["payload"][0]["extensions"]
        assert (error["code"], error["name"]) == ("LIMIT_EXCEEDED", "objects")


async def test_queries_and_mutations_come_by_socket_too(seen: Seen) -> None:
    wanted = {"{ secret }": {"secret": "key_writer"}, "mutation { write(number: 3) }": {"write": 3}}
    async with talking(seen, WRITER) as client:
        for query, data in wanted.items():
            await client.subscribe("a", query)
            answer, complete = await client.receive(), await client.receive()
            assert answer["payload"] == {
                "data": data,
                "extensions": {"cost": {"requested": 0, "actual": 0, "limit": 10000}},
            }
            assert complete == {"id": "a", "type": "complete"}


async def test_several_operations_run_side_by_side_and_an_id_can_be_used_again(seen: Seen) -> None:
    async with talking(seen) as client:
        await client.subscribe("wait", "subscription { wait }")
        assert (await client.receive())["id"] == "wait"
        for _ in range(3):
            await client.subscribe("short", "{ hello }")
            assert [(await client.receive())["type"] for _ in range(2)] == ["next", "complete"]


@pytest.mark.parametrize(
    ("query", "variables", "extensions"),
    [
        ("subscription {", None, {"code": "GRAPHQL_PARSE_FAILED"}),
        ("subscription { nope }", None, {"code": "GRAPHQL_VALIDATION_FAILED"}),
        ("subscription ($n: Int!) { count(to: $n) }", {"n": "x"}, {"code": "BAD_USER_INPUT"}),
        ("query A { hello } query B { hello }", None, {"code": "BAD_REQUEST"}),
        ("{ closed }", None, {"code": "FORBIDDEN", "requiredScopes": ["admin", "webhooks"]}),
    ],
)
async def test_a_wrong_operation_is_an_error_for_its_id_alone(
    seen: Seen, query: str, variables: dict[str, Any] | None, extensions: dict[str, Any]
) -> None:
    async with talking(seen) as client:
        await client.subscribe("sibling", "subscription { wait }")
        await client.receive()
        await client.subscribe("wrong", query, variables=variables)
        error = await client.receive()
        assert (error["id"], error["type"]) == ("wrong", "error")
        assert error["payload"][0]["extensions"] == {**extensions, "requestId": "req-1-2"}
        await client.subscribe("next", "{ hello }")
        assert (await client.receive())["payload"]["data"] == {"hello": "Hello, world."}
    await seen.ended.wait()


async def test_a_document_may_be_named_by_its_hash(seen: Seen) -> None:
    text = "{ hello }"
    named = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256(text.encode()).hexdigest()}}}
    async with talking(seen) as client:
        await client.send("subscribe", id="a", payload=named)
        error = await client.receive()
        assert (error["type"], error["payload"][0]["message"]) == ("error", "PersistedQueryNotFound")
        for wrong, code in (
            ({"version": 2}, "PERSISTED_QUERY_NOT_SUPPORTED"),
            ({"version": 1, "sha256Hash": "x"}, "BAD_REQUEST"),
            ({"version": 1, "sha256Hash": "0" * 64}, "BAD_REQUEST"),
        ):
            await client.send("subscribe", id="a", payload={"query": text, "extensions": {"persistedQuery": wrong}})
            error = await client.receive()
            assert (error["type"], error["payload"][0]["extensions"]["code"]) == ("error", code)
        for payload in ({**named, "query": text}, named):
            await client.send("subscribe", id="a", payload=payload)
            assert (await client.receive())["payload"]["data"] == {"hello": "Hello, world."}
            assert (await client.receive())["type"] == "complete"


async def test_without_a_credential_only_public_fields_run(seen: Seen) -> None:
    async with talking(seen, {}) as client:
        await client.subscribe("a", "{ hello }")
        assert [(await client.receive())["type"] for _ in range(2)] == ["next", "complete"]
        await client.subscribe("b", "subscription { wait }")
        error = await client.receive()
        assert (error["type"], error["payload"][0]["extensions"]["code"]) == ("error", "UNAUTHENTICATED")


async def test_a_spent_budget_is_an_error_for_the_id(seen: Seen) -> None:
    seen.budget = 0
    async with talking(seen) as client:
        await client.subscribe("a", "{ hello }")
        assert (await client.receive())["payload"][0]["extensions"]["code"] == "RATE_LIMITED"


@pytest.mark.parametrize(
    ("rule", "extensions"), [("true", {"code": "BAD_USER_INPUT", "rule": "cursor"}), ("false", {"code": "INTERNAL"})]
)
async def test_a_source_that_breaks_ends_with_a_masked_error(seen: Seen, rule: str, extensions: dict[str, str]) -> None:
    async with talking(seen) as client:
        with structlog.testing.capture_logs() as logs:
            await client.subscribe("a", f"subscription {{ breaks(rule: {rule}) }}")
            assert (await client.receive())["payload"].items() >= {"data": {"breaks": 1}}.items()
            error = await client.receive()
        assert error["type"] == "error"
        assert error["payload"][0]["extensions"] == {**extensions, "requestId": "req-1-1"}
        faults = [entry["request_id"] for entry in logs if entry["log_level"] == "error"]
        assert faults == (["req-1-1"] if extensions["code"] == "INTERNAL" else [])


async def test_an_event_that_takes_too_long_ends_its_stream(seen: Seen) -> None:
    async with talking(seen, timing=Timing(event=0.01)) as client:
        with structlog.testing.capture_logs() as logs:
            await client.subscribe("a", "subscription { slowRows { id } }")
            error = await client.receive()
        assert (error["type"], error["payload"][0]["extensions"]["code"]) == ("error", "UNAVAILABLE")
        assert logs[0]["request_id"] == error["payload"][0]["extensions"]["requestId"]


async def test_complete_closes_the_source_and_frees_the_id(seen: Seen) -> None:
    async with talking(seen) as client:
        for name in ("first", "second"):
            await client.subscribe("a", f'subscription {{ wait(name: "{name}") }}')
            assert (await client.receive())["payload"].items() >= {"data": {"wait": 0}}.items()
            await client.send("complete", id="a")
        await client.send("complete", id="unknown")
        await client.subscribe("b", "{ hello }")
        assert (await client.receive())["id"] == "b"
        await seen.ended.wait()
    assert seen.closed == ["first", "second"]


async def test_who_leaves_while_redis_is_asked_leaves_nothing_running(seen: Seen, valkey_url: str) -> None:
    """redis-py forgets a cancellation now and then, and the subscription would go on without anybody."""
    limiter = Limiter(valkey_url)

    async def admit(context: Asked, connection: HTTPConnection, prepared: Prepared) -> None:
        await limiter.take("key", 1_000_000, 1)

    edge = endpoint(seen, admit=admit, max_streams=1_000)
    async with served(edge) as (_, address), joined(address) as client:
        for number in range(500):
            await client.subscribe(f"{number}", "subscription { wait }")
            for _ in range(number % 40):  # the server runs on the same loop, so it comes a little further each time
                await asyncio.sleep(0)
            await client.send("complete", id=f"{number}")
        await client.subscribe("last", "{ hello }")
        while (await client.receive())["id"] != "last":
            pass
        await eventually(lambda: nothing_is_open(edge))
    await limiter.close()


async def nothing_is_open(edge: GraphQLEndpoint) -> bool:
    return edge.open() == (1, 0)


async def test_everything_ends_with_the_socket(seen: Seen) -> None:
    async with served(endpoint(seen)) as (_, address):
        async with joined(address) as client:
            for name in ("a", "b"):
                await client.subscribe(name, f'subscription {{ wait(name: "{name}") }}')
                await client.receive()
            client.socket.transport.abort()
        while len(seen.closed) < 2:
            seen.ended.clear()
            await seen.ended.wait()
    assert sorted(seen.closed) == ["a", "b"]


async def test_ping_is_answered_with_its_payload(seen: Seen) -> None:
    async with served(endpoint(seen)) as (_, address), opened(address) as client:
        await client.send("ping", payload={"n": 1})
        await client.send("ping")
        await client.send("pong", payload={})
        assert await client.receive() == {"type": "pong", "payload": {"n": 1}}
        assert await client.receive() == {"type": "pong"}


async def test_the_server_pings_who_is_idle(seen: Seen) -> None:
    async with talking(seen, timing=Timing(ping=0.01)) as client:
        assert await client.receive() == {"type": "ping"}
        await client.send("pong")
        assert await client.receive() == {"type": "ping"}


MALFORMED: list[str | bytes] = [
    '"x"',
    "null",
    "[]",
    "5",
    "{",
    "",
    "{}",
    b'{"type":"ping"}',
    '{"type":null}',
    '{"type":"next","id":"a"}',
    '{"type":"connection_ack"}',
    '{"type":"start","id":"a","payload":{"query":"{hello}"}}',
    '{"type":"ping","payload":null}',
    '{"type":"ping","payload":{"deep":' + "[" * 300 + "]" * 300 + "}}",
    '{"type":"complete"}',
    '{"type":"complete","id":null}',
    '{"type":"subscribe"}',
    '{"type":"subscribe","id":null,"payload":{"query":"{hello}"}}',
    '{"type":"subscribe","id":"","payload":{"query":"{hello}"}}',
    '{"type":"subscribe","id":7,"payload":{"query":"{hello}"}}',
    '{"type":"subscribe","id":"a","payload":null}',
    '{"type":"subscribe","id":"a","payload":[]}',
    '{"type":"subscribe","id":"a","payload":{}}',
    '{"type":"subscribe","id":"a","payload":{"query":5}}',
    '{"type":"subscribe","id":"a","payload":{"query":"{hello}","variables":[]}}',
    '{"type":"subscribe","id":"a","payload":{"query":"{hello}","operationName":{}}}',
    '{"type":"subscribe","id":"a","payload":{"query":"{hello}","extensions":1}}',
]


async def test_a_malformed_frame_closes_the_socket(seen: Seen) -> None:
    async with served(endpoint(seen)) as (_, address):
        for frame in MALFORMED:
            async with joined(address) as client:
                await client.socket.send(frame)
                assert (await client.closed())[0] == 4400, frame


@pytest.mark.parametrize("payload", [None, 1])
async def test_a_malformed_init_closes_the_socket(seen: Seen, payload: object) -> None:
    async with served(endpoint(seen)) as (_, address), opened(address) as client:
        await client.send("connection_init", payload=payload)
        assert (await client.closed())[0] == 4400


async def test_a_frame_that_is_too_big_closes_the_socket(seen: Seen) -> None:
    async with talking(seen, max_body_bytes=100) as client:
        await client.send("ping", payload={"x": "y" * 100})
        assert (await client.closed())[0] == 1009


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (Frame(Opcode.TEXT, b"\xff"), 1007),
        (Frame(Opcode.TEXT, b" " * 100_001), 1009),
        (Frame(Opcode.CONT, b"x"), 1002),
    ],
)
async def test_a_frame_that_breaks_the_websocket_protocol_has_the_code_of_that(
    seen: Seen, frame: Frame, code: int
) -> None:
    async with talking(seen) as client:
        client.socket.transport.write(frame.serialize(mask=True))
        assert (await client.closed())[0] == code
        await client.socket.wait_closed()


@pytest.mark.parametrize("protocol", [None, "graphql-ws"])
async def test_another_protocol_is_not_spoken(seen: Seen, protocol: str | None) -> None:
    async with served(endpoint(seen)) as (_, address), opened(address, protocol) as client:
        assert client.socket.subprotocol is None
        assert await client.closed() == (4406, "Only graphql-transport-ws is spoken here")


async def test_subscribing_before_the_init_is_unauthorized(seen: Seen) -> None:
    async with served(endpoint(seen)) as (_, address), opened(address) as client:
        await client.subscribe("a", "{ hello }")
        assert (await client.closed())[0] == 4401


async def test_a_bad_credential_is_unauthorized(seen: Seen) -> None:
    async with served(endpoint(seen)) as (_, address), opened(address) as client:
        await client.send("connection_init", payload={"authorization": "Bearer wrong"})
        assert await client.closed() == (4401, "This credential is not valid.")


@pytest.mark.parametrize(("status", "code"), [(401, 4401), (403, 4403), (429, 4429), (500, 1011), (503, 1013)])
async def test_a_refused_init_closes_with_its_reason(seen: Seen, status: int, code: int) -> None:
    async def refuse(connection: HTTPConnection, payload: object) -> Principal | None:
        raise Refused(status, "CODE", "No, " + "é" * 100)

    async with served(endpoint(seen, authenticate=refuse)) as (_, address), opened(address) as client:
        await client.send("connection_init")
        assert await client.closed() == (code, "No, " + "é" * 59)


async def test_a_fault_while_authenticating_is_masked(seen: Seen) -> None:
    async def fail(connection: HTTPConnection, payload: object) -> Principal | None:
        raise LookupError("database at 10.0.0.7")

    async with served(endpoint(seen, authenticate=fail)) as (_, address), opened(address) as client:
        with structlog.testing.capture_logs() as logs:
            await client.send("connection_init")
            code, reason = await client.closed()
    assert code == 1011
    assert "10.0.0.7" not in reason
    assert len(logs) == 1


async def test_an_init_that_does_not_come_is_a_timeout(seen: Seen) -> None:
    async with served(endpoint(seen, timing=Timing(init=0.01))) as (_, address), opened(address) as client:
        assert await client.closed() == (4408, "Connection initialisation timeout")


async def test_a_second_init_is_one_too_many(seen: Seen) -> None:
    async with talking(seen) as client:
        await client.send("connection_init", payload=READER)
        assert await client.closed() == (4429, "Too many initialisation requests")


async def test_an_id_in_use_cannot_be_used(seen: Seen) -> None:
    async with talking(seen) as client:
        await client.subscribe("a", "subscription { wait }")
        await client.receive()
        await client.subscribe("a", "{ hello }")
        assert await client.closed() == (4409, "Subscriber for a already exists")
    assert seen.closed == [""]


async def test_a_credential_may_have_so_many_streams_on_all_sockets_together(seen: Seen) -> None:
    async with served(endpoint(seen, max_streams=2)) as (_, address), joined(address) as one, joined(address) as two:
        for client in (one, two):
            await client.subscribe("a", "subscription { wait }")
            await client.receive()
        await two.subscribe("query", "{ hello }")
        assert (await two.receive())["type"] == "next"
        async with joined(address, WRITER) as other:
            await other.subscribe("a", "subscription { wait }")
            assert (await other.receive())["type"] == "next"
        await two.subscribe("b", "subscription { wait }")
        assert await two.closed() == (4429, "At most 2 subscriptions may be open at a time.")
        await one.subscribe("b", "subscription { wait }")
        assert (await one.receive())["id"] == "b"


async def test_a_socket_runs_so_many_operations(seen: Seen) -> None:
    async with talking(seen) as client:
        for number in range(OPERATIONS + 1):
            await client.subscribe(str(number), "{ slow }")
        assert (await client.closed())[0] == 4429


async def test_a_credential_may_have_so_many_sockets(seen: Seen) -> None:
    async with served(endpoint(seen)) as (_, address), AsyncExitStack() as stack:
        for _ in range(CONNECTIONS):
            await stack.enter_async_context(joined(address))
        async with opened(address) as client:
            await client.send("connection_init", payload=READER)
            assert await client.closed() == (4429, "At most 100 connections may be open at a time.")
        async with joined(address, WRITER) as other:
            await other.subscribe("a", "{ hello }")
            assert (await other.receive())["type"] == "next"


async def test_a_socket_that_nobody_uses_is_closed(seen: Seen) -> None:
    async with served(endpoint(seen, timing=Timing(ping=0.01, idle=0.05))) as (_, address):
        async with joined(address) as idle:
            assert await idle.closed() == (1000, "Nothing has been asked for a while")
        async with joined(address) as used:
            await used.subscribe("a", "subscription { wait }")
            pings = 0
            while pings < 10:
                pings += (await used.receive())["type"] == "ping"
            await used.send("complete", id="a")
            assert (await used.closed())[0] == 1000


async def test_a_revoked_credential_loses_its_sockets(seen: Seen) -> None:
    edge = endpoint(seen)
    async with served(edge) as (_, address), joined(address) as reader, joined(address, WRITER) as writer:
        await reader.subscribe("a", "subscription { wait }")
        await reader.receive()
        assert (edge.close_for("key_nobody"), edge.close_for("key_reader")) == (0, 1)
        assert await reader.closed() == (4403, "This credential has been revoked or has expired.")
        assert seen.closed == [""]
        await writer.subscribe("a", "{ hello }")
        assert (await writer.receive())["type"] == "next"


async def test_an_expired_credential_loses_its_sockets_by_itself(seen: Seen) -> None:
    async with talking(seen, timing=Timing(check=0.01)) as client:
        seen.revoked.add("key_reader")
        assert (await client.closed())[0] == 4403


async def test_a_credential_that_cannot_be_checked_is_checked_again(seen: Seen) -> None:
    answers: list[bool | Exception] = [ConnectionError("database at 10.0.0.7 refused"), True, False]

    async def revalidate(principal: Principal) -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with structlog.testing.capture_logs() as logs:
        async with talking(seen, timing=Timing(check=0.01), revalidate=revalidate) as client:
            assert (await client.closed())[0] == 4403
    assert (answers, len(logs)) == ([], 1)


async def test_a_stopping_server_goes_away(seen: Seen) -> None:
    async with served(endpoint(seen)) as (server, address), opened(address) as silent, joined(address) as client:
        await client.subscribe("a", "subscription { wait }")
        await client.receive()
        server.should_exit = True
        assert await client.closed() == (1001, "Going away")
        assert await silent.closed() == (1001, "Going away")
        assert seen.closed == [""]


async def test_a_client_that_does_not_read_stops_its_own_source(seen: Seen) -> None:
    async with talking(seen, timing=Timing(drain=0.05)) as client:
        client.socket.transport.pause_reading()
        await client.subscribe("a", "subscription { flood }")
        await seen.ended.wait()
        client.socket.transport.resume_reading()
        reason = "The client reads too slowly; subscribe again with after, the last that was seen"
        assert await client.closed() == (1013, reason)


async def test_the_usual_client_can_talk_to_it(seen: Seen) -> None:
    async with served(endpoint(seen)) as (_, address):
        transport = WebsocketsTransport(url=f"ws://{address}", init_payload=dict(READER))
        async with gql.Client(transport=transport, fetch_schema_from_transport=False) as session:
            assert await session.execute(gql.gql("{ secret }")) == {"secret": "key_reader"}
            counted = [answer async for answer in session.subscribe(gql.gql("subscription { count(to: 3) }"))]
    assert counted == [{"count": 0}, {"count": 1}, {"count": 2}]


def test_a_reason_is_cut_between_characters() -> None:
    assert shortened("é" * 100) == "é" * 61


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.binary()
        | st.text(st.characters(codec="utf-8"))
        | st.fixed_dictionaries(
            {"type": st.sampled_from(["connection_init", "ping", "subscribe", "complete", "pong"])},
            optional={
                "id": st.sampled_from(["a", "b", None, 1]),
                "payload": st.sampled_from([{"query": "{ hello }"}, {"query": "subscription { flood }"}, None, {}, []]),
            },
        ).map(lambda frame: orjson.dumps(frame).decode()),
        max_size=6,
    )
)
def test_no_frames_whatever_make_the_edge_fail(frames: list[str | bytes]) -> None:
    async def talk() -> int:
        async with served(endpoint(Seen())) as (server, address), opened(address) as client:
            try:
                for frame in frames:
                    await client.socket.send(frame)
            except ConnectionClosed:
                pass
            server.should_exit = True
            return (await client.closed())[0]

    assert asyncio.run(talk()) in {1001, 4400, 4401, 4409, 4429}
