"""Contexts: the courses, groups and users that own files and are exported, and who may see which of them."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import ids, people, resources
from storage.database import Transaction
from storage.errors import NotFound
from storage.ids import Prefix
from storage.tables import Group, Realm, Resource, ResourceKind, User


@dataclass(frozen=True, slots=True)
class Context:
    """An owner, under the title that people know."""

    id: str
    title: str

    @property
    def is_course(self) -> bool:
        """Groups and users have nothing but files."""
        return ids.prefix_of(self.id) is Prefix.COURSE


async def find(session: AsyncSession, realm: Realm, id: str, member_id: str | None) -> Context | None:
    """
    The context of an id, if it may be seen.

    A member sees itself and its groups; courses hold answers and are seen by administrators only (decision D8).
    """
    match ids.prefix_of(id):
        case Prefix.COURSE if member_id is None:
            found = await resources.find(session, realm, [id])
            return next((Context(row.id, row.title) for row in found), None)
        case Prefix.GROUP:
            groups = await people.find_groups(session, realm.workspace_id, [id], member_id)
            return next((Context(row.id, row.name) for row in groups), None)
        case Prefix.USER if member_id in (None, id):
            users = await people.find_users(session, realm.workspace_id, [id])
            return next((Context(row.id, row.name) for row in users), None)
    return None


async def require(session: AsyncSession, realm: Realm, id: str, member_id: str | None) -> Context:
    """The same, or NotFound."""
    context = await find(session, realm, id, member_id)
    if context is None:
        raise NotFound(path=("input", "context"))
    return context


async def hold(session: Transaction, realm: Realm, id: str) -> bool:
    """Keep others from changing what the context owns until the commit; tells whether it is still there."""
    match ids.prefix_of(id):
        case Prefix.COURSE:
            course = select(col(Resource.id)).where(*resources.visible(realm), col(Resource.id) == id)
            held = course.where(col(Resource.kind) == ResourceKind.course)
        case Prefix.GROUP:
            held = select(col(Group.id)).where(col(Group.id) == id)
        case _:
            held = select(col(User.id)).where(col(User.id) == id)
    return await session.scalar(held.with_for_update()) is not None
