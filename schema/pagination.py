"""Pages of a list: forward, by keyset cursor or by offset."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import strawberry
from sqlalchemy import BigInteger, ColumnElement, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute

from schema.batching import Loader
from schema.context import Info
from storage.errors import ValidationFailed
from storage.tables import Realm

Node = TypeVar("Node")

PAGE = 20
MOST = 100


@strawberry.type
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class Edge(Generic[Node]):
    cursor: str
    node: Node


@strawberry.type
class Connection(Generic[Node]):
    edges: list[Edge[Node]]
    page_info: PageInfo
    count: strawberry.Private[Callable[[], Awaitable[int]]]

    @strawberry.field
    def nodes(self) -> list[Node]:
        """The nodes of the edges."""
        return [edge.node for edge in self.edges]

    @strawberry.field
    async def total_count(self) -> int:
        """Of the whole list; asked of the database only when somebody wants to know."""
        return await self.count()


@dataclass(frozen=True, slots=True)
class Order:
    """A list's order: a unique, sortable column, newest first or oldest first. Its name is bound into the cursors."""

    name: str
    column: InstrumentedAttribute[Any]
    newest_first: bool = True

    def cursor(self, row: object) -> str:
        """Where a row stands in this order."""
        return encode(self.name, getattr(row, self.column.key))


def encode(order: str, key: object) -> str:
    """An opaque cursor; it says of which order it is, so that another list refuses it."""
    return base64.urlsafe_b64encode(f"{order}:{key}".encode()).decode().rstrip("=")


def decode(order: str, cursor: str) -> str:
    """The key in a cursor of this order; ValidationFailed (rule cursor) for anything else."""
    try:
        name, _, key = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(":")
    except (binascii.Error, ValueError):
        name, key = "", ""
    if name != order or not key or "\0" in key:
        raise ValidationFailed("cursor", "This is no cursor of this list.", "after")
    return key


def position(order: Order, cursor: str) -> int:
    """The number in a cursor of this order; one that its column cannot hold is behind everything, as its last is."""
    key = decode(order.name, cursor)
    if not key.isascii() or not key.isdigit() or len(key) > 18:
        raise ValidationFailed("cursor", "This is no cursor of this list.", "after")
    return min(int(key), 2**63 - 1 if isinstance(order.column.type, BigInteger) else 2**31 - 1)


async def page(
    info: Info,
    query: Select[Any],
    order: Order,
    to_node: Callable[[Any], Node],
    *,
    first: int | None,
    after: str | None = None,
    offset: int | None = None,
) -> Connection[Node]:
    """The next rows of a query in an order, as graph nodes; reads one row more to know whether there is another."""
    first = check_page(first, after, offset)
    ordered = query.order_by(order.column.desc() if order.newest_first else order.column.asc())
    if after is not None:
        key = _key(order, after)
        ordered = ordered.where(order.column < key if order.newest_first else order.column > key)
    async with info.context.database.snapshot() as session:
        rows = (await session.scalars(ordered.offset(offset).limit(first + 1))).all()

    async def count() -> int:
        async with info.context.database.snapshot() as session:
            return await session.scalar(select(func.count()).select_from(query.subquery())) or 0

    return connection(rows[:first], order.cursor, to_node, count, more=len(rows) > first, began=bool(after or offset))


@dataclass(frozen=True, slots=True, eq=False)
class Below:
    """
    A list that hangs below each of several parents: the column that names the parent, and the order of the list.

    `sort` is a column that orders the rows of one parent as the order does, where an index has that one.
    """

    parent: InstrumentedAttribute[Any]
    order: Order
    sort: InstrumentedAttribute[Any] | None = None
    there: Callable[[Realm], tuple[ColumnElement[bool], ...]] = lambda _realm: ()

    @property
    def table(self) -> type[Any]:
        """What the rows are."""
        table: type[Any] = self.parent.parent.class_
        return table

    def rows(self, realm: Realm, window: "Window") -> Select[Any]:
        """The next rows of one parent."""
        column, newest_first = self.order.column, self.order.newest_first
        query = select(self.table).where(*self._conditions(realm, window), self.parent == window.parent_id)
        if window.after is not None:
            query = query.where(column < window.after if newest_first else column > window.after)
        sort = self.sort or column
        return query.order_by(sort.desc() if newest_first else sort).offset(window.offset).limit(window.limit)

    def counts(self, realm: Realm, window: "Window", parent_ids: Sequence[str]) -> Select[Any]:
        """How many rows each of some parents has."""
        conditions = self._conditions(realm, window)
        return select(self.parent, func.count()).where(*conditions, self.parent.in_(parent_ids)).group_by(self.parent)

    def _conditions(self, realm: Realm, window: "Window") -> tuple[ColumnElement[bool], ...]:
        if window.only is None:
            return self.there(realm)
        name, value = window.only
        return (*self.there(realm), getattr(self.table, name) == value)


class Window(NamedTuple):
    """A page of the rows below one parent; only those that have a value in a column, when one is named."""

    below: Below
    parent_id: str
    limit: int = 0
    after: str | int | None = None
    offset: int = 0
    only: tuple[str, str] | None = None


class Pages(Protocol):
    """The loaders of such pages, and of how long their lists are."""

    below: Loader[Window, list[Any]]
    counts_below: Loader[Window, int]


async def page_below(
    loaders: Pages,
    below: Below,
    parent_id: str,
    to_node: Callable[[Any], Node],
    *,
    first: int | None,
    after: str | None = None,
    offset: int | None = None,
    only: tuple[str, str | None] | None = None,
) -> Connection[Node]:
    """The next rows below a parent; the pages of all parents in a list are read together."""
    first = check_page(first, after, offset)
    known = None if after is None else _key(below.order, after)
    chosen = None if only is None or only[1] is None else (only[0], only[1])
    rows = await loaders.below.load(Window(below, parent_id, first + 1, known, offset or 0, chosen))

    async def count() -> int:
        return await loaders.counts_below.load(Window(below, parent_id, only=chosen))

    more, began = len(rows) > first, bool(after or offset)
    return connection(rows[:first], below.order.cursor, to_node, count, more=more, began=began)


def connection(
    rows: Sequence[Any],
    cursor: Callable[[Any], str],
    to_node: Callable[[Any], Node],
    count: Callable[[], Awaitable[int]],
    *,
    more: bool,
    began: bool,
) -> Connection[Node]:
    """A page of rows that have been read."""
    edges = [Edge(cursor=cursor(row), node=to_node(row)) for row in rows]
    page_info = PageInfo(
        has_next_page=more,
        has_previous_page=began,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    return Connection(edges=edges, page_info=page_info, count=count)


def check_page(first: int | None, after: str | None, offset: int | None) -> int:
    """The limits that every list has; answers the page size."""
    first = PAGE if first is None else first
    if not 1 <= first <= MOST:
        raise ValidationFailed("page_size", f"first is {first}; it can be 1 to {MOST}.", "first")
    if after is not None and offset is not None:
        raise ValidationFailed("page_mode", "Use after or offset, not both.", "offset")
    if offset is not None and offset < 0:
        raise ValidationFailed("page_size", f"offset is {offset}; it counts from 0.", "offset")
    return first


def _key(order: Order, cursor: str) -> str | int:
    numeric = order.column.type.python_type is int
    return position(order, cursor) if numeric else decode(order.name, cursor)
