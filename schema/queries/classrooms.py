"""Reading classrooms."""

import strawberry
from sqlalchemy import select

from schema.context import Info
from schema.pagination import Connection, Order, page
from schema.permissions import query
from schema.types.classrooms import Classroom
from storage import classrooms, tables
from storage.tables import Scope

CLASSROOMS = Order("classroom", tables.Classroom.id)  # type: ignore[arg-type]


@strawberry.type
class ClassroomQueries:
    @query(Scope.ADMIN)
    async def classrooms(
        self, info: Info, first: int | None = 20, after: str | None = None, offset: int | None = None
    ) -> Connection[Classroom]:
        found = select(tables.Classroom).where(*classrooms.visible(info.context.realm))
        return await page(info, found, CLASSROOMS, Classroom.from_row, first=first, after=after, offset=offset)

    @query(Scope.ADMIN)
    async def classroom(self, info: Info, id: strawberry.ID) -> Classroom | None:
        return await info.context.loaders.classrooms.load(id)
