"""The structure of a course: chapters in order, and lessons numbered through all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete
from sqlmodel import col

from storage import children, ids
from storage.database import Transaction
from storage.errors import NotFound, ValidationFailed
from storage.tables import Chapter, Lesson, Quiz, Resource


@dataclass(frozen=True, slots=True)
class Structure:
    """All chapters and all lessons of a course, in order."""

    course: Resource
    chapters: list[Chapter]
    lessons: list[Lesson]


async def read(session: Transaction, course: Resource) -> Structure:
    """The structure as it is now."""
    chapters = await children.of(session, Chapter, course.id)
    return Structure(course, chapters, await children.of(session, Lesson, course.id))


async def add(
    session: Transaction,
    structure: Structure,
    chapter_id: str | None,
    sequence: int | None,
    id: str,
    values: Mapping[str, Any],
) -> Lesson:
    """
    A new lesson at a course-wide position, counted from 1; behind the end is at the end.

    Without a chapter it goes to the one that holds the position, else to the last; a course without chapters gets its
    first. NotFound for a chapter of another course, ValidationFailed for a position outside of the chapter.
    """
    chapter = await _chapter(session, structure, chapter_id, sequence)
    first = 1 + sum(_before(structure, lesson, chapter) for lesson in structure.lessons)
    end = first + sum(lesson.chapter_id == chapter.id for lesson in structure.lessons)
    position = end if sequence is None else min(sequence, len(structure.lessons) + 1)
    if not first <= position <= end:
        message = f"“{chapter.title}” holds the positions {first} to {end}."
        raise ValidationFailed("sequence_outside_chapter", message, "input", "sequence")
    lesson = Lesson(
        id=id,
        resource_id=structure.course.id,
        chapter_id=chapter.id,
        sequence=position,
        title=values["title"],
        type=values["type"],
        lecture=values["lecture"],
    )
    session.add(lesson)
    children.place(structure.lessons, lesson, position)
    return lesson


async def _chapter(session: Transaction, structure: Structure, chapter_id: str | None, sequence: int | None) -> Chapter:
    if chapter_id is not None:
        found = [chapter for chapter in structure.chapters if chapter.id == chapter_id]
    elif sequence is not None and sequence <= len(structure.lessons):
        held_by = structure.lessons[sequence - 1].chapter_id
        found = [chapter for chapter in structure.chapters if chapter.id == held_by]
    else:
        found = structure.chapters[-1:] or [await _first_chapter(session, structure)]
    if not found:
        raise NotFound
    return found[0]


async def _first_chapter(session: Transaction, structure: Structure) -> Chapter:
    course = structure.course
    chapter = Chapter(id=ids.new(ids.Prefix.CHAPTER), resource_id=course.id, sequence=1, title=course.title)
    session.add(chapter)
    await session.flush()  # before its lessons refer to it
    structure.chapters.append(chapter)
    return chapter


def _before(structure: Structure, lesson: Lesson, chapter: Chapter) -> bool:
    order = {row.id: row.sequence for row in structure.chapters}
    return order[lesson.chapter_id] < order[chapter.id]


async def write(session: Transaction, structure: Structure, wanted: Sequence[Mapping[str, Any]]) -> None:
    """
    Make the structure what is wanted: chapters with their lessons, by id or new.

    In this order, because a chapter takes along the lessons that still refer to it when it goes.
    """
    chapters = {row.id: row for row in structure.chapters}
    listed = [{"id": chapter["id"], "title": chapter["title"]} for chapter in wanted]
    kept = {id: row for id, row in chapters.items() if id in {chapter["id"] for chapter in listed}}
    rows = await children.replace(session, Chapter, kept, listed, _identity(structure, ids.Prefix.CHAPTER))
    await session.flush()
    await _write_lessons(session, structure, rows, wanted)
    await session.flush()
    for id in chapters.keys() - kept.keys():
        await session.delete(chapters[id])


async def _write_lessons(
    session: Transaction, structure: Structure, chapters: Sequence[Chapter], wanted: Sequence[Mapping[str, Any]]
) -> None:
    known = {row.id: row for row in structure.lessons}
    listed = [
        {"id": lesson["id"], "title": lesson["title"], "chapter_id": chapter.id, **_type(lesson)}
        for chapter, asked in zip(chapters, wanted, strict=True)
        for lesson in asked["lessons"]
    ]
    for values in listed:
        lesson = known.get(values["id"])
        if lesson is not None and (lesson.title, lesson.type) != (values["title"], values.get("type", lesson.type)):
            lesson.version += 1
    if gone := known.keys() - {values["id"] for values in listed}:
        await session.execute(delete(Quiz).where(col(Quiz.owner_id).in_(gone)))
    await children.replace(session, Lesson, known, listed, _identity(structure, ids.Prefix.LESSON))


def _type(lesson: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": lesson["type"]} if lesson.get("type") is not None else {}


def _identity(structure: Structure, prefix: ids.Prefix) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    return lambda _: {"id": ids.new(prefix), "resource_id": structure.course.id}
