"""Ordered parts of a resource: numbered from 1 without gaps, whoever is added, moved or removed."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import resources
from storage.database import Transaction
from storage.errors import NotFound
from storage.tables import Child, Realm, Resource

C = TypeVar("C", bound=Child)

Totals = Mapping[str, tuple[int, float]]


async def of(session: Transaction, table: type[C], parent_id: str, *, parent: str = "resource_id") -> list[C]:
    """The parts of a parent as they are now, in order."""
    query = select(table).where(getattr(table, parent) == parent_id).order_by(col(table.sequence))
    return list((await session.scalars(query.execution_options(populate_existing=True))).all())


async def holding(session: Transaction, realm: Realm, table: type[C], id: str) -> tuple[Resource, list[C], C]:
    """
    A part that is about to change: its resource, held until the commit, all its siblings in order, and itself.

    NotFound when there is none.
    """
    resource_id = await session.scalar(select(col(table.resource_id)).where(col(table.id) == id))
    resource = await resources.locked(session, realm, resource_id or "")
    siblings = await of(session, table, resource.id)
    for row in siblings:
        if row.id == id:
            return resource, siblings, row
    raise NotFound


def finder(table: type[C], realm: Realm) -> Callable[[AsyncSession, str], Awaitable[C | None]]:
    """Finds one part in the resources of the realm."""

    async def find_one(session: AsyncSession, id: str) -> C | None:
        return next(iter(await resources.child_finder(table)(session, realm, [id])), None)

    return find_one


def number(rows: Sequence[Child]) -> None:
    """This is their order."""
    for sequence, row in enumerate(rows, start=1):
        row.sequence = sequence


def place(siblings: Sequence[C], row: C, position: int | None) -> None:
    """Put a part, new or not, at a position counted from 1; behind the end is at the end, and so is None."""
    others = [sibling for sibling in siblings if sibling.id != row.id]
    index = len(others) if position is None else position - 1
    number([*others[:index], row, *others[index:]])


async def remove(session: Transaction, siblings: Sequence[C], row: C) -> None:
    """Without this part; the others close up."""
    await session.delete(row)
    number([sibling for sibling in siblings if sibling.id != row.id])


async def replace(
    session: Transaction,
    table: type[C],
    known: Mapping[str, C],
    wanted: Sequence[dict[str, Any]],
    identity: Callable[[dict[str, Any]], dict[str, Any]],
) -> list[C]:
    """
    These parts, in this order, and no others; answers them.

    What is wanted with the id of a known one keeps its identity, the others get an identity of their own.
    """
    rows: list[C] = []
    for values in wanted:
        content = {name: value for name, value in values.items() if name not in ("id", "sequence")}
        row = known.get(values.get("id") or "")
        if row is None:
            row = table(sequence=0, **identity(values), **content)
        for name, value in content.items():
            setattr(row, name, value)
        rows.append(row)
    number(rows)
    session.add_all(rows)
    kept = {row.id for row in rows}
    for row in known.values():
        if row.id not in kept:
            await session.delete(row)
    return rows


def totals_of(table: type[C], measure: str = "sequence") -> Callable[[AsyncSession, Sequence[str]], Awaitable[Totals]]:
    """Reads how many parts some resources have, and the sum of a column of theirs."""
    parent = col(table.resource_id)

    async def fetch(session: AsyncSession, resource_ids: Sequence[str]) -> Totals:
        query = select(parent, func.count(), func.sum(getattr(table, measure))).where(parent.in_(resource_ids))
        return {id: (count, total) for id, count, total in await session.execute(query.group_by(parent))}

    return fetch
