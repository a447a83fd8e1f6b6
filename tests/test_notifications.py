"""Messages to users about their exports: R-CEX-18, D9."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx
import pytest

from tests.exporting import a_group, ask, finished, made, people_of, shown, start, store
from tests.world import World

NOTIFICATIONS = """{ viewer { notifications {
  totalCount nodes { id kind message createdAt contentExport { id number workflowState } } pageInfo { endCursor }
} } }"""
RECEIVED = """subscription ($after: String) {
  notificationReceived(after: $after) { id kind contentExport { number } }
}"""


async def notified(lectern: World) -> list[dict[str, Any]]:
    """The messages to the user who is signed in, newest first."""
    viewer = (await lectern.as_user(NOTIFICATIONS))["viewer"]
    nodes: list[dict[str, Any]] = viewer["notifications"]["nodes"]
    return nodes


@pytest.fixture
async def me(lectern: World) -> dict[str, str]:
    """The administrator, who is signed in, as a context with a file."""
    await lectern.login(lectern.keys.admin)
    context = {"userId": (await people_of(lectern))[lectern.keys.admin]}
    await store(lectern, context, "a.txt", b"x")
    return context


async def test_every_end_of_an_export_is_told_to_its_user_once(lectern: World, me: dict[str, str]) -> None:
    """R-CEX-18: finished, failed or cancelled; one message each."""
    empty = {"groupId": await a_group(lectern)}
    done, failed = await start(lectern, me, "zip"), await start(lectern, empty, "zip")
    cancelled = await start(lectern, me, "zip")
    await made(lectern, "cancelJob", "job { state }", jobId=cancelled["id"])
    async with lectern.background():
        await finished(lectern, me, done["id"])
        await finished(lectern, empty, failed["id"])
    told = {each["contentExport"]["id"]: each for each in await notified(lectern)}
    assert len(told) == len(await notified(lectern)) == 3
    assert told[done["id"]]["kind"] == "content_export_finished"
    assert told[done["id"]]["message"] == "Export 1 of “Kim” is ready."
    assert told[failed["id"]]["kind"] == "content_export_failed"
    assert told[failed["id"]]["message"] == "Export 2 of “Staff” failed: There are no files."
    assert told[cancelled["id"]]["kind"] == "content_export_failed"
    assert told[done["id"]]["contentExport"] == {"id": done["id"], "number": 1, "workflowState": "exported"}
    node = "query ($id: ID!) { node(id: $id) { id ... on Notification { kind } } }"
    assert (await ask(lectern, node, id=told[done["id"]]["id"]))["kind"] == "content_export_finished"


async def test_nobody_is_told_who_does_not_want_to_be(lectern: World, me: dict[str, str]) -> None:
    """R-CEX-18, D9: skipNotifications; what webhooks get is in test_exports."""
    export = await start(lectern, me, "zip", skipNotifications=True)
    async with lectern.background():
        assert (await finished(lectern, me, export["id"]))["skipNotifications"] is True
    assert await notified(lectern) == []


async def test_messages_are_for_their_user_in_their_environment(lectern: World, me: dict[str, str]) -> None:
    """Neither another user nor the other environment sees them, not even by id."""
    export = await start(lectern, me, "zip")
    await made(lectern, "cancelJob", "job { state }", jobId=export["id"])
    (message,) = await notified(lectern)
    node = "query ($id: ID!) { node(id: $id) { id } }"
    test = {"X-Lectern-CSRF": "1", "X-Environment": "test"}
    elsewhere = (await lectern.graph(NOTIFICATIONS, key="", headers=test))["viewer"]["notifications"]
    assert elsewhere["totalCount"] == 0
    await lectern.login(lectern.keys.member)
    assert await notified(lectern) == []
    assert await ask(lectern, node, id=message["id"]) is None
    answer = (await lectern.post(NOTIFICATIONS)).json()
    assert answer["data"] == {"viewer": {"notifications": None}}
    assert answer["errors"][0]["extensions"]["requiredScopes"] == ["exports"]


async def test_messages_come_live_and_nothing_is_missed(lectern: World, me: dict[str, str]) -> None:
    """R-CEX-18: after a cursor of the list what was missed comes first, then what happens; each once, in order."""
    empty = {"groupId": await a_group(lectern)}
    first = await start(lectern, me, "zip")
    await made(lectern, "cancelJob", "job { state }", jobId=first["id"])
    seen = (await lectern.as_user(NOTIFICATIONS))["viewer"]["notifications"]["pageInfo"]["endCursor"]
    missed = await start(lectern, empty, "zip")
    await made(lectern, "cancelJob", "job { state }", jobId=missed["id"])

    async with lectern.another_gateway() as address, aclosing(received(lectern, address, seen)) as stream:
        told = [await anext(stream)]
        later = [await start(lectern, me, "zip") for _ in range(3)]
        async with lectern.background():
            told += [await anext(stream) for _ in later]

    numbers = [each["contentExport"]["number"] for each in told]
    assert numbers[0] == missed["number"]
    assert sorted(numbers[1:]) == [export["number"] for export in later]
    assert [each["id"] for each in reversed(told)] == [each["id"] for each in await notified(lectern)][:4]
    assert all([(await shown(lectern, me, export["id"]))["workflowState"] == "exported" for export in later])


async def received(lectern: World, address: str, after: str | None) -> AsyncGenerator[dict[str, Any], None]:
    """What the subscription yields over server-sent events, with the session of the client."""
    cookie = f"lectern_session={lectern.client.cookies['lectern_session']}"
    headers = {"Cookie": cookie, "X-Lectern-CSRF": "1", "Accept": "text/event-stream"}
    body = {"query": RECEIVED, "variables": {"after": after}}
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream("POST", f"http://{address}/graphql", json=body, headers=headers) as answer,
    ):
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                yield json.loads(line.removeprefix("data: "))["data"]["notificationReceived"]
