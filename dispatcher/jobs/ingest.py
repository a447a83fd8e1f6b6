"""Ingestion: a package in, content items out."""

import asyncio
import contextlib
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import orjson

from dispatcher.jobs.run import Run
from dispatcher.settings import harmless_environment
from storage import ingestions, jobs
from storage.errors import JobErrorCode, JobFailed
from storage.intake import Intake
from storage.tables import PackageType, Progress
from storage.tables.jobs import Notice

READER = ("-m", "storage.packages")
READ_PERCENT = 95

AHEAD = 2**20
"""Bytes that the reader may be ahead, twice over: it reads on while a batch is written."""

Frame = dict[str, Any]


class ReaderCrashed(Exception):  # noqa: N818
    """The process that read the package ended as none of ours should."""


async def process(run: Run) -> None:
    """Read the package in a process of its own, and write what it tells, batch by batch."""
    async with _reader() as reader:
        await run.advance(Progress(phase="opening"))
        async with _fetched(run) as path, contextlib.aclosing(_frames(reader, path)) as frames:
            head = await anext(frames)
            intake = await _begin(run, head)
            async for frame in frames:
                await _take(run, intake, frame, head["total"])
    await _close(run, intake)


async def _begin(run: Run, head: Frame) -> Intake:
    """What the package is, and what an earlier attempt has made of it."""
    async with run.transaction() as (session, job):
        update = {
            "package_type": PackageType(head["format"]),
            "package_identifier": head["identifier"],
            "skipped": 0,
        }
        job.parameters = ingestions.asked(job).model_copy(update=update)
        job.warnings = []
        await jobs.advance(session, job, Progress(phase="reading", total_units=head["total"]))
        return await Intake.of(session, job)


async def _take(run: Run, intake: Intake, frame: Frame, total: int) -> None:
    async with run.transaction() as (session, job):
        if "files" in frame:
            await intake.list_files(session, frame["files"])
            return
        await intake.take(session, frame["outcomes"], frame["current"])
        if len(intake.warnings) != len(job.warnings):
            job.warnings = list(intake.warnings)
            job.parameters = ingestions.asked(job).model_copy(update={"skipped": intake.skipped})
        item_id, position = intake.latest or (None, None)
        progress = _progress(intake, READ_PERCENT * frame["done"] / total, total - intake.skipped)
        await jobs.advance(session, job, progress, item_id=item_id, item_position=position)


async def _close(run: Run, intake: Intake) -> None:
    """The whole package has been read; JobFailed when nothing of it became a content item."""
    found = intake.completed + intake.failed
    async with run.transaction() as (session, job):
        await intake.close(session)
        announced = ingestions.asked(job).item_count
        if found != announced:
            message = f"The upload announced {announced:,} items; the package has {found:,}."
            job.warnings = [*job.warnings, Notice(code="item_count_mismatch", message=message)]
        await jobs.advance(session, job, _progress(intake, READ_PERCENT, found))
    if not intake.completed:
        [(code, count)] = intake.reasons.most_common(1)
        message = (
            f"None of the {found:,} resources became a content item; {count:,} of them failed with {code}, "
            "and each says why."
        )
        raise JobFailed(code, message)


def _progress(intake: Intake, percent: float, total: int) -> Progress:
    return Progress(
        percent=percent,
        phase="reading",
        completed_units=intake.completed,
        failed_units=intake.failed,
        total_units=max(total, intake.completed + intake.failed),
    )


@contextlib.asynccontextmanager
async def _fetched(run: Run) -> AsyncIterator[str]:
    """The package as a local file, as long as the block runs."""
    with tempfile.NamedTemporaryFile(prefix="lectern-", suffix=".zip") as file:
        async for chunk in run.blobs.get(ingestions.asked(run.job).blob_key or ""):
            await asyncio.to_thread(file.write, chunk)
        await asyncio.to_thread(file.flush)
        yield file.name


@contextlib.asynccontextmanager
async def _reader() -> AsyncIterator[Process]:
    """A reader that waits for a package; it dies with the block, in the middle of whatever it does."""
    reader = await asyncio.create_subprocess_exec(
        *(sys.executable, *READER),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        limit=AHEAD,
        env=harmless_environment(),
        start_new_session=True,
    )
    try:
        yield reader
    finally:
        with contextlib.suppress(ProcessLookupError):
            reader.kill()
        await reader.communicate()


async def _frames(reader: Process, path: str) -> AsyncGenerator[Frame, None]:
    """
    Frame after frame of a package.

    JobFailed when the reader refuses the package, ReaderCrashed when it does not end well.
    """
    assert reader.stdin is not None  # noqa: S101  (they are pipes)
    assert reader.stdout is not None  # noqa: S101
    assert reader.stderr is not None  # noqa: S101
    reader.stdin.write(f"{path}\n".encode())
    with contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            length = await reader.stdout.readexactly(4)
            frame: Frame = orjson.loads(await reader.stdout.readexactly(int.from_bytes(length, "big")))
            if refused := frame.get("refused"):
                raise JobFailed(JobErrorCode(refused["code"]), refused["message"])
            yield frame
    said = (await reader.stderr.read()).decode(errors="replace")
    if status := await reader.wait():
        raise ReaderCrashed(f"status {status}: {said[-2000:]}")
