"""Whether the process lives, whether it can work, and how much it does."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from redis.asyncio import Redis
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import Response

from gateway import traffic
from gateway.graphql import GraphQLEndpoint
from gateway.metrics import MEDIA, exposition
from storage import backlog
from storage.blobs import Blobs
from storage.database import Database, Unavailable
from storage.revisions import behind
from storage.tables.columns import dump

PATIENCE_SECONDS = 3.0


async def alive(_request: Request) -> Response:
    """The process answers."""
    return Response(dump({"status": "ok"}), media_type="application/json")


class Readiness:
    """Asks everything that the process needs, each for itself."""

    def __init__(self, database: Database, blobs: Blobs, redis_url: str | None, graphql: GraphQLEndpoint) -> None:
        self.database = database
        self.blobs = blobs
        self.redis_url = redis_url
        self.graphql = graphql

    async def show(self, _request: Request) -> Response:
        """200 when everything answers, else 503, as while the process stops; says of each how it is."""
        checks: dict[str, Callable[[], Awaitable[None]]] = {
            "database": self._database,
            "redis": self._redis,
            "blob": self.blobs.check,
            "migrations": self._migrations,
        }
        answers = await asyncio.gather(*(_answer(check) for check in checks.values()))
        ready = all(answer == "ok" for answer in answers) and not self.graphql.stopping
        status = "ok" if ready else "stopping" if self.graphql.stopping else "unavailable"
        body = {"status": status, **dict(zip(checks, answers, strict=True))}
        return Response(dump(body), 200 if ready else 503, media_type="application/json")

    async def _database(self) -> None:
        async with self.database.snapshot() as session:
            await session.execute(text("SELECT 1"))

    async def _redis(self) -> None:
        if self.redis_url is not None:
            async with Redis.from_url(self.redis_url) as redis:
                await redis.ping()

    async def _migrations(self) -> None:
        if await behind(self.database):
            raise LookupError("the database is behind this code: run `lectern migrate`")


class Figures:
    """What Prometheus asks for."""

    def __init__(self, graphql: GraphQLEndpoint, database: Database) -> None:
        self.graphql = graphql
        self.database = database

    async def show(self, _request: Request) -> Response:
        """What is counted in this process, and what the background processes have to do, as far as that can be read."""
        with suppress(TimeoutError, Unavailable):
            async with asyncio.timeout(PATIENCE_SECONDS), self.database.snapshot() as session:
                jobs, deliveries = await backlog.read(session)
            traffic.JOBS.values = {(str(kind), str(state)): number for (kind, state), number in jobs.items()}
            traffic.DELIVERIES.values = {(state,): number for state, number in deliveries.items()}
        connections, subscriptions = self.graphql.open()
        traffic.CONNECTIONS.set(value=connections)
        traffic.SUBSCRIPTIONS.set(value=subscriptions)
        return Response(exposition(traffic.ALL), headers={"Content-Type": MEDIA})


async def _answer(check: Callable[[], Awaitable[None]]) -> str:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await check()
    except Exception:
        return "unavailable"
    return "ok"
