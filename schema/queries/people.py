"""Staff and groups."""

import strawberry

from schema.context import Info
from schema.pagination import Connection, Order, page
from schema.permissions import query
from schema.types.people import Group, User
from storage import people, tables
from storage.tables import Scope

USERS = Order("user", tables.User.id)  # type: ignore[arg-type]
GROUPS = Order("group", tables.Group.id)  # type: ignore[arg-type]


@strawberry.type
class PeopleQueries:
    @query(Scope.EXPORTS, description="A MEMBER sees its own groups.")
    async def groups(
        self, info: Info, first: int | None = 20, after: str | None = None, offset: int | None = None
    ) -> Connection[Group]:
        caller = info.context.caller
        found = people.groups(caller.workspace_id, caller.member_id)
        return await page(info, found, GROUPS, Group.from_row, first=first, after=after, offset=offset)

    @query(Scope.ADMIN)
    async def users(
        self, info: Info, first: int | None = 20, after: str | None = None, offset: int | None = None
    ) -> Connection[User]:
        found = people.users(info.context.caller.workspace_id)
        return await page(info, found, USERS, User.from_row, first=first, after=after, offset=offset)
