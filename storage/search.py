"""
The full-text index of content items: FTS5 on SQLite, tsvector with GIN on PostgreSQL, the same words in both.

What a search can be narrowed by is in the index too, one word per facet. So every search, with text or without, walks
one index from its newest row on and stops when the page is full. Best comes what has all words in its title, then what
is about them (its description, and what its text says often), then what has them anywhere; the newest first in each.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    ColumnExpressionArgument,
    TextClause,
    bindparam,
    cast,
    column,
    delete,
    func,
    insert,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import batches, ids
from storage.database import Transaction
from storage.packages.words import words
from storage.tables import Association, AssociationType, ContentType, Realm


class Tier(StrEnum):
    """Where the words are; each holds what is in those before it."""

    TITLE = "title"
    ABOUT = "about"
    EVERYTHING = "everything"


MARKS = {Tier.TITLE: "H", Tier.ABOUT: "A", Tier.EVERYTHING: ""}
"""What a word of a tier begins with on PostgreSQL, whose index knows words and not their weights; no facet does."""

LONGEST_FACET = 1_000

FTS5 = table("content_fts", column("rowid"), column("item_id"), column("facets"), *(column(tier) for tier in Tier))
TSEARCH = table("content_fts", column("rowid"), column("item_id"), column("words"))


class Place(NamedTuple):
    """A container, and the ingestion that made it with everything below it; both are empty for one that is unknown."""

    container_id: str
    job_id: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: every condition holds, and of the standards one is enough."""

    realm: Realm
    type: ContentType | None = None
    difficulty: str | None = None
    job_id: str | None = None
    standards: Sequence[str] | None = None
    text: str | None = None
    below: "Place | None" = None

    @property
    def words(self) -> list[str]:
        """The different words of the text."""
        return list(dict.fromkeys(words(self.text or "")))

    @property
    def possible(self) -> bool:
        """Whether anything can be found at all: not by no standard, by signs that are no words, by what is no facet."""
        says_something = bool(self.words) or not (self.text or "").strip()
        return says_something and all(group and max(map(len, group)) <= LONGEST_FACET for group in self.facets)

    @property
    def facets(self) -> Iterator[list[str]]:
        """Groups of facets; an item has one of each group."""
        yield [_realm(self.realm)]
        if self.type is not None:
            yield [_type(self.type)]
        if self.difficulty is not None:
            yield [_difficulty(self.difficulty)]
        for job_id in (self.job_id, self.below and self.below.job_id):
            if job_id is not None:
                yield [_job(job_id)] if ids.prefix_of(job_id) else []
        if self.standards is not None:
            yield [_standard(id) for id in self.standards]


class Hit(NamedTuple):
    """A found item and its place in the order of the search."""

    tier: int
    rowid: int
    item_id: str


async def add(session: Transaction, rows: Sequence[dict[str, str]]) -> None:
    """Index items: item_id, facets, and for each tier its words, with spaces between them."""
    if not rows:
        return
    if session.on_sqlite:
        await batches.add(session, FTS5, rows)
    else:
        vector = cast(bindparam("vector"), TSVECTOR)
        vectors = [{"item_id": row["item_id"], "vector": _vector(row)} for row in rows]
        await session.execute(insert(TSEARCH).values(words=vector), vectors)


async def remove(session: Transaction, realm: Realm, job_id: str) -> None:
    """Forget the items of a job."""
    await session.execute(delete(FTS5).where(_matches(session, Wanted(realm, job_id=job_id), Tier.EVERYTHING)))


async def find(
    session: AsyncSession, wanted: Wanted, limit: int, *, after: tuple[int, int] | None = None, offset: int = 0
) -> list[Hit]:
    """The next hits behind a place in the order, or behind the first `offset`."""
    hits: list[Hit] = []
    for number, tier in _tiers(wanted, after[0] if after else 0):
        matches: list[ColumnExpressionArgument[bool]] = [_matches(session, wanted, tier, exactly=True), *_below(wanted)]
        query = select(FTS5.c.rowid, FTS5.c.item_id).where(*matches)
        if after and after[0] == number:
            query = query.where(FTS5.c.rowid < after[1])
        if offset and (there := await _count(session, matches)) <= offset:
            offset -= there
            continue
        rows = query.order_by(_place(session, wanted).desc()).limit(limit - len(hits)).offset(offset)
        hits += [Hit(number, *row) for row in await session.execute(rows)]
        offset = 0
        if len(hits) == limit:
            break
    return hits


async def count(session: AsyncSession, wanted: Wanted) -> int:
    """How many hits there are."""
    if not wanted.possible:
        return 0
    return await _count(session, [_matches(session, wanted, Tier.EVERYTHING), *_below(wanted)])


async def _count(session: AsyncSession, matches: Iterable[ColumnExpressionArgument[bool]]) -> int:
    return await session.scalar(select(func.count()).select_from(FTS5).where(*matches)) or 0


def _place(session: AsyncSession, wanted: Wanted) -> ColumnElement[int]:
    """
    What the newest first means: a walk down the rows, or on PostgreSQL the sorted hits of the index for words and
    standards. Its planner takes a rare word for a common one, and would walk past every row to find it.
    """
    rows: ColumnElement[int] = FTS5.c.rowid
    rare = wanted.words or wanted.standards is not None
    return rows + 0 if rare and session.get_bind().dialect.name != "sqlite" else rows


def _below(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    """The condition that an item is somewhere below the container; the facet of its job has left few to look at."""
    if wanted.below is None:
        return
    member, container = col(Association.source_id), col(Association.target_id)
    child = col(Association.type) == AssociationType.IS_CHILD_OF
    below = select(member.label("id")).where(container == wanted.below.container_id, child).cte("below", recursive=True)
    below = below.union(select(member).join(below, container == below.c.id).where(child))
    yield FTS5.c.item_id.in_(select(below.c.id))


def _tiers(wanted: Wanted, first: int) -> Iterator[tuple[int, Tier]]:
    """The tiers from some number on; without words there is only one."""
    tiers = tuple(Tier) if wanted.words else (Tier.EVERYTHING,)
    if wanted.possible:
        yield from list(enumerate(tiers))[first:]


def facets(realm: Realm, type: ContentType, difficulty: str | None, job_id: str, standards: Iterable[str]) -> str:
    """What a search can be narrowed to an item by, as words that no text has: they begin with a capital letter."""
    found = [_realm(realm), _type(type), _job(job_id), *map(_standard, standards)]
    return " ".join([*found, _difficulty(difficulty)] if difficulty else found)


def _realm(realm: Realm) -> str:
    return f"R{realm.workspace_id.partition('_')[2]}{realm.environment.lower()}"


def _type(type: ContentType) -> str:
    return f"T{type.lower()}"


def _job(id: str) -> str:
    return f"J{id.replace('_', '')}"


def _difficulty(difficulty: str) -> str:
    return f"D{difficulty.strip().casefold().encode().hex()}"


def _standard(id: str) -> str:
    return f"C{id.replace('-', '')}"


def _matches(session: AsyncSession, wanted: Wanted, tier: Tier, *, exactly: bool = False) -> TextClause:
    """The condition that an item has the words in a tier, and if exactly not in the one before it as well."""
    better = list(Tier)[list(Tier).index(tier) - 1] if exactly and tier is not Tier.TITLE else None
    if session.get_bind().dialect.name == "sqlite":
        return text("content_fts MATCH :wanted").bindparams(wanted=_fts5(wanted, tier, better))
    return text("words @@ CAST(:wanted AS tsquery)").bindparams(wanted=_tsquery(wanted, tier, better))


def _fts5(wanted: Wanted, tier: Tier, better: Tier | None) -> str:
    parts = [f"facets : ({' OR '.join(map(_quoted, group))})" for group in wanted.facets]
    if found := " AND ".join(map(_quoted, wanted.words)):
        parts.append(f"({tier} : ({found}) NOT {better} : ({found}))" if better else f"{tier} : ({found})")
    return " AND ".join(parts)


def _quoted(word: str) -> str:
    return f'"{word}"'


def _tsquery(wanted: Wanted, tier: Tier, better: Tier | None) -> str:
    parts = ["(" + " | ".join(f"'{facet}'" for facet in group) + ")" for group in wanted.facets]
    if wanted.words:
        parts.append(_all(wanted.words, tier))
    if wanted.words and better:
        parts.append(f"!({_all(wanted.words, better)})")
    return " & ".join(parts)


def _all(found: Iterable[str], tier: Tier) -> str:
    return " & ".join(f"'{MARKS[tier]}{word}'" for word in found)


def _vector(row: dict[str, Any]) -> str:
    """The facets of a row, and its words with the mark of each tier that has them."""
    marked = (f"'{mark}{word}'" for tier, mark in MARKS.items() for word in row[tier].split())
    return " ".join([*marked, *(f"'{facet}'" for facet in row["facets"].split())])
