"""What holds for every job: whose it is, what a lost worker leaves, who is next, and what a retry does. Issue 6."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from sqlmodel import col

from dispatcher import queue
from storage import jobs
from storage.jobs import LeaseLost
from storage.tables import Job, JobState, Output, OutputStatus
from storage.tables.columns import now
from tests import test_expansions as expansions
from tests.authoring import call, done, problems, show
from tests.models import Model
from tests.processes import LECTERN, process
from tests.test_crashes import large
from tests.test_generation import finished, run_again, start, used
from tests.test_model_author import hang
from tests.world import World, eventually

STANDING = "query ($id: ID!) { job(id: $id) { state attempt sequence error { code message } } }"
OUTPUTS = """query ($id: ID!) { expansion(jobId: $id) {
  state status retryable attempt error { code } progress { completedUnits failedUnits }
  outputs { outputType status resourceId error { code } }
  events(first: 100) { nodes { type payload } }
} }"""
FOLLOW = """subscription ($id: ID!) {
  jobProgress(jobId: $id, after: 0) { sequence state progress { phase } }
}"""


async def standing(lectern: World, id: str) -> dict[str, Any]:
    """Where a job stands."""
    job: dict[str, Any] = (await lectern.graph(STANDING, id=id))["job"]
    return job


async def claimed(lectern: World, id: str) -> int:
    """The attempt in which a worker has claimed the job, of which nothing is heard from now on."""
    async with lectern.database.transaction() as session:
        job = await jobs.claim(session, id)
        assert job is not None
        return job.attempt


async def pass_time(lectern: World, id: str) -> None:
    """Whatever the job waits for is over: its lease, or the time in which it has to be claimed."""
    async with lectern.database.transaction() as session:
        await session.execute(update(Job).where(col(Job.id) == id).values(due_at=now() - timedelta(seconds=1)))


async def lose(lectern: World, id: str, most: int = 3) -> None:
    """The job's worker is found to be lost; so many it may lose."""
    async with lectern.database.transaction() as session:
        await session.execute(update(Job).where(col(Job.id) == id).values(due_at=now() - timedelta(seconds=1)))
        await jobs.reclaim(session, most)


async def handed(lectern: World, most: int, later: timedelta = timedelta()) -> Sequence[jobs.Handing]:
    """What is handed to the workers now, or when some time has passed."""
    async with lectern.database.transaction() as session:
        return await jobs.due(session, most, now() + later)


async def test_whoever_was_overtaken_can_neither_write_nor_keep_the_lease(lectern: World) -> None:
    id = (await expansions.create(lectern))["id"]
    first = await claimed(lectern, id)
    async with lectern.database.transaction() as session:
        await jobs.reclaim(session, 1)
    assert (await standing(lectern, id))["state"] == "RUNNING", "its lease lasts"
    await lose(lectern, id)
    assert (await standing(lectern, id))["state"] == "QUEUED"
    second = await claimed(lectern, id)
    assert (first, second) == (1, 2)
    before = await standing(lectern, id)
    async with lectern.database.transaction() as session:
        with pytest.raises(LeaseLost):
            await jobs.held(session, id, first)
        with pytest.raises(LeaseLost):
            await jobs.heartbeat(session, id, first)
        assert await jobs.heartbeat(session, id, second) is JobState.RUNNING
        assert (await jobs.held(session, id, second)).attempt == second
        assert await jobs.claim(session, id) is None, "nobody claims what somebody has"
    assert await standing(lectern, id) == before


async def test_another_worker_goes_on_where_one_was_lost_and_nothing_is_there_twice(lectern: World) -> None:
    """R-CARD-4: on both databases."""
    id = (await expansions.create(lectern))["id"]
    await claimed(lectern, id)
    await pass_time(lectern, id)
    async with lectern.background():
        assert (await expansions.finished(lectern, id))["state"] == "COMPLETED"
        before = (await lectern.graph(OUTPUTS, id=id))["expansion"]
        assert before["attempt"] == 2
        await run_again(lectern, id)

        async def ended() -> bool:
            job = await standing(lectern, id)
            return bool(job["attempt"] == 3 and job["state"] == "COMPLETED")

        await eventually(ended)
    after = (await lectern.graph(OUTPUTS, id=id))["expansion"]
    assert after["outputs"] == before["outputs"]
    assert await used(lectern) == dict.fromkeys(expansions.ALL, 1)


async def test_a_worker_that_only_seemed_lost_stops_and_leaves_the_job_to_the_next(lectern: World) -> None:
    async with Model() as model, lectern.background(**model.settings()):
        model.faults = [hang]
        id, job = await start(lectern, "slide")
        await asyncio.wait_for(model.hanging.wait(), 10)

        await lose(lectern, job)
        assert (await finished(lectern, job))["state"] == "COMPLETED"
        assert (await standing(lectern, job))["attempt"] == 2
    assert len(model.requests) == 2
    assert (await show(lectern, "slide", id, "status version slideCount")) == {
        "status": "READY",
        "version": 2,
        "slideCount": 10,
    }
    assert await used(lectern) == {"slide_generation": 1}


async def test_a_job_that_loses_too_many_workers_fails_until_it_is_retried(lectern: World) -> None:
    id = (await expansions.create(lectern))["id"]
    for attempt in (1, 2, 3):
        assert await claimed(lectern, id) == attempt
        await lose(lectern, id)
    job = await standing(lectern, id)
    assert (job["state"], job["attempt"], job["error"]["code"]) == ("FAILED", 3, "INTERNAL")
    assert "lost 3 times" in job["error"]["message"]
    await done(lectern, "retryJob", "job { id }", jobId=id)
    assert await claimed(lectern, id) == 4
    await pass_time(lectern, id)
    async with lectern.background(job_attempts=2):
        assert (await expansions.finished(lectern, id))["state"] == "COMPLETED", "it begins to count anew"


async def test_how_many_workers_a_job_may_lose_is_a_setting(lectern: World) -> None:
    id = (await expansions.create(lectern))["id"]
    await claimed(lectern, id)
    await pass_time(lectern, id)
    async with lectern.background(job_attempts=1):
        assert (await expansions.finished(lectern, id))["error"]["code"] == "INTERNAL"


async def test_what_a_stopping_worker_gives_back_counts_as_no_loss(lectern: World) -> None:
    id = (await expansions.create(lectern))["id"]
    for attempt in (1, 2, 3, 4):
        assert await claimed(lectern, id) == attempt
        async with lectern.database.transaction() as session:
            await jobs.give_back(session, await jobs.held(session, id, attempt))
    await claimed(lectern, id)
    await lose(lectern, id, 2)
    assert await standing(lectern, id) == {"state": "QUEUED", "attempt": 6, "sequence": 11, "error": None}


@pytest.mark.parametrize("lost", [True, False])
async def test_a_job_whose_worker_ends_before_it_hears_of_the_cancellation_is_cancelled(
    lectern: World, lost: bool
) -> None:
    id = (await expansions.create(lectern))["id"]
    attempt = await claimed(lectern, id)
    cancelled = await done(lectern, "cancelJob", "job { state cancelable }", jobId=id)
    assert cancelled["job"] == {"state": "CANCELING", "cancelable": False}
    if lost:
        await lose(lectern, id)
    else:
        async with lectern.database.transaction() as session:
            await jobs.give_back(session, await jobs.held(session, id, attempt))
    assert (await standing(lectern, id))["state"] == "CANCELED"


async def test_what_was_handed_over_and_never_claimed_is_handed_over_again(lectern: World) -> None:
    """As when Valkey is emptied while jobs wait in it."""
    id = (await expansions.create(lectern))["id"]
    [first] = await handed(lectern, 5)
    assert first.job_id == id
    assert await handed(lectern, 5) == [], "it is on its way"
    async with lectern.database.snapshot() as session:
        due = (await session.get_one(Job, id)).due_at
    assert due is not None
    assert timedelta(0) < due - now() <= timedelta(seconds=5), "but not for long"
    await pass_time(lectern, id)
    [second] = await handed(lectern, 5)
    assert second.job_id == id
    assert second.name != first.name, "or arq would take it for the one it knows"
    await pass_time(lectern, id)
    async with lectern.background():
        assert (await expansions.finished(lectern, id))["state"] == "COMPLETED"


async def many(lectern: World, count: int) -> list[str]:
    """The ids of so many jobs of one workspace."""
    names = [f"i{number}" for number in range(count)]
    given = ", ".join(f"${name}: CreateExpansionInput!" for name in names)
    fields = " ".join(f"{name}: createExpansion(input: ${name}) {{ job {{ id }} }}" for name in names)
    asked: Any = expansions.asked()
    made = await lectern.graph(f"mutation ({given}) {{ {fields} }}", **dict.fromkeys(names, asked))
    return [made[name]["job"]["id"] for name in names]


async def of_another(lectern: World) -> str:
    """The id of a job of another workspace."""
    made = await lectern.graph(expansions.CREATE, key=lectern.keys.stranger, input=expansions.asked())
    return str(made["createExpansion"]["job"]["id"])


async def test_while_all_workers_are_busy_nobody_loses_its_place_and_nobody_is_kept_out(lectern: World) -> None:
    """Issue 6, line 7: what nobody claims in time is handed over again, again and again."""
    early = await many(lectern, 20)
    async with queue.connected(lectern.settings["redis_url"]) as redis:

        async def hand_over(rounds: int) -> list[str]:
            """Answers who waits in Valkey after so many rounds in which nobody claimed anything, the next one first."""
            for handing in await handed(lectern, 5, rounds * jobs.HAND_OVER):
                await queue.put(redis, handing)
            return [name.decode().split(":")[1] for name in await redis.zrange(queue.QUEUE, 0, -1)]

        assert await hand_over(0) == early[:5]
        late = await of_another(lectern)
        for rounds in (2, 4, 6):
            waiting = await hand_over(rounds)
            assert waiting == [*early[:5], late], "not behind all the others of the one who asks for much"


async def times(lectern: World, id: str) -> tuple[datetime, datetime, datetime]:
    """When a job was made, begun and done."""
    job = (await lectern.graph("query ($id: ID!) { job(id: $id) { createdAt startedAt completedAt } }", id=id))["job"]
    made, begun, done = (datetime.fromisoformat(job[name]) for name in ("createdAt", "startedAt", "completedAt"))
    return made, begun, done


async def test_a_job_is_begun_when_it_is_there_and_not_at_the_next_look(lectern: World) -> None:
    """Workers are rung; without, twenty jobs would wait for five seconds in all."""
    waited = timedelta()
    async with lectern.background():
        for _ in range(20):
            id = (await expansions.create(lectern))["id"]
            await expansions.finished(lectern, id)
            made, begun, _ = await times(lectern, id)
            waited += begun - made
    assert waited < timedelta(seconds=2.5)


async def test_a_job_that_waits_for_room_is_begun_when_there_is_some(lectern: World) -> None:
    """Without that, ten jobs at one place would take five seconds."""
    ids = await many(lectern, 10)
    async with lectern.background(job_slots=1):
        for id in ids:
            await expansions.finished(lectern, id)
    when = [await times(lectern, id) for id in ids]
    assert max(done for *_, done in when) - min(begun for _, begun, _ in when) < timedelta(seconds=3)


async def test_no_workspace_waits_for_another(lectern: World) -> None:
    """Issue 6, line 7: each has its turn, however much one has asked for before; and few are on their way at a time."""
    await many(lectern, 20)
    late = await of_another(lectern)
    first = [handing.job_id for handing in await handed(lectern, 5)]
    assert len(first) == 5
    assert late in first[:2]
    assert await handed(lectern, 5) == [], "as many are on their way as may be"
    assert len(await handed(lectern, 8)) == 3


async def test_a_partly_failed_expansion_keeps_what_it_made_and_a_retry_repairs_the_rest(
    lectern: World, tmp_path: Path
) -> None:
    """D16, R-BILL-2: it touches and bills nothing else."""

    async def delete(_id: str, begun: str) -> None:
        await done(lectern, "deleteResource", "deletedId", id=begun)

    caught = await catch(lectern, tmp_path, delete, "expanded_quiz", "summary_video")
    id, begun = caught.id, caught.begun
    job = (await lectern.graph(OUTPUTS, id=id))["expansion"]
    assert (job["state"], job["status"], job["error"]) == ("COMPLETED_WITH_ERRORS", "completed", None)
    assert (job["progress"], job["retryable"]) == ({"completedUnits": 1, "failedUnits": 1}, True)
    quiz, video = job["outputs"]
    assert (quiz["status"], quiz["resourceId"], quiz["error"]) == ("failed", None, {"code": "GENERATION_FAILED"})
    assert (video["status"], video["error"]) == ("completed", None)
    last = job["events"]["nodes"][-1]
    assert last["type"] == "CONTENT_COMPLETED"
    assert [output["status"] for output in last["payload"]["outputs"]] == ["failed", "completed"]
    assert await caught.billed(lectern) == {"summary_video": 1}
    before = await show(lectern, "video", video["resourceId"], "version updatedAt scenes { id }")

    await done(lectern, "retryJob", "job { state }", jobId=id)
    waiting = (await lectern.graph(OUTPUTS, id=id))["expansion"]["outputs"]
    assert [output["status"] for output in waiting] == ["queued", "completed"]
    async with lectern.background():
        await expansions.finished(lectern, id)
    again = (await lectern.graph(OUTPUTS, id=id))["expansion"]
    assert (again["state"], again["attempt"], again["retryable"]) == ("COMPLETED", 2, False)
    assert again["progress"] == {"completedUnits": 2, "failedUnits": 0}
    assert again["outputs"][1] == video
    assert again["outputs"][0]["resourceId"] not in (None, begun)
    assert await show(lectern, "video", video["resourceId"], "version updatedAt scenes { id }") == before
    assert await caught.billed(lectern) == {"summary_video": 1, "expanded_quiz": 1}
    refused = await call(lectern, "retryJob", "job { id }", jobId=id)
    assert problems(refused) == [("JOB_STATE_INVALID", None, [])]


async def test_a_running_expansion_stops_within_two_seconds(lectern: World, tmp_path: Path) -> None:
    """R-IMP-7."""

    async def cancel(id: str, _begun: str) -> None:
        await call(lectern, "cancelJob", "job { state }", jobId=id)

    caught = await catch(lectern, tmp_path, cancel, "interactive_module", "summary_video", "expanded_quiz")
    assert caught.seconds < 2
    job = (await lectern.graph(OUTPUTS, id=caught.id))["expansion"]
    assert (job["state"], job["status"], job["error"]) == ("CANCELED", "failed", {"code": "CANCELED"})
    made = {output["outputType"] for output in job["outputs"] if output["status"] == "completed"}
    assert all(output["resourceId"] for output in job["outputs"] if output["outputType"] in made)
    left = [output for output in job["outputs"] if output["outputType"] not in made]
    assert {(output["status"], output["resourceId"]) for output in left} == {("failed", None)}
    assert await caught.billed(lectern) == dict.fromkeys(made, 1), "what was made before is kept and counted"


@dataclass(frozen=True, slots=True)
class Caught:
    """A job that was disturbed while it drafted its first output, and the seconds that it went on."""

    id: str
    begun: str
    seconds: float
    before: dict[str, int]

    async def billed(self, lectern: World) -> dict[str, int]:
        """What has been counted since it was created."""
        counts = await used(lectern)
        return {
            what: count - self.before.get(what, 0) for what, count in counts.items() if count != self.before.get(what)
        }


async def catch(lectern: World, tmp_path: Path, disturb: Callable[[str, str], Awaitable[None]], *types: str) -> Caught:
    """
    Disturb an expansion of a process of its own in its first output.

    All of them take half a second, so now and then one is too fast.
    """
    with process([*LECTERN, "work"], tmp_path, **lectern.environment):
        for _ in range(20):
            before = await used(lectern)
            id = (await expansions.create(lectern, payload=large(400), requestedOutputs=list(types)))["id"]
            begun = await eventually(lambda: _processing(lectern), every=0.002)
            await disturb(id, begun)
            began = time.monotonic()
            await expansions.finished(lectern, id)
            caught = Caught(id, begun, time.monotonic() - began, before)
            job = (await lectern.graph(OUTPUTS, id=id))["expansion"]
            if any(output["status"] == "failed" for output in job["outputs"]):
                return caught
    raise AssertionError("no expansion was ever caught while it ran")


async def _processing(lectern: World) -> str | None:
    """The resource that is being drafted."""
    async with lectern.database.snapshot() as session:
        return await session.scalar(
            select(col(Output.resource_id)).where(col(Output.status) == OutputStatus.processing)
        )


async def test_a_job_is_followed_while_it_runs(lectern: World) -> None:
    """R-CARD-3: the news come before the job has ended, which it does not before it is told to."""
    async with (
        asyncio.timeout(20),
        Model() as model,
        lectern.another_gateway() as address,
        lectern.background(**model.settings()),
    ):
        model.faults = [hang] * 5
        _, id = await start(lectern, "module")
        told = _followed(lectern, address, id)
        states = [(await anext(told))["state"] for _ in range(2)]
        assert states == ["QUEUED", "RUNNING"]
        drafting = await anext(told)
        assert (drafting["state"], drafting["progress"]["phase"]) == ("RUNNING", "drafting")
        assert (await standing(lectern, id))["state"] == "RUNNING"
        await done(lectern, "cancelJob", "job { state }", jobId=id)
        assert [event["state"] async for event in told] == ["CANCELING", "CANCELED"]


async def _followed(lectern: World, address: str, id: str) -> AsyncIterator[dict[str, Any]]:
    """The events of a job as they come, until the stream completes."""
    headers = {"Authorization": f"Bearer {lectern.keys.content}", "Accept": "text/event-stream"}
    body = {"query": FOLLOW, "variables": {"id": id}}
    async with (
        httpx.AsyncClient(timeout=20) as client,
        client.stream("POST", f"http://{address}/graphql", json=body, headers=headers) as answer,
    ):
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                yield json.loads(line.removeprefix("data: "))["data"]["jobProgress"]
            elif line == "event: complete":
                return
    raise AssertionError("the stream broke off")


async def test_two_workers_share_the_work_and_do_nothing_twice(lectern: World) -> None:
    ids = [(await expansions.create(lectern, requestedOutputs=["summary_video"]))["id"] for _ in range(4)]
    async with lectern.background(), lectern.background():
        for id in ids:
            assert (await expansions.finished(lectern, id))["state"] == "COMPLETED"
    assert {(await standing(lectern, id))["attempt"] for id in ids} == {1}
    assert await used(lectern) == {"summary_video": 4}
