"""Courses, their chapters and lessons."""

from typing import Annotated

import strawberry

from schema.context import Info
from schema.types.modules import Quiz
from schema.types.resources import ContentResource, Node
from schema.types.scalars import HTML
from storage import tables
from storage.tables.resources import ModuleType


@strawberry.type(description="A lesson with its complete content.")
class Lesson(Node):
    row: strawberry.Private[tables.Lesson]
    sequence: int = strawberry.field(description="Position in the whole course, counted from 1.")
    title: str
    description: str | None = strawberry.field(description="Plain text.")
    type: ModuleType
    lecture: HTML | None
    version: int = strawberry.field(
        description="Grows with every change of this lesson; the course's version grows too."
    )

    @strawberry.field
    async def quizzes(self, info: Info) -> list[Quiz]:
        return await self._quizzes(info, practice=False)

    @strawberry.field(description="Exercises, apart from the quizzes.")
    async def practice(self, info: Info) -> list[Quiz]:
        return await self._quizzes(info, practice=True)

    @strawberry.field
    async def chapter(self, info: Info) -> Annotated["Chapter", strawberry.lazy("schema.types.courses")]:
        return await info.context.loaders.chapters_by_id.load(self.row.chapter_id)

    @strawberry.field
    async def course(self, info: Info) -> Annotated["Course", strawberry.lazy("schema.types.courses")]:
        return await info.context.loaders.resources.load(self.row.resource_id)

    async def _quizzes(self, info: Info, *, practice: bool) -> list[Quiz]:
        rows = await info.context.loaders.quizzes.load(self.id)
        return [Quiz.from_row(row) for row in rows if row.practice is practice]

    @classmethod
    def from_row(cls, row: tables.Lesson) -> "Lesson":
        """The graph's form of a lesson."""
        return cls(
            row=row,
            id=strawberry.ID(row.id),
            sequence=row.sequence,
            title=row.title,
            description=row.description,
            type=row.type,
            lecture=None if row.lecture is None else HTML(row.lecture),
            version=row.version,
        )


@strawberry.type(description="Named group of lessons.")
class Chapter(Node):
    row: strawberry.Private[tables.Chapter]
    sequence: int
    title: str
    description: str | None = strawberry.field(description="Plain text.")

    @strawberry.field
    async def lessons(self, info: Info) -> list[Lesson]:
        return [Lesson.from_row(row) for row in await info.context.loaders.lessons_of_chapter.load(self.id)]

    @strawberry.field
    async def course(self, info: Info) -> Annotated["Course", strawberry.lazy("schema.types.courses")]:
        return await info.context.loaders.resources.load(self.row.resource_id)

    @classmethod
    def from_row(cls, row: tables.Chapter) -> "Chapter":
        """The graph's form of a chapter."""
        return cls(
            row=row, id=strawberry.ID(row.id), sequence=row.sequence, title=row.title, description=row.description
        )


@strawberry.type(description="Multi-lesson curriculum with chapters and lesson content.")
class Course(ContentResource):
    has_quiz: bool = strawberry.field(description="Whether quizzes were asked for at creation.")
    has_practice: bool = strawberry.field(description="Whether practice was asked for at creation.")

    @strawberry.field
    async def lesson_count(self, info: Info) -> int:
        return (await info.context.loaders.lesson_totals.load(self.id))[0]

    @strawberry.field(
        description="The structure. Read version, ids and titles here before a structural edit and send them back "
        "with updateCourseCanonical."
    )
    async def chapters(self, info: Info) -> list[Chapter]:
        return [Chapter.from_row(row) for row in await info.context.loaders.chapters.load(self.id)]

    @strawberry.field(description="All lessons in course order.")
    async def lessons(self, info: Info) -> list[Lesson]:
        return [Lesson.from_row(row) for row in await info.context.loaders.lessons.load(self.id)]

    @strawberry.field(description="The lesson at this course-wide position, counted from 1; null when there is none.")
    async def lesson(self, info: Info, sequence: int) -> Lesson | None:
        rows = await info.context.loaders.lessons.load(self.id)
        return Lesson.from_row(rows[sequence - 1]) if 1 <= sequence <= len(rows) else None
