"""One endpoint is no trouble to another: lanes, breaker, order and rate, in one process and in two. Issue 7, line 3."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from types import MappingProxyType

import pytest

from schema.pagination import Window
from schema.types.webhooks import DELIVERIES
from storage import claims, deliveries, events
from storage.claims import Claimed
from storage.tables import Attempt, Delivery, Endpoint
from storage.tables.columns import now
from storage.tables.webhooks import READY
from tests.hooks import AT_ONCE, Hooks, hooks
from tests.receivers import Fault, Receiver, refusing
from tests.world import eventually


@pytest.fixture
async def made(database_url: str) -> AsyncIterator[Hooks]:
    async with hooks(database_url) as hooked:
        yield hooked


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


async def claim(
    made: Hooks, limit: int = 100, position: str = "", room: Mapping[str, int] = MappingProxyType({})
) -> Claimed:
    """One claim of a process that has this room."""
    async with made.database.transaction() as session:
        await claims.wake(session)
        return await claims.claim(session, room=room, limit=limit, position=position, lease=timedelta(seconds=60))


def shares(claimed: Claimed) -> dict[str, int]:
    """How many deliveries each endpoint got."""
    targets = [owed.target.endpoint_id for owed in claimed.owed]
    return {endpoint_id: targets.count(endpoint_id) for endpoint_id in targets}


async def test_a_hanging_endpoint_does_not_hold_up_another(made: Hooks, receiver: Receiver) -> None:
    async with Receiver() as hanging:
        hanging.answer = lambda number: Fault.HANG
        stuck = await made.endpoint(hanging.url)
        await made.emit(100)
        healthy = await made.endpoint(receiver.url)
        async with made.sending(seconds=30, lease=90):
            await hanging.wait(4)
            await made.emit(100)
            await receiver.wait(100, within=10)
            assert len(hanging.requests) == 4, "no more than its lane is wide"
            assert len(await made.statuses(stuck)) == 200
            assert len(await made.statuses(healthy)) == 100
            await hanging.down()


async def test_a_claim_serves_endpoints_in_turn_and_each_as_there_is_room(made: Hooks) -> None:
    busy, full, fresh = [await made.endpoint(f"http://127.0.0.1:1/{name}") for name in ("busy", "full", "fresh")]
    await made.emit(20)
    claimed = await claim(made, room={busy.id: 3, full.id: 0})
    assert shares(claimed) == {busy.id: 3, fresh.id: claims.FRESH}
    assert claimed.left == {busy.id, full.id, fresh.id}, "there is more of each"
    assert claimed.whole


async def test_when_there_is_little_room_everybody_gets_a_little(made: Hooks) -> None:
    endpoints = [await made.endpoint(f"http://127.0.0.1:1/{number}") for number in range(6)]
    await made.emit(3)
    first = await claim(made, limit=4)
    second = await claim(made, limit=4, position=first.position)
    third = await claim(made, limit=4, position=second.position)
    assert [len(one.owed) for one in (first, second, third)] == [4, 4, 4]
    assert not first.whole
    gained = [sum(shares(one).get(endpoint.id, 0) for one in (first, second, third)) for endpoint in endpoints]
    assert gained == [2] * 6, "round and round"


async def test_the_oldest_of_an_endpoint_come_first(made: Hooks) -> None:
    endpoint = await made.endpoint("http://127.0.0.1:1/")
    events = await made.emit(12)
    claimed = await claim(made, room={endpoint.id: 5})
    assert [owed.event_id for owed in claimed.owed] == events[:5]


async def test_endpoints_owed_nothing_or_later_cost_nothing(made: Hooks) -> None:
    for number in range(5):
        await made.endpoint(f"http://127.0.0.1:1/{number}")
    await made.emit()
    for delivery in (await made.all(Delivery))[1:]:
        await made.change(delivery, ready=False, next_attempt_at=now() + timedelta(hours=1))
    assert len((await claim(made)).owed) == 1
    async with made.database.transaction() as session:
        next_ = await claims.wake(session)
    assert next_ is not None
    assert next_ <= now() + timedelta(minutes=1), "the lease of the one that was claimed"


async def test_the_breaker_opens_and_one_probe_at_a_time_tries_again(made: Hooks, receiver: Receiver) -> None:
    with refusing() as nobody:
        endpoint = await made.endpoint(nobody)
        await made.emit(40)
        async with made.sending((0.0, 0.0)):
            await eventually(lambda: _closed(made, endpoint))
        tried = len(await made.all(Attempt))
        assert tried < 20, "the queue is kept instead of used up"
        assert (await claim(made)).owed == [], "closed"
        await made.change(endpoint, url=receiver.url)
        receiver.answer = lambda number: 204
        await made.pass_time(60)
        probe = await claim(made)
        assert len(probe.owed) == 1
        async with made.elsewhere() as other:
            assert (await claim(other)).owed == [], "one probe for all processes"
        await made.pass_time(60)
        async with made.sending((0.0, 0.0)):
            await eventually(lambda: _open(made, endpoint))
            await receiver.wait(30)
            await made.settled()


async def _closed(made: Hooks, endpoint: Endpoint) -> bool:
    return (await made.get(endpoint)).closed_until is not None


async def _open(made: Hooks, endpoint: Endpoint) -> bool:
    return not await _closed(made, endpoint)


async def test_an_overloaded_endpoint_is_left_alone_as_long_as_it_asks(made: Hooks, receiver: Receiver) -> None:
    receiver.answer = lambda number: Fault.RETRY_IN_SECONDS
    await made.endpoint(receiver.url)
    await made.emit(30)
    async with made.sending((0.0, 300.0, 300.0)):
        await made.attempted(1)
        await made.emit()
        await asyncio.sleep(0)
        before = len(await made.attempted(1))
        await made.emit()
    assert before <= len(receiver.requests) <= 8


async def test_in_order_one_waits_for_the_other_and_retries_hold_the_line(made: Hooks, receiver: Receiver) -> None:
    receiver.answer = lambda number: 500 if number in (2, 3, 6) else 204
    await made.endpoint(receiver.url, ordered=True)
    events = await made.emit(5)
    async with made.sending((0.0, 0.05, 0.05)):
        assert await made.settled() == ["SUCCEEDED"] * 5
    first, second, third, fourth, fifth = events
    assert [request.headers["webhook-id"] for request in receiver.requests] == [
        first,
        second,
        second,
        second,
        third,
        fourth,
        fourth,
        fifth,
    ]
    assert all(earlier.at <= later.at for earlier, later in itertools.pairwise(receiver.requests))


async def test_in_order_also_with_two_processes(made: Hooks, receiver: Receiver) -> None:
    await made.endpoint(receiver.url, ordered=True)
    async with made.elsewhere() as other, made.sending(), other.sending():
        events = [event for _ in range(10) for event in await made.emit(3)]
        assert await made.settled(within=40) == ["SUCCEEDED"] * 30
    assert [request.headers["webhook-id"] for request in receiver.requests] == events


async def test_in_order_a_retry_from_before_holds_the_line_too(made: Hooks, receiver: Receiver) -> None:
    """An endpoint that is told to get them in order has one that waits for its second attempt."""
    receiver.answer = lambda number: 500 if number == 1 else 204
    endpoint = await made.endpoint(receiver.url)
    (first,) = await made.emit()
    async with made.sending():
        await made.attempted(1)
    await made.change(endpoint, ordered=True)
    (second,) = await made.emit()
    assert (await claim(made)).owed == []
    await made.pass_time(2 * 3600)
    async with made.sending():
        assert await made.settled() == ["SUCCEEDED"] * 2
    assert [request.headers["webhook-id"] for request in receiver.requests] == [first, first, second]


async def test_in_order_the_line_goes_on_behind_what_has_failed(made: Hooks, receiver: Receiver) -> None:
    receiver.answer = lambda number: 500 if number <= 3 else 204
    await made.endpoint(receiver.url, ordered=True)
    await made.emit(2)
    async with made.sending(AT_ONCE):
        assert await made.settled() == ["FAILED", "SUCCEEDED"]
    assert len(receiver.requests) == 4


async def test_a_lost_lease_holds_the_line_too(made: Hooks, receiver: Receiver) -> None:
    await made.endpoint(receiver.url, ordered=True)
    events = await made.emit(2)
    assert [owed.event_id for owed in (await claim(made)).owed] == events[:1]
    assert (await claim(made)).owed == []
    await made.pass_time(61)
    assert [owed.event_id for owed in (await claim(made)).owed] == events[:1]


async def test_no_more_requests_a_minute_than_allowed(made: Hooks, receiver: Receiver) -> None:
    """Issue 7, line 5."""
    endpoint = await made.endpoint(receiver.url, rate_limit_per_minute=240)
    await made.emit(10)
    async with made.elsewhere() as other, made.sending(), other.sending():
        await receiver.wait(8, within=20)
    begin, *others = [request.at for request in receiver.requests]
    assert others[2] - begin < timedelta(seconds=0.6), "a second's worth may go at once"
    for number, at in enumerate(others[3:], start=1):
        assert at - begin > number * timedelta(seconds=0.24), "four a second, whatever the processes"
    assert (await made.get(endpoint)).paced_until is not None


async def test_what_a_limit_lets_through_is_sent_at_once(made: Hooks, receiver: Receiver) -> None:
    """What waited here for its turn would come together with what the limit allows later."""
    held = asyncio.Event()
    receiver.before_answer = held.wait
    await made.endpoint(receiver.url, rate_limit_per_minute=60_000)
    await made.emit(8)
    async with made.sending():
        await receiver.wait(4)
        assert len(await made.all(Delivery, READY)) == 4
        held.set()
        assert await made.settled() == ["SUCCEEDED"] * 8


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_two_claims_at_once_take_one_after_the_other(made: Hooks) -> None:
    """Neither waits for the other, and none is claimed twice; on SQLite there is one writer at a time."""
    room = {(await made.endpoint("http://127.0.0.1:1/")).id: 5}
    events = await made.emit(12)
    async with made.elsewhere() as other, made.database.transaction() as session:
        first = await claims.claim(session, room=room, limit=100, position="", lease=timedelta(seconds=60))
        second = await claim(other, room=room)
    assert [owed.event_id for owed in (*first.owed, *second.owed)] == events[:10]


async def test_a_backlog_makes_neither_claims_nor_pages_longer(made: Hooks) -> None:
    """Issue 7, lines 3 and 6: every step is a step in an index, so of what lies behind nothing is read."""
    endpoint = await made.endpoint("http://127.0.0.1:1/")
    await made.emit(200)
    small = await made.endpoint("http://127.0.0.1:1/small")
    await made.emit(1)

    async def claim_some() -> None:
        assert shares(await claim(made, limit=10)) == {endpoint.id: claims.FRESH, small.id: 1}

    async def read_pages() -> None:
        async with made.database.snapshot() as session:
            for only in (None, ("status", "PENDING")):
                for after in (None, "delivery_zzz"):
                    page = DELIVERIES.rows(made.realm, Window(DELIVERIES, endpoint.id, 21, after, only=only))
                    shown = (await session.scalars(page)).all()
                    found = await events.find(session, made.realm, [delivery.event_id for delivery in shown])
                    again = await deliveries.find(session, made.realm, [delivery.id for delivery in shown])
                    assert len(shown) == len(found) == len(again) == 21

    for work in (claim_some, read_pages):
        assert await made.most_read(work) <= 2 * 21
