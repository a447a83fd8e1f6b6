"""
From drafts to rows.

What callers wrote while the author was at work stays: texts and quizzes are filled only where there are none, and the
author's scenes, items and chapters follow those that are there.
"""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import count as counting
from typing import Any

from dispatcher.jobs.drafting.drafts import (
    AssessmentDraft,
    ChapterDraft,
    CourseDraft,
    Draft,
    LessonDraft,
    ModuleDraft,
    QuestionDraft,
    SlideDeckDraft,
    VideoDraft,
)
from storage import children, ids, structures
from storage.database import Transaction
from storage.errors import JobErrorCode, JobFailed
from storage.limits import LONGEST, MOST
from storage.packages import html, slides
from storage.tables import Chapter, Child, Item, Lesson, Quiz, Resource, Scene
from storage.tables.columns import shaped
from storage.tables.resources import Generator, ModuleDetails, Page, SlideDetails

BUILT_IN = Generator(name="deterministic-outline", version="1")


async def fill(session: Transaction, resource: Resource, draft: Draft, generator: Generator = BUILT_IN) -> None:
    """Give a resource what its author wrote."""
    resource.description = resource.description or html.stripped(draft.description)
    resource.generator = generator
    match draft:
        case ModuleDraft():
            await _module(session, resource, draft)
        case CourseDraft():
            await _chapters(session, resource, draft.chapters)
        case VideoDraft():
            resource.details = resource.details.model_copy(update={"aspect_ratio": draft.aspect_ratio})
            await _append(session, Scene, ids.Prefix.SCENE, resource, [asdict(scene) for scene in draft.scenes])
        case SlideDeckDraft():
            pages = [Page(heading=page.heading, html=page.html) for page in slides.read(draft.content)]
            there = shaped(resource.details, SlideDetails).pages
            resource.details = resource.details.model_copy(update={"pages": there or pages})
            _require_brevity("content", shaped(resource.details, SlideDetails).content)
        case AssessmentDraft():
            await add_items(session, resource, draft.items)


async def fill_lesson(session: Transaction, lesson: Lesson, draft: LessonDraft) -> None:
    """Give a lesson what its author wrote."""
    lesson.description = lesson.description or html.stripped(draft.description)
    lesson.lecture = lesson.lecture or _lecture(draft)
    await _quizzes(session, lesson.resource_id, lesson.id, draft.quizzes, practice=False)
    await _quizzes(session, lesson.resource_id, lesson.id, draft.practice, practice=True)


async def add_items(
    session: Transaction, test: Resource, drafts: Sequence[QuestionDraft], job_id: str | None = None
) -> None:
    """More items at the end of a test."""
    contents = [{"score": draft.score, "job_id": job_id, **_asked(draft)} for draft in drafts]
    await _append(session, Item, ids.Prefix.ITEM, test, contents)


async def _module(session: Transaction, module: Resource, draft: ModuleDraft) -> None:
    details = shaped(module.details, ModuleDetails)
    update = {
        "lecture": details.lecture or _lecture(draft),
        "has_quiz": details.has_quiz or bool(draft.quizzes),
    }
    module.details = details.model_copy(update=update)
    await _quizzes(session, module.id, module.id, draft.quizzes, practice=False)


async def _append(
    session: Transaction, table: type[Child], prefix: ids.Prefix, resource: Resource, contents: Sequence[dict[str, Any]]
) -> None:
    count = len(await children.of(session, table, resource.id))
    _require_room(f"{table.__name__.lower()}s", count, len(contents))
    session.add_all(
        table(id=ids.new(prefix), resource_id=resource.id, sequence=number, **content)
        for number, content in enumerate(contents, start=count + 1)
    )


async def _chapters(session: Transaction, course: Resource, drafts: Sequence[ChapterDraft]) -> None:
    structure = await structures.read(session, course)
    _require_room("chapters", len(structure.chapters), len(drafts))
    _require_room("lessons", len(structure.lessons), sum(len(draft.lessons) for draft in drafts))
    numbers = counting(len(structure.lessons) + 1)
    for place, draft in enumerate(drafts, start=len(structure.chapters) + 1):
        chapter = Chapter(
            id=ids.new(ids.Prefix.CHAPTER),
            resource_id=course.id,
            sequence=place,
            title=draft.title,
            description=html.stripped(draft.description),
        )
        session.add(chapter)
        await session.flush()  # before its lessons refer to it
        for written in draft.lessons:
            lesson = Lesson(
                id=ids.new(ids.Prefix.LESSON),
                resource_id=course.id,
                chapter_id=chapter.id,
                sequence=next(numbers),
                title=written.title,
            )
            session.add(lesson)
            await fill_lesson(session, lesson, written)


def _require_room(name: str, there: int, new: int) -> None:
    """Callers may have added parts while the author was at work; JobFailed when both together are too many."""
    if there + new > MOST[name]:
        message = f"There are {there} {name} now; with {new} more there would be more than {MOST[name]}."
        raise JobFailed(JobErrorCode.GENERATION_FAILED, message)


def _lecture(draft: ModuleDraft | LessonDraft) -> str:
    written = html.clean(draft.lecture)
    _require_brevity("lecture", written)
    return written


def _require_brevity(name: str, text: str | None) -> None:
    """JobFailed when nobody could write this back."""
    if len(text or "") > LONGEST[name]:
        raise JobFailed(JobErrorCode.GENERATION_FAILED, f"The {name} has more than {LONGEST[name]} characters.")


async def _quizzes(
    session: Transaction, resource_id: str, owner_id: str, drafts: Sequence[QuestionDraft], *, practice: bool
) -> None:
    """The author's quizzes, or exercises, unless there are others."""
    there = await children.of(session, Quiz, owner_id, parent="owner_id")
    if any(row.practice is practice for row in there):
        return
    name = "practice" if practice else "quiz"
    taken = {row.key for row in there}
    for number, draft in enumerate(drafts, start=1):
        id, key = ids.new(ids.Prefix.QUIZ), f"{name}-{number}"
        session.add(
            Quiz(
                id=id,
                resource_id=resource_id,
                owner_id=owner_id,
                key=id if key in taken else key,
                sequence=number,
                title=draft.title,
                practice=practice,
                **_asked(draft),
            )
        )


def _asked(draft: QuestionDraft) -> dict[str, Any]:
    return {
        "question": draft.question,
        "type": draft.type,
        "options": list(draft.options),
        "correct_answers": list(draft.correct_answers),
        "explanation": draft.explanation,
    }
