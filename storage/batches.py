"""Many rows by one statement: what a worker writes by the hundred goes through here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    JSON,
    CursorResult,
    DateTime,
    Dialect,
    Enum,
    FromClause,
    Select,
    String,
    TableClause,
    Text,
    TypeDecorator,
    Update,
    bindparam,
    cast,
    column,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from storage.database import Transaction
from storage.tables.columns import Instant

Columns = Mapping[str, TypeEngine[Any]]
Values = Mapping[str, Any]


def table(name: str, columns: Columns, *, on_sqlite: bool) -> FromClause:
    """
    The rows of the parameter of this name as a table: to join, to update from and to insert from.

    One statement for all rows takes a fraction of one for each; and it leaves the interpreter to the event loop
    meanwhile, where a driver's thread that binds row after row would fight for it.
    """
    if on_sqlite:
        each = func.json_each(bindparam(name)).table_valued("value")
        parts = (each.c.value.op("->>")(place).label(key) for place, key in enumerate(columns))
        return select(*parts).select_from(each).subquery(name)
    typed = (column(key, type_) for key, type_ in columns.items())
    record = func.json_to_recordset(cast(bindparam(name, type_=Text()), JSON))
    return record.table_valued(*typed, name=name).render_derived(with_types=True)


def rows(values: Iterable[Sequence[Any]], columns: Columns, *, on_sqlite: bool) -> str:
    """The parameter itself: values in the order of the columns, instants and documents as the database keeps them."""
    if on_sqlite:
        kept = [(place, _KEPT[type(type_)]) for place, type_ in enumerate(columns.values()) if type(type_) in _KEPT]
        return orjson.dumps([_written(row, kept) for row in values]).decode()
    return orjson.dumps([dict(zip(columns, row, strict=True)) for row in values]).decode()


def _written(row: Sequence[Any], kept: Iterable[tuple[int, Callable[[Any], str]]]) -> list[Any]:
    written = list(row)
    for place, write in kept:
        if written[place] is not None:
            written[place] = write(written[place])
    return written


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(" ", "microseconds").removesuffix("+00:00")


def _document(value: Any) -> str:
    return orjson.dumps(value).decode()


def chosen(query: Select[str]) -> Select[str]:
    """
    The ids that a limited query finds, found once: what an update's `IN` takes.

    PostgreSQL may ask a subquery again for every row of the table, and one that skips what is locked or changed already
    then finds others each time: the limit limits nothing. A CTE that locks rows is not asked again. It stays within the
    subquery, for of a statement that begins with WITH Python's sqlite3 counts no rows.
    """
    return select(query.cte("chosen", nesting=True))


async def run(session: Transaction, query: Update) -> int:
    """An update that no loaded row has to hear of; tells how many rows it changed."""
    result = await session.execute(query.execution_options(synchronize_session=False))
    return result.rowcount if isinstance(result, CursorResult) else 0


async def add(session: Transaction, target: TableClause, values: Sequence[Values], *, replace: bool = False) -> None:
    """
    Insert rows that all have the same columns; of those that are there already the new ones win if they replace them.

    The driver gets plain values, as rows or as columns: what SQLAlchemy does anew for each row costs more than SQLite
    takes to store it.
    """
    if not values:
        return
    connection = await session.connection()
    written = _insert(target, tuple(values[0]), replace, connection.dialect)
    columns = [_column(name, bind, values) for name, bind in written.binds]
    if session.on_sqlite:
        await connection.exec_driver_sql(written.sql, list(zip(*columns, strict=True)))
    else:
        await connection.exec_driver_sql(written.sql, tuple(columns))


def _column(name: str, bind: Callable[[Any], Any] | None, values: Sequence[Values]) -> Sequence[Any]:
    column = [row[name] for row in values]
    return column if bind is None else [bind(value) for value in column]


class _Insert(NamedTuple):
    """A statement as a driver takes it: its parameters in their order, and how each becomes what the driver knows."""

    sql: str
    binds: Sequence[tuple[str, Callable[[Any], Any] | None]]


@lru_cache(maxsize=64)
def _insert(target: TableClause, names: tuple[str, ...], replace: bool, dialect: Dialect) -> _Insert:
    query = sqlite.insert(target) if dialect.name == "sqlite" else _insert_columns(target, names)
    keys = [each.name for each in target.primary_key]
    if replace:
        new = {name: query.excluded[name] for name in names if name not in keys}
        query = query.on_conflict_do_update(index_elements=keys, set_=new)
    elif keys:
        query = query.on_conflict_do_nothing()
    compiled = query.compile(dialect=dialect, column_keys=names)
    return _Insert(str(compiled), [(name, _bind(target.c[name].type, dialect)) for name in compiled.positiontup or ()])


def _insert_columns(target: TableClause, names: tuple[str, ...]) -> postgresql.Insert:
    """
    One statement that gets whole columns.

    Not many with a row each: whoever is cancelled while asyncpg still sends those waits for an answer for ever, and
    keeps all locks (`bind_execute_many`, asyncpg 0.32).
    """
    arrays = (cast(bindparam(name), postgresql.ARRAY(_element(target.c[name].type))) for name in names)
    rows = func.unnest(*arrays).table_valued(*names, name="added").render_derived()
    return postgresql.insert(target).from_select(names, select(*(rows.c[name] for name in names)))


def _element(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """A cast to VARCHAR(32) would cut what is longer, which the column refuses."""
    kind = type_.impl_instance if isinstance(type_, TypeDecorator) else type_
    return Text() if isinstance(kind, String) else kind


def _bind(type_: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """How a value becomes what the driver knows; the instants and the kinds of many rows are few."""
    bind = type_.dialect_impl(dialect).bind_processor(dialect)
    return lru_cache(maxsize=64)(bind) if bind and isinstance(type_, Instant | Enum) else bind


_KEPT: dict[type, Callable[[Any], str]] = {DateTime: _instant, JSON: _document}
"""SQLite keeps both as text, and in JSON a text needs no second reading."""
