"""Generation: a prompt in, the content of a resource out; or of a lesson, or more items of a test."""

import asyncio
from collections.abc import Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from dispatcher.jobs.authors import Author, engaged
from dispatcher.jobs.authors.watch import Spent
from dispatcher.jobs.drafting.commissions import (
    AssessmentCommission,
    Commission,
    CourseCommission,
    DeckCommission,
    ItemsCommission,
    LessonCommission,
    ModuleCommission,
    Request,
    VideoCommission,
)
from dispatcher.jobs.fill import add_items, fill, fill_lesson
from dispatcher.jobs.run import Run
from storage import children, generations, jobs, resources, usage
from storage.errors import JobErrorCode, JobFailed, NotFound
from storage.tables import Item, Job, Lesson, Progress, Resource, ResourceKind, ResourceStatus
from storage.tables.columns import shaped
from storage.tables.resources import CourseDetails, ModuleDetails, VideoDetails

BEGUN_PERCENT = 10
DRAFTED_PERCENT = 95
WRITTEN_PERCENT = 99

DELETED = "What was to be written into has been deleted."


def _module(request: Request, resource: Resource, _count: int | None) -> Commission:
    return ModuleCommission(request, has_quiz=shaped(resource.details, ModuleDetails).has_quiz)


def _course(request: Request, resource: Resource, count: int | None) -> Commission:
    details = shaped(resource.details, CourseDetails)
    return CourseCommission(request, count, has_quiz=details.has_quiz, has_practice=details.has_practice)


def _video(request: Request, resource: Resource, count: int | None) -> Commission:
    details = shaped(resource.details, VideoDetails)
    return VideoCommission(request, count, details.target_duration_seconds, details.aspect_ratio)


def _deck(request: Request, _resource: Resource, count: int | None) -> Commission:
    return DeckCommission(request, count)


def _assessment(request: Request, _resource: Resource, count: int | None) -> Commission:
    return AssessmentCommission(request, count)


COMMISSIONS: dict[ResourceKind, Callable[[Request, Resource, int | None], Commission]] = {
    ResourceKind.module: _module,
    ResourceKind.course: _course,
    ResourceKind.video: _video,
    ResourceKind.slide: _deck,
    ResourceKind.test: _assessment,
}


class Writing:
    """One generation under way: an author, and what it reports."""

    def __init__(self, run: Run, author: Author) -> None:
        self.run = run
        self.author = author
        self.prompt = generations.asked(run.job).prompt
        self._pieces = 1
        self._turn = asyncio.Lock()

    async def wrote(self, done: int, total: int) -> None:
        """The author's part is most of the work."""
        async with self._turn:
            self._pieces = total
            percent = BEGUN_PERCENT + (DRAFTED_PERCENT - BEGUN_PERCENT) * done / total
            progress = Progress(percent=percent, phase="drafting", completed_units=done, total_units=total)
            await self.run.advance(progress)

    async def spent(self, spent: Spent) -> None:
        """Counted at once: what a model took is owed, whatever becomes of the job."""
        model = self.author.generator.model or ""
        async with self.run.transaction() as (session, job):
            generations.spend(session, job, model, spent.input_tokens, spent.output_tokens)

    def written(self) -> Progress:
        """Everything is there."""
        return Progress(
            percent=WRITTEN_PERCENT, phase="writing", completed_units=self._pieces, total_units=self._pieces
        )

    def request(self, title: str, language: str) -> Request:
        """What the author is asked to write about."""
        return Request(self.prompt, title, language)


async def process(run: Run) -> None:
    """Draft outside of any transaction, then write, count and tell in one; what is written already stays."""
    await run.advance(Progress(percent=BEGUN_PERCENT, phase="drafting", total_units=1))
    asked = generations.asked(run.job)
    try:
        async with engaged(run.settings) as author:
            writing = Writing(run, author)
            if asked.lesson_id is not None:
                await _write_lesson(writing, asked.lesson_id)
            elif asked.new_item_count is not None:
                await _write_items(writing, asked.new_item_count)
            else:
                await _write(writing, asked.part_count)
    except NotFound:
        raise JobFailed(JobErrorCode.GENERATION_FAILED, DELETED) from None


async def _write(writing: Writing, count: int | None) -> None:
    run, resource = writing.run, await _read(writing.run)
    if resource.status is not ResourceStatus.GENERATING:
        return  # an earlier attempt has written it
    request = writing.request(resource.title, resource.language)
    draft = await writing.author.write(COMMISSIONS[resource.kind](request, resource, count), writing)
    async with run.transaction() as (session, job):
        current = await generations.subject(session, job)
        await fill(session, current, draft, writing.author.generator)
        await resources.ready(session, current)
        await usage.count(session, job.realm, generations.METERS[current.kind], current.id)
        await jobs.advance(session, job, writing.written())


async def _write_lesson(writing: Writing, lesson_id: str) -> None:
    run, course = writing.run, await _read(writing.run)
    details = shaped(course.details, CourseDetails)
    async with run.database.snapshot() as session:
        title = (await _lesson(session, run.job, lesson_id)).title
    request = writing.request(title, course.language)
    draft = await writing.author.write_lesson(
        LessonCommission(request, details.has_quiz, details.has_practice), writing
    )
    async with run.transaction() as (session, job):
        current = await generations.subject(session, job)
        lesson = await _lesson(session, job, lesson_id)
        await fill_lesson(session, lesson, draft)
        if session.modified:  # else an earlier attempt has written it
            lesson.version += 1
            current.generator = writing.author.generator
            await resources.changed(session, current)
            await jobs.advance(session, job, writing.written())


async def _write_items(writing: Writing, count: int) -> None:
    """New items, none of which repeats a question that stands in the test when they are written."""
    run, test = writing.run, await _read(writing.run)
    request = writing.request(test.title, test.language)
    while True:
        async with run.database.snapshot() as session:
            there = await _items(session, test.id)
        if any(item.job_id == run.job.id for item in there):
            return  # an earlier attempt has written them
        asked = ItemsCommission(request, count, known=[item.question for item in there])
        draft = await writing.author.write_items(asked, writing)
        async with run.transaction() as (session, job):
            current = await generations.subject(session, job)
            items = await _items(session, test.id)
            if not {item.question for item in items} & {question.question for question in draft}:
                await add_items(session, current, draft, job.id)
                current.generator = writing.author.generator
                await resources.changed(session, current)
                await jobs.advance(session, job, writing.written())
                return


async def _read(run: Run) -> Resource:
    async with run.database.snapshot() as session:
        resource = await resources.finder(run.job.realm)(session, run.job.resource_id or "")
    if resource is None:
        raise NotFound
    return resource


async def _lesson(session: AsyncSession, job: Job, lesson_id: str) -> Lesson:
    lesson = await children.finder(Lesson, job.realm)(session, lesson_id)
    if lesson is None:
        raise NotFound
    return lesson


async def _items(session: AsyncSession, test_id: str) -> Sequence[Item]:
    return await resources.children_of(Item)(session, [test_id])
