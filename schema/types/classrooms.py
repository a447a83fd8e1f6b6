"""Classrooms, and the jobs that hand out their lessons."""

from datetime import datetime
from typing import Any

import strawberry

from schema.context import Info
from schema.pagination import Below, Connection, Order, page_below
from schema.types.jobs import IntegrationJob
from schema.types.modules import Module
from schema.types.resources import Node
from storage import classrooms, tables
from storage.tables.columns import shaped
from storage.tables.jobs import ClassroomExportParameters

LESSONS = Below(
    tables.Resource.classroom_id,  # type: ignore[arg-type]
    Order("lesson", tables.Resource.stamp),  # type: ignore[arg-type]
    there=classrooms.lessons,
)


@strawberry.type(description="Place where signed-in admins write standalone lessons.")
class Classroom(Node):
    title: str
    created_at: datetime

    @strawberry.field(description="Standalone lessons written in this classroom.")
    async def lessons(
        self, info: Info, first: int | None = 20, after: str | None = None, offset: int | None = None
    ) -> Connection[Module]:
        return await page_below(
            info.context.loaders, LESSONS, self.id, Module.from_row, first=first, after=after, offset=offset
        )

    @classmethod
    def from_row(cls, row: tables.Classroom) -> "Classroom":
        """The graph's form of a classroom."""
        return cls(id=strawberry.ID(row.id), title=row.title, created_at=row.created_at)


@strawberry.type(
    description="Hands out a lesson written in a classroom as a Content Integration result; completed when it is "
    "created."
)
class ClassroomExportJob(IntegrationJob):
    classroom_id: strawberry.ID
    lesson_id: strawberry.ID

    @classmethod
    def of_kind(cls, row: tables.Job) -> dict[str, Any]:
        asked = shaped(row.parameters, ClassroomExportParameters)
        named = {"classroom_id": asked.classroom_id, "lesson_id": asked.lesson_id}
        return IntegrationJob.of_kind(row) | named
