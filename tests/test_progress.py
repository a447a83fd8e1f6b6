"""Progress of every kind of job is honest: it grows, counts what is done, and is told to all alike. Issue 6, line 3."""

from collections.abc import Awaitable, Callable
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import jobs
from storage.errors import JobErrorCode
from storage.tables import Job, JobState, Progress
from storage.tables.jobs import Failure
from tests import exporting, ingesting
from tests import test_expansions as expansions
from tests.authoring import create, done
from tests.models import Model
from tests.packages.builders import CASE, item, lom, package, qti3, resource, standards
from tests.test_generation import finished
from tests.test_rendering import a_video, render
from tests.world import World, eventually

TOLD = """query ($id: ID!) { job(id: $id) {
  state progress { ...numbers }
  events(first: 100) { nodes { payload jobEvent { attempt: sequence state progress { ...numbers } } } }
} }
fragment numbers on JobProgress { percent phase completedUnits failedUnits totalUnits secondsRemaining }"""


async def an_expansion(lectern: World) -> str:
    return str((await expansions.create(lectern))["id"])


async def a_generation(lectern: World) -> str:
    test = await create(lectern, "test")
    made = await done(lectern, "generateTestItems", "job { id }", testId=test["id"], prompt="Exits", count=45)
    return str(made["job"]["id"])


async def a_render(lectern: World) -> str:
    scenes = [{"script": "", "displayText": str(number), "duration": 2} for number in range(6)]
    made = await render(lectern, await a_video(lectern, *scenes))
    return str(made["job"]["id"])


async def an_export(lectern: World) -> str:
    await lectern.login(lectern.keys.admin)
    course = {"courseId": await exporting.a_course(lectern)}
    await exporting.store(lectern, course, "a.bin", bytes(3_000_000))
    return str((await exporting.start(lectern, course, "common_cartridge"))["id"])


async def an_ingestion(lectern: World) -> str:
    author = await ingesting.client(lectern)
    names = [f"q{number}" for number in range(300)]
    listed = [
        resource(name, metadata=lom(name) + (standards(CASE) if number % 3 else ""))
        for number, name in enumerate(names)
    ]
    files = {f"items/{name}.xml": item() for name in names}
    return await author.upload(package(qti3(*listed), files).read(), len(names))


KINDS: list[Callable[[World], Awaitable[str]]] = [an_expansion, a_generation, a_render, an_export, an_ingestion]


@pytest.mark.parametrize("start", KINDS)
async def test_the_progress_of_every_kind_is_one_pass_from_0_to_100(
    lectern: World, start: Callable[[World], Awaitable[str]]
) -> None:
    """Issue 6, line 3."""
    id = await start(lectern)
    async with Model() as model, lectern.background(**model.settings()):
        await _ended(lectern, id)
    job = await _row(lectern, id)
    assert job.state in (JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS), job.error
    told = await _told(lectern, id)
    honest(told)
    assert told[-1]["progress"]["percent"] == 100
    assert told[-1]["progress"]["phase"] is None
    numbers = [event["progress"] for event in told]
    assert len({number["phase"] for number in numbers} - {None}) >= 1
    units = [number["completedUnits"] + number["failedUnits"] for number in numbers]
    assert units[-1] == numbers[-1]["totalUnits"] > 0, "everything is done, or has failed"
    assert any(number["secondsRemaining"] is not None for number in numbers)
    assert len({number["percent"] for number in numbers}) > 3, "it tells of itself on its way"


def honest(told: list[dict[str, Any]]) -> None:
    """What holds for every job at every moment."""
    numbers = [event["progress"] for event in told]
    percents = [number["percent"] for number in numbers]
    assert percents == sorted(percents)
    assert all(0 <= percent <= 100 for percent in percents)
    units = [number["completedUnits"] + number["failedUnits"] for number in numbers]
    assert units == sorted(units)
    for event, number in zip(told, numbers, strict=True):
        assert number["totalUnits"] is None or number["completedUnits"] + number["failedUnits"] <= number["totalUnits"]
        assert number["secondsRemaining"] is None or number["secondsRemaining"] >= 0
        assert (number["percent"] == 100) == (event["state"] in ("COMPLETED", "COMPLETED_WITH_ERRORS"))


async def test_the_graph_the_log_and_the_progress_api_tell_the_same_numbers(lectern: World) -> None:
    id = await an_expansion(lectern)
    async with lectern.background():
        await _ended(lectern, id)
    job = (await lectern.graph(TOLD, id=id))["job"]
    polled = (
        await lectern.client.get(f"/api/v1/progress/{id}", headers={"Authorization": f"Bearer {lectern.keys.content}"})
    ).json()
    last = job["events"]["nodes"][-1]["jobEvent"]["progress"]
    assert job["progress"] == last
    assert (polled["completion"], polled["seconds_remaining"]) == (last["percent"], last["secondsRemaining"])
    running = [node for node in job["events"]["nodes"] if "percent" in node["payload"]]
    assert running
    for node in running:
        numbers = node["jobEvent"]["progress"]
        assert node["payload"]["percent"] == numbers["percent"]
        assert node["payload"].get("secondsRemaining") == numbers["secondsRemaining"]


STEPS = st.lists(
    st.builds(
        Progress,
        percent=st.floats(-50, 500),
        phase=st.sampled_from(["one", "two"]),
        completed_units=st.integers(0, 9),
        failed_units=st.integers(0, 9),
        total_units=st.integers(18, 20) | st.none(),
    ),
    max_size=8,
)


@settings(max_examples=200)
@given(steps=STEPS)
def test_numbers_that_follow_others_never_go_back(steps: list[Progress]) -> None:
    told = list(accumulate(steps, jobs.onward, initial=Progress()))
    percents = [number.percent for number in told]
    assert percents == sorted(percents)
    assert max(percents) < 100, "that is for the end to say"
    units = [number.completed_units + number.failed_units for number in told]
    assert units == sorted(units)
    for before, step, after in zip(told, steps, told[1:], strict=False):
        assert after.phase == step.phase
        assert after.total_units is None or after.completed_units + after.failed_units <= after.total_units
        if step.completed_units + step.failed_units >= before.completed_units + before.failed_units:
            assert (after.completed_units, after.failed_units) == (step.completed_units, step.failed_units)
        if 99.9 > step.percent > before.percent:
            assert after.percent == round(step.percent, 1), "and what goes on is told as it is"


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, fails=st.booleans())
async def test_whatever_a_processor_says_progress_never_goes_back(
    lectern: World, steps: list[Progress], fails: bool
) -> None:
    id = await an_expansion(lectern)
    failure = Failure(code=JobErrorCode.SOURCE_INVALID, message="x") if fails else None
    async with lectern.database.transaction() as session:
        assert await jobs.claim(session, id)
    for step in steps:
        async with lectern.database.transaction() as session:
            await jobs.advance(session, await jobs.held(session, id, 1), step)
    async with lectern.database.transaction() as session:
        await jobs.finish(session, await jobs.held(session, id, 1), failure)
    told = await _told(lectern, id)
    honest(told)
    assert max(event["progress"]["percent"] for event in told) < 100, "nothing was made, so it failed"
    assert told[-1]["progress"]["secondsRemaining"] is None


@pytest.mark.parametrize(
    ("percent", "began", "elapsed", "seconds"),
    [(50, 0, 10, 10), (25, 0, 10, 30), (60, 50, 10, 40), (99.9, 0, 999, 1.0), (0.5, 0, 10, None), (50, 50, 10, None)],
)
def test_what_remains_follows_the_pace_of_the_attempt(
    percent: float, began: float, elapsed: float, seconds: float | None
) -> None:
    assert jobs.remaining(percent, began, elapsed) == seconds


async def _ended(lectern: World, id: str) -> None:
    """Whoever may read what."""
    job = await _row(lectern, id)
    if job.kind in ("CONTENT_EXPORT", "INGESTION"):
        await eventually(lambda: _over(lectern, id), within=30)
    else:
        await finished(lectern, id)


async def _over(lectern: World, id: str) -> bool:
    return (await _row(lectern, id)).completed_at is not None


async def _row(lectern: World, id: str) -> Job:
    async with lectern.database.snapshot() as session:
        return await session.get_one(Job, id)


async def _told(lectern: World, id: str) -> list[dict[str, Any]]:
    """The job's events, by whoever may read them."""
    job = await _row(lectern, id)
    match job.kind:
        case "CONTENT_EXPORT":
            found = await lectern.as_user(TOLD, id=id)
        case "INGESTION":
            found = await (await ingesting.client(lectern)).graph(TOLD, id=id)
        case _:
            found = await lectern.graph(TOLD, id=id)
    return [node["jobEvent"] for node in found["job"]["events"]["nodes"]]
