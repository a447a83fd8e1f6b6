"""Authored resources: add, find, change, share."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from storage import events, ids
from storage.bodies import ResourceBody
from storage.database import Transaction
from storage.errors import NotFound
from storage.sealing import Sealer, hashed
from storage.tables import Alignment, Child, EventType, Realm, Resource, ResourceKind, ResourceStatus
from storage.tables.columns import now

C = TypeVar("C", bound=Child)
Part = TypeVar("Part", bound=SQLModel)


def new_id(kind: ResourceKind) -> str:
    """A fresh id of the kind."""
    return ids.new(ids.Prefix(kind.value))


def visible(realm: Realm) -> tuple[ColumnElement[bool], ...]:
    """The conditions under which a resource exists for somebody."""
    return (
        col(Resource.workspace_id) == realm.workspace_id,
        col(Resource.environment) == realm.environment,
        col(Resource.deleted_at).is_(None),
    )


async def add(session: Transaction, resource: Resource, aligned: Sequence[str] = ()) -> None:
    """Store a new resource, aligned to some CASE items, and say so in the log."""
    resource.stamp = resource.id.partition("_")[2]
    resource.words = _words(resource)
    session.add(resource)
    await session.flush()
    await align(session, resource, aligned)
    await events.emit(session, resource, EventType.RESOURCE_CREATED, _body(resource))


async def become(session: Transaction, resource: Resource, status: ResourceStatus) -> None:
    """A new status, told in the log."""
    resource.status = status
    await changed(session, resource)


async def ready(session: Transaction, resource: Resource) -> None:
    """The content is there: show it to reviewers."""
    await become(session, resource, ResourceStatus.READY)


async def changed(session: Transaction, resource: Resource) -> None:
    """Count an accepted change and say so in the log."""
    resource.version += 1
    resource.updated_at = now()
    resource.words = _words(resource)
    session.add(resource)
    await session.flush()
    await events.emit(session, resource, EventType.RESOURCE_UPDATED, _body(resource))


async def edited(session: Transaction, resource: Resource) -> None:
    """A caller wrote something, and so has reviewed it; counted unless everything is as it was."""
    if resource.generator is not None:
        resource.generator = resource.generator.model_copy(update={"needs_review": False})
    if session.modified:
        await changed(session, resource)


async def remove(session: Transaction, resource: Resource) -> None:
    """From now on nobody finds it; the row stays for support."""
    resource.deleted_at = resource.updated_at = now()
    session.add(resource)
    await session.flush()
    await events.emit(session, resource, EventType.RESOURCE_DELETED, _body(resource))


async def align(session: Transaction, resource: Resource, curriculum_item_ids: Sequence[str]) -> None:
    """Align a resource to these CASE items, in this order, and to no others."""
    query = select(Alignment).where(col(Alignment.resource_id) == resource.id)
    known = {row.curriculum_item_id: row for row in (await session.scalars(query)).all()}
    for sequence, item_id in enumerate(curriculum_item_ids, start=1):
        if row := known.pop(item_id, None):
            row.sequence = sequence
        else:
            session.add(Alignment(resource_id=resource.id, curriculum_item_id=item_id, sequence=sequence))
    for row in known.values():
        await session.delete(row)


def _words(resource: Resource) -> str:
    """What a search looks through, on every database alike."""
    return "\n".join(filter(None, (resource.title, resource.description, resource.prompt))).casefold()


def _body(resource: Resource) -> ResourceBody:
    return ResourceBody(
        resource_type=resource.kind, resource_id=resource.id, version=resource.version, status=resource.status
    )


async def find(session: AsyncSession, realm: Realm, found_ids: Sequence[str]) -> Sequence[Resource]:
    """
    The resources of a realm among some ids.

    Whose they are is judged here: of a condition on the realm SQLite makes a walk through all that it has.
    """
    query = select(Resource).where(col(Resource.id).in_(found_ids), col(Resource.deleted_at).is_(None))
    return [resource for resource in await session.scalars(query) if resource.realm == realm]


async def locked(session: Transaction, realm: Realm, id: str, kind: ResourceKind | None = None) -> Resource:
    """A resource that is about to change, held until the commit; NotFound when there is none (of this kind)."""
    query = select(Resource).where(*visible(realm), col(Resource.id) == id).with_for_update()
    resource = (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()
    if resource is None or kind not in (None, resource.kind):
        raise NotFound
    return resource


def finder(realm: Realm) -> Callable[[AsyncSession, str], Awaitable[Resource | None]]:
    """Finds one resource of the realm."""

    async def find_one(session: AsyncSession, id: str) -> Resource | None:
        return next(iter(await find(session, realm, [id])), None)

    return find_one


def children_of(
    table: type[Part], parent: str = "resource_id"
) -> Callable[[AsyncSession, Sequence[str]], Awaitable[Sequence[Part]]]:
    """Reads the parts of some parents, in order."""
    key, sequence = getattr(table, parent), getattr(table, "sequence")  # noqa: B009  (mypy knows no such column)

    async def fetch(session: AsyncSession, parent_ids: Sequence[str]) -> Sequence[Part]:
        return (await session.scalars(select(table).where(key.in_(parent_ids)).order_by(key, sequence))).all()

    return fetch


def child_finder(table: type[C]) -> Callable[[AsyncSession, Realm, Sequence[str]], Awaitable[Sequence[C]]]:
    """Finds parts by id, within the resources that a realm has."""

    async def find(session: AsyncSession, realm: Realm, found_ids: Sequence[str]) -> Sequence[C]:
        query = select(table).join(Resource, col(Resource.id) == col(table.resource_id))
        return (await session.scalars(query.where(*visible(realm), col(table.id).in_(found_ids)))).all()

    return find


def share(resource: Resource, sealer: Sealer) -> None:
    """Open a public page under a fresh code of 160 random bits; an open page keeps its code."""
    if resource.share_code is None:
        renew_share(resource, sealer)
    resource.share_active = True


def renew_share(resource: Resource, sealer: Sealer) -> None:
    """A fresh code: the old address leads nowhere from now on; a closed page stays closed."""
    code = secrets.token_hex(20)
    resource.share_hash, resource.share_code = hashed(code), sealer.seal(code)


def share_url(resource: Resource, sealer: Sealer, public_url: str) -> str | None:
    """Where the page is; None for a resource that was never shared."""
    if resource.share_code is None:
        return None
    return f"{public_url}/share/{resource.kind}/{sealer.unseal(resource.share_code)}"


async def shared(session: AsyncSession, kind: str, code: str, *, hold: bool = False) -> Resource | None:
    """The READY resource whose active page has this code; when held, nobody changes it until the commit."""
    query = select(Resource).where(
        col(Resource.share_hash) == hashed(code),
        col(Resource.share_active).is_(True),
        col(Resource.deleted_at).is_(None),
        col(Resource.status) == ResourceStatus.READY,
    )
    resource = (await session.scalars(query.with_for_update(read=True) if hold else query)).one_or_none()
    return resource if resource is not None and resource.kind == kind else None
