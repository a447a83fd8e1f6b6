"""Connections of aiosqlite as SQLAlchemy uses them best: one hand-over to their thread for each statement."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

import aiosqlite

Parameters = Iterable[Any]


class Cursor:
    """
    What SQLAlchemy asks of a cursor: it fetches all rows of a statement as soon as it has run.

    So it is made, run, fetched and closed in one go. aiosqlite goes to the thread and back for each of the four, which
    takes longer than most statements.
    """

    arraysize = 1
    rowcount = -1
    lastrowid: int | None = None
    description: Sequence[Any] | None = None

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._rows: list[Any] = []

    async def __aenter__(self) -> "Cursor":
        return self

    async def execute(self, sql: str, parameters: Parameters = ()) -> None:
        """Run a statement and fetch what it finds."""
        await self._connection._execute(self._run, sqlite3.Cursor.execute, sql, parameters)

    async def executemany(self, sql: str, parameters: Iterable[Parameters]) -> None:
        """Run a statement for each of many parameters."""
        await self._connection._execute(self._run, sqlite3.Cursor.executemany, sql, parameters)

    async def fetchall(self) -> Sequence[Any]:
        """What the statement has found."""
        return self._rows

    async def close(self) -> None:
        """Nothing is open."""

    def _run(self, run: Callable[..., Any], sql: str, parameters: Iterable[Any]) -> None:
        with contextlib.closing(self._connection._conn.cursor()) as cursor:
            run(cursor, sql, parameters)
            self._rows = cursor.fetchall()
            self.rowcount, self.lastrowid, self.description = cursor.rowcount, cursor.lastrowid, cursor.description


class Connection(aiosqlite.Connection):
    """Ends its statement when nobody waits for it any more, or it would hold up whoever is next."""

    _made: sqlite3.Connection | None = None

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(lambda: self._make(connector), iter_chunk_size=64)
        self._thread.daemon = True

    def cursor(self) -> Cursor:  # type: ignore[override]
        """A cursor for one statement."""
        return Cursor(self)

    def stop(self) -> asyncio.Future[Any] | None:
        """End the thread, and close what it has made even if nobody waited for that any more."""
        self._tx.put_nowait((None, self._close_made))
        return super().stop()

    def _make(self, connector: Callable[[], sqlite3.Connection]) -> sqlite3.Connection:
        self._made = connector()
        return self._made

    def _close_made(self) -> None:
        if self._made is not None:
            self._made.close()

    async def _connect(self) -> aiosqlite.Connection:
        try:
            return await super()._connect()
        except Exception:
            self._thread.join()  # it has been told to end, and must not answer to a loop that is closed by then
            raise

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        given_up = False

        def run() -> Any:
            return None if given_up else fn(*args, **kwargs)

        try:
            return await super()._execute(run)  # type: ignore[no-untyped-call]
        except asyncio.CancelledError:
            given_up = True
            if self._connection is not None:
                self._connection.interrupt()
                self._tx.put_nowait((None, self._connection.rollback))  # closing frees no lock while a cursor lives
            raise


def connect(database: str, **options: Any) -> Connection:
    """What aiosqlite.connect() makes; its thread does not keep the process alive, and only migrations make the file."""
    path = f"file:{quote(database)}?mode=rw"
    return Connection(partial(sqlite3.connect, path, uri=True, **options))
