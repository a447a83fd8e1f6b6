"""Staff and their groups."""

from typing import Annotated, Self

import strawberry

from schema.context import Info
from schema.types.resources import Node
from schema.types.scalars import described
from storage import tables
from storage.tables import UserRole

described(
    UserRole,
    "UserRole",
    "What a session of the user may do.",
    ADMIN="Every scope.",
    MEMBER="Scope exports; sees only the exports it started.",
)


@strawberry.type(description="A member of staff; learners have no account.")
class User(Node):
    name: str
    email: str
    role: UserRole

    @strawberry.field
    async def groups(self, info: Info) -> list[Annotated["Group", strawberry.lazy("schema.types.people")]]:
        return [Group.from_row(row.Group) for row in await info.context.loaders.groups_of.load(self.id)]

    @classmethod
    def from_row(cls, row: tables.User) -> Self:
        """The graph's form of a user."""
        return cls(id=strawberry.ID(row.id), name=row.name, email=row.email, role=row.role)


@strawberry.type(description="People who share files and exports.")
class Group(Node):
    name: str

    @strawberry.field
    async def members(self, info: Info) -> list[User]:
        return [User.from_row(row.User) for row in await info.context.loaders.members.load(self.id)]

    @classmethod
    def from_row(cls, row: tables.Group) -> Self:
        """The graph's form of a group."""
        return cls(id=strawberry.ID(row.id), name=row.name)
