"""Courses as plain values, batch by batch: what packages are written of."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from sqlalchemy import Row, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import files, resources
from storage.packages.writing import course as written
from storage.packages.writing.course import QuestionKind
from storage.tables import Alignment, Chapter, Lesson, Quiz, Realm, StoredFile

BATCH = 50

_LESSON, _QUIZ = inspect(Lesson).columns, inspect(Quiz).columns


async def read_course(session: AsyncSession, realm: Realm, id: str) -> written.Course | None:
    """A course without its lessons; None once it is deleted."""
    found = await resources.find(session, realm, [id])
    if not found:
        return None
    chapters = await resources.children_of(Chapter)(session, [id])
    alignments = await resources.children_of(Alignment)(session, [id])
    return written.Course(
        id=id,
        title=found[0].title,
        description=found[0].description,
        language=found[0].language,
        standards=tuple(alignment.curriculum_item_id for alignment in alignments),
        chapters=tuple(written.Chapter(row.id, row.title, row.description) for row in chapters),
    )


async def read_lessons(session: AsyncSession, course_id: str) -> AsyncIterator[Sequence[written.Lesson]]:
    """
    The lessons of a course with their questions, in order, so many at a time that memory stays small.

    Bare rows: objects of the session, which nobody changes here, would take a quarter of the time of an export.
    """
    last = 0
    query = select(*_LESSON).where(col(Lesson.resource_id) == course_id).order_by(col(Lesson.sequence)).limit(BATCH)
    while rows := (await session.execute(query.where(col(Lesson.sequence) > last))).all():
        quizzes: dict[str, list[Row[Any]]] = {row.id: [] for row in rows}
        asked = select(*_QUIZ).where(col(Quiz.owner_id).in_(quizzes)).order_by(col(Quiz.sequence))
        for quiz in await session.execute(asked):
            quizzes[quiz.owner_id].append(quiz)
        last = rows[-1].sequence
        yield [_lesson(row, quizzes[row.id]) for row in rows]


async def read_files(session: AsyncSession, realm: Realm, context_id: str) -> Sequence[StoredFile]:
    """The files that are there, sorted by path."""
    rows = (await session.scalars(files.listed(realm, context_id))).all()
    return sorted(rows, key=lambda row: row.path)


def file(row: StoredFile) -> written.File:
    """A stored file as packages know it."""
    return written.File(row.id, row.path, row.content_type, row.byte_size, row.sha256 or "")


def _lesson(row: Row[Any], quizzes: Sequence[Row[Any]]) -> written.Lesson:
    return written.Lesson(
        id=row.id,
        chapter_id=row.chapter_id,
        number=row.sequence,
        title=row.title,
        description=row.description,
        lecture=row.lecture,
        quizzes=_questions(quiz for quiz in quizzes if not quiz.practice),
        practice=_questions(quiz for quiz in quizzes if quiz.practice),
    )


def _questions(rows: Iterable[Row[Any]]) -> tuple[written.Question, ...]:
    return tuple(
        written.Question(
            id=row.id,
            kind=QuestionKind(row.type.value),
            text=row.question,
            options=tuple(row.options),
            answers=tuple(row.correct_answers),
            title=row.title,
            explanation=row.explanation,
            show_feedback=row.show_feedback,
            key=row.key,
        )
        for row in rows
    )
