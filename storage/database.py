"""One writer and many readers on SQLite, the same code on PostgreSQL; only transaction() commits."""

import asyncio
import contextlib
import math
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import Any

import orjson
from sqlalchemy import Dialect, ExceptionContext, event, make_url
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from storage import sqlite
from storage.notify import Bell, Bells


class Unavailable(Exception):  # noqa: N818
    """The database cannot be reached, was lost, or is too busy: try again, nothing has been changed."""


AFTERMATH_SECONDS = 0.05
"""Statements in tasks of their own are given up a moment later, so that whoever waits for them hears of the time."""

PASSING_STATES = ("08", "40", "53", "57P", "55P03", "25P03")
"""
How the SQLSTATEs begin that PostgreSQL answers when another try may succeed: connection lost, deadlock or conflict,
out of connections, memory or disk, shutting down or starting, lock not available, transaction ended for idling.
"""

PASSING_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
"""The same of SQLite: somebody else writes, or the disk is full or out of reach."""

RESTED_SECONDS = 1.0
"""A connection that nobody has used for so long may have died meanwhile."""

BUSY_SECONDS = 10
"""How long a change waits for the lock of SQLite, which another process may hold."""

PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "temp_store=MEMORY")


class Watched(Session):
    """Knows whether anything was changed, also after it has been flushed."""

    flushed = False

    @property
    def modified(self) -> bool:
        """Whether any row differs from what it was when the transaction began."""
        return self.flushed or bool(self.new or self.deleted or any(map(self.is_modified, self.dirty)))

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        """As always, but not without remembering it."""
        self.flushed = self.modified
        super().flush(objects)


_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextlib.asynccontextmanager
async def until(deadline: float) -> AsyncIterator[None]:
    """
    A block that ends with TimeoutError at this time of the loop's clock, and every statement of it ends then, too.

    Cancelling the task is not enough for that: loaders read in tasks of their own.
    """
    token = _deadline.set(deadline + AFTERMATH_SECONDS)
    try:
        async with asyncio.timeout_at(deadline):
            yield
    finally:
        _deadline.reset(token)


class Transaction(AsyncSession):
    """
    One change.

    What must come last in the transaction waits in `closing`, so that its locks are short; the bells ring after the
    commit, so that nobody looks too early.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine, sync_session_class=Watched, expire_on_commit=False)
        self.closing: list[Callable[[Transaction], Awaitable[None]]] = []
        self.bells: set[Bell] = set()

    @property
    def on_sqlite(self) -> bool:
        """Whether row locks and the like are spelled out or implied."""
        return bool(self.get_bind().dialect.name == "sqlite")

    @property
    def modified(self) -> bool:
        """Whether any row that was or will be written differs from what it was."""
        return isinstance(self.sync_session, Watched) and self.sync_session.modified


class Database:
    """The engines of one process."""

    def __init__(self, url: str, bells: Bells) -> None:
        self.url = url
        self.bells = bells
        if make_url(url).get_backend_name() == "sqlite":
            self.writer, self.reader = _sqlite(url, writes=True), _sqlite(url, writes=False)
        else:
            self.writer = _postgresql(url)
            # On the same connections: to begin and to end what only reads are two more ways to the server and back.
            self.reader = self.writer.execution_options(isolation_level="AUTOCOMMIT")

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Read and write; committed when the block ends well. Short, and without waiting for anybody outside."""
        async with _patient(), Transaction(self.writer) as session:
            yield session
            for close in session.closing:
                await close(session)
            await session.commit()
        if session.bells:
            self.bells.ring(session.bells)

    @contextlib.asynccontextmanager
    async def snapshot(self, *, steady: bool = False) -> AsyncIterator[AsyncSession]:
        """
        Read only, on a connection of its own: one per resolver or loader.

        A steady one shows what was there at its first read, however long it lasts; SQLite does so by itself.
        """
        limit = asyncio.timeout_at(_deadline.get())
        async with limit, _patient(), AsyncSession(self.reader, expire_on_commit=False) as session:
            if steady and self.reader.name == "postgresql":
                await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    async def dispose(self) -> None:
        """Close every connection."""
        await self.writer.dispose()
        await self.reader.dispose()


def tell_unavailable(engine: AsyncEngine) -> None:
    """Have the engine raise Unavailable for what another try may mend, instead of the many errors of its driver."""
    event.listen(engine.sync_engine, "do_connect", _connect)
    event.listen(engine.sync_engine, "handle_error", _passing, retval=True)


@contextlib.asynccontextmanager
async def _patient() -> AsyncIterator[None]:
    """Whoever has waited in vain for a connection of the pool hears of it as of any other want of the database."""
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable(str(error)) from error


def _connect(dialect: Dialect, _record: Any, args: list[Any], options: dict[str, Any]) -> Any:
    """As always; the driver passes on what the network says."""
    try:
        return dialect.connect(*args, **options)
    except OSError as error:
        raise Unavailable(str(error)) from error


def _passing(context: ExceptionContext) -> Exception | None:
    """What another try may mend is Unavailable; everything else, like a broken rule, stays what it is."""
    error = context.original_exception
    if context.is_pre_ping or isinstance(error, Unavailable) or not isinstance(error, Exception):
        return None  # to be cancelled is no want of the database
    if isinstance(error, OSError):
        context.is_disconnect = True
    refused = context.connection is None
    return Unavailable(str(error)) if refused or context.is_disconnect or _may_pass(error) else None


def _may_pass(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return (code & 0xFF) in PASSING_CODES
    return str(getattr(error, "sqlstate", None)).startswith(PASSING_STATES)


def _take_lock(connection: Any) -> None:
    """Begin to write, in many short attempts: SQLite waits for a lock without hearing that nobody waits for it."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except Unavailable:
            if time.monotonic() > until:
                raise
        else:
            return


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _sqlite(url: str, *, writes: bool) -> AsyncEngine:
    """One connection that begins by taking the write lock, or a pool that cannot write."""
    size = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 60} if writes else {"pool_size": 8, "max_overflow": 8}
    engine = create_async_engine(
        url,
        connect_args={"timeout": 10, "async_creator_fn": sqlite.connect},
        hide_parameters=True,
        json_serializer=_json,
        json_deserializer=orjson.loads,
        **size,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver must not begin by itself
        cursor = connection.cursor()
        for pragma in (*PRAGMAS, *(("busy_timeout=100",) if writes else ("busy_timeout=10000", "query_only=ON"))):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        if writes:
            _take_lock(connection)
        else:
            connection.exec_driver_sql("BEGIN")

    tell_unavailable(engine)
    return engine


def _postgresql(url: str) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=10,
        max_overflow=10,
        hide_parameters=True,
        json_serializer=_json,
        json_deserializer=orjson.loads,
    )

    @event.listens_for(engine.sync_engine, "checkin")
    def rest(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def wake(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        """See whether a connection that has rested is alive; to do so each time would cost more than most queries."""
        if time.monotonic() - record.info.get("rests_since", math.inf) < RESTED_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except (engine.dialect.loaded_dbapi.Error, OSError) as error:
            raise InvalidatePoolError from error

    tell_unavailable(engine)
    return engine
