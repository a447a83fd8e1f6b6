"""Traces: one span per operation at a real collector's door. Issue 8, line 7."""

import gzip
import json
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from websockets.asyncio.client import connect

from gateway.settings import Settings
from storage.settings import SettingsInvalid
from tests.receivers import Receiver
from tests.test_live import say
from tests.world import World, world

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def spans(receiver: Receiver) -> dict[str, Any]:
    """What the collector was told, by name."""
    found: dict[str, Any] = {}
    for request in receiver.requests:
        data = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
        for resource in ExportTraceServiceRequest.FromString(data).resource_spans:
            found |= {span.name: span for scope in resource.scope_spans for span in scope.spans}
    return found


def attributes(span: Any) -> dict[str, Any]:
    return {it.key: getattr(it.value, it.value.WhichOneof("value")) for it in span.attributes}


@one_database
async def test_every_operation_is_a_span_below_that_of_its_caller(settings: dict[str, Any]) -> None:
    async with Receiver() as collector:
        collector.answer = lambda number: 200
        async with world(settings, otlp_url=collector.url) as lectern:
            traced = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
            await lectern.graph("query Standing { jobs(first: 3) { totalCount } }", headers=traced)
            await lectern.post("query Wrong { nope }")
            await _over_a_socket(lectern)
        found = spans(collector)
    standing = found["query Standing"]
    assert (standing.trace_id.hex(), standing.parent_span_id.hex()) == (TRACE, PARENT)
    assert standing.end_time_unix_nano > standing.start_time_unix_nano
    told = attributes(standing)
    assert told["graphql.operation.type"] == "query"
    assert told["http.response.status_code"] == 200
    assert told["lectern.principal"].startswith("key_")
    assert {"lectern.cost", "lectern.actual", "lectern.request_id"} <= told.keys()
    assert attributes(found["graphql"])["lectern.code"] == "GRAPHQL_VALIDATION_FAILED"
    assert attributes(found["query OnASocket"])["graphql.operation.name"] == "OnASocket"
    assert lectern.keys.content not in str(found), "no credentials, no texts"


async def _over_a_socket(lectern: World) -> None:
    async with (
        lectern.another_gateway() as address,
        connect(f"ws://{address}/graphql", subprotocols=["graphql-transport-ws"]) as socket,  # type: ignore[list-item]
    ):
        credential = {"Authorization": f"Bearer {lectern.keys.content}"}
        await say(socket, {"type": "connection_init", "payload": credential})
        payload = {"query": "query OnASocket { jobs { totalCount } }"}
        await say(socket, {"id": "1", "type": "subscribe", "payload": payload})
        while json.loads(await socket.recv())["type"] != "complete":
            pass


@one_database
async def test_a_collector_that_is_not_there_holds_nobody_up(settings: dict[str, Any]) -> None:
    async with world(settings, otlp_url="http://127.0.0.1:9/v1/traces") as lectern:
        assert (await lectern.graph("{ jobs { totalCount } }"))["jobs"] == {"totalCount": 0}


def test_a_wrong_address_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LECTERN_OTLP_URL", "collector:4318")
    with pytest.raises(SettingsInvalid, match="LECTERN_OTLP_URL"):
        Settings.read()
