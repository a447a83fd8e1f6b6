"""A model writes: everything it can be asked for, and everything its service can do wrong. Issue 6, line 1."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from dispatcher.settings import Settings
from tests import models
from tests.authoring import KINDS, create, done, generated, show
from tests.models import KEY, MODEL, Model, said
from tests.test_generation import finished, sound, start, used
from tests.world import World

QUESTION = "question type options correctAnswers explanation"
USAGE = """query ($id: ID!) { job(id: $id) {
  ... on GenerationJob { modelUsage { model requests inputTokens outputTokens } }
} }"""


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    async with Model() as made:
        yield made


async def usage(lectern: World, job: str) -> Any:
    return (await lectern.graph(USAGE, id=job))["job"]["modelUsage"]


async def test_a_model_writes_all_five_kinds_with_exact_counts(lectern: World, model: Model) -> None:
    started = {kind: await start(lectern, kind) for kind in KINDS}
    lists = f"quizzes {{ id {QUESTION} }}"
    lessons = f"lessons {{ title lecture {lists} practice {{ {QUESTION} }} }}"
    selections = {
        "module": f"lecture {lists}",
        "course": f"lessonCount chapters {{ title {lessons} }}",
        "video": "totalDurationSeconds scenes { order script displayText duration visualType }",
        "slide": "slideCount content pages { heading html }",
        "test": f"items {{ {QUESTION} score }}",
    }
    found = {}
    async with lectern.background(**model.settings()):
        for kind, (id, _) in started.items():
            shared = "status description generator { name version model needsReview }"
            found[kind] = await generated(lectern, kind, id, f"{shared} {selections[kind]}")
    for resource in found.values():
        assert (resource["status"], resource["description"]) == ("READY", "Written by a model.")
        author = {"name": "chat-completion", "version": "1", "model": MODEL, "needsReview": True}
        assert resource["generator"] == author
    module, course, video, deck, test = found.values()
    assert module["lecture"] == "<h2>Exits</h2><p>Know them.</p>", "sanitized like what anybody writes"
    assert len(module["quizzes"]) == 3
    assert [len(chapter["lessons"]) for chapter in course["chapters"]] == [2, 2, 1]
    for lesson in (lesson for chapter in course["chapters"] for lesson in chapter["lessons"]):
        assert (len(lesson["quizzes"]), len(lesson["practice"])) == (3, 2)
        assert sound(lesson["quizzes"] + lesson["practice"])
    assert video["totalDurationSeconds"] == 60
    durations = [scene["duration"] for scene in video["scenes"]]
    assert durations == sorted(durations), "who says more takes longer"
    assert deck["slideCount"] == 10
    assert "&lt;more&gt;" in deck["content"]
    assert len(test["items"]) == 10
    assert sound(test["items"])
    assert await usage(lectern, started["module"][1]) == {
        "model": MODEL,
        "requests": 1,
        "inputTokens": 100,
        "outputTokens": 40,
    }
    assert (await usage(lectern, started["course"][1]))["requests"] == 6, "a plan and five lessons"
    assert set((await used(lectern)).values()) == {1}


async def test_the_model_is_told_the_brief_the_language_and_the_counts(lectern: World, model: Model) -> None:
    id, _ = await start(lectern, "slide", language="de-CH", prompt="Neun Folien über Brandschutz", slideCount=9)
    async with lectern.background(**model.settings()):
        await generated(lectern, "slide", id)
    [request] = model.requests
    text = request["messages"][1]["content"]
    assert "Neun Folien über Brandschutz" in text
    assert "de-CH" in text
    assert "exactly 9 slides" in text


async def test_a_model_adds_items_that_repeat_none(lectern: World, model: Model) -> None:
    """R-TST-9; long lists are written some at a time."""
    test = await create(lectern, "test")
    started = await done(lectern, "generateTestItems", "job { id }", testId=test["id"], prompt="Exits", count=45)
    async with lectern.background(**model.settings()):
        job = await finished(lectern, started["job"]["id"])
    assert len(job["generatedItems"]) == 45
    assert len({item["question"] for item in job["generatedItems"]}) == 45
    assert [len(asked["messages"][1]["content"].split("\n- ")) - 1 for asked in model.requests] == [0, 20, 40]
    told = [event["jobEvent"]["progress"]["percent"] for event in job["events"]["nodes"]]
    assert told == sorted(told)
    assert (job["progress"]["completedUnits"], job["progress"]["totalUnits"]) == (45, 45)


async def test_a_model_fills_a_lesson(lectern: World, model: Model) -> None:
    course = await create(lectern, "course")
    added = await done(
        lectern, "addLesson", "lesson { id } job { id }", courseId=course["id"], title="Exits", prompt="Fire exits"
    )
    async with lectern.background(**model.settings()):
        assert (await finished(lectern, added["job"]["id"]))["state"] == "COMPLETED"
    lesson = await show(lectern, "lesson", added["lesson"]["id"], "title lecture")
    assert lesson == {"title": "Exits", "lecture": "<h2>Exits</h2><p>Know them.</p>"}


async def test_what_cannot_be_used_is_told_to_the_model_which_may_put_it_right(lectern: World, model: Model) -> None:
    short = {"description": "Short.", "slides": [models.slide(1)]}
    model.faults = [lambda *_: said(f"```json\n{json.dumps(short)}\n```")]
    id, job = await start(lectern, "slide")
    async with lectern.background(**model.settings()):
        assert (await generated(lectern, "slide", id, "slideCount"))["slideCount"] == 10
    first, second = model.requests
    assert "exactly 10 slides, and there are 1" in second["messages"][3]["content"]
    assert first["messages"] == second["messages"][:2]
    assert (await usage(lectern, job))["requests"] == 2


def busy(status: int, **headers: str) -> models.Fault:
    return lambda *_: web.json_response({"error": {"message": "later"}}, status=status, headers=headers)


async def reset(_model: Model, request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()
    await asyncio.Event().wait()


async def hang(model: Model, _request: web.Request) -> None:
    await model.hang()


async def drip(_model: Model, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(1_000):
        await response.write(b" ")
        await asyncio.sleep(0.02)
    return response


PASSING: dict[str, list[models.Fault]] = {
    "500 twice": [busy(500), busy(503)],
    "429 with a wait": [busy(429, **{"Retry-After": "0"})],
    "429 with nonsense": [busy(429, **{"Retry-After": "soon"})],
    "a reset": [reset],
    "no answer": [hang],
    "an answer that drips": [drip],
    "no JSON": [lambda *_: web.Response(text="<html>")],
    "a list": [lambda *_: web.json_response([])],
    "no choices": [lambda *_: web.json_response({"choices": []})],
    "nothing said": [lambda *_: said("")],
    "prose": [lambda *_: said("Certainly! Here is your deck.")],
    "another shape": [lambda *_: said('{"slides": "ten"}')],
}


@pytest.mark.parametrize("faults", PASSING.values(), ids=PASSING)
async def test_what_passes_is_waited_for(lectern: World, model: Model, faults: list[models.Fault]) -> None:
    model.faults = list(faults)
    id, _ = await start(lectern, "slide")
    async with lectern.background(**model.settings(model_seconds=0.5, model_pause=0.01)):
        assert await generated(lectern, "slide", id, "status slideCount") == {"status": "READY", "slideCount": 10}


def refusal(*_: object) -> web.Response:
    return said(None, refusal="I cannot help with that.")


async def flood(_model: Model, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(20):
        await response.write(bytes(1 << 20))
    return response


LASTING: dict[str, tuple[models.Fault, str]] = {
    "500 for ever": (busy(500), "did not answer 5 times; the last time: HTTP 500"),
    "silence for ever": (hang, "no answer within 0.2 seconds"),
    "wrong key": (busy(401), "refused our credential (HTTP 401); check LECTERN_MODEL_KEY"),
    "unknown model": (busy(404), "check LECTERN_MODEL_URL and LECTERN_MODEL_NAME"),
    "bad request": (busy(400), "refused the request (HTTP 400)"),
    "a refusal": (refusal, "The model refused: I cannot help with that."),
    "cut off": (lambda *_: said("{", "length"), "cut off because it got too long"),
    "filtered": (lambda *_: said("", "content_filter"), "content filter"),
    "a flood": (flood, "sent more than 8 MB"),
    "wrong for ever": (lambda *_: said('{"description": "x", "slides": []}'), "exactly 10 slides, and there are 0"),
}


ANSWERED = [LASTING[name][1] for name in ("a refusal", "cut off", "filtered", "wrong for ever")]
"""With these the model tells how many tokens it took."""


@pytest.mark.parametrize(("fault", "message"), LASTING.values(), ids=LASTING)
async def test_what_lasts_fails_the_job_and_says_what_happened(
    lectern: World, model: Model, fault: models.Fault, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model.faults = [fault] * 20
    id, job_id = await start(lectern, "slide")
    async with lectern.background(**model.settings(model_seconds=0.2 if fault is hang else 10, model_pause=0.01)):
        job = await finished(lectern, job_id)
    assert (job["state"], job["error"]["code"]) == ("FAILED", "GENERATION_FAILED")
    assert message in job["error"]["message"]
    assert (await show(lectern, "slide", id, "status"))["status"] == "FAILED"
    assert await used(lectern) == {}
    told = await usage(lectern, job_id)
    assert told is None or told["requests"] == len(model.requests), "what was answered is owed all the same"
    assert (told is None) == (message not in ANSWERED)
    assert KEY not in capsys.readouterr().out + str(job)


async def test_nobody_there_fails_the_job_and_a_retry_repairs_it(lectern: World, model: Model) -> None:
    id, job_id = await start(lectern, "slide")
    nowhere = model.settings(model_url="http://127.0.0.1:9/v1", model_pause=0.01)
    async with lectern.background(**nowhere):
        assert "cannot be reached" in (await finished(lectern, job_id))["error"]["message"]
    await done(lectern, "retryJob", "job { state }", jobId=job_id)
    async with lectern.background(**model.settings()):
        assert (await generated(lectern, "slide", id))["status"] == "READY"


async def test_a_failed_lesson_ends_the_others(lectern: World, model: Model) -> None:
    model.faults = [lambda *_: None, refusal]
    id, job_id = await start(lectern, "course", lessonCount=30)
    async with lectern.background(**model.settings()):
        assert "refused" in (await finished(lectern, job_id))["error"]["message"]
    assert len(model.requests) < 12
    assert (await show(lectern, "course", id, "lessonCount"))["lessonCount"] == 0, "all or nothing"


async def test_a_generation_that_waits_for_a_model_is_cancelled_at_once(lectern: World, model: Model) -> None:
    """Issue 6, line 4."""
    model.faults = [hang] * 5
    _, job_id = await start(lectern, "module")
    async with lectern.background(**model.settings()):
        await asyncio.wait_for(model.hanging.wait(), 5)
        began = time.monotonic()
        await done(lectern, "cancelJob", "job { state }", jobId=job_id)
        assert (await finished(lectern, job_id))["state"] == "CANCELED"
    assert time.monotonic() - began < 2


async def test_the_built_in_author_takes_no_tokens(lectern: World) -> None:
    id, job_id = await start(lectern, "module")
    async with lectern.background():
        await generated(lectern, "module", id)
    assert await usage(lectern, job_id) is None


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [({"model_url": "models.example.org"}, "model_url"), ({"model_url": "https://models.example.org"}, "model_name")],
)
def test_half_a_model_stops_the_start(settings: dict[str, str], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        Settings(**settings)  # type: ignore[arg-type]
