"""Messages to users: written in the transaction that makes them true, read on from where one was."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import ids
from storage.database import Transaction
from storage.tables import Job, Notification, NotificationKind, Realm, User


async def send(session: Transaction, job: Job, kind: NotificationKind, message: str) -> None:
    """
    A message to whoever started a job.

    The user's row counts them and is held until the commit, so that they appear in order; whoever watches is woken by
    the event that every end of a job writes.
    """
    counted = await session.execute(
        update(User)
        .where(col(User.id) == job.user_id)
        .values(notifications=col(User.notifications) + 1)
        .returning(col(User.notifications))
        .execution_options(synchronize_session=False)
    )
    sent = Notification(
        id=ids.new(ids.Prefix.NOTIFICATION),
        workspace_id=job.workspace_id,
        environment=job.environment,
        user_id=job.user_id or "",
        sequence=counted.scalar_one(),
        kind=kind,
        job_id=job.id,
        message=message,
    )
    session.add(sent)


def visible(realm: Realm, user_id: str) -> tuple[ColumnElement[bool], ...]:
    """The messages to one user, in one environment."""
    return (
        col(Notification.user_id) == user_id,
        col(Notification.workspace_id) == realm.workspace_id,
        col(Notification.environment) == realm.environment,
    )


async def latest(session: AsyncSession, user_id: str) -> int:
    """The sequence of the user's last message, 0 when there is none."""
    return await session.scalar(select(col(User.notifications)).where(col(User.id) == user_id)) or 0


async def after(
    session: AsyncSession, realm: Realm, user_id: str, sequence: int, *, limit: int = 100
) -> Sequence[Notification]:
    """The next messages to a user behind a sequence number, oldest first."""
    query = select(Notification).where(*visible(realm, user_id), col(Notification.sequence) > sequence)
    return (await session.scalars(query.order_by(col(Notification.sequence)).limit(limit))).all()


async def find(session: AsyncSession, realm: Realm, user_id: str, found_ids: Sequence[str]) -> Sequence[Notification]:
    """The messages to a user among some ids."""
    query = select(Notification).where(*visible(realm, user_id), col(Notification.id).in_(found_ids))
    return (await session.scalars(query)).all()
