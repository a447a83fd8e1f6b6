"""Tenants."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import ids
from storage.database import Transaction
from storage.tables import Environment, Log, Workspace


async def create(session: Transaction, name: str) -> Workspace:
    """A new tenant with an empty event log per environment."""
    workspace = Workspace(id=ids.new(ids.Prefix.WORKSPACE), name=name)
    session.add(workspace)
    await session.flush()
    session.add_all(Log(workspace_id=workspace.id, environment=environment) for environment in Environment)
    return workspace


async def find(session: AsyncSession, name: str) -> Workspace | None:
    """The tenant of a name."""
    return (await session.scalars(select(Workspace).where(col(Workspace.name) == name))).one_or_none()


async def first_two(session: AsyncSession) -> list[Workspace]:
    """Enough to tell whether there is none, one or several."""
    return list((await session.scalars(select(Workspace).order_by(col(Workspace.id)).limit(2))).all())


async def hold(session: Transaction, workspace_id: str) -> None:
    """Whoever holds the same workspace waits for the end of this transaction, to count what there is one by one."""
    await session.execute(select(col(Workspace.id)).where(col(Workspace.id) == workspace_id).with_for_update())
