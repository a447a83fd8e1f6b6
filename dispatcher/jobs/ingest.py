"""Ingestion: a package in, content items out."""

import contextlib
from typing import Never

from dispatcher.jobs.readers import Frame, frames
from dispatcher.jobs.run import Run
from storage import ingestions, jobs, search
from storage.database import Unavailable
from storage.errors import JobFailed
from storage.intake import Intake
from storage.tables import PackageType, Progress

READ_PERCENT = 95


async def process(run: Run) -> None:
    """Read the package in a process of its own, and write what it tells, batch by batch."""
    async with run.readers.one() as reader:
        await run.advance(Progress(phase="opening"))
        package = run.blobs.file(ingestions.asked(run.job).blob_key or "")
        async with package as path, contextlib.aclosing(frames(reader, path)) as told:
            head = await anext(told)
            intake = await _begin(run, head)
            async for frame in told:
                await _take(run, intake, frame, head["total"])
    if not intake.completed:
        await _refuse(run, intake)
    if intake.completed > search.FEW:
        with contextlib.suppress(Unavailable):  # the package is in the database, and found if not at once
            async with run.database.transaction() as session:
                await search.learn(session, intake.completed)


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
        if intake.skipped != ingestions.asked(job).skipped:  # of which not all are told
            job.parameters = ingestions.asked(job).model_copy(update={"skipped": intake.skipped})
        item_id, position = intake.latest or (None, None)
        progress = _progress(intake, READ_PERCENT * frame["done"] / total, total - intake.skipped)
        await jobs.advance(session, job, progress, item_id=item_id, item_position=position)


async def _refuse(run: Run, intake: Intake) -> Never:
    """The whole package has been read, and nothing of it became a content item."""
    async with run.transaction() as (_, job):
        ingestions.count(job, intake.failed)
    [(code, count)] = intake.reasons.most_common(1)
    if intake.failed == 1:
        raise JobFailed(code, f"The only resource did not become a content item; it failed with {code}, and says why.")
    message = (
        f"None of the {intake.failed:,} resources became a content item; {count:,} of them failed with {code}, "
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
