"""The catalogue of events says what is really sent. Issue 7, line 7."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from storage import catalog
from storage.bodies import BODIES
from storage.tables import EventType
from tests import exporting, ingesting
from tests import test_expansions as expansions
from tests.authoring import call, create, done, generated
from tests.receivers import Receiver
from tests.test_rendering import a_video, ended, render
from tests.world import World, eventually

EVERYTHING = [type.name for type in EventType if type is not EventType.WEBHOOK_TEST]
TYPES = "{ webhookEventTypes { type name description schema example } }"


def wrong(payload: dict[str, Any]) -> list[str]:
    """What the schema of its type holds against a payload, keys it does not know included."""
    schema = catalog.schema(EventType(payload["type"]))
    unknown = payload.keys() - schema["properties"].keys()
    broken = Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors(payload)
    return [*(f"{payload['type']} has the key {key}" for key in unknown), *(error.message for error in broken)]


async def test_every_payload_that_is_sent_is_as_the_catalogue_says(lectern: World) -> None:
    """All types, each from what causes it, as a receiver gets them and as the log has them."""
    async with Receiver() as receiver, Receiver() as gone:
        gone.answer = lambda number: 410
        made = await done(lectern, "createWebhookEndpoint", "endpoint { id }", url=receiver.url, events=EVERYTHING)
        await done(lectern, "createWebhookEndpoint", "endpoint { id }", url=gone.url, events=["RESOURCE_DELETED"])
        await _cause_everything(lectern)
        await done(lectern, "sendTestWebhook", "delivery { id }", endpointId=made["endpoint"]["id"])

        async def all_there() -> bool:
            return {json.loads(request.body)["type"] for request in receiver.requests} == {*map(str, EventType)}

        async with lectern.background():
            await _finish_everything(lectern)
            await eventually(all_there, within=20)
        sent = [json.loads(request.body) for request in receiver.requests]
    assert [fault for payload in sent for fault in wrong(payload)] == []
    page = await lectern.graph("{ events(first: 100) { nodes { type payload } } }")
    logged = [node["payload"] for node in page["events"]["nodes"]]
    assert [fault for payload in logged for fault in wrong(payload)] == []
    by_id = {payload["id"]: payload for payload in logged}
    assert all(by_id.get(payload["id"], payload) == payload for payload in sent)


async def _cause_everything(lectern: World) -> None:
    """What fails or is cancelled before there is a worker, and what a worker will do."""
    await expansions.create(lectern)
    lost = await expansions.create(lectern)
    await done(lectern, "cancelJob", "job { state }", jobId=lost["id"])
    failed = await done(lectern, "createModule", "module { id } job { id }", title="x", prompt="x")
    await done(lectern, "cancelJob", "job { state }", jobId=failed["job"]["id"])
    await done(lectern, "deleteResource", "deletedId", id=failed["module"]["id"])
    video = await a_video(lectern)
    cancelled = await render(lectern, video)
    await done(lectern, "cancelRender", "video { id }", videoId=video)
    assert cancelled["job"]["id"]
    author = await ingesting.client(lectern)
    await author.upload(ingesting.QTI, 3)
    await author.upload(b"no zip at all")


async def _finish_everything(lectern: World) -> None:
    """What a worker does."""
    written = await create(lectern, "slide", prompt="Exits")
    assert (await generated(lectern, "slide", written["id"]))["status"] == "READY"
    video = await a_video(lectern)
    await render(lectern, video)
    assert (await ended(lectern, video))["renderStatus"] == "RENDERED"
    await lectern.login(lectern.keys.admin)
    course = {"courseId": await exporting.a_course(lectern)}
    for type in ("common_cartridge", "zip"):
        export = await exporting.start(lectern, course, type)
        await exporting.finished(lectern, course, export["id"])
    empty = {"courseId": (await create(lectern, "course"))["id"]}
    await exporting.finished(lectern, empty, (await exporting.start(lectern, empty, "qti"))["id"])


async def test_anybody_may_read_the_catalogue(lectern: World) -> None:
    found = (await lectern.graph(TYPES, key=""))["webhookEventTypes"]
    assert {entry["type"]: entry["name"] for entry in found} == {type.name: type.value for type in EventType}
    assert all(entry["description"] for entry in found)
    assert all(entry["example"]["type"] == entry["name"] for entry in found)


@pytest.mark.parametrize("type", EventType)
def test_the_example_of_a_type_is_one(type: EventType) -> None:
    Draft202012Validator.check_schema(catalog.schema(type))
    assert wrong(catalog.example(type)) == []
    BODIES[type].model_validate(catalog.CATALOG[type].example)


async def test_the_catalogue_is_a_page(lectern: World) -> None:
    page = await lectern.client.get("/docs/events")
    assert page.headers["content-type"].startswith("text/html")
    for type in EventType:
        assert f'id="{type.value}"' in page.text
    assert "&#34;jobId&#34;" in page.text
    again = await lectern.client.get("/docs/events", headers={"If-None-Match": page.headers["etag"]})
    assert again.status_code == 304
    assert "/docs/events" in (await lectern.client.get("/docs")).text


async def test_an_unknown_type_is_refused(lectern: World) -> None:
    refused = await lectern.post(
        'mutation { createWebhookEndpoint(input: {url: "https://127.0.0.1/x", events: [ALL]}) { endpoint { id } } }'
    )
    assert refused.status_code == 400
    payload = await call(lectern, "createWebhookEndpoint", "endpoint { id }", url="https://127.0.0.1/x", events=[])
    assert payload["errors"]
