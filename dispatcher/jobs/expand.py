"""Expansion: source content in, a module, a video plan and a quiz out."""

import asyncio
from collections.abc import Callable, Sequence

from dispatcher.jobs.drafting.drafts import AssessmentDraft, ModuleDraft, VideoDraft
from dispatcher.jobs.drafting.expansion import draft_module, draft_test, draft_video
from dispatcher.jobs.drafting.ingested import read_items
from dispatcher.jobs.drafting.source import MOST_LESSONS, Source, read_source
from dispatcher.jobs.fill import BUILT_IN, fill
from dispatcher.jobs.run import Run
from storage import content, integrations, jobs, resources
from storage.errors import JobErrorCode, JobFailed, NotFound
from storage.tables import Job, Output, OutputStatus, OutputType, Progress, Resource, ResourceOrigin
from storage.tables.jobs import Failure, Notice
from storage.tables.resources import DETAILS

READING_PERCENT = 10
MOST_STANDARDS = 100

DRAFTS: dict[OutputType, Callable[[Source], ModuleDraft | VideoDraft | AssessmentDraft]] = {
    OutputType.interactive_module: draft_module,
    OutputType.summary_video: draft_video,
    OutputType.expanded_quiz: draft_test,
}
DELETED = Failure(code=JobErrorCode.GENERATION_FAILED, message="The resource was deleted while it was being made.")


async def process(run: Run) -> None:
    """Make every output that is not made yet; one that fails leaves the others alone (decision D16)."""
    async with run.database.snapshot() as session:
        outputs = await integrations.outputs(session, [run.job.id])
    await run.advance(_progress(outputs, "reading"))
    source, standards = await _read(run)
    for output in outputs:
        if output.status is not OutputStatus.completed:
            resource = await _begin(run, source, standards, output)
            await _make(run, source, resource, output, outputs)


async def _read(run: Run) -> tuple[Source, Sequence[str]]:
    """What the outputs are made from, and the CASE items that ingested items hand on to them."""
    asked = integrations.asked(run.job)
    if not asked.content_item_ids:
        return await asyncio.to_thread(read_source, asked.payload), ()
    async with run.database.snapshot() as session:
        items = await content.leaves(session, run.job.realm, asked.content_item_ids, MOST_LESSONS)
    return await asyncio.to_thread(read_items, items), content.standards(items)[:MOST_STANDARDS]


async def _make(run: Run, source: Source, resource: Resource, output: Output, outputs: Sequence[Output]) -> None:
    """One output: drafted outside any transaction, then written, counted and told in one."""
    draft = await _draft(source, output.output_type)
    async with run.transaction() as (session, job):
        try:
            current = await resources.locked(session, job.realm, resource.id)
        except NotFound:
            draft = DELETED
        if isinstance(draft, Failure):
            await integrations.fail(session, output, job.realm, draft)
        else:
            current.title = draft.title
            await fill(session, current, draft)
            job.warnings = [*job.warnings, *_left_out(draft, output)]
            resources.share(current, run.sealer)
            await resources.ready(session, current)
            await integrations.complete(session, output, job.realm)
        await jobs.advance(session, job, _progress(outputs, output.output_type), output_type=output.output_type)


async def _begin(run: Run, source: Source, standards: Sequence[str], output: Output) -> Resource:
    """The resource that the output becomes; a job that was taken over goes on with the one that was begun."""
    async with run.transaction() as (session, job):
        known = await resources.find(session, job.realm, [output.resource_id] if output.resource_id else [])
        resource = known[0] if known else _resource(job, source, output.output_type)
        if not known:
            await resources.add(session, resource, standards)
        integrations.begin(session, output, resource)
    return resource


async def _draft(source: Source, output_type: OutputType) -> ModuleDraft | VideoDraft | AssessmentDraft | Failure:
    try:
        return await asyncio.to_thread(DRAFTS[output_type], source)
    except JobFailed as failed:
        return Failure(code=failed.code, message=failed.message)


def _left_out(draft: ModuleDraft | VideoDraft | AssessmentDraft, output: Output) -> list[Notice]:
    """That there was more than an output can hold."""
    if not draft.left_out:
        return []
    what = "scenes" if isinstance(draft, VideoDraft) else "questions"
    kind = integrations.RESOURCE_KINDS[output.output_type]
    message = f"{draft.left_out:,} {what} were left out: a {kind} has no room for more."
    return [Notice(code=f"{what}_left_out", message=message, subject=output.output_type)]


def _resource(job: Job, source: Source, output_type: OutputType) -> Resource:
    kind = integrations.RESOURCE_KINDS[output_type]
    return Resource(
        id=resources.new_id(kind),
        workspace_id=job.workspace_id,
        environment=job.environment,
        kind=kind,
        origin=ResourceOrigin.EXPANSION,
        title=source.title,
        language=source.language,
        details=DETAILS[kind](),
        generator=BUILT_IN,
        job_id=job.id,
    )


def _progress(outputs: Sequence[Output], phase: str) -> Progress:
    """Reading is a tenth, the outputs share the rest."""
    done = sum(output.status is OutputStatus.completed for output in outputs)
    failed = sum(output.status is OutputStatus.failed for output in outputs)
    return Progress(
        percent=READING_PERCENT + (100 - READING_PERCENT) * (done + failed) / len(outputs) if done + failed else 0,
        phase=phase,
        completed_units=done,
        failed_units=failed,
        total_units=len(outputs),
    )
