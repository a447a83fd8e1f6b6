"""
From what the reader of a package tells to rows, batch by batch.

A job that was taken over, or is tried again, reads its package anew; what is there already is recognised by its
identifier, in the order of the package, and left alone. So nothing is made twice, and only what failed is repaired.
"""

import base64
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import TableClause, select
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel, col

from storage import batches, ids, search
from storage.database import Transaction, Unavailable
from storage.errors import JobErrorCode
from storage.tables import Association, ContentItem, ContentType, IngestionItem, ItemState, Job, PackageFile
from storage.tables.columns import now
from storage.tables.jobs import Notice

log = structlog.get_logger(__name__)

MOST_WARNINGS = 1_000
SKIPPED = frozenset({"type_unsupported", "not_video"})
UNSTORABLE = "The item could not be stored; look for a value of extraordinary size in it."

COPIED = (
    *("type", "source_identifier", "title", "description", "language", "difficulty", "alignments", "path", "sha256"),
    *("body", "question", "video_url", "provider"),
)

FILE = ("path", "size", "compressed", "start", "method", "crc")

Values = dict[str, Any]


def _table(rows: type[SQLModel]) -> TableClause:
    found: TableClause = rows.__table__  # type: ignore[attr-defined]
    return found


CONTENT_ITEM, INGESTION_ITEM = _table(ContentItem), _table(IngestionItem)
ASSOCIATION, PACKAGE_FILE = _table(Association), _table(PackageFile)


@dataclass(slots=True)
class Part:
    """What one outcome writes: an item with its words, and how its resource stands now."""

    key: int = -1
    item: Values | None = None
    words: Values | None = None
    standing: Values | None = None


class Intake:
    """How far one reading of a package has come, and which item each key of it stands for."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.completed = self.failed = self.skipped = 0
        self.warnings: list[Notice] = []
        self.latest: tuple[str, int] | None = None
        self.reasons: Counter[JobErrorCode] = Counter()
        self._moment = now()
        self._position = 0
        self._ids: dict[int, str] = {}
        self._known: dict[str, deque[IngestionItem]] = {}
        self._containers: dict[str, deque[str]] = {}

    @classmethod
    async def of(cls, session: Transaction, job: Job) -> "Intake":
        """An intake that knows what earlier attempts have left."""
        intake = cls(job)
        rows = select(IngestionItem).where(col(IngestionItem.job_id) == job.id).order_by(col(IngestionItem.position))
        for row in await session.scalars(rows):
            intake._known.setdefault(row.item_id, deque()).append(row)
            intake._position = row.position + 1
        containers = select(col(ContentItem.source_identifier), col(ContentItem.id)).where(
            col(ContentItem.job_id) == job.id, col(ContentItem.type) == ContentType.CONTAINER
        )
        for identifier, id in await session.execute(containers.order_by(col(ContentItem.id))):
            intake._containers.setdefault(identifier, deque()).append(id)
        return intake

    async def list_files(self, session: Transaction, files: Sequence[Sequence[Any]]) -> None:
        """Note where files lie: path, size, compressed size, start, method and checksum of each."""
        rows = [{"job_id": self.job.id, **dict(zip(FILE, file, strict=True))} for file in files]
        await batches.add(session, PACKAGE_FILE, rows)

    async def take(self, session: Transaction, outcomes: Sequence[Values], current: str | None) -> None:
        """Write a batch of outcomes, and which resource is being read; an item that cannot be stored fails alone."""
        self._moment = now()
        parts: list[Part] = []
        related: list[Values] = []
        for outcome in outcomes:
            match outcome:
                case {"content": values}:
                    parts.append(self._accept(values))
                case {"failure": values}:
                    parts.append(self._refuse(**values))
                case {"warning": values}:
                    self._warn(Notice(**values))
                case {"association": values}:
                    related.append(values)
        for part in await _store(session, [part for part in parts if part.item or part.standing]):
            await self._give_up(session, part)
        await batches.add(session, ASSOCIATION, [*filter(None, map(self._relation, related))])
        if current is not None and current not in self._known:
            now_read = self._standing(current, ItemState.PROCESSING, self._position)
            await batches.add(session, INGESTION_ITEM, [now_read], replace=True)

    def _accept(self, values: Values) -> Part:
        """An item, unless an earlier attempt has made it."""
        identifier, key = values["source_identifier"], values["key"]
        if values["type"] == ContentType.CONTAINER:
            if made := self._containers.get(identifier):
                self._ids[key] = made.popleft()
                return Part()
            return self._part(values)
        self.completed += 1
        before = self._before(identifier)
        if before and before.content_id:
            self._ids[key] = before.content_id
            return Part()
        part = self._part(values)
        part.standing = self._standing(
            identifier, ItemState.COMPLETED, self._place(identifier, before), content_id=self._ids[key]
        )
        return part

    def _refuse(self, source_identifier: str, code: str, message: str) -> Part:
        self.failed += 1
        self.reasons[JobErrorCode(code)] += 1
        place = self._place(source_identifier, self._before(source_identifier))
        return Part(standing=self._standing(source_identifier, ItemState.FAILED, place, code=code, message=message))

    def _warn(self, notice: Notice) -> None:
        self.skipped += notice.code in SKIPPED
        if len(self.warnings) < MOST_WARNINGS:
            self.warnings.append(notice)
        elif len(self.warnings) == MOST_WARNINGS:
            message = f"There were more than {MOST_WARNINGS:,} warnings; the first are kept."
            self.warnings.append(Notice(code="warnings_cut", message=message))

    async def _give_up(self, session: Transaction, part: Part) -> None:
        """An item that the database refuses: its resource has failed, a container is left out."""
        self._ids.pop(part.key, None)
        if part.standing is None:
            self._warn(Notice(code="container_unstorable", message=UNSTORABLE))
            return
        self.completed, self.failed = self.completed - 1, self.failed + 1
        reason = {"state": ItemState.FAILED, "code": JobErrorCode.RESOURCE_INVALID, "message": UNSTORABLE}
        await batches.add(session, INGESTION_ITEM, [{**part.standing, **reason, "content_id": None}], replace=True)

    def _before(self, identifier: str) -> IngestionItem | None:
        """How an earlier attempt left the next resource of this name."""
        rows = self._known.get(identifier)
        return rows.popleft() if rows else None

    def _place(self, identifier: str, before: IngestionItem | None) -> int:
        """The position of a resource: the one it had, or the next."""
        position = before.position if before else self._position
        self._position = max(self._position, position + 1)
        self.latest = (identifier, position)
        return position

    def _standing(
        self,
        identifier: str,
        state: ItemState,
        position: int,
        *,
        code: str | None = None,
        message: str | None = None,
        content_id: str | None = None,
    ) -> Values:
        return {
            "job_id": self.job.id,
            "position": position,
            "item_id": identifier,
            "state": state,
            "code": code,
            "message": message,
            "content_id": content_id,
            "updated_at": self._moment,
        }

    def _part(self, values: Values) -> Part:
        id, job = ids.new(ids.Prefix.CONTENT), self.job
        self._ids[values["key"]] = id
        item = {name: values[name] for name in COPIED} | {
            "id": id,
            "workspace_id": job.workspace_id,
            "environment": job.environment,
            "job_id": job.id,
            "source": base64.b64decode(values["source"]) if values["source"] else None,
            "version": 1,
            "created_at": self._moment,
            "updated_at": self._moment,
        }
        facets = search.facets(job.realm, values["type"], values["difficulty"], job.id, values["standards"])
        return Part(values["key"], item, {"item_id": id, "facets": facets, **values["words"]})

    def _relation(self, values: Values) -> Values | None:
        """An association, if both of its items are stored."""
        source, target = self._ids.get(values["source"]), self._ids.get(values["target"])
        if source is None or target is None:
            return None
        position = values["sort_order"] or 0
        return {"source_id": source, "type": values["type"], "target_id": target, "position": position}


async def _store(session: Transaction, parts: Sequence[Part]) -> Sequence[Part]:
    """Write all that can be written; answers what the database refuses, which is looked for by halves."""
    try:
        async with session.begin_nested():
            await batches.add(session, CONTENT_ITEM, [part.item for part in parts if part.item])
            await search.add(session, [part.words for part in parts if part.words])
            await batches.add(session, INGESTION_ITEM, [part.standing for part in parts if part.standing], replace=True)
    except Unavailable:
        raise
    except DBAPIError as refused:
        if len(parts) == 1:
            log.warning("an item could not be stored", error=str(refused.orig)[:500])
            return parts
        middle = len(parts) // 2
        return [*await _store(session, parts[:middle]), *await _store(session, parts[middle:])]
    return []
