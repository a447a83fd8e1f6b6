"""What is removed when its time is over, and what never is. Issue 6, line 8; D3, D24."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import SQLModel, col, func, select

from storage.blobs import Blobs
from storage.retention import Days, Housekeeping
from storage.tables import (
    AccessToken,
    Attachment,
    ContentItem,
    Delivery,
    Event,
    Job,
    Resource,
    Scene,
    UserSession,
)
from storage.tables.columns import now
from tests import test_expansions as expansions
from tests.authoring import call, create, done, show
from tests.exporting import fetched
from tests.ingesting import COURSE, client
from tests.test_rendering import a_video, ended, render
from tests.world import World, eventually

ALL = Days(deliveries=-1, events=-1, jobs=-1)
"""As if it were tomorrow, and nothing were kept for longer."""


def housekeeping(lectern: World, days: Days = ALL) -> Housekeeping:
    """Batches are so small that there are always several of them."""
    return Housekeeping(lectern.database, Blobs(lectern.settings["blob_url"]), days, batch=2)


async def count(lectern: World, table: type[SQLModel], *conditions: Any) -> int:
    async with lectern.database.snapshot() as session:
        return (await session.scalar(select(func.count()).select_from(table).where(*conditions))) or 0


async def change(lectern: World, table: type[SQLModel], **values: Any) -> None:
    """Write columns past everybody."""
    async with lectern.database.transaction() as session:
        await session.execute(update(table).values(**values))


async def test_nothing_that_is_young_is_removed(lectern: World) -> None:
    await expand(lectern)
    author = await client(lectern)
    await author.ingested(COURSE)
    assert await housekeeping(lectern, Days()).sweep() == {}


async def test_settled_deliveries_and_their_events_go_and_what_is_owed_stays(lectern: World) -> None:
    made = await done(
        lectern, "createWebhookEndpoint", "endpoint { id }", url="https://127.0.0.1/x", events=["RESOURCE_CREATED"]
    )
    await create(lectern, "module")
    await create(lectern, "module")
    owed = await count(lectern, Delivery)
    assert owed == 2
    async with lectern.database.transaction() as session:
        first = (await session.scalars(select(Delivery).order_by(col(Delivery.id)))).first()
        assert first is not None
        first.next_attempt_at = None
    removed = await housekeeping(lectern).sweep()
    assert removed["deliveries"] == 1
    assert await count(lectern, Delivery) == 1
    assert await count(lectern, Event) == 1, "only the event that is still owed"
    page = await lectern.graph(
        "query ($id: ID!) { webhookEndpoint(id: $id) { deliveries { nodes { event { type } } } } }",
        id=made["endpoint"]["id"],
    )
    assert page["webhookEndpoint"]["deliveries"]["nodes"] == [{"event": {"type": "RESOURCE_CREATED"}}]


async def test_finished_jobs_go_and_what_they_made_stays(lectern: World) -> None:
    for _ in range(2):
        await done(lectern, "cancelJob", "job { state }", jobId=await expand(lectern))
    job = await expand(lectern, idempotencyKey="once")
    async with lectern.background():
        result = await eventually(lambda: _result(lectern, job))
    module = result["outputs"][0]["resourceId"]
    assert (await housekeeping(lectern).sweep())["jobs"] == 3
    assert (await show(lectern, "module", module, "title job { id }")) == {"title": "A1 glossary module", "job": None}
    assert (await lectern.graph("query ($id: ID!) { job(id: $id) { id } }", id=job))["job"] is None


async def test_whoever_missed_what_was_removed_is_told_so(lectern: World) -> None:
    """Issue 6, line 5: nothing is passed over in silence, neither in the log nor in a job's part of it."""
    job = await expand(lectern)
    await done(lectern, "cancelJob", "job { state }", jobId=job)
    await create(lectern, "module")
    old = (await lectern.graph("{ events(first: 10) { nodes { cursor } } }"))["events"]["nodes"]
    assert len(old) > 2
    await housekeeping(lectern, Days(events=-1)).sweep()
    await create(lectern, "video")

    page = "query ($after: String) { events(first: 10, after: $after) { nodes { type } } }"
    refused = (await lectern.post(page, after=old[-2]["cursor"])).json()["errors"][0]
    assert (refused["extensions"]["code"], refused["extensions"]["rule"]) == ("BAD_USER_INPUT", "cursor_expired")
    following = "subscription ($after: String) { events(after: $after) { type } }"
    [again] = (await followed(lectern, following, after=old[0]["cursor"]))["errors"]
    assert (again["message"], again["extensions"]["rule"]) == (refused["message"], "cursor_expired")
    go_on = refused["message"].rpartition(" ")[2].rstrip(".")
    assert go_on == old[-1]["cursor"], "of what is behind the last one that was removed, nothing is missing"
    assert (await lectern.graph(page, after=go_on))["events"]["nodes"] == [{"type": "RESOURCE_CREATED"}]

    watching = "subscription ($id: ID!, $after: Int) { jobProgress(jobId: $id, after: $after) { sequence } }"
    told = (await followed(lectern, watching, id=job, after=0))["errors"][0]
    assert told["extensions"]["rule"] == "cursor_expired"
    assert await followed(lectern, watching, id=job) is None, "it is over"
    assert await followed(lectern, watching, id=job, after=2) is None, "nothing was missed"


async def followed(lectern: World, query: str, **variables: Any) -> Any:
    """What the first event of a stream that ends by itself says, if there is one."""
    answer = await lectern.post(query, headers={"Accept": "text/event-stream"}, **variables)
    data = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    return json.loads(data[0]) if data else None


async def expand(lectern: World, **input: Any) -> str:
    """The id of an expansion of the document's glossary."""
    return str((await expansions.create(lectern, **input))["id"])


async def _result(lectern: World, job: str) -> Any:
    query = "query ($id: ID!) { expansionResult(jobId: $id) { outputs { resourceId } } }"
    return (await lectern.graph(query, id=job))["expansionResult"]


async def test_a_job_that_still_waits_is_never_too_old(lectern: World) -> None:
    job = await expand(lectern)
    await change(lectern, Job, completed_at=now() - timedelta(days=1000))
    assert "jobs" not in await housekeeping(lectern).sweep()
    assert (await lectern.graph("query ($id: ID!) { job(id: $id) { state } }", id=job))["job"]["state"] == "QUEUED"


async def test_a_key_whose_job_is_gone_makes_nothing_a_second_time(lectern: World) -> None:
    """D12: keys never expire."""
    job = await expand(lectern, idempotencyKey="once")
    async with lectern.background():
        await eventually(lambda: _result(lectern, job))
    await housekeeping(lectern).sweep()
    again = await call(lectern, "createExpansion", "job { id }", **expansions.asked(idempotencyKey="once"))
    assert [error["code"] for error in again["errors"]] == ["IDEMPOTENCY_ORIGINAL_DELETED"]


async def test_an_ingestion_stays_as_long_as_its_items(lectern: World) -> None:
    author = await client(lectern)
    job = await author.ingested(COURSE)
    assert "jobs" not in await housekeeping(lectern).sweep()
    assert (await author.job(job["id"]))["status"] == "COMPLETED"
    await delete_all(lectern, ContentItem)
    blobs = Blobs(lectern.settings["blob_url"])
    async with lectern.database.snapshot() as session:
        key = (await session.scalars(select(Job))).one().parameters.blob_key  # type: ignore[union-attr]
    assert await blobs.has(key or "")
    assert (await housekeeping(lectern).sweep())["jobs"] == 1
    assert not await blobs.has(key or "")


async def delete_all(lectern: World, table: type[SQLModel]) -> None:
    async with lectern.database.transaction() as session:
        for row in (await session.scalars(select(table))).all():
            await session.delete(row)


async def test_a_deleted_video_goes_after_a_month_and_its_film_with_it(lectern: World) -> None:
    """D3."""
    video = await a_video(lectern)
    async with lectern.background():
        await render(lectern, video)
        film = (await ended(lectern, video))["renderJob"]["artifact"]["url"]
    assert "jobs" not in await housekeeping(lectern).sweep(), "its video is there"
    await done(lectern, "deleteResource", "deletedId", id=video)
    assert await count(lectern, Resource) == 1, "for support"
    await housekeeping(lectern).sweep()
    assert await count(lectern, Resource) == 1
    await change(lectern, Resource, deleted_at=now() - timedelta(days=30, minutes=1))
    removed = await housekeeping(lectern).sweep()
    assert (removed["resources"], removed["attachments"], removed["jobs"]) == (1, 3, 1)
    assert await count(lectern, Scene) == 0
    assert (await fetched(lectern, film)).status_code == 404


async def test_sign_ins_go_a_day_after_they_ended(lectern: World) -> None:
    await lectern.login(lectern.keys.admin)
    await client(lectern)
    await change(lectern, UserSession, expires_at=now() - timedelta(hours=23))
    await change(lectern, AccessToken, expires_at=now() - timedelta(hours=25))
    assert await housekeeping(lectern, Days()).sweep() == {"tokens": 1}


async def test_two_sweeps_at_once_do_no_harm(lectern: World) -> None:
    for _ in range(20):
        await create(lectern, "module")
    first, second = await asyncio.gather(housekeeping(lectern).sweep(), housekeeping(lectern).sweep())
    assert 20 <= first.get("events", 0) + second.get("events", 0) <= 40
    assert await count(lectern, Event) == 0


async def test_the_background_process_keeps_house_by_itself(lectern: World) -> None:
    """By arq's cron; each start is an occasion."""
    await done(lectern, "deleteResource", "deletedId", id=(await create(lectern, "module"))["id"])
    await change(lectern, Resource, deleted_at=now() - timedelta(days=31))

    async def swept() -> bool:
        return await count(lectern, Resource) == 0

    async with lectern.background():
        await eventually(swept)


@pytest.mark.parametrize("days", [1, 90])
async def test_how_long_deliveries_are_kept_is_a_setting(lectern: World, days: int) -> None:
    await done(lectern, "createWebhookEndpoint", "endpoint { id }", url="https://127.0.0.1/x")
    assert await housekeeping(lectern, Days(deliveries=days)).sweep() == {}
    assert await count(lectern, Attachment) == 0
