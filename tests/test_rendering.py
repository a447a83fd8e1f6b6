"""Rendering through the front door: R-VID-6 to 8, R-BILL-2 and 3; decisions D22 and D23."""

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from tests.authoring import call, create, done, problems, show
from tests.films import OUTPUT, watch
from tests.world import World, eventually

JOB = """id state attempt planVersion durationSeconds progress { percent completedUnits totalUnits }
  error { code message } warnings { code message subject } retryable cancelable
  artifact { url filename contentType byteSize sha256 expiresAt } captions { url filename contentType }"""
VIDEO = (
    f"version editable renderStatus renderJob {{ {JOB} }} completedRenderJob {{ id planVersion artifact {{ url }} }}"
)
SCENES: list[dict[str, Any]] = [
    {
        "script": "Welcome to the safety training.",
        "displayText": "Safety first",
        "visualType": "title",
        "duration": 1.5,
    },
    {"script": "Wear a helmet & gloves.", "displayText": "Helmet\nGloves", "visualType": "bullets", "duration": 1.75},
]
RENDERER = b"dispatcher.jobs.rendering"
one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def a_video(lectern: World, *scenes: dict[str, Any], **input: Any) -> str:
    """A video with these scenes, or with two short ones; answers its id."""
    id: str = (await create(lectern, "video", title="Safety: summary?", **input))["id"]
    for scene in scenes or SCENES:
        await done(lectern, "addScene", "scene { id }", videoId=id, **scene)
    return id


async def a_long_video(lectern: World) -> str:
    """A video that takes its time."""
    return await a_video(lectern, *[{"script": "", "displayText": str(number), "duration": 300} for number in range(4)])


async def render(lectern: World, video: str, **input: Any) -> dict[str, Any]:
    """A render that has been asked for."""
    return await done(lectern, "renderVideo", f"job {{ {JOB} }} video {{ {VIDEO} }} replayed", videoId=video, **input)


async def ended(lectern: World, video: str, *, within: float = 30) -> dict[str, Any]:
    """The video once its newest render is finished."""

    async def finished() -> Any:
        seen = await show(lectern, "video", video, "renderStatus")
        return seen["renderStatus"] not in ("QUEUED", "RENDERING")

    await eventually(finished, within=within)
    seen: dict[str, Any] = await show(lectern, "video", video, VIDEO)
    return seen


async def filming(lectern: World, video: str) -> int:
    """Waits until the renderer has begun; answers its process."""

    async def begun() -> bool:
        return bool((await show(lectern, "video", video, VIDEO))["renderJob"]["progress"]["percent"] > 0)

    await eventually(begun, within=30)
    (process,) = renderers()
    return process


async def counted(lectern: World) -> int:
    """Units on the meter of renders (decision D26)."""
    await lectern.login(lectern.keys.admin)
    usage = (await lectern.as_user("{ usage { meter quantity } }"))["usage"]
    units: int = {row["meter"]: row["quantity"] for row in usage}["video_render"]
    return units


def renderers() -> list[int]:
    """The renderers that this process has started and that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and RENDERER in (entry / "cmdline").read_bytes():
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                found += [int(entry.name)] if parent == os.getpid() else []
    return found


def leftovers(lectern: World) -> list[Path]:
    """Files in the store, and folders of renderers."""
    blobs = Path(lectern.settings["blob_url"].removeprefix("file://"))
    kept = [path for path in blobs.rglob("*") if path.is_file()]
    return kept + list(Path(tempfile.gettempdir()).glob("lectern-render-*"))


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that only what this test leaves behind is seen."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))


async def test_a_reviewed_video_becomes_a_film_that_plays(lectern: World) -> None:
    """R-VID-6, R-VID-8, R-BILL-3."""
    video = await a_video(lectern)
    version = (await show(lectern, "video", video, "version"))["version"]
    begun = await render(lectern, video, reviewedVersion=version)
    assert begun["job"]["state"] == "QUEUED"
    assert begun["job"]["planVersion"] == version
    assert begun["job"]["artifact"] is None
    assert begun["video"]["renderStatus"] == "QUEUED"
    assert begun["video"]["editable"] is True
    async with lectern.background():
        seen = await ended(lectern, video)
    job = seen["renderJob"]
    assert job["error"] is None
    assert (seen["renderStatus"], seen["editable"], seen["version"]) == ("RENDERED", False, version)
    assert job["progress"] == {"percent": 100, "completedUnits": 2, "totalUnits": 2}
    assert job["durationSeconds"] == 3.25
    assert job["warnings"] == []
    assert seen["completedRenderJob"]["id"] == job["id"] == begun["job"]["id"]

    file = job["artifact"]
    assert (file["filename"], file["contentType"]) == ("Safety summary.mp4", "video/mp4")
    answer = await lectern.client.get(file["url"])
    assert answer.status_code == 200
    assert len(answer.content) == file["byteSize"]
    assert hashlib.sha256(answer.content).hexdigest() == file["sha256"]
    film = watch(answer.content, 5, 25)
    assert film.codecs == {"video": "h264", "audio": "aac"}
    assert film.seconds == pytest.approx(3.25, abs=0.1)
    assert film.loudness(0.2, 1.2) > 500
    assert film.pictures[5].getpixel((5, 5)) != film.pictures[25].getpixel((5, 5))
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / "rendered.mp4").write_bytes(answer.content)
    film.pictures[25].save(OUTPUT / "rendered.png")

    assert job["captions"]["contentType"] == "text/vtt; charset=utf-8"
    captions = await lectern.client.get(job["captions"]["url"])
    assert captions.headers["content-type"] == "text/vtt; charset=utf-8"
    assert captions.text == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nWelcome to the safety training.\n\n"
        "00:00:01.500 --> 00:00:03.250\nWear a helmet &amp; gloves.\n"
    )


async def test_its_events_tell_how_far_it_is_and_how_it_ended(lectern: World) -> None:
    """R-VID-6, R-WH-1: the keys of HTTP.md, section 3, and neither addresses nor content."""
    video = await a_video(lectern)
    job = (await render(lectern, video))["job"]["id"]
    async with lectern.background():
        await ended(lectern, video)
    query = """query ($id: ID!) { job(id: $id) { kind events(first: 100) {
      nodes { type payload jobEvent { state progress { percent phase completedUnits } } } } } }"""
    told = (await lectern.graph(query, id=job))["job"]
    events = told["events"]["nodes"]
    assert told["kind"] == "RENDER"
    states = [event["jobEvent"]["state"] for event in events]
    assert list(dict.fromkeys(states)) == ["QUEUED", "RUNNING", "COMPLETED"]
    percents = [event["jobEvent"]["progress"]["percent"] for event in events]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    phases = [event["jobEvent"]["progress"]["phase"] for event in events]
    assert list(dict.fromkeys(filter(None, phases))) == ["preparing", "filming", "storing"]
    body = events[-1]["payload"]
    assert events[-1]["type"] == "RENDER_COMPLETED"
    version = (await show(lectern, "video", video, "version"))["version"]
    envelope = {"id", "type", "timestamp", "environment", "subjectId", "sequence"}
    assert body.keys() - envelope == {"jobId", "videoId", "state", "planVersion", "completedAt"}
    assert (body["jobId"], body["videoId"], body["state"], body["planVersion"]) == (job, video, "COMPLETED", version)
    told = json.dumps(events)
    assert "downloads" not in told
    assert SCENES[0]["script"] not in told


async def test_a_video_that_changed_after_its_review_is_not_rendered(lectern: World) -> None:
    """R-BILL-3."""
    video = await a_video(lectern)
    refused = await call(lectern, "renderVideo", "job { id } video { id version }", videoId=video, reviewedVersion=2)
    assert problems(refused) == [("VERSION_CONFLICT", None, [])]
    assert refused["job"] is None
    assert refused["video"] == {"id": video, "version": 3}
    assert (await show(lectern, "video", video, "renderStatus"))["renderStatus"] == "NOT_RENDERED"


async def test_a_second_render_is_refused_while_one_is_on_its_way(lectern: World) -> None:
    """R-VID-6."""
    video = await a_video(lectern)
    await render(lectern, video)
    refused = await call(lectern, "renderVideo", "job { id }", videoId=video)
    assert problems(refused) == [("JOB_STATE_INVALID", None, [])]


async def test_parallel_requests_start_one_render(lectern: World) -> None:
    """R-VID-6."""
    video = await a_video(lectern)
    answers = await asyncio.gather(*(call(lectern, "renderVideo", "job { id }", videoId=video) for _ in range(6)))
    assert sorted(len(answer["errors"]) for answer in answers) == [0, 1, 1, 1, 1, 1]


async def test_the_same_key_is_the_same_render(lectern: World) -> None:
    """R-IDEM-1."""
    video = await a_video(lectern)
    first = await render(lectern, video, idempotencyKey="review-7")
    again = await render(lectern, video, idempotencyKey="review-7")
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["job"]["id"] == first["job"]["id"]


@pytest.mark.parametrize("mutation", ["renderVideo", "cancelRender", "reopenVideo"])
async def test_strangers_and_other_kinds_are_not_found(lectern: World, mutation: str) -> None:
    """R-IMP-1."""
    video, module = await a_video(lectern), (await create(lectern, "module"))["id"]
    for key, id in (
        (lectern.keys.stranger, video),
        (lectern.keys.test, video),
        (lectern.keys.content, module),
        (lectern.keys.content, "video_00000000000000000000000000"),
    ):
        refused = await call(lectern, mutation, "video { id }", key=key, videoId=id)
        assert problems(refused) == [("NOT_FOUND", None, [])]


async def test_a_video_without_scenes_cannot_be_rendered(lectern: World) -> None:
    video = (await create(lectern, "video"))["id"]
    refused = await call(lectern, "renderVideo", "job { id }", videoId=video)
    assert problems(refused) == [("VALIDATION_FAILED", "scenes_missing", ["input", "videoId"])]


async def test_a_video_is_not_rendered_before_it_is_ready(lectern: World) -> None:
    video = (await create(lectern, "video", prompt="Create a 60 second summary video."))["id"]
    refused = await call(lectern, "renderVideo", "job { id }", videoId=video)
    assert problems(refused) == [("JOB_STATE_INVALID", None, [])]


async def test_a_queued_render_is_cancelled_at_once(lectern: World) -> None:
    """R-VID-7."""
    video = await a_video(lectern)
    await render(lectern, video)
    cancelled = await done(
        lectern, "cancelRender", "job { state error { code } } video { renderStatus }", videoId=video
    )
    assert cancelled["job"] == {"state": "CANCELED", "error": {"code": "CANCELED"}}
    assert cancelled["video"]["renderStatus"] == "CANCELED"
    refused = await call(lectern, "cancelRender", "job { id }", videoId=video)
    assert problems(refused) == [("JOB_STATE_INVALID", None, [])]


async def test_a_video_that_was_never_rendered_has_nothing_to_cancel(lectern: World) -> None:
    """R-VID-7."""
    refused = await call(lectern, "cancelRender", "job { id }", videoId=await a_video(lectern))
    assert problems(refused) == [("JOB_STATE_INVALID", None, [])]


async def test_a_running_render_stops_within_two_seconds_and_leaves_no_file(lectern: World) -> None:
    """R-VID-7."""
    video = await a_long_video(lectern)
    await render(lectern, video)
    async with lectern.background():
        await filming(lectern, video)
        assert leftovers(lectern) != []
        began = time.monotonic()
        await done(lectern, "cancelRender", "job { state }", videoId=video)
        seen = await ended(lectern, video)
        assert time.monotonic() - began < 2
        assert seen["renderStatus"] == seen["renderJob"]["state"] == "CANCELED"
        assert seen["editable"] is True
        assert seen["renderJob"]["artifact"] is seen["renderJob"]["captions"] is seen["completedRenderJob"] is None
        assert renderers() == []
        assert leftovers(lectern) == []
    query = "query ($id: ID!) { job(id: $id) { events(first: 100) { nodes { type payload } } } }"
    events = (await lectern.graph(query, id=seen["renderJob"]["id"]))["job"]["events"]["nodes"]
    assert events[-1]["type"] == "RENDER_FAILED"
    assert events[-1]["payload"]["state"] == "CANCELED"
    assert events[-1]["payload"]["error"]["code"] == "CANCELED"


@one_database
async def test_an_edit_meanwhile_does_not_change_the_render_but_makes_it_stale(lectern: World) -> None:
    """D22."""
    video = await a_video(lectern)
    planned = (await render(lectern, video))["job"]["planVersion"]
    scene = {"script": "Too late.", "displayText": "Too late", "duration": 60}
    await done(lectern, "addScene", "scene { id }", videoId=video, **scene)
    async with lectern.background():
        seen = await ended(lectern, video)
    assert seen["renderStatus"] == "RENDERED"
    assert seen["completedRenderJob"]["planVersion"] == planned == seen["version"] - 1
    film = watch((await lectern.client.get(seen["renderJob"]["artifact"]["url"])).content)
    assert film.seconds == pytest.approx(3.25, abs=0.1)


async def test_a_rendered_video_is_locked_until_it_is_reopened(lectern: World) -> None:
    """D22."""
    video = await a_video(lectern, SCENES[0])
    (scene,) = (await show(lectern, "video", video, "scenes { id }"))["scenes"]
    await render(lectern, video)
    async with lectern.background():
        first = await ended(lectern, video)
        refusals = [
            await call(lectern, "addScene", "scene { id }", videoId=video, script="More."),
            await call(lectern, "updateScene", "scene { id }", id=scene["id"], script="Other."),
            await call(lectern, "updateVideo", "video { id }", id=video, title="Other"),
            await call(lectern, "renderVideo", "job { id }", videoId=video),
        ]
        assert [problems(refused) for refused in refusals] == [[("RESOURCE_LOCKED", None, [])]] * 4

        reopened = (await done(lectern, "reopenVideo", f"video {{ {VIDEO} }}", videoId=video))["video"]
        assert (reopened["editable"], reopened["renderStatus"]) == (True, "NOT_RENDERED")
        assert reopened["version"] == first["version"]
        assert reopened["completedRenderJob"]["id"] == first["renderJob"]["id"]
        assert (await lectern.client.get(reopened["completedRenderJob"]["artifact"]["url"])).status_code == 200
        await done(lectern, "reopenVideo", "video { id }", videoId=video)

        await done(lectern, "updateScene", "scene { id }", id=scene["id"], duration=1)
        again = (await render(lectern, video))["job"]
        assert again["planVersion"] == first["version"] + 1
        second = await ended(lectern, video)
    assert second["renderStatus"] == "RENDERED"
    assert second["completedRenderJob"]["id"] == again["id"] != first["renderJob"]["id"]
    assert await counted(lectern) == 2


async def test_a_render_that_breaks_fails_and_can_be_run_again(lectern: World) -> None:
    """D23: whatever the encoder does, the worker lives."""
    video = await a_long_video(lectern)
    await render(lectern, video)
    async with lectern.background():
        os.kill(await filming(lectern, video), signal.SIGSEGV)
        seen = await ended(lectern, video)
        assert seen["renderStatus"] == "FAILED"
        assert seen["editable"] is True
        assert seen["renderJob"]["error"] == {
            "code": "RENDER_FAILED",
            "message": "The renderer ended unexpectedly (SIGSEGV).",
        }
        assert leftovers(lectern) == []
        again = await done(lectern, "retryJob", "job { state attempt }", jobId=seen["renderJob"]["id"])
        assert again["job"] == {"state": "QUEUED", "attempt": 2}
        await filming(lectern, video)
        await done(lectern, "cancelRender", "job { state }", videoId=video)
        assert (await ended(lectern, video))["renderStatus"] == "CANCELED"
    assert await counted(lectern) == 0


async def test_only_the_newest_render_can_be_run_again(lectern: World) -> None:
    video = await a_video(lectern)
    older = (await render(lectern, video))["job"]["id"]
    await done(lectern, "cancelRender", "job { id }", videoId=video)
    newer = (await render(lectern, video))["job"]["id"]
    refused = await call(lectern, "retryJob", "job { id }", jobId=older)
    assert problems(refused) == [("JOB_STATE_INVALID", None, [])]
    await done(lectern, "cancelRender", "job { id }", videoId=video)
    await done(lectern, "retryJob", "job { id }", jobId=newer)
    assert (await show(lectern, "video", video, "renderStatus"))["renderStatus"] == "QUEUED"


@one_database
async def test_a_worker_that_stops_gives_the_render_to_another(lectern: World) -> None:
    """R-JOB-6: nothing is left of the first attempt."""
    video = await a_long_video(lectern)
    job = (await render(lectern, video))["job"]["id"]
    async with lectern.background():
        await filming(lectern, video)
    assert renderers() == []
    assert leftovers(lectern) == []
    seen = await show(lectern, "video", video, VIDEO)
    assert (seen["renderStatus"], seen["renderJob"]["attempt"]) == ("QUEUED", 2)
    await done(lectern, "cancelJob", "job { id }", jobId=job)


@one_database
async def test_deleting_a_video_stops_its_render(lectern: World) -> None:
    video = await a_long_video(lectern)
    job = (await render(lectern, video))["job"]["id"]
    async with lectern.background():
        await filming(lectern, video)
        await done(lectern, "deleteResource", "deletedId", id=video)

        async def stopped() -> bool:
            seen = await lectern.graph("query ($id: ID!) { job(id: $id) { state } }", id=job)
            return bool(seen["job"]["state"] == "CANCELED")

        await eventually(stopped)
        assert leftovers(lectern) == []
    query = "query ($id: ID!) { job(id: $id) { ... on RenderJob { video { id } artifact { url } } } }"
    assert (await lectern.graph(query, id=job))["job"] == {"video": None, "artifact": None}


@one_database
async def test_the_files_of_a_deleted_video_are_not_shown(lectern: World) -> None:
    video = await a_video(lectern, SCENES[0])
    job = (await render(lectern, video))["job"]["id"]
    async with lectern.background():
        await ended(lectern, video)
    await done(lectern, "deleteResource", "deletedId", id=video)
    query = "query ($id: ID!) { job(id: $id) { ... on RenderJob { video { id } artifact { url } captions { url } } } }"
    assert (await lectern.graph(query, id=job))["job"] == {"video": None, "artifact": None, "captions": None}


@one_database
async def test_what_went_wrong_on_the_way_is_a_warning_about_its_scene(lectern: World) -> None:
    """D23."""
    scene = {"script": "Much more than can be said in half a second. " * 3, "displayText": "𒀀", "duration": 0.5}
    video = await a_video(lectern, scene, language="qaa")
    (planned,) = (await show(lectern, "video", video, "scenes { id }"))["scenes"]
    await render(lectern, video)
    async with lectern.background():
        seen = await ended(lectern, video)
    assert seen["renderStatus"] == "RENDERED"
    warnings = {warning["code"]: warning for warning in seen["renderJob"]["warnings"]}
    assert warnings.keys() == {"glyphs_missing", "voice_substituted", "narration_cut"}
    assert warnings["narration_cut"]["subject"] == planned["id"]
    assert "𒀀" in warnings["glyphs_missing"]["message"]


@one_database
async def test_another_codec_can_be_chosen(lectern: World) -> None:
    """D23."""
    video = await a_video(lectern, SCENES[0])
    await render(lectern, video)
    async with lectern.background(render_codec="vp9"):
        seen = await ended(lectern, video)
    file = seen["renderJob"]["artifact"]
    assert (file["filename"], file["contentType"]) == ("Safety summary.webm", "video/webm")
    assert watch((await lectern.client.get(file["url"])).content).codecs["video"] == "vp9"
