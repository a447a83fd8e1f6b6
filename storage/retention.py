"""
What is removed when its time is over, in small batches, so that nobody waits for it.

Everything here may break off anywhere and may run twice at once: bytes go before the rows that name them, rows that are
left are found again, and what is gone already is no matter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, CursorResult, Delete, Select, and_, delete, exists, or_, select, update
from sqlmodel import col

from storage import attachments, deliveries, events, ids, uploads
from storage.blobs import Blobs
from storage.database import Database
from storage.tables import (
    AccessToken,
    Attachment,
    ContentItem,
    Delivery,
    Event,
    Job,
    JobKind,
    Resource,
    StoredFile,
    UserSession,
)
from storage.tables.columns import now
from storage.tables.jobs import FINISHED

GRACE = timedelta(days=1)
"""Whoever began to read a file before it was replaced can end."""

UNDELETED = timedelta(days=30)
"""How long the row of a deleted resource stays for support (decision D3)."""


@dataclass(frozen=True, slots=True)
class Days:
    """How long things are kept: settled deliveries, events, and finished jobs that nothing lasting came of."""

    deliveries: int = 90
    events: int = 400
    jobs: int = 400


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """Removes what is over from one installation."""

    database: Database
    blobs: Blobs
    days: Days = Days()
    batch: int = 500

    async def sweep(self) -> dict[str, int]:
        """One round; tells how many there were of each sort, without those of which there were none."""
        removed = {
            "resources": await self._resources(),
            "attachments": await self._with_bytes(Attachment, col(Attachment.expires_at) <= now()),
            "stored_files": await self._with_bytes(StoredFile, _needless(), uploads.folder),
            "deliveries": await self._deliveries(),
            "events": await self._events(),
            "jobs": await self._jobs(),
            "sessions": await self._ended(UserSession),
            "tokens": await self._ended(AccessToken),
        }
        return {sort: count for sort, count in removed.items() if count}

    async def _resources(self) -> int:
        """Resources that were deleted a month ago, with parts; the files of their own and of their renders are over."""
        over = select(col(Resource.id)).where(col(Resource.deleted_at) <= now() - UNDELETED).order_by(col(Resource.id))
        removed = 0
        while gone := await self._first(over):
            renders = select(col(Job.id)).where(col(Job.resource_id).in_(gone), col(Job.kind) == JobKind.RENDER)
            expired = update(Attachment).where(col(Attachment.job_id).in_(renders)).values(expires_at=now())
            owned = update(StoredFile).where(
                col(StoredFile.context_id).in_(gone), col(StoredFile.replaced_at).is_(None)
            )
            async with self.database.transaction() as session:
                for change in (expired, owned.values(replaced_at=now())):
                    await session.execute(change.execution_options(synchronize_session=False))
            removed += await self._delete(delete(Resource).where(col(Resource.id).in_(gone)))
        return removed

    async def _with_bytes(
        self,
        table: type[Attachment] | type[StoredFile],
        condition: ColumnElement[bool],
        folder: Callable[[str], str] | None = None,
    ) -> int:
        """Rows with what lies under their keys; with all in the folder of their id, where an upload may have died."""
        removed = 0
        while True:
            async with self.database.snapshot() as session:
                query = select(col(table.id), col(table.key)).where(condition).limit(self.batch)
                found = (await session.execute(query)).all()
            if not found:
                return removed
            for row in found:
                if row.key is not None:
                    await self.blobs.delete(row.key)
                if folder is not None:
                    await self.blobs.delete_all(folder(row.id))
            removed += await self._delete(delete(table).where(col(table.id).in_([row.id for row in found])))

    async def _deliveries(self) -> int:
        """Settled deliveries with their attempts; what is still owed stays, however old."""
        removed, after = 0, ""
        while True:
            async with self.database.transaction() as session:
                count, last = await deliveries.expire(session, _ago(self.days.deliveries), after)
            removed += count
            if last is None:
                return removed
            after = last

    async def _events(self) -> int:
        """Events, but for those that a delivery still names."""
        named = exists().where(col(Delivery.event_id) == col(Event.id))
        old = col(Event.id) < ids.first_at(ids.Prefix.EVENT, _ago(self.days.events))
        over = select(col(Event.id)).where(old, ~named).order_by(col(Event.id))
        removed = 0
        while gone := await self._first(over):
            async with self.database.transaction() as session:
                removed += await events.remove(session, gone)
        return removed

    async def _jobs(self) -> int:
        """Jobs that ended long ago, with their files; not those whose content items or whose video are still there."""
        before = _ago(self.days.jobs)
        over = (
            select(col(Job.id))
            .where(
                col(Job.id) < ids.first_at(ids.Prefix.JOB, before),
                col(Job.state).in_(FINISHED),
                col(Job.completed_at) <= before,
                ~exists().where(col(ContentItem.job_id) == col(Job.id)),
                or_(col(Job.kind) != JobKind.RENDER, ~exists().where(col(Resource.id) == col(Job.resource_id))),
            )
            .order_by(col(Job.id))
        )
        removed = 0
        while gone := await self._first(over):
            for job_id in gone:
                await self.blobs.delete_all(attachments.folder(job_id))
                await self.blobs.delete_all(uploads.folder(job_id))
            removed += await self._delete(delete(Job).where(col(Job.id).in_(gone), col(Job.state).in_(FINISHED)))
        return removed

    async def _ended(self, table: type[UserSession] | type[AccessToken]) -> int:
        """Sign-ins that have ended; whoever comes with one of them is told no less than before."""
        over = select(col(table.id)).where(col(table.expires_at) <= now() - GRACE)
        removed = 0
        while gone := await self._first(over):
            removed += await self._delete(delete(table).where(col(table.id).in_(gone)))
        return removed

    async def _first(self, over: Select[str]) -> Sequence[str]:
        async with self.database.snapshot() as session:
            return (await session.scalars(over.limit(self.batch))).all()

    async def _delete(self, query: Delete) -> int:
        async with self.database.transaction() as session:
            result = await session.execute(query, execution_options={"synchronize_session": False})
        return result.rowcount if isinstance(result, CursorResult) else 0


def _needless() -> ColumnElement[bool]:
    """Stored files that were replaced, and those that never came."""
    over = now() - GRACE
    never_came = and_(col(StoredFile.sha256).is_(None), col(StoredFile.upload_expires_at) <= over)
    return or_(never_came, col(StoredFile.replaced_at) <= over)


def _ago(days: int) -> datetime:
    return now() - timedelta(days=days)
