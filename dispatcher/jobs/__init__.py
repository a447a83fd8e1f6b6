"""Doing jobs: one processor per kind, one way to run them all."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from dispatcher.jobs import expand, export, generate, ingest, render
from dispatcher.jobs.readers import Readers
from dispatcher.jobs.run import Run
from dispatcher.settings import Settings
from storage import ids, jobs
from storage.blobs import Blobs
from storage.database import Database, Unavailable
from storage.errors import JobErrorCode, JobFailed
from storage.jobs import LeaseLost
from storage.notify import Bell, wait
from storage.sealing import Sealer
from storage.tables import JobKind, JobState
from storage.tables.jobs import Failure

log = structlog.get_logger(__name__)

PROCESSORS: dict[JobKind, Callable[[Run], Awaitable[None]]] = {
    JobKind.EXPANSION: expand.process,
    JobKind.GENERATION: generate.process,
    JobKind.RENDER: render.process,
    JobKind.CONTENT_EXPORT: export.process,
    JobKind.INGESTION: ingest.process,
}

HEARTBEAT_SECONDS = 1.0
TRY_AGAIN_SECONDS = 0.5
OUTAGE_PAUSE = timedelta(seconds=2)


async def run_job(
    database: Database, settings: Settings, sealer: Sealer, blobs: Blobs, readers: Readers, id: str
) -> None:
    """
    Run a job that is due, to its end; nothing happens when it is not due any more, or becomes somebody else's.

    Without the database the job waits: it is due again by itself, or given back as soon as there is one.
    """
    with database.bells.listening(Bell.CANCELS) as rung:
        try:
            async with database.transaction() as session:
                job = await jobs.claim(session, id)
        except Unavailable as error:
            log.warning("a job waits for the database", job=id, error=str(error))
            return
        if job is not None:
            try:
                await _run(Run(database, settings, sealer, blobs, readers, job), settings.job_timeout, rung)
            finally:
                readers.prepare()


async def _run(run: Run, seconds: float, rung: asyncio.Event) -> None:
    work = asyncio.create_task(_process(run, seconds), name=f"job {run.job.id}")
    try:
        failure = await _watch(run, work, rung)
        await _finish(run, failure)
    except LeaseLost:
        log.warning("a job was taken over", job=run.job.id, attempt=run.job.attempt)
    except Unavailable as error:
        log.warning("a job is given back for want of the database", job=run.job.id, error=str(error))
        await _give_back(run, work, pause=OUTAGE_PAUSE)
    except asyncio.CancelledError:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(jobs.LEASE.total_seconds()):
                await _give_back(run, work)
        raise
    finally:
        work.cancel()
        with contextlib.suppress(Unavailable):  # then the next attempt removes what this one has left
            await run.discard()


async def _finish(run: Run, failure: Failure | None) -> None:
    """The job's last state; whoever cancelled it while its work was just ending gets what was asked for."""
    async with run.transaction() as (session, job):
        await jobs.finish(session, job, jobs.CANCELED if job.state is JobState.CANCELING else failure)
        run.attach(session, job)


async def _process(run: Run, seconds: float) -> Failure | None:
    """Why the job failed, or None; what is a fault of ours is logged with a reference and not told."""
    try:
        async with asyncio.timeout(seconds):
            await PROCESSORS[run.job.kind](run)
    except JobFailed as failed:
        return Failure(code=failed.code, message=failed.message)
    except TimeoutError:
        return Failure(code=JobErrorCode.TIMEOUT, message=f"The job took longer than {seconds:g} seconds.")
    except (LeaseLost, Unavailable):
        raise  # not the job's fault: whoever holds the lease, or gets it next, goes on
    except Exception:
        reference = ids.new(ids.Prefix.EVENT).removeprefix("event_")
        log.exception("job failed", job=run.job.id, kind=run.job.kind, reference=reference)
        return Failure(code=JobErrorCode.INTERNAL, message=f"Something went wrong on our side; reference {reference}.")
    return None


async def _watch(run: Run, work: asyncio.Task[Failure | None], rung: asyncio.Event) -> Failure | None:
    """Keep the lease while the work goes on, and stop it when somebody cancels the job, for which it is rung."""
    work.add_done_callback(lambda _: rung.set())
    while not work.done():
        await wait(rung, HEARTBEAT_SECONDS)
        rung.clear()
        if not work.done() and await _heartbeat(run) is JobState.CANCELING:
            work.cancel()
            await asyncio.wait([work])
            return jobs.CANCELED
    return await work


async def _heartbeat(run: Run) -> JobState:
    """The state of the job, whose lease goes on; the work need not end with a short outage, every write is fenced."""
    try:
        async with run.database.transaction() as session:
            return await jobs.heartbeat(session, run.job.id, run.job.attempt)
    except Unavailable as error:
        log.warning("a lease could not be prolonged", job=run.job.id, error=str(error))
        return JobState.RUNNING


async def _give_back(run: Run, work: asyncio.Task[Failure | None], *, pause: timedelta = timedelta()) -> None:
    """Somebody else goes on as soon as the database hears of it, else when the lease is found to be over."""
    work.cancel()
    await asyncio.wait([work])
    with contextlib.suppress(LeaseLost):
        while not await _given_back(run, pause):  # noqa: ASYNC110 - nobody tells when the database is back
            await asyncio.sleep(TRY_AGAIN_SECONDS)


async def _given_back(run: Run, pause: timedelta) -> bool:
    try:
        async with run.transaction() as (session, held):
            await jobs.give_back(session, held, pause=pause)
    except Unavailable:
        return False
    return True
