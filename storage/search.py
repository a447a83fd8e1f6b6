"""
The full-text index of content items: FTS5 on SQLite, tsvector with GIN on PostgreSQL, the same words in both.

What a search can be narrowed by is in the index too, one word per facet. Best comes what has all words in its title,
then what is about them (its description, and what its text says often), then what has them anywhere; the newest first
in each. SQLite walks its index from the newest row on, and stops when the page is full. GIN finds all hits or none, so
on PostgreSQL each row has the words of the blocks it is in: the newest are searched before the rest.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    Text,
    cast,
    column,
    delete,
    func,
    literal,
    literal_column,
    select,
    table,
    text,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR
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

INDEX = table(
    "content_fts",
    *map(column, ("rowid", "item_id", "facets", *Tier)),
    column("words", TSVECTOR),
)
"""The columns of both: facets and tiers on SQLite, words on PostgreSQL."""

ANY_COLUMN: ColumnElement[Any] = literal_column("content_fts")

BLOCKS = {"S": 12, "L": 18}
"""What the word of a block begins with, and how many bits its rows differ in: small ones and large ones."""

FEW = 5_000
"""So many hits are read and sorted in a few milliseconds, whatever they are."""

END = 1 << 62
"""Behind every row."""

EXPECTED = text("EXPLAIN (FORMAT JSON) SELECT FROM content_fts WHERE words @@ CAST(:wanted AS tsquery)")
"""
How many hits the planner expects: more than there are of rare words, hardly ever less than of common ones, once the
server has counted them (`learn`).
"""

KNOWN = text("SELECT reltuples FROM pg_class WHERE oid = CAST('content_fts' AS regclass)")
"""How many rows there were when they were counted last; -1 before the first time."""

ADDED: batches.Columns = {"item_id": Text(), "vector": TSVECTOR()}
ADDING = text("""
    INSERT INTO content_fts (rowid, item_id, words) OVERRIDING SYSTEM VALUE
    SELECT rowid, item_id, vector || array_to_tsvector(ARRAY['S' || (rowid >> 12), 'L' || (rowid >> 18)])
    FROM (
        SELECT nextval(pg_get_serial_sequence('content_fts', 'rowid')) AS rowid, item_id, vector
        FROM json_to_recordset(CAST(:added AS json)) AS added (item_id text, vector tsvector)
    ) AS numbered
""")


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
    def tiers(self) -> Sequence[Tier]:
        """Without words there is only one."""
        return tuple(Tier) if self.words else (Tier.EVERYTHING,)

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
        await batches.add(session, INDEX, rows)
    else:
        vectors = [(row["item_id"], _vector(row)) for row in rows]
        await session.execute(ADDING, {"added": batches.rows(vectors, ADDED, on_sqlite=False)})


async def learn(session: Transaction, added: int) -> None:
    """
    Have PostgreSQL count its words when a tenth of the rows or more are new.

    It does so by itself within a minute; in that minute it would take common words for rare ones, and sort all hits.
    """
    if not session.on_sqlite and added * 10 >= (await session.scalar(KNOWN) or 0):
        await session.execute(text("ANALYZE content_fts"))


async def remove(session: Transaction, realm: Realm, job_id: str) -> None:
    """Forget the items of a job."""
    await session.execute(delete(INDEX).where(_matches(session, Wanted(realm, job_id=job_id))))


async def find(
    session: AsyncSession, wanted: Wanted, limit: int, *, after: tuple[int, int] | None = None, offset: int = 0
) -> list[Hit]:
    """The next hits behind a place in the order, or behind the first `offset`; tier by tier until there are enough."""
    first, before = after or (0, END)
    starts = [(tier, before if tier == first else END) for tier in range(first, len(wanted.tiers))]
    if not (starts and wanted.possible):
        return []
    inside = tuple(_inside(wanted))
    query: Select[Any] | CompoundSelect[Any]
    values = {}
    if session.get_bind().dialect.name == "sqlite":
        query = union_all(*(_tier(wanted, *start, limit + offset, inside) for start in starts))
    else:
        query = _taken(limit + offset, inside)
        values = {"steps": batches.rows(await _steps(session, wanted, starts), STEP, on_sqlite=False)}
    return [Hit(*row) for row in await session.execute(query.limit(limit).offset(offset), values)]


async def count(session: AsyncSession, wanted: Wanted) -> int:
    """How many hits there are."""
    if not wanted.possible:
        return 0
    matches = _matches(session, wanted)
    return await session.scalar(select(func.count()).select_from(INDEX).where(matches, *_inside(wanted))) or 0


def _matches(session: AsyncSession, wanted: Wanted) -> ColumnElement[bool]:
    """The condition that an item is a hit, in whichever tier."""
    if session.get_bind().dialect.name == "sqlite":
        return ANY_COLUMN.op("MATCH", is_comparison=True)(_fts5(wanted, Tier.EVERYTHING))
    return INDEX.c.words.op("@@", is_comparison=True)(cast(_tsquery(wanted, Tier.EVERYTHING), TSQUERY))


def _inside(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    """The condition that an item is somewhere below the container; the facet of its job has left few to look at."""
    if wanted.below is None:
        return
    member, container = col(Association.source_id), col(Association.target_id)
    child = col(Association.type) == AssociationType.IS_CHILD_OF
    below = select(member.label("id")).where(container == wanted.below.container_id, child).cte("below", recursive=True)
    below = below.union(select(member).join(below, container == below.c.id).where(child))
    yield INDEX.c.item_id.in_(select(below.c.id))


def _tier(wanted: Wanted, tier: int, before: int, limit: int, inside: Iterable[ColumnElement[bool]]) -> Select[Any]:
    """The newest hits of a tier on SQLite, which in a union looks only for as many as those before it have left."""
    matches = ANY_COLUMN.op("MATCH", is_comparison=True)(_fts5(wanted, wanted.tiers[tier], exactly=True))
    hits = select(literal(tier).label("tier"), INDEX.c.rowid, INDEX.c.item_id).where(matches, *inside)
    if before != END:
        hits = hits.where(INDEX.c.rowid < before)
    return select(hits.order_by(INDEX.c.rowid.desc()).limit(limit).subquery())


class Step(NamedTuple):
    """One look into the index on PostgreSQL: for hits of a tier that are older than a row."""

    tier: int
    query: str
    before: int


STEP: batches.Columns = {"tier": Integer(), "query": Text(), "before": BigInteger()}


def steps(start: Step, newest: int) -> Iterator[Step]:
    """
    A step as several: among the newest thousands of rows, then among some hundred thousand, then among all.

    Common words end at the first; of words too rare for that, so few are found later that sorting them is nothing.
    """
    tier, query, before = start
    last = min(before - 1, newest)
    for letter, bits in BLOCKS.items():
        block = last >> bits
        if block > 1:
            yield Step(tier, f"({letter}{block} | {letter}{block - 1}) & {query}", before)
            before = (block - 1) << bits
    yield Step(tier, query, before)


async def _steps(session: AsyncSession, wanted: Wanted, starts: Iterable[tuple[int, int]]) -> list[Step]:
    """All steps of a search; where few hits are expected in all, one for each tier is enough."""
    whole = [Step(tier, _tsquery(wanted, wanted.tiers[tier], exactly=True), before) for tier, before in starts]
    expected = await session.scalar(EXPECTED, {"wanted": _tsquery(wanted, Tier.EVERYTHING)})
    if expected[0]["Plan"]["Plan Rows"] <= FEW:
        return whole
    newest = await session.scalar(select(func.max(INDEX.c.rowid))) or 0
    return [step for start in whole for step in steps(start, newest)]


def _taken(limit: int, inside: Iterable[ColumnElement[bool]]) -> Select[Any]:
    """
    The hits of the steps in their order; no step is taken once there are enough.

    A sum instead of the row's own number keeps the planner from walking down the rows, since it takes rare words for
    common ones and would pass a million of them.
    """
    step = batches.table("steps", STEP, on_sqlite=False)
    age = INDEX.c.rowid + 0
    matches = INDEX.c.words.op("@@", is_comparison=True)(cast(step.c.query, TSQUERY))
    hits = select(INDEX.c.rowid, INDEX.c.item_id).where(matches, age < step.c.before, *inside)
    hit = hits.order_by(age.desc()).limit(limit).lateral("hit")
    return select(step.c.tier, hit.c.rowid, hit.c.item_id).select_from(step.join(hit, true()))


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


def _fts5(wanted: Wanted, tier: Tier, *, exactly: bool = False) -> str:
    """That an item has the words in a tier, and if exactly not in the one before it as well."""
    parts = [f"facets : ({' OR '.join(map(_quoted, group))})" for group in wanted.facets]
    if found := " AND ".join(map(_quoted, wanted.words)):
        better = _better(tier) if exactly else None
        parts.append(f"({tier} : ({found}) NOT {better} : ({found}))" if better else f"{tier} : ({found})")
    return " AND ".join(parts)


def _quoted(word: str) -> str:
    return f'"{word}"'


def _tsquery(wanted: Wanted, tier: Tier, *, exactly: bool = False) -> str:
    """The same for PostgreSQL."""
    parts = ["(" + " | ".join(f"'{facet}'" for facet in group) + ")" for group in wanted.facets]
    if wanted.words:
        parts.append(_all(wanted.words, tier))
        if exactly and (better := _better(tier)):
            parts.append(f"!({_all(wanted.words, better)})")
    return " & ".join(parts)


def _better(tier: Tier) -> Tier | None:
    return {Tier.ABOUT: Tier.TITLE, Tier.EVERYTHING: Tier.ABOUT}.get(tier)


def _all(found: Iterable[str], tier: Tier) -> str:
    return " & ".join(f"'{MARKS[tier]}{word}'" for word in found)


def _vector(row: dict[str, Any]) -> str:
    """The facets of a row, and its words with the mark of each tier that has them."""
    marked = (f"'{mark}{word}'" for tier, mark in MARKS.items() for word in row[tier].split())
    return " ".join([*marked, *(f"'{facet}'" for facet in row["facets"].split())])
