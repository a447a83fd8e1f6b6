"""Rendering: a reviewed plan of scenes in; a film, its captions and its poster out."""

import asyncio
import os
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import structlog

from dispatcher.jobs.run import Run
from storage import attachments, jobs, renders
from storage.blobs import chunks_of
from storage.errors import JobErrorCode, JobFailed
from storage.tables import AttachmentRole, Progress
from storage.tables.jobs import Notice, RenderParameters

log = structlog.get_logger(__name__)

RENDERER = "dispatcher.jobs.rendering"
FILMED_PERCENT = 95
LINE_BYTES = 1 << 20
LOG_BYTES = 4000

CONTENT_TYPES = {
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".vtt": "text/vtt; charset=utf-8",
    ".png": "image/png",
}
FILES = {
    AttachmentRole.artifact: "video",
    AttachmentRole.captions: "captions",
    AttachmentRole.poster: "poster",
}


async def process(run: Run) -> None:
    """Film the plan that was reviewed (decision D22), in a process of its own, which can crash and be killed."""
    plan = renders.asked(run.job)
    await run.clear()
    with tempfile.TemporaryDirectory(prefix="lectern-render-") as name:
        folder = Path(name)
        made = await _film(run, plan, folder)
        for role, key in FILES.items():
            path = folder / made[key]
            filename, content_type = attachments.filename(plan.title, path.suffix), CONTENT_TYPES[path.suffix]
            await run.keep(role, filename, content_type, chunks_of(path))
    async with run.transaction() as (session, job):
        job.warnings = [Notice(**notice) for notice in made["notices"]]
        await jobs.advance(session, job, _progress(plan, len(plan.scenes), plan.seconds, "storing"))


async def _film(run: Run, plan: RenderParameters, folder: Path) -> dict[str, Any]:
    """What the renderer says it has made; JobFailed when it fails or breaks. It never outlives this call."""
    await run.advance(_progress(plan, 0, 0, "preparing"))
    (folder / "plan.json").write_text(plan.model_dump_json(), encoding="utf-8")
    with (folder / "log").open("wb") as errors:
        renderer = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            RENDERER,
            str(folder),
            *([run.settings.render_codec] if run.settings.render_codec else []),
            stdin=PIPE,  # its end is how the renderer learns of ours
            stdout=PIPE,
            stderr=errors,
            limit=LINE_BYTES,
            env={"PYTHONPATH": os.pathsep.join(sys.path)},  # it reads what strangers wrote and needs no secrets
        )
    try:
        outcome = await _follow(run, plan, renderer)
        await renderer.wait()  # asyncio's kill() of one that has just ended takes its status from who waits for it
    finally:
        with suppress(ProcessLookupError):
            renderer.kill()
        code = await renderer.wait()
    if "failed" in outcome:
        raise JobFailed(JobErrorCode.RENDER_FAILED, outcome["failed"])
    if "video" not in outcome:
        told = (folder / "log").read_bytes()[-LOG_BYTES:].decode(errors="replace")
        log.error("the renderer broke", job=run.job.id, code=code, told=told)
        raise JobFailed(JobErrorCode.RENDER_FAILED, f"The renderer ended unexpectedly ({_ending(code)}).")
    return outcome


async def _follow(run: Run, plan: RenderParameters, renderer: asyncio.subprocess.Process) -> dict[str, Any]:
    """Tell how far the renderer is, until it ends; answers its last words."""
    assert renderer.stdout is not None  # noqa: S101  (it is a pipe)
    news: dict[str, Any] = {}
    async for line in renderer.stdout:
        news = orjson.loads(line)
        if "scenes" in news:
            await run.advance(_progress(plan, news["scenes"], news["seconds"], "filming"))
    return news


def _progress(plan: RenderParameters, scenes: int, seconds: float, phase: str) -> Progress:
    """Scenes are counted, seconds of the film weigh."""
    return Progress(
        percent=FILMED_PERCENT * min(1, seconds / plan.seconds),
        phase=phase,
        completed_units=scenes,
        total_units=len(plan.scenes),
    )


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"
