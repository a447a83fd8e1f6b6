"""Endpoints, deliveries and replays as users of the graph meet them. Issue 7, lines 4 to 6; R-WH-*, R-CARD-5 and 6."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from storage import deliveries
from storage.tables.columns import now
from tests.authoring import call, create, done, problems
from tests.receivers import Answer, Receiver
from tests.world import World, eventually

ENDPOINT = """endpoint {
  id url description events status disabledReason environment secretHint previousSecretExpiresAt ordered
  rateLimitPerMinute consecutiveFailures failingSince
} secret"""
SHOWN = """query ($id: ID!, $status: WebhookDeliveryStatus, $after: String) {
  webhookEndpoint(id: $id) {
    status disabledReason consecutiveFailures previousSecretExpiresAt
    deliveries(first: 2, status: $status, after: $after) {
      totalCount pageInfo { endCursor hasNextPage } nodes {
        id status nextAttemptAt completedAt replayOf { id } event { id type payload }
        attempts {
          number startedAt durationMs requestHeaders responseStatus responseBody error
          timings { dns connect firstByte total }
        }
      }
    }
  }
}"""
UPDATED = """subscription ($id: ID) {
  webhookDeliveryUpdated(endpointId: $id) { id status endpoint { id } attempts { number responseStatus } }
}"""
REPLAY = "count deliveries { id status replayOf { id } event { id } } replayed"
QUICK = {"webhook_schedule": "0,0.01,0.01"}


async def listen(lectern: World, receiver: Receiver, **input: Any) -> dict[str, Any]:
    """A new endpoint that hears of new resources, and its secret."""
    asked = {"url": receiver.url, "events": ["RESOURCE_CREATED"], **input}
    payload = await done(lectern, "createWebhookEndpoint", ENDPOINT, **asked)
    return {**payload["endpoint"], "secret": payload["secret"]}


async def shown(lectern: World, endpoint: dict[str, Any], **variables: Any) -> Any:
    """An endpoint with a page of its deliveries."""
    return (await lectern.graph(SHOWN, id=endpoint["id"], **variables))["webhookEndpoint"]


async def settled(lectern: World, endpoint: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """The newest deliveries, once there are so many and nothing is owed any more."""

    async def ended() -> Any:
        totals = {s: (await shown(lectern, endpoint, status=s))["deliveries"] for s in ("PENDING", "RETRYING")}
        every = (await shown(lectern, endpoint))["deliveries"]
        return every if every["totalCount"] == count and not any(t["totalCount"] for t in totals.values()) else None

    nodes: list[dict[str, Any]] = (await eventually(ended))["nodes"]
    return nodes


def replayed_ids(receiver: Receiver) -> list[str]:
    return [request.headers["webhook-id"] for request in receiver.requests]


async def test_an_endpoint_is_made_changed_and_deleted(lectern: World) -> None:
    """R-WH-2 and 3; whoever asks again with the same key gets the same endpoint, and no secret."""
    asked = {"url": "https://127.0.0.1:9/hook", "description": "ours", "idempotencyKey": "k"}
    wanted = f"{ENDPOINT} replayed warnings {{ code }}"
    made, again = [await done(lectern, "createWebhookEndpoint", wanted, **asked) for _ in range(2)]
    assert made["secret"].startswith("whsec_")
    assert made["secret"].startswith(made["endpoint"]["secretHint"])
    assert len(made["endpoint"]["secretHint"]) < 12
    assert made["endpoint"]["events"] == ["CONTENT_COMPLETED", "CONTENT_FAILED"]
    assert [warning["code"] for warning in made["warnings"]] == ["polling_not_verified"]
    assert again == {**made, "secret": None, "replayed": True}
    id = made["endpoint"]["id"]
    changes: dict[str, Any] = {
        "url": "https://127.0.0.1:9/other",
        "description": None,
        "events": ["RESOURCE_CREATED"],
        "ordered": True,
        "rateLimitPerMinute": 5,
        "status": "PAUSED",
    }
    twice = {"events": 2 * changes["events"]}
    changed = await done(lectern, "updateWebhookEndpoint", ENDPOINT.removesuffix(" secret"), id=id, **changes | twice)
    assert changed["endpoint"] == {**made["endpoint"], **changes}
    await done(lectern, "deleteWebhookEndpoint", "deletedId", id=id)
    assert (await lectern.graph("{ webhookEndpoints { id } }"))["webhookEndpoints"] == []
    for mutation, input in (
        ("updateWebhookEndpoint", {"id": id}),
        ("deleteWebhookEndpoint", {"id": id}),
        ("rotateWebhookSecret", {"endpointId": id}),
        ("sendTestWebhook", {"endpointId": id}),
        ("replayWebhooks", {"endpointId": id}),
    ):
        assert [code for code, *_ in problems(await call(lectern, mutation, "__typename", **input))] == ["NOT_FOUND"]


async def test_an_environment_has_at_most_fifty_endpoints_whoever_makes_them_at_once(lectern: World) -> None:
    asked = {"url": "https://127.0.0.1:9/hook"}
    for _ in range(48):
        await done(lectern, "createWebhookEndpoint", "endpoint { id }", **asked)
    made = await asyncio.gather(*(call(lectern, "createWebhookEndpoint", "endpoint { id }", **asked) for _ in range(5)))
    refused = [("VALIDATION_FAILED", "too_many_endpoints", ["input"])]
    assert sorted(map(problems, made)) == [[], [], refused, refused, refused]


async def test_what_an_endpoint_may_not_be_is_refused_with_its_rule_and_place(lectern: World) -> None:
    """R-IMP-12, issue 7, line 4: at creation and at a change alike, and nothing is written."""
    urls = {
        "http://hooks.example.com/": "url_scheme",
        "https://user:password@hooks.example.com/": "url_host",
        "https://10.0.0.1/": "url_host",
        "https://[::1]/": "url_host",
        "https://[64:ff9b::7f00:1]/": "url_host",
        "https://[2002:7f00:1::]/": "url_host",
        "https://2130706433/": "url_host",
        "https://0x7f.1/": "url_host",
        "https://0177.0.0.1/": "url_host",
        "https://127.1/": "url_host",
        "https://localhost/": "url_private",
    }
    others: list[tuple[dict[str, Any], str, str]] = [
        ({"events": []}, "events_empty", "events"),
        ({"rateLimitPerMinute": 0}, "rate_limit_range", "rateLimitPerMinute"),
        ({"rateLimitPerMinute": 60_001}, "rate_limit_range", "rateLimitPerMinute"),
        ({"description": "x" * 5_001}, "too_long", "description"),
        ({"url": f"https://127.0.0.1/{'x' * 2_000}"}, "too_long", "url"),
    ]
    endpoint = (await done(lectern, "createWebhookEndpoint", ENDPOINT, url="https://127.0.0.1/"))["endpoint"]
    before = await lectern.graph("{ webhookEndpoints { id url events status rateLimitPerMinute } }")
    in_production = replace(lectern, settings={**lectern.settings, "webhook_allow_private": False})
    async with (
        in_production.another_gateway() as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        production = replace(in_production, client=client)
        for url, rule in urls.items():
            for mutation, input in (
                ("createWebhookEndpoint", {}),
                ("updateWebhookEndpoint", {"id": endpoint["id"], "status": "PAUSED"}),
            ):
                payload = await call(production, mutation, "endpoint { id }", url=url, **input)
                assert problems(payload) == [("VALIDATION_FAILED", rule, ["input", "url"])], url
        for input, rule, place in others:
            payload = await call(production, "updateWebhookEndpoint", "endpoint { id }", id=endpoint["id"], **input)
            assert problems(payload) == [("VALIDATION_FAILED", rule, ["input", place])]
        for input, rule in (
            ({"url": None, "events": None, "status": None, "ordered": None}, "required"),
            ({"status": "DISABLED"}, "status_disabled"),
        ):
            payload = await call(production, "updateWebhookEndpoint", "endpoint { id }", id=endpoint["id"], **input)
            assert problems(payload) == [("VALIDATION_FAILED", rule, ["input", name]) for name in input]
    assert await lectern.graph("{ webhookEndpoints { id url events status rateLimitPerMinute } }") == before


async def test_what_was_sent_can_be_read_step_by_step_and_page_by_page(lectern: World) -> None:
    """R-CARD-5, issue 7, line 6: the first 2048 bytes of an answer, the headers without a secret, the times."""
    async with Receiver() as receiver:
        answers: list[Answer] = [b"HTTP/1.1 500 Oh\r\n\r\n" + b"\xff" + b"x" * 5_000, 204, 204, 204]
        receiver.answer = lambda number: answers[number - 1]
        endpoint = await listen(lectern, receiver, ordered=True)
        async with lectern.background(**QUICK):
            for _ in range(3):
                await create(lectern, "slide")
            await settled(lectern, endpoint, 3)
        first = await shown(lectern, endpoint)
        (oldest,) = (await shown(lectern, endpoint, after=first["deliveries"]["pageInfo"]["endCursor"]))["deliveries"][
            "nodes"
        ]
    assert first["deliveries"]["totalCount"] == 3
    assert [each["event"]["id"] for each in (*first["deliveries"]["nodes"], oldest)] == replayed_ids(receiver)[:0:-1]
    refused, taken = oldest["attempts"]
    assert (refused["number"], refused["responseStatus"], refused["error"]) == (1, 500, None)
    assert refused["responseBody"] == "\N{REPLACEMENT CHARACTER}" + "x" * 2047
    assert 0 <= refused["timings"]["connect"] <= refused["timings"]["firstByte"] <= refused["timings"]["total"] + 1
    assert (taken["number"], taken["responseStatus"], taken["responseBody"]) == (2, 204, None)
    for attempt, request in zip((refused, taken), receiver.requests, strict=False):
        assert {n.lower(): v for n, v in attempt["requestHeaders"].items()}.items() <= request.headers.items()
        assert endpoint["secret"] not in json.dumps(attempt)
        assert json.loads(request.body) == oldest["event"]["payload"]
    assert oldest["nextAttemptAt"] is None
    assert oldest["completedAt"] is not None
    log = await lectern.graph("{ events(types: [RESOURCE_CREATED]) { nodes { id deliveries { id status } } } }")
    assert log["events"]["nodes"][0] == {
        "id": oldest["event"]["id"],
        "deliveries": [{"id": oldest["id"], "status": "SUCCEEDED"}],
    }


async def test_a_paused_endpoint_queues_and_a_resumed_one_gets_it_all(lectern: World) -> None:
    """Issue 7, line 5; what a disabled one missed is not sent by itself, and a replay brings it."""
    async with Receiver() as receiver, Receiver() as neighbour:
        endpoint = await listen(lectern, receiver)
        await listen(lectern, neighbour, events=["ENDPOINT_DISABLED"])
        resume = {"id": endpoint["id"], "status": "ACTIVE"}
        async with lectern.background(**QUICK):
            await done(lectern, "updateWebhookEndpoint", "__typename", id=endpoint["id"], status="PAUSED")
            await create(lectern, "slide")
            await done(lectern, "sendTestWebhook", "__typename", endpointId=endpoint["id"])
            assert (await shown(lectern, endpoint, status="PENDING"))["deliveries"]["totalCount"] == 2
            assert (await done(lectern, "replayWebhooks", REPLAY, endpointId=endpoint["id"]))["count"] == 0, "owed"
            assert receiver.requests == []
            receiver.answer = lambda number: 410
            await done(lectern, "updateWebhookEndpoint", "__typename", **resume)
            (told,) = await neighbour.wait(1)
            await settled(lectern, endpoint, 2)
            disabled = await shown(lectern, endpoint)
            assert disabled["status"] == "DISABLED"
            assert "410" in disabled["disabledReason"]
            assert json.loads(told.body)["reason"] == disabled["disabledReason"]
            await create(lectern, "slide")
            for mutation in ("sendTestWebhook", "replayWebhooks"):
                refused = await call(lectern, mutation, "__typename", endpointId=endpoint["id"])
                assert [rule for _, rule, _ in problems(refused)] == ["endpoint_disabled"]
            await done(lectern, "updateWebhookEndpoint", "__typename", id=endpoint["id"], status="PAUSED")
            assert (await shown(lectern, endpoint))["disabledReason"] is None, "it is not disabled any more"
            receiver.answer = lambda number: 204
            await done(lectern, "updateWebhookEndpoint", "__typename", **resume)
            enabled = await shown(lectern, endpoint)
            assert (enabled["status"], enabled["consecutiveFailures"]) == ("ACTIVE", 0)
            assert enabled["deliveries"]["totalCount"] == 2, "what was missed is not made up for by itself"
            before = len(receiver.requests)
            replay = await done(lectern, "replayWebhooks", REPLAY, endpointId=endpoint["id"])
            assert replay["count"] == 2, "the one that was refused or cancelled, and the one that was never owed"
            await settled(lectern, endpoint, 4)
        assert set(replayed_ids(receiver)[before:]) == {each["event"]["id"] for each in replay["deliveries"]}


async def test_a_replay_sends_what_was_named_again_under_its_webhook_id(lectern: World) -> None:
    """R-CARD-6: one delivery, those of a status, a stretch of time; a foreign or unknown id makes nothing."""
    async with Receiver() as receiver:
        receiver.answer = lambda number: 500 if number <= 3 else 204
        endpoint = await listen(lectern, receiver, ordered=True)
        here = {"endpointId": endpoint["id"]}
        async with lectern.background(**QUICK):
            await create(lectern, "slide")
            (lost,) = await settled(lectern, endpoint, 1)
            moment = (datetime.now(UTC) + timedelta(milliseconds=1)).isoformat()
            await create(lectern, "slide")
            delivered, _ = await settled(lectern, endpoint, 2)
            assert (lost["status"], delivered["status"]) == ("FAILED", "SUCCEEDED")
            one = {"deliveryIds": [delivered["id"]], "idempotencyKey": "k"}
            replay, again = [await done(lectern, "replayWebhooks", REPLAY, **one) for _ in range(2)]
            assert (replay["count"], again["count"], again["replayed"]) == (1, 1, True)
            assert replay["deliveries"][0]["replayOf"] == {"id": delivered["id"]}
            failed = await done(lectern, "replayWebhooks", REPLAY, status="FAILED", **here)
            assert [each["replayOf"]["id"] for each in failed["deliveries"]] == [lost["id"]]
            await settled(lectern, endpoint, 4)
            for window, event_ids in (
                ({"since": moment}, [delivered["event"]["id"]]),
                ({"until": moment}, [lost["event"]["id"]]),
                ({"until": moment, "status": "FAILED"}, []),
                ({"since": moment, "deliveryIds": [lost["id"], delivered["id"]]}, [delivered["event"]["id"]]),
                ({"until": moment, "deliveryIds": [delivered["id"]]}, []),
            ):
                found = await done(lectern, "replayWebhooks", REPLAY, **here, **window)
                assert [each["event"]["id"] for each in found["deliveries"]] == event_ids, window
                assert found["count"] == len(event_ids)
            await settled(lectern, endpoint, 7)
    sent = receiver.requests
    assert len({request.body for request in sent if request.headers["webhook-id"] == lost["event"]["id"]}) == 1
    assert replayed_ids(receiver) == [
        *[lost["event"]["id"]] * 3,
        *[delivered["event"]["id"]] * 2,
        lost["event"]["id"],
        delivered["event"]["id"],
        lost["event"]["id"],
        delivered["event"]["id"],
    ]
    for key, input, problem in (
        (None, {"deliveryIds": [lost["id"], "delivery_x"]}, ("NOT_FOUND", None, ["input", "deliveryIds", "1"])),
        (lectern.keys.stranger, {"deliveryIds": [lost["id"]]}, ("NOT_FOUND", None, ["input", "deliveryIds", "0"])),
        (lectern.keys.test, here, ("NOT_FOUND", None, ["input", "endpointId"])),
        (None, {}, ("VALIDATION_FAILED", "replay_scope", ["input"])),
        (None, {"deliveryIds": [], **here}, ("VALIDATION_FAILED", "replay_scope", ["input"])),
        (
            None,
            {**here, "since": moment, "until": "2020-01-01T00:00:00Z"},
            ("VALIDATION_FAILED", "range_empty", ["input", "since"]),
        ),
    ):
        assert problems(await call(lectern, "replayWebhooks", "count", key=key, **input)) == [problem]
    assert (await shown(lectern, endpoint))["deliveries"]["totalCount"] == 7, "and nothing was made"


async def test_both_secrets_verify_until_the_grace_of_a_rotation_is_over(lectern: World) -> None:
    """R-CARD-5: with `graceSeconds: 0` the old one is worth nothing at once."""
    async with Receiver() as receiver:
        endpoint = await listen(lectern, receiver)
        wanted = "secret endpoint { secretHint previousSecretExpiresAt }"
        async with lectern.background(**QUICK):
            rotated = await done(lectern, "rotateWebhookSecret", wanted, endpointId=endpoint["id"], graceSeconds=60)
            await create(lectern, "slide")
            await receiver.wait(1)
            cut = await done(lectern, "rotateWebhookSecret", wanted, endpointId=endpoint["id"], graceSeconds=0)
            await create(lectern, "slide")
            during, after = await receiver.wait(2)
    assert len({endpoint["secret"], rotated["secret"], cut["secret"]}) == 3
    assert rotated["endpoint"]["previousSecretExpiresAt"] is not None
    assert cut["endpoint"]["previousSecretExpiresAt"] is None
    for secret in (endpoint["secret"], rotated["secret"]):
        Webhook(secret).verify(during.body, during.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(after.body, after.headers)
    Webhook(cut["secret"]).verify(after.body, after.headers)
    for seconds in (-1, 604_801):
        refused = await call(lectern, "rotateWebhookSecret", "secret", endpointId=endpoint["id"], graceSeconds=seconds)
        assert problems(refused) == [("VALIDATION_FAILED", "grace_range", ["input", "graceSeconds"])]


async def test_whoever_watches_sees_each_change_of_a_delivery_as_it_happens(lectern: World) -> None:
    """Issue 7, line 6: one endpoint's or all of the environment's, and nobody else's."""
    async with Receiver() as receiver, Receiver() as other, lectern.another_gateway() as address:
        receiver.answer = lambda number: 500 if number == 1 else 204
        endpoint, silent = await listen(lectern, receiver), await listen(lectern, other, events=["RESOURCE_DELETED"])
        async with (
            aclosing(updates(lectern.keys.content, address, endpoint["id"])) as one,
            aclosing(updates(lectern.keys.content, address, None)) as every,
            aclosing(updates(lectern.keys.stranger, address, None)) as strange,
        ):
            for stream in (one, every, strange):
                assert await anext(stream) is None, "it has begun"
            await done(lectern, "sendTestWebhook", "__typename", endpointId=silent["id"])
            await create(lectern, "slide")
            stranger = await done_as(lectern, lectern.keys.stranger, other)
            async with lectern.background(**QUICK):
                seen = await until_succeeded(one, endpoint)
                all_seen = await until_succeeded(every, endpoint)
                theirs = await until_succeeded(strange, stranger)
    assert {each["endpoint"]["id"] for each in seen} == {endpoint["id"]}
    assert [a["responseStatus"] for a in seen[-1]["attempts"]] == [500, 204]
    assert [each["status"] for each in seen] in (
        ["PENDING", "RETRYING", "SUCCEEDED"],
        ["RETRYING", "SUCCEEDED"],
        ["PENDING", "SUCCEEDED"],
        ["SUCCEEDED"],
    ), "forwards; what changed twice between two looks is told once"
    assert {each["endpoint"]["id"] for each in all_seen} <= {endpoint["id"], silent["id"]}
    assert {each["endpoint"]["id"] for each in theirs} == {stranger["id"]}


async def test_whoever_watches_hears_of_new_deliveries_when_all_others_are_forgotten(lectern: World) -> None:
    """On SQLite changes are counted from the last one that is there."""

    async def forgotten() -> int:
        async with lectern.database.transaction() as session:
            count, _ = await deliveries.expire(session, now() + timedelta(minutes=1))
        return count

    async with Receiver() as receiver, lectern.another_gateway() as address, lectern.background(**QUICK):
        endpoint = await listen(lectern, receiver)
        async with aclosing(updates(lectern.keys.content, address, endpoint["id"])) as stream:
            assert await anext(stream) is None, "it has begun"
            await done(lectern, "sendTestWebhook", "__typename", endpointId=endpoint["id"])
            await until_succeeded(stream, endpoint)
            assert await eventually(forgotten) == 1
            news = asyncio.create_task(anext(stream))

            async def told() -> bool:
                await done(lectern, "sendTestWebhook", "__typename", endpointId=endpoint["id"])
                assert await eventually(forgotten) == 1
                return news.done()

            await eventually(told, within=10)
            assert news.result()["endpoint"]["id"] == endpoint["id"]


async def done_as(lectern: World, key: str, receiver: Receiver) -> dict[str, Any]:
    """An endpoint of somebody else that is sent a test."""
    made = await call(lectern, "createWebhookEndpoint", "endpoint { id }", key=key, url=receiver.url)
    tested = await call(lectern, "sendTestWebhook", "__typename", key=key, endpointId=made["endpoint"]["id"])
    assert tested["errors"] == []
    endpoint: dict[str, Any] = made["endpoint"]
    return endpoint


async def until_succeeded(stream: AsyncGenerator[Any, None], endpoint: dict[str, Any]) -> list[dict[str, Any]]:
    """What a stream tells until a delivery to this endpoint has succeeded."""
    told: list[dict[str, Any]] = []
    while not (told and told[-1]["endpoint"]["id"] == endpoint["id"] and told[-1]["status"] == "SUCCEEDED"):
        told.append(await anext(stream))
    return told


async def updates(key: str, address: str, endpoint_id: str | None) -> AsyncGenerator[Any, None]:
    """None once the stream has begun, then what it tells."""
    headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
    body = {"query": UPDATED, "variables": {"id": endpoint_id}}
    async with (
        httpx.AsyncClient(timeout=20) as client,
        client.stream("POST", f"http://{address}/graphql", json=body, headers=headers) as answer,
    ):
        assert answer.status_code == 200
        yield None
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                yield json.loads(line.removeprefix("data: "))["data"]["webhookDeliveryUpdated"]
