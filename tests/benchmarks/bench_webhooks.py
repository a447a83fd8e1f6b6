"""
How fast, how soon and how fairly webhooks go out: `python -m tests.benchmarks.bench_webhooks`.

The sender has one core, the receiver the other. The full path (claim, sign, send, record) stands beside the bare
client that signs and sends the same bodies without a database, in the same run. Aims: 0.8 of a bare aiohttp client and
8,000/s, p99 of commit to the receiver's first byte 10 ms, memory flat with 100,000 owed, healthy endpoints unharmed
beside hung ones, two processes on PostgreSQL 1.6 times one with nothing sent twice, and pages and claims that do not
notice a million rows.
"""

import asyncio
import contextlib
import gc
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

import aiohttp
import uvloop
from sqlalchemy import func, insert, select
from sqlmodel import col

from dispatcher.webhooks import signing
from dispatcher.webhooks.connections import READ_BYTES
from dispatcher.webhooks.lanes import SLOTS
from dispatcher.webhooks.loop import DeliveryLoop
from dispatcher.webhooks.sender import Sender
from gateway import valkey
from gateway.supervisor import Supervisor
from schema.pagination import encode
from schema.types.webhooks import DELIVERIES
from storage import claims, ids
from storage.database import Database
from storage.migrations import upgrade
from storage.notify import RedisBells
from storage.tables import Attempt, Delivery, Endpoint, Event, EventType, Resource
from storage.tables.columns import dump, now
from tests.benchmarks import figures
from tests.benchmarks.receiving import look, receiving
from tests.hooks import SEALER, Hooks, hooks
from tests.postgres import running
from tests.world import eventually, world

SENDER_CORE, RECEIVER_CORE = 0, (os.cpu_count() or 1) - 1
ENDPOINTS = 20
EACH = 1_000
OWED = 100_000
MILLION = 1_000_000
ALONE = 300
SLOW_SECONDS = 0.2
"""So that the slots of a process are the limit, not the cores: two senders, PostgreSQL and the receiver share them."""

AIM_SHARE, AIM_RATE, AIM_FIRST_BYTE_MS, AIM_TWO, AIM_PAGE_MS = 0.8, 8_000, 10, 1.6, 20

FILLER = "x" * 700
SCHEDULE = (0.0, 5.0, 30.0)

spawn = multiprocessing.get_context("spawn")


tell = partial(print, flush=True)

Post = Callable[[str, Mapping[str, str], bytes], Awaitable[int | None]]
Client = Literal["aiohttp", "ours"]
Measure = Callable[[str], Awaitable[bool]]
"""Prints its figures on the database of a URL, and tells whether the aims are met."""

PAGE = """query ($id: ID!, $status: WebhookDeliveryStatus, $after: String) { webhookEndpoint(id: $id) {
  deliveries(first: 20, status: $status, after: $after) {
    nodes { id status createdAt event { type } attempts { number responseStatus } } pageInfo { hasNextPage endCursor }
  }
} }"""


# What the sender's process does


def deliver(url: str, redis_url: str, core: int) -> None:
    """A delivery loop until the process is ended."""
    os.sched_setaffinity(0, {core})
    gc.freeze()  # as `python -m dispatcher` does

    async def run() -> None:
        bells = RedisBells(redis_url)
        database = Database(url, bells)
        async with bells.connected(), Sender(allow_private=True) as sender:
            await DeliveryLoop(database, sender, SEALER, SCHEDULE).run()

    uvloop.run(run())


def send_bare(client: Client, urls: Sequence[str], secret: str, body: bytes, count: int, answer: Any) -> None:
    """A client alone: as many requests at a time as the loop has, signed anew, recorded nowhere; seconds and CPU."""
    os.sched_setaffinity(0, {SENDER_CORE})
    gc.freeze()

    async def run() -> tuple[float, float]:
        secrets, left = signing.Secrets(secret), iter(range(count))
        async with CLIENTS[client]() as post:

            async def some() -> None:
                for number in left:
                    id = ids.new(ids.Prefix.EVENT)
                    headers = signing.headers(secrets, id, "resource.updated", body, int(time.time()))
                    assert await post(urls[number % len(urls)], headers, body) == 204

            began, used = time.perf_counter(), time.process_time()
            await asyncio.gather(*(some() for _ in range(SLOTS)))
            return time.perf_counter() - began, time.process_time() - used

    answer[:] = uvloop.run(run())


@contextlib.asynccontextmanager
async def with_aiohttp() -> AsyncIterator[Post]:
    """The client that a dispatcher would be written with."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:

        async def post(url: str, headers: Mapping[str, str], body: bytes) -> int | None:
            async with session.post(url, headers=headers, data=body, allow_redirects=False) as response:
                await response.content.read(READ_BYTES)
                return response.status

        yield post


@contextlib.asynccontextmanager
async def with_ours() -> AsyncIterator[Post]:
    """The sender without the loop around it."""
    async with Sender(allow_private=True) as sender:

        async def post(url: str, headers: Mapping[str, str], body: bytes) -> int | None:
            return (await sender.send(url, headers, body)).status

        yield post


CLIENTS: Mapping[Client, Callable[[], AbstractAsyncContextManager[Post]]] = {
    "aiohttp": with_aiohttp,
    "ours": with_ours,
}


# What there is to send


async def endpoints(made: Hooks, count: int, port: int) -> list[Endpoint]:
    return [await made.endpoint(f"http://127.0.0.1:{port}/{number}") for number in range(count)]


async def owe(made: Hooks, listening: Sequence[Endpoint], each: int) -> None:
    """So many events, and a delivery of each for each endpoint, past everybody."""
    async with made.database.transaction() as session:
        first = (await session.scalar(select(func.max(col(Event.position)))) or 0) + 1
    for begin in range(0, each, 5_000):
        places = range(first + begin, first + min(begin + 5_000, each))
        logged = [_event(made, place) for place in places]
        owed = [
            {
                **Delivery(id=ids.new(ids.Prefix.DELIVERY), endpoint_id=it.id, event_id=event["id"]).model_dump(
                    exclude={"change"}
                ),
                "place": event["position"],
            }
            for event in logged
            for it in listening
        ]
        async with made.database.transaction() as session:
            await session.execute(insert(Event), logged)
            await session.execute(insert(Delivery), owed)


def _event(made: Hooks, place: int) -> dict[str, Any]:
    id = ids.new(ids.Prefix.EVENT)
    body = dump({"id": id, "type": EventType.RESOURCE_UPDATED, "filler": FILLER, "subjectId": made.subject.id})
    return {
        "id": id,
        "workspace_id": made.realm.workspace_id,
        "environment": made.realm.environment,
        "position": place,
        "type": EventType.RESOURCE_UPDATED,
        "subject_id": made.subject.id,
        "sequence": place + 1_000,
        "at": now(),
        "body": body,
        "moment": None,
    }


async def left(made: Hooks, *endpoints_: Endpoint) -> bool:
    """Whether anything is owed; whoever counted it would take a core from those who pay."""
    owed = [col(Delivery.next_attempt_at).is_not(None)]
    owed += [col(Delivery.endpoint_id).in_([it.id for it in endpoints_])] if endpoints_ else []
    async with made.database.snapshot() as session:
        return (await session.scalar(select(col(Delivery.id)).where(*owed).limit(1))) is not None


class Senders:
    """Processes that deliver as long as the block runs."""

    def __init__(self, url: str, redis_url: str, *cores: int) -> None:
        self.processes = [spawn.Process(target=deliver, args=(url, redis_url, core), daemon=True) for core in cores]

    def __enter__(self) -> "Senders":
        for process in self.processes:
            process.start()
        return self

    @property
    def pids(self) -> list[int]:
        """To look at what they use."""
        return [process.pid for process in self.processes if process.pid is not None]

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.join()


async def drained(made: Hooks, *those: Endpoint) -> float:
    """When nothing is owed any more (to those endpoints)."""

    async def nothing() -> bool:
        return not await left(made, *those)

    await eventually(nothing, within=600, every=0.05)
    return time.time()


async def begun(port: int, already: int = 0) -> float:
    """When more requests have come than there were."""

    async def some() -> bool:
        return look(port)[0] > already

    await eventually(some, within=30, every=0.001)
    return time.time()


# What is measured


async def throughput(made: Hooks, redis_url: str, port: int) -> bool:
    """The full path beside the bare clients; seconds depend on who else is on the machine, CPU does not."""
    listening = await endpoints(made, ENDPOINTS, port)
    count, body = ENDPOINTS * EACH, _event(made, 0)["body"]
    urls, secret = [it.url for it in listening], SEALER.unseal(listening[0].secret)
    bare = {client: await asyncio.to_thread(_alone, client, urls, secret, body, count) for client in CLIENTS}
    await owe(made, listening, EACH)
    look(port, 0)
    with Senders(made.database.url, redis_url, SENDER_CORE) as senders:
        began, used = await begun(port), figures.seconds(senders.pids)
        took = await drained(made) - began
        full = took, figures.seconds(senders.pids) - used
        small = figures.peak(senders.pids)
    tell(f"{count:,} of {len(body):,} B to {ENDPOINTS} endpoints, on one core:")
    for name, (seconds, cpu) in (*bare.items(), ("full path", full)):
        tell(f"  {name:9} {count / seconds:6,.0f}/s, {1e6 * cpu / count:4.0f} µs of CPU each")
    rate, share = count / took, bare["aiohttp"][1] / full[1]
    tell(
        f"  the full path at {rate:,.0f}/s (aim {AIM_RATE:,}/s), by CPU {share:.2f} of aiohttp alone (aim {AIM_SHARE}) "
        f"and {bare['ours'][1] / full[1]:.2f} of our own client alone"
    )
    await owe(made, listening, OWED // ENDPOINTS)
    with Senders(made.database.url, redis_url, SENDER_CORE) as senders:
        await drained(made)
        large = figures.peak(senders.pids)
    tell(f"memory: {small:.0f} MiB with {count:,} owed, {large:.0f} MiB with {OWED:,}")
    return rate >= AIM_RATE and share >= AIM_SHARE and large < 1.15 * small


def _alone(client: Client, urls: Sequence[str], secret: str, body: bytes, count: int) -> tuple[float, float]:
    """Seconds and CPU of a client without a database."""
    answer = spawn.Array("d", 2)
    process = spawn.Process(target=send_bare, args=(client, urls, secret, body, count, answer))
    process.start()
    process.join()
    return answer[0], answer[1]


async def first_byte(made: Hooks, redis_url: str, port: int) -> bool:
    """From the commit of one event, on an idle machine, to its arrival."""
    bells = RedisBells(redis_url)
    times = []
    async with bells.connected():
        ringing = Hooks(Database(made.database.url, bells), made.realm, made.subject)
        await endpoints(ringing, 1, port)
        with Senders(made.database.url, redis_url, SENDER_CORE):
            await ringing.emit()
            await drained(ringing)
            for _ in range(ALONE):
                before, _ = look(port)
                await ringing.emit()
                committed = time.time()
                await begun(port, before)
                times.append(1000 * (look(port)[1] - committed))
                await asyncio.sleep(0.005)
        await ringing.database.dispose()
    p50, p99 = figures.at(0.5, times), figures.at(0.99, times)
    tell(f"commit to the receiver: p50 {p50:.1f} ms, p99 {p99:.1f} ms (aim {AIM_FIRST_BYTE_MS} ms)")
    return p99 <= AIM_FIRST_BYTE_MS


async def fairness(made: Hooks, redis_url: str, port: int, hung: int) -> bool:
    """Healthy endpoints alone, and beside ten that never answer and are owed more."""
    healthy = await endpoints(made, 20, port)
    took = []
    for beside in (0, 10):
        stuck = await endpoints(made, beside, hung)
        if stuck:
            await owe(made, stuck, 500)
        await owe(made, healthy, 100)
        look(port, 0)
        with Senders(made.database.url, redis_url, SENDER_CORE):
            began = await begun(port)
            took.append(await drained(made, *healthy) - began)
    print(
        f"20 healthy endpoints, 2,000 deliveries: alone {took[0]:.2f} s, beside 10 hung ones {took[1]:.2f} s",
        flush=True,
    )
    return took[1] < 2 * took[0] + 0.5


async def a_million(settings: Mapping[str, Any], url: str) -> bool:
    """Pages of one endpoint's deliveries, asked for as a user does, and claims, with a million rows behind them."""
    async with world({"database_url": url, "webhook_allow_private": True, **settings}) as lectern:
        create = """mutation { a: createModule(input: {title: "a"}) { module { id } }
          b: createWebhookEndpoint(input: {url: "https://127.0.0.1:9/"}) { endpoint { id } }
          c: createWebhookEndpoint(input: {url: "https://127.0.0.1:9/"}) { endpoint { id } } }"""
        ids_ = await lectern.graph(create)
        async with lectern.database.snapshot() as session:
            subject = await session.get_one(Resource, ids_["a"]["module"]["id"])
            busy, other = [await session.get_one(Endpoint, ids_[name]["endpoint"]["id"]) for name in "bc"]
        made = Hooks(lectern.database, subject.realm, subject)
        await owe(made, [busy], MILLION)
        await owe(made, [other], 4)

        async def page(**variables: Any) -> Any:
            answer = await lectern.graph(PAGE, id=busy.id, **variables)
            return answer["webhookEndpoint"]["deliveries"]

        async def claim() -> None:
            async with made.database.transaction() as session:
                await claims.claim(session, room={}, limit=8, position="", lease=timedelta(seconds=60))

        async with made.database.snapshot() as session:
            middle = (
                await session.scalars(select(col(Delivery.id)).order_by(col(Delivery.id)).offset(MILLION // 2))
            ).first()
        asked: dict[str, dict[str, Any]] = {
            "first page": {},
            "one in the middle": {"after": encode(DELIVERIES.order.name, middle)},
            "first of a status": {"status": "PENDING"},
            "none of a status": {"status": "FAILED"},
        }
        pages = {name: await _timed(partial(page, **variables)) for name, variables in asked.items()}
        claimed = await _timed(claim)
    told = ", ".join(f"{name} {milliseconds:.1f} ms" for name, milliseconds in pages.items())
    tell(f"{made.database.writer.name}, {MILLION:,} deliveries of one endpoint: {told} (aim {AIM_PAGE_MS} ms)")
    tell(f"  a claim {claimed:.1f} ms")
    return max(pages.values()) <= AIM_PAGE_MS


async def _timed(work: Callable[[], Awaitable[Any]]) -> float:
    """The median of fifty, in milliseconds."""
    times = []
    for _ in range(50):
        began = time.perf_counter()
        await work()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


async def two_processes(made: Hooks, redis_url: str, port: int) -> bool:
    """PostgreSQL, receivers that take their time: twice the processes, nearly twice the rate, nothing twice."""
    listening = await endpoints(made, 40, port)
    rates = []
    for processes in (1, 2):
        look(port, SLOW_SECONDS)
        await owe(made, listening, 400)
        with Senders(made.database.url, redis_url, *range(processes)):
            began = await begun(port)
            took = await drained(made) - began
        count = 40 * 400
        assert look(port)[0] == count, "nothing is sent twice"
        rates.append(count / took)
    async with made.database.snapshot() as session:
        twice = await session.scalar(select(func.count()).select_from(Attempt).where(col(Attempt.number) > 1))
    tell(
        f"PostgreSQL, receivers that take {SLOW_SECONDS * 1000:.0f} ms: one process {rates[0]:,.0f}/s, "
        f"two {rates[1]:,.0f}/s = {rates[1] / rates[0]:.2f} (aim {AIM_TWO}), {twice} sent twice"
    )
    return rates[1] / rates[0] >= AIM_TWO and twice == 0


def hooked(measure: Callable[[Hooks], Awaitable[bool]]) -> Measure:
    """A measure that needs no more of an installation than webhooks."""

    async def run(url: str) -> bool:
        async with hooks(url) as made:
            return await measure(made)

    return run


async def on(url: str, measures: Iterable[Measure]) -> list[bool]:
    """Each measure on a database that is migrated and has nothing to do with the others."""
    met = []
    for number, measure in enumerate(measures):
        own = url.replace("bench", f"bench{number}")
        await upgrade(own)
        met.append(await measure(own))
    return met


def main(only: set[str]) -> None:
    """Print the figures, then whether the aims are met."""
    print(figures.load())
    with (
        tempfile.TemporaryDirectory(prefix="lectern-bench-") as name,
        Supervisor(Path(name), grace=5) as supervisor,
        receiving(RECEIVER_CORE) as port,
        receiving(RECEIVER_CORE) as hung,
    ):
        redis_url = valkey.start(supervisor, Path(name))
        look(hung, -1)
        million = partial(a_million, {"redis_url": redis_url, "blob_url": f"file://{name}/blobs"})
        on_sqlite: dict[str, Measure] = {
            "throughput": hooked(lambda made: throughput(made, redis_url, port)),
            "first": hooked(lambda made: first_byte(made, redis_url, port)),
            "fairness": hooked(lambda made: fairness(made, redis_url, port, hung)),
            "million": million,
        }
        on_postgresql: dict[str, Measure] = {
            "two": hooked(lambda made: two_processes(made, redis_url, port)),
            "million": million,
        }
        met = asyncio.run(on(f"sqlite+aiosqlite:///{name}/bench.db", _chosen(on_sqlite, only)))
        met += _on_postgresql(_chosen(on_postgresql, only))
    if not all(met):
        raise SystemExit("an aim is missed")


def _chosen(measures: Mapping[str, Measure], only: set[str]) -> list[Measure]:
    return [measure for name, measure in measures.items() if not only or name in only]


def _on_postgresql(measures: Sequence[Measure]) -> list[bool]:
    if not measures:
        return []
    folder = Path(tempfile.mkdtemp(prefix="lectern-"))
    folder.chmod(0o755)
    with running(folder) as server:
        for number in range(len(measures)):
            server.sql(f"create database bench{number}")
        return asyncio.run(on(server.url("bench"), measures))


if __name__ == "__main__":
    main(set(sys.argv[1:]))
