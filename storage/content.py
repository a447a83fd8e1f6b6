"""Content items: found, related to each other, and the files behind them read out of their packages."""

import zlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, delete, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import search
from storage.blobs import Blobs
from storage.database import Transaction
from storage.packages.archive import CHUNK
from storage.packages.directory import STORED
from storage.packages.standards import Alignment
from storage.packages.xml import decode
from storage.tables import Association, AssociationType, ContentItem, ContentType, Job, PackageFile, Realm
from storage.tables.columns import shaped
from storage.tables.jobs import IngestionParameters

ALIGNMENTS = TypeAdapter(list[Alignment])


@dataclass(frozen=True, slots=True)
class Stored:
    """A file in a package in the blob store."""

    key: str
    file: PackageFile


def visible(realm: Realm) -> tuple[ColumnElement[bool], ...]:
    """The conditions under which an item exists for somebody."""
    return col(ContentItem.workspace_id) == realm.workspace_id, col(ContentItem.environment) == realm.environment


async def find(session: AsyncSession, realm: Realm, found_ids: Sequence[str]) -> Sequence[ContentItem]:
    """The items of a realm among some ids."""
    query = select(ContentItem).where(*visible(realm), col(ContentItem.id).in_(found_ids))
    return (await session.scalars(query)).all()


async def leaves(session: AsyncSession, realm: Realm, item_ids: Sequence[str], most: int) -> Sequence[ContentItem]:
    """The items with these ids in their order, each once, and instead of containers what is in them, up to `most`."""
    found: dict[str, ContentItem | None] = {}
    waiting = list(reversed(item_ids))
    while waiting and len(found) < most:
        id = waiting.pop()
        if id in found:
            continue
        item = next(iter(await find(session, realm, [id])), None)
        found[id] = item
        if item is not None and item.type is ContentType.CONTAINER:
            found[id] = None
            inside = await related(session, [id], AssociationType.IS_CHILD_OF, most)
            waiting += [member.source_id for member in reversed(inside)]
    return [item for item in found.values() if item is not None]


def standards(items: Iterable[ContentItem]) -> list[str]:
    """The CASE items that some items are aligned to, each once."""
    alignments = (alignment for item in items for alignment in ALIGNMENTS.validate_json(item.alignments))
    return list(dict.fromkeys(alignment.curriculum_item_id for alignment in alignments))


async def remove(session: Transaction, job: Job) -> None:
    """Take back every item that an ingestion made."""
    await search.remove(session, job.realm, job.id)
    await session.execute(delete(ContentItem).where(col(ContentItem.job_id) == job.id))


async def associations(session: AsyncSession, item_ids: Sequence[str]) -> Sequence[Any]:
    """What some items are related to, in both directions: the columns alone, for a container may have many members."""
    query = select(*_COLUMNS).where(
        or_(col(Association.source_id).in_(item_ids), col(Association.target_id).in_(item_ids))
    )
    return (await session.execute(query.order_by(*_PLACE, col(Association.target_id)))).all()


async def targets(
    session: AsyncSession, keys: Sequence[tuple[str, AssociationType]]
) -> set[tuple[str, AssociationType, str]]:
    """What some items are related to by type, in this direction: few, however many are related to them."""
    ids, types = zip(*keys, strict=True)
    source, type = col(Association.source_id), col(Association.type)
    query = select(source, type, col(Association.target_id)).where(source.in_(ids), type.in_(set(types))).distinct()
    return {(source_id, kind, target_id) for source_id, kind, target_id in await session.execute(query)}


async def related(
    session: AsyncSession,
    target_ids: Sequence[str],
    type: AssociationType,
    limit: int,
    after: tuple[int, str] | None = None,
    offset: int = 0,
) -> Sequence[Association]:
    """For each of some items the next `limit` of those related to it, in order, in one statement."""
    below = select(Association).where(
        col(Association.target_id).in_(target_ids), col(Association.type) == type, _PROPER
    )
    if after is not None:
        below = below.where(tuple_(*_PLACE) > tuple_(*after))
    number = func.row_number().over(partition_by=col(Association.target_id), order_by=_PLACE)
    numbered = below.add_columns(number.label("number")).subquery()
    page = select(*(numbered.c[column.name] for column in _COLUMNS)).where(
        numbered.c.number > offset, numbered.c.number <= offset + limit
    )
    found = await session.execute(page.order_by(numbered.c.target_id, numbered.c.number))
    return [Association(**row) for row in found.mappings()]


async def related_counts(
    session: AsyncSession, keys: Sequence[tuple[str, AssociationType]]
) -> dict[tuple[str, AssociationType], int]:
    """How many items are related to each of some items, by type."""
    kinds = (col(Association.target_id), col(Association.type))
    query = select(*kinds, func.count()).where(kinds[0].in_([id for id, _ in keys]), _PROPER).group_by(*kinds)
    return {(id, type): number for id, type, number in await session.execute(query)}


_PLACE = (col(Association.position), col(Association.source_id))
_COLUMNS = Association.__table__.columns  # type: ignore[attr-defined]
_KIND_OF_SOURCE = (
    select(col(ContentItem.type)).where(col(ContentItem.id) == col(Association.source_id)).scalar_subquery()
)
_PROPER = or_(col(Association.type) != AssociationType.STIMULUS, _KIND_OF_SOURCE == ContentType.QUESTION)
"""Of what depends on a stimulus only the questions are its members: an article or another stimulus may do so, too."""


async def locate(session: AsyncSession, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Stored]:
    """The files at some paths of packages, by job and path."""
    place = tuple_(col(PackageFile.job_id), col(PackageFile.path))
    files = (await session.scalars(select(PackageFile).where(place.in_(places)))).all()
    jobs = (await session.scalars(select(Job).where(col(Job.id).in_({file.job_id for file in files})))).all()
    keys = {job.id: shaped(job.parameters, IngestionParameters).blob_key for job in jobs}
    return {(file.job_id, file.path): Stored(keys[file.job_id] or "", file) for file in files}


async def read(blobs: Blobs, stored: Stored, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
    """The bytes of a file from start up to end, in pieces of bounded size."""
    file = stored.file
    end = file.size if end is None else min(end, file.size)
    if file.method == STORED:
        async for piece in blobs.get(stored.key, file.start + start, file.start + end):
            yield piece
        return
    seen = 0
    async for piece in _inflated(blobs, stored):
        if seen + len(piece) > start:
            yield piece[max(0, start - seen) : end - seen]
        seen += len(piece)
        if seen >= end:
            return


async def xml(blobs: Blobs, item: ContentItem, stored: Stored | None) -> str:
    """A question exactly as it was in its package: of UTF-8 every character, of other encodings what they mean."""
    data = item.source
    if data is None and stored is not None:
        data = b"".join([piece async for piece in read(blobs, stored)])
    try:
        return (data or b"").decode()
    except UnicodeDecodeError:
        return decode(data or b"")


async def _inflated(blobs: Blobs, stored: Stored) -> AsyncIterator[bytes]:
    """Pieces of bounded size, whatever the ratio."""
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    async for raw in blobs.get(stored.key, stored.file.start, stored.file.start + stored.file.compressed):
        left = raw
        while left:
            yield inflate.decompress(left, CHUNK)
            left = b"" if inflate.eof else inflate.unconsumed_tail
    yield inflate.flush()
