"""Webhooks without the rest: endpoints, events and a delivery loop on the database of a test."""

import asyncio
import contextlib
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, event, select, text, update
from sqlmodel import SQLModel, col

from dispatcher.webhooks.loop import DeliveryLoop
from dispatcher.webhooks.sender import Sender
from storage import events, ids, resources, webhooks, workspaces
from storage.bodies import ResourceBody
from storage.database import Database, Transaction
from storage.notify import Bells
from storage.sealing import Sealer
from storage.tables import (
    Attempt,
    Delivery,
    Endpoint,
    Environment,
    EventType,
    Realm,
    Resource,
    ResourceKind,
    ResourceOrigin,
)
from storage.tables.resources import ModuleDetails
from tests.world import SECRET, eventually

SEALER = Sealer([SECRET])
AT_ONCE = (0.0, 0.0, 0.0)
"""A schedule of three attempts without waiting."""

NEVER = (0.0, 3600.0)
"""A schedule whose second attempt is not seen in a test unless time is passed."""


async def nowhere(host: str, port: int) -> Sequence[str]:
    """Finds nothing."""
    raise OSError("unknown name")


@dataclass
class Hooks:
    """One realm with something that events can be about."""

    database: Database
    realm: Realm
    subject: Resource

    async def endpoint(
        self, url: str, types: Sequence[EventType] = (EventType.RESOURCE_UPDATED,), **changes: Any
    ) -> Endpoint:
        """A new endpoint; the changes are columns."""
        async with self.database.transaction() as session:
            id = ids.new(ids.Prefix.ENDPOINT)
            endpoint, _ = webhooks.create(session, self.realm, id, url, types, None, SEALER)
            for name, value in changes.items():
                setattr(endpoint, name, value)
        return endpoint

    async def emit(self, count: int = 1, type: EventType = EventType.RESOURCE_UPDATED) -> list[str]:
        """So many events, in one transaction; answers their ids."""
        async with self.database.transaction() as session:
            made = [await events.emit(session, self.subject, type, self._body(n)) for n in range(count)]
        return [event.id for event in made]

    def _body(self, number: int) -> ResourceBody:
        return ResourceBody(
            resource_type=self.subject.kind,
            resource_id=self.subject.id,
            version=number,
            status=self.subject.status,
        )

    async def all(self, table: type[Any], *conditions: Any) -> list[Any]:
        """Rows by primary key."""
        async with self.database.snapshot() as session:
            query = select(table).where(*conditions).order_by(*table.__table__.primary_key)
            return list((await session.scalars(query)).all())

    async def get(self, row: Any) -> Any:
        """A row as it is now."""
        async with self.database.snapshot() as session:
            return await session.get_one(type(row), row.id)

    async def change(self, row: SQLModel, **values: Any) -> None:
        """Write columns past everybody."""
        table = type(row)
        async with self.database.transaction() as session:
            await session.execute(update(table).where(col(table.id) == row.id).values(**values))  # type: ignore[attr-defined]

    async def badly_planned(self, session: Transaction) -> None:
        """PostgreSQL looks through a subquery for every row, as it may where it takes a table for tiny."""
        if not session.on_sqlite:
            for way in ("hashjoin", "mergejoin", "hashagg", "sort", "material"):
                await session.execute(text(f"SET LOCAL enable_{way} = off"))

    async def pass_time(self, seconds: float) -> None:
        """What waits for a time waits so much less."""
        async with self.database.transaction() as session:
            for delivery in (await session.scalars(select(Delivery))).all():
                if delivery.next_attempt_at is not None:
                    delivery.next_attempt_at -= timedelta(seconds=seconds)
            for endpoint in (await session.scalars(select(Endpoint))).all():
                for name in ("closed_until", "paced_until", "failing_since"):
                    if (instant := getattr(endpoint, name)) is not None:
                        setattr(endpoint, name, instant - timedelta(seconds=seconds))

    async def statuses(self, *endpoints: Endpoint) -> list[str]:
        """The statuses of the deliveries, oldest first."""
        found = await self.all(
            Delivery, *([col(Delivery.endpoint_id).in_([e.id for e in endpoints])] if endpoints else [])
        )
        return [delivery.status.value for delivery in found]

    async def settled(self, within: float = 10) -> list[str]:
        """The statuses once nothing is owed any more."""

        async def done() -> Any:
            open_ = await self.all(Delivery, col(Delivery.next_attempt_at).is_not(None))
            return not open_

        await eventually(done, within=within)
        return await self.statuses()

    async def attempted(self, count: int, within: float = 10) -> list[Attempt]:
        """The attempts, once there are so many."""

        async def there() -> Any:
            found = await self.all(Attempt)
            return found if len(found) >= count else None

        found: list[Attempt] = await eventually(there, within=within)
        return found

    async def most_read(self, work: Callable[[], Awaitable[object]]) -> float:
        """
        How many deliveries or events a step of any statement of some work looks at, at most.

        SQLite does not count: it is infinitely many where it searches no index, or one by the realm alone, else none.
        PostgreSQL, which would read a small table through, is asked for the plan of a large one.
        """
        asked: list[tuple[str, Any]] = []

        def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            asked.append((statement, parameters))

        event.listen(Engine, "before_cursor_execute", note)
        try:
            await work()
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        on_sqlite = self.database.url.startswith("sqlite")
        explain = "EXPLAIN QUERY PLAN" if on_sqlite else "EXPLAIN (ANALYZE, TIMING OFF)"
        most = 0.0
        for statement, parameters in asked:
            if "delivery" in statement or "event" in statement:
                async with self.database.writer.connect() as connection:  # nothing is kept
                    if not on_sqlite:
                        await connection.exec_driver_sql("ANALYZE delivery, event")
                        await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
                    plan = str((await connection.exec_driver_sql(f"{explain} {statement}", parameters)).all())
                read = re.findall(r" on (?:delivery|event)\b.*?actual rows=([\d.]+) loops=(\d+)", plan)
                dropped = re.findall(r"Rows Removed by Filter: (\d+)", plan)
                full = [math.inf] if re.search(r"SCAN (delivery|event)\b|environment=\?\)", plan) else []
                most = max([most, *full, *map(float, dropped), *(float(rows) * int(loops) for rows, loops in read)])
        return most

    @contextlib.asynccontextmanager
    async def sending(
        self, schedule: Sequence[float] = NEVER, *, seconds: float = 5, lease: float = 60
    ) -> AsyncIterator[DeliveryLoop]:
        """A delivery loop as long as the block runs; a request has so many seconds, and names lead nowhere."""
        async with Sender(allow_private=True, timeout=seconds, resolve=nowhere) as sender:
            loop = DeliveryLoop(self.database, sender, SEALER, schedule, timedelta(seconds=lease))
            running = asyncio.create_task(loop.run())
            try:
                yield loop
            finally:
                running.cancel()
                await asyncio.wait([running])
                await loop.stop()
            if not running.cancelled():
                running.result()

    @contextlib.asynccontextmanager
    async def elsewhere(self) -> AsyncIterator["Hooks"]:
        """The same, in what could be another process: nothing is shared but the database."""
        database = Database(self.database.url, Bells())
        try:
            yield replace(self, database=database)
        finally:
            await database.dispose()


@contextlib.asynccontextmanager
async def hooks(database_url: str) -> AsyncIterator[Hooks]:
    """A realm on a migrated database."""
    database = Database(database_url, Bells())
    async with database.transaction() as session:
        workspace = await workspaces.create(session, "ours")
        subject = Resource(
            id=resources.new_id(ResourceKind.module),
            workspace_id=workspace.id,
            environment=Environment.PRODUCTION,
            kind=ResourceKind.module,
            title="Something to talk about",
            language="en",
            origin=ResourceOrigin.API,
            details=ModuleDetails(),
        )
        await resources.add(session, subject)
    try:
        yield Hooks(database, subject.realm, subject)
    finally:
        await database.dispose()
