"""The delivery loop: what a receiver does, and what follows. R-CARD-5 and 6, R-WH-2, R-IMP-12; on both databases."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import or_, update
from sqlmodel import col
from standardwebhooks.webhooks import Webhook

from dispatcher.webhooks import signing
from storage import attempts, claims, deliveries, webhooks
from storage.attempts import Made, Recorded
from storage.claims import Owed
from storage.database import Database
from storage.health import Seen, Sign
from storage.tables import Attempt, Delivery, DeliveryStatus, Endpoint, EndpointStatus, Event, EventType
from storage.tables.columns import now
from storage.tables.webhooks import READY
from tests.hooks import AT_ONCE, NEVER, SEALER, Hooks, hooks
from tests.postgres import Postgres
from tests.receivers import Answer, Fault, Receiver, refusing, self_signed
from tests.world import eventually

MINUTES = 60.0


@pytest.fixture
async def made(database_url: str) -> AsyncIterator[Hooks]:
    async with hooks(database_url) as hooked:
        yield hooked


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


async def test_a_delivery_arrives_signed_and_is_recorded_step_by_step(made: Hooks, receiver: Receiver) -> None:
    """R-CARD-5."""
    endpoint = await made.endpoint(receiver.url)
    async with made.sending():
        (event_id,) = await made.emit()
        assert await made.settled() == ["SUCCEEDED"]
    (received,) = receiver.requests
    (attempt,) = await made.all(Attempt)
    assert received.headers["webhook-id"] == event_id
    assert (
        signing.verify(SEALER.unseal(endpoint.secret), received.headers, received.body, received.at.timestamp()) is None
    )
    assert (attempt.number, attempt.response_status, attempt.error) == (1, 204, None)
    assert {name: received.headers[name.lower()] for name in attempt.request_headers} == attempt.request_headers
    assert 0 <= attempt.connect_ms <= attempt.first_byte_ms
    assert (await made.get(endpoint)).consecutive_failures == 0


FAULTS: dict[Answer | str, tuple[str, int | None, str | None, float | None, str, int]] = {
    # what the receiver does: status of the delivery, HTTP status, error, at least so many seconds until the next
    # attempt, state of the endpoint, failures in a row
    200: ("SUCCEEDED", 200, None, None, "ACTIVE", 0),
    204: ("SUCCEEDED", 204, None, None, "ACTIVE", 0),
    301: ("RETRYING", 301, "redirect", 48 * MINUTES, "ACTIVE", 1),
    304: ("RETRYING", 304, "redirect", 48 * MINUTES, "ACTIVE", 1),
    400: ("RETRYING", 400, None, 48 * MINUTES, "ACTIVE", 1),
    410: ("FAILED", 410, None, None, "DISABLED", 1),
    500: ("RETRYING", 500, None, 48 * MINUTES, "ACTIVE", 1),
    503: ("RETRYING", 503, None, 48 * MINUTES, "ACTIVE", 1),
    Fault.RETRY_IN_SECONDS: ("RETRYING", 429, None, 100, "ACTIVE", 1),
    Fault.RETRY_AT_DATE: ("RETRYING", 429, None, 100, "ACTIVE", 1),
    Fault.SLOW: ("SUCCEEDED", 204, None, None, "ACTIVE", 0),
    Fault.EARLY_HINTS: ("SUCCEEDED", 200, None, None, "ACTIVE", 0),
    Fault.RESET: ("RETRYING", None, "reset", 48 * MINUTES, "ACTIVE", 1),
    Fault.CLOSE: ("RETRYING", None, "reset", 48 * MINUTES, "ACTIVE", 1),
    Fault.RESET_IN_STATUS: ("RETRYING", None, "reset", 48 * MINUTES, "ACTIVE", 1),
    Fault.CLOSE_IN_STATUS: ("RETRYING", None, "reset", 48 * MINUTES, "ACTIVE", 1),
    Fault.TRUNCATED: ("SUCCEEDED", 200, None, None, "ACTIVE", 0),
    Fault.NOT_HTTP: ("RETRYING", None, "protocol", 48 * MINUTES, "ACTIVE", 1),
    Fault.BEFORE_BODY: ("SUCCEEDED", 200, None, None, "ACTIVE", 0),
    Fault.HUGE_HEADER: ("RETRYING", None, "too_large", 48 * MINUTES, "ACTIVE", 1),
    Fault.MANY_HEADERS: ("RETRYING", None, "too_large", 48 * MINUTES, "ACTIVE", 1),
    Fault.HANG: ("RETRYING", None, "timeout", 48 * MINUTES, "ACTIVE", 1),
    Fault.HANG_IN_HEAD: ("RETRYING", None, "timeout", 48 * MINUTES, "ACTIVE", 1),
    Fault.DRIPPING_HEAD: ("RETRYING", None, "timeout", 48 * MINUTES, "ACTIVE", 1),
    Fault.DRIPPING_BODY: ("SUCCEEDED", 200, None, None, "ACTIVE", 0),
    Fault.HUGE_BODY: ("SUCCEEDED", 200, None, None, "ACTIVE", 0),
    Fault.HUGE_TRAILER: ("SUCCEEDED", 200, None, None, "ACTIVE", 0),
    Fault.BOMB: ("SUCCEEDED", 200, None, None, "ACTIVE", 0),
    Fault.TWO_ANSWERS: ("SUCCEEDED", 204, None, None, "ACTIVE", 0),
    Fault.LATE_ANSWER: ("SUCCEEDED", 204, None, None, "ACTIVE", 0),
    Fault.EVIL_COOKIES: ("SUCCEEDED", 200, None, None, "ACTIVE", 0),
    b"\xff\x00garbage\r\n\r\n": ("RETRYING", None, "protocol", 48 * MINUTES, "ACTIVE", 1),
    "nobody listens": ("RETRYING", None, "refused", 48 * MINUTES, "ACTIVE", 1),
    "nobody vouches for it": ("RETRYING", None, "tls", 48 * MINUTES, "ACTIVE", 1),
    "no TLS": ("RETRYING", None, "tls", 48 * MINUTES, "ACTIVE", 1),
    "unknown name": ("RETRYING", None, "dns", 48 * MINUTES, "ACTIVE", 1),
}


@pytest.mark.parametrize("schedule", [NEVER, (0.0, 1.0, 600.0)], ids=["an hour", "Retry-After"])
async def test_whatever_the_receiver_does_has_one_outcome(made: Hooks, schedule: tuple[float, ...]) -> None:
    """The fault, what becomes of the delivery, when it is tried again, how the endpoint stands."""
    asked_to_wait = {Fault.RETRY_IN_SECONDS, Fault.RETRY_AT_DATE}
    faults = {fault: row for fault, row in FAULTS.items() if (fault in asked_to_wait) == (schedule is not NEVER)}
    async with AsyncExitStack() as stack:
        endpoints = {fault: await made.endpoint(await _url(stack, fault)) for fault in faults}
        moment = now()
        async with made.sending(schedule, seconds=3):
            await made.emit()
            await made.attempted(len(faults), within=20)
    outcomes = {fault: await _outcome(made, endpoint, moment) for fault, endpoint in endpoints.items()}
    seconds = {fault: outcome.pop("seconds") for fault, outcome in outcomes.items()}
    assert {fault: tuple(outcome.values()) for fault, outcome in outcomes.items()} == {
        fault: (status, http, error, state, failures)
        for fault, (status, http, error, _, state, failures) in faults.items()
    }
    for fault, (_, _, _, at_least, _, _) in faults.items():
        assert (seconds[fault] is None) == (at_least is None), fault
        assert at_least is None or at_least <= seconds[fault] <= 73 * MINUTES, fault


async def _url(stack: AsyncExitStack, fault: Answer | str) -> str:
    if fault == "nobody listens":
        return stack.enter_context(refusing())
    if fault == "unknown name":
        return "http://receiver.test/hook"
    if fault == "no TLS":
        server = await stack.enter_async_context(await asyncio.start_server(_hang_up, "127.0.0.1", 0))
        return f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    if fault == "nobody vouches for it":
        folder = stack.enter_context(TemporaryDirectory())
        return (await stack.enter_async_context(Receiver(self_signed(Path(folder))))).url
    receiver = await stack.enter_async_context(Receiver())
    assert not isinstance(fault, str)
    receiver.answer = lambda number: fault
    return receiver.url


def _hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP")
    writer.close()


async def _outcome(made: Hooks, endpoint: Endpoint, moment: datetime) -> dict[str, Any]:
    (delivery,) = await made.all(Delivery, col(Delivery.endpoint_id) == endpoint.id)
    (attempt,) = await made.all(Attempt, col(Attempt.delivery_id) == delivery.id)
    stands = await made.get(endpoint)
    again = delivery.next_attempt_at
    return {
        "status": delivery.status.value,
        "http": attempt.response_status,
        "error": attempt.error,
        "state": stands.status.value,
        "failures": stands.consecutive_failures,
        "seconds": (again - moment).total_seconds() if again else None,
    }


async def test_every_attempt_is_signed_anew_over_the_same_bytes(made: Hooks, receiver: Receiver) -> None:
    """R-CARD-6: fails twice, then 200: three attempts, same webhook-id, growing gaps."""
    receiver.answer = lambda number: (500, 400, 200)[number - 1]
    endpoint = await made.endpoint(receiver.url)
    async with made.sending((0.0, 1.3, 2.0)):  # a second apart at least, and farther each time, whatever the jitter
        (event_id,) = await made.emit()
        assert await made.settled() == ["SUCCEEDED"]
    first, second, third = receiver.requests
    (delivery,) = await made.all(Delivery)
    assert [(one.number, one.response_status, one.error) for one in await made.all(Attempt)] == [
        (1, 500, None),
        (2, 400, None),
        (3, 200, None),
    ]
    assert {request.headers["webhook-id"] for request in receiver.requests} == {event_id}
    assert len({request.body for request in receiver.requests}) == 1
    assert len({request.headers["webhook-timestamp"] for request in receiver.requests}) == 3, "fresh"
    assert len({request.headers["webhook-signature"] for request in receiver.requests}) == 3
    assert second.at - first.at < third.at - second.at
    assert delivery.completed_at is not None
    assert (await made.get(endpoint)).consecutive_failures == 0, "a success forgives"


async def test_after_the_last_attempt_it_has_failed(made: Hooks, receiver: Receiver) -> None:
    receiver.answer = lambda number: 500
    endpoint = await made.endpoint(receiver.url)
    async with made.sending(AT_ONCE):
        await made.emit()
        assert await made.settled() == ["FAILED"]
    assert len(receiver.requests) == 3
    stands = await made.get(endpoint)
    assert (stands.status, stands.consecutive_failures) == (EndpointStatus.ACTIVE, 3)
    assert stands.failing_since is not None


async def test_both_secrets_sign_while_a_rotation_overlaps(made: Hooks, receiver: Receiver) -> None:
    """R-CARD-5: Standard Webhooks headers carry both, the older header stays with the previous secret."""
    endpoint = await made.endpoint(receiver.url)
    old = SEALER.unseal(endpoint.secret)
    async with made.database.transaction() as session:
        row = await webhooks.locked(session, made.realm, endpoint.id)
        new = webhooks.rotate(row, timedelta(hours=1), SEALER)
    async with made.sending():
        await made.emit()
        await made.settled()
        await made.change(endpoint, previous_secret_expires_at=now())
        await made.emit()
        await made.settled()
    during, afterwards = receiver.requests
    for secret in (old, new):
        Webhook(secret).verify(during.body, during.headers)
    older = {"x-content-integration-signature": during.headers["x-content-integration-signature"]}
    assert signing.verify(old, older, during.body, 0) is None
    assert signing.verify(new, older, during.body, 0) is signing.Refusal.FORGED
    Webhook(new).verify(afterwards.body, afterwards.headers)
    assert " " not in afterwards.headers["webhook-signature"]


async def test_the_overlap_of_a_rotation_ends_for_what_is_claimed_already(made: Hooks, receiver: Receiver) -> None:
    held = asyncio.Event()
    receiver.before_answer = held.wait
    endpoint = await made.endpoint(receiver.url)
    async with made.database.transaction() as session:
        row = await webhooks.locked(session, made.realm, endpoint.id)
        webhooks.rotate(row, timedelta(seconds=3), SEALER)
    await made.emit(8)
    async with made.sending():
        await receiver.wait(4)

        async def over() -> bool:
            expires = row.previous_secret_expires_at
            return expires is not None and expires <= now()

        await eventually(over)
        held.set()
        assert await made.settled() == ["SUCCEEDED"] * 8
    signatures = [len(request.headers["webhook-signature"].split()) for request in receiver.requests]
    assert signatures == [2] * 4 + [1] * 4


async def test_gone_disables_at_once_and_the_others_are_told(made: Hooks, receiver: Receiver) -> None:
    """R-CARD-6."""
    receiver.answer = lambda number: 410
    gone = await made.endpoint(receiver.url)
    async with Receiver() as neighbour:
        other = await made.endpoint(neighbour.url, [EventType.ENDPOINT_DISABLED])
        async with made.sending():
            await made.emit(20)
            await neighbour.wait(1)
            await made.settled()
            await made.emit()
    assert len(receiver.requests) <= 8, "nothing but what was under way"
    assert set(await made.statuses(gone)) == {"FAILED", "CANCELED"}
    assert len(await made.statuses(gone)) == 20, "no deliveries are made for a disabled endpoint"
    told = json.loads(neighbour.requests[0].body)
    stands = await made.get(gone)
    assert (told["type"], told["endpointId"], told["reason"]) == ("endpoint.disabled", gone.id, stands.disabled_reason)
    assert "410" in stands.disabled_reason
    assert await made.statuses(other) == ["SUCCEEDED"]


@pytest.mark.parametrize(("hours", "state"), [(119, "ACTIVE"), (120, "DISABLED")])
async def test_five_days_of_failures_disable(made: Hooks, receiver: Receiver, hours: int, state: str) -> None:
    receiver.answer = lambda number: 500
    endpoint = await made.endpoint(receiver.url, consecutive_failures=7, failing_since=now() - timedelta(hours=hours))
    async with made.sending():
        await made.emit(3)
        await made.attempted(1)
        stands = await eventually(lambda: _stands(made, endpoint, 8))
    assert stands.status == state
    if state == "DISABLED":
        assert "5 days" in stands.disabled_reason


async def _stands(made: Hooks, endpoint: Endpoint, failures: int) -> Endpoint | None:
    stands: Endpoint = await made.get(endpoint)
    return stands if stands.consecutive_failures >= failures else None


async def test_one_success_in_five_days_is_enough(made: Hooks, receiver: Receiver) -> None:
    receiver.answer = lambda number: 204 if number == 1 else 500
    failing: dict[str, Any] = {"consecutive_failures": 7, "failing_since": now() - timedelta(hours=200)}
    endpoint = await made.endpoint(receiver.url, ordered=True, **failing)
    async with made.sending():
        await made.emit(2)
        await made.attempted(2)
        stands = await eventually(lambda: _stands(made, endpoint, 1))
    assert (stands.status, stands.consecutive_failures) == (EndpointStatus.ACTIVE, 1)


async def test_paused_endpoints_queue_and_resume(made: Hooks, receiver: Receiver) -> None:
    """D24."""
    endpoint = await made.endpoint(receiver.url, status=EndpointStatus.PAUSED)
    async with made.sending(), Receiver() as other:
        await made.endpoint(other.url)
        await made.emit(3)
        await other.wait(3)
        assert receiver.requests == []
        assert await made.statuses(endpoint) == ["PENDING"] * 3
        async with made.database.transaction() as session:
            webhooks.resume(session, await webhooks.locked(session, made.realm, endpoint.id))
        await receiver.wait(3)
        await made.settled()


async def test_a_deleted_endpoint_gets_nothing_more(made: Hooks, receiver: Receiver) -> None:
    endpoint = await made.endpoint(receiver.url, status=EndpointStatus.PAUSED)
    await made.emit(3)
    await made.change(endpoint, status=EndpointStatus.ACTIVE, deleted_at=now())
    async with made.sending():
        assert await made.settled() == ["CANCELED"] * 3, "also what its deletion did not get to"
    assert receiver.requests == []


@pytest.mark.parametrize(
    "change", [{"status": EndpointStatus.PAUSED}, {"deleted_at": now()}], ids=["paused", "deleted"]
)
async def test_what_is_claimed_already_is_not_sent_to_an_endpoint_that_stops(
    made: Hooks, receiver: Receiver, change: dict[str, Any]
) -> None:
    held = asyncio.Event()
    receiver.before_answer = held.wait
    endpoint = await made.endpoint(receiver.url)
    await made.emit(8)
    async with made.sending(seconds=30):
        await receiver.wait(4)
        assert await made.all(Delivery, READY) == [], "four of them are under way, and four wait behind them"
        await made.change(endpoint, **change)

        async def given_back() -> bool:
            return len(await made.all(Delivery, or_(READY, col(Delivery.status) == DeliveryStatus.CANCELED))) >= 4

        await eventually(given_back, within=10)
        held.set()
        await made.attempted(4)
    assert len(receiver.requests) == 4


async def test_a_long_queue_is_cancelled_bit_by_bit(made: Hooks, receiver: Receiver) -> None:
    endpoint = await made.endpoint(receiver.url, status=EndpointStatus.PAUSED)
    await made.emit(deliveries.CANCELED_AT_ONCE + 5)
    async with made.database.transaction() as session:
        await made.badly_planned(session)
        await deliveries.disable(session, await webhooks.locked(session, made.realm, endpoint.id), "Enough.")
    assert sorted(set(await made.statuses())) == ["CANCELED", "PENDING"]
    async with made.sending():
        assert set(await made.settled()) == {"CANCELED"}
    assert receiver.requests == []


async def test_a_long_queue_is_woken_bit_by_bit(made: Hooks, receiver: Receiver) -> None:
    await made.endpoint(receiver.url)
    await made.emit(claims.WOKEN_AT_ONCE + 5)
    async with made.database.transaction() as session:
        await session.execute(update(Delivery).values(ready=False, next_attempt_at=now()))
        await made.badly_planned(session)
        await claims.wake(session)
    assert len(await made.all(Delivery, READY)) == claims.WOKEN_AT_ONCE


async def test_a_long_queue_of_retries_is_cancelled_before_they_are_due(made: Hooks, receiver: Receiver) -> None:
    """Who enables the endpoint again an hour later gets nothing of what waited."""
    endpoint = await made.endpoint(receiver.url, status=EndpointStatus.PAUSED)
    await made.emit(2 * deliveries.CANCELED_AT_ONCE + 5)
    later = {"status": DeliveryStatus.RETRYING, "ready": False, "next_attempt_at": now() + timedelta(hours=5)}
    async with made.database.transaction() as session:
        await session.execute(update(Delivery).values(**later))
        await deliveries.disable(session, await webhooks.locked(session, made.realm, endpoint.id), "Enough.")
    async with made.sending():
        assert set(await made.settled()) == {"CANCELED"}
    assert receiver.requests == []


@pytest.mark.parametrize(("answer", "status"), [(204, "SUCCEEDED"), (500, "CANCELED")])
async def test_what_was_under_way_when_it_was_cancelled_is_recorded(
    made: Hooks, receiver: Receiver, answer: int, status: str
) -> None:
    endpoint = await made.endpoint(receiver.url)
    arrived, go_on = asyncio.Event(), asyncio.Event()
    receiver.answer = lambda number: answer

    async def hold() -> None:
        arrived.set()
        await go_on.wait()

    receiver.before_answer = hold
    async with made.sending(seconds=5):
        await made.emit()
        await arrived.wait()
        async with made.database.transaction() as session:
            await deliveries.cancel(session, endpoint.id)
        go_on.set()
        (attempt,) = await made.attempted(1)
    (delivery,) = await made.all(Delivery)
    assert (attempt.response_status, delivery.status.value, delivery.next_attempt_at) == (answer, status, None)


async def test_a_test_is_made_once(made: Hooks, receiver: Receiver) -> None:
    receiver.answer = lambda number: 500
    endpoint = await made.endpoint(receiver.url)
    async with made.database.transaction() as session:
        row = await webhooks.locked(session, made.realm, endpoint.id)
        await webhooks.test(session, row, "delivery_of_a_test")
    async with made.sending(AT_ONCE):
        assert await made.settled() == ["FAILED"]
    assert len(receiver.requests) == 1
    assert json.loads(receiver.requests[0].body)["type"] == "webhook.test"


async def claimed(made: Hooks, database: Database | None = None, seconds: float = 60) -> list[Owed]:
    """What a process claims that dies before it sends anything."""
    async with (database or made.database).transaction() as session:
        await claims.wake(session)
        found = await claims.claim(session, room={}, limit=100, position="", lease=timedelta(seconds=seconds))
    return list(found.owed)


def recorded(owed: Owed, status: DeliveryStatus, http: int, at: datetime | None = None) -> Recorded:
    sign = Sign.DELIVERED if http < 300 else Sign.REFUSED
    made = Made(owed.id, owed.attempts + 1, now(), 12, None, 1.5, 3.5, {"webhook-id": owed.event_id}, http, None, None)
    return Recorded(owed, status, at, Seen(sign, now()), made)


async def test_what_a_dead_process_had_claimed_is_sent_when_its_lease_ends(made: Hooks, receiver: Receiver) -> None:
    """Issue 7, line 1."""
    await made.endpoint(receiver.url)
    await made.emit(3)
    assert len(await claimed(made, seconds=60)) == 3
    async with made.sending():
        await made.emit()
        await receiver.wait(1)
        await eventually(lambda: made.all(Delivery, col(Delivery.status) == DeliveryStatus.SUCCEEDED))
        assert len(receiver.requests) == 1, "a lease is kept"
        await made.pass_time(60)
        assert await made.settled() == ["SUCCEEDED"] * 4
    assert len(receiver.requests) == 4


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_an_outage_longer_than_a_lease_repeats_nothing(
    made: Hooks, receiver: Receiver, database_url: str, postgres: Postgres
) -> None:
    """What was answered meanwhile is recorded before anybody takes its lease for lost, in whatever process."""
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        arrived.set()
        await go_on.wait()

    receiver.before_answer = hold
    await made.endpoint(receiver.url)
    async with made.elsewhere() as other, made.sending(lease=6), other.sending(lease=6):
        await made.emit()
        await arrived.wait()
        (delivery,) = await made.all(Delivery)
        await asyncio.to_thread(postgres.shut, database_url)
        go_on.set()

        async def over() -> bool:
            return bool(delivery.next_attempt_at < now())

        await eventually(over)
        await asyncio.to_thread(postgres.reopen, database_url)
        assert await made.settled() == ["SUCCEEDED"]
    assert len(receiver.requests) == len(await made.all(Attempt)) == 1


async def test_an_attempt_is_recorded_once(made: Hooks, receiver: Receiver) -> None:
    endpoint = await made.endpoint(receiver.url)
    await made.emit()
    (owed,) = await claimed(made)
    for http, status in (
        (204, DeliveryStatus.SUCCEEDED),
        (500, DeliveryStatus.FAILED),
        (204, DeliveryStatus.SUCCEEDED),
    ):
        async with made.database.transaction() as session:
            await attempts.record(session, [recorded(owed, status, http)])
    assert [attempt.response_status for attempt in await made.all(Attempt)] == [204]
    assert await made.statuses(endpoint) == ["SUCCEEDED"]


async def test_a_fault_of_ours_is_no_attempt(made: Hooks, receiver: Receiver) -> None:
    """Without a network nothing is charged to the endpoint, and the same attempt is made again."""
    endpoint = await made.endpoint(receiver.url)
    await made.emit()
    (owed,) = await claimed(made)
    async with made.database.transaction() as session:
        again = Recorded(owed, DeliveryStatus.RETRYING, now(), Seen(Sign.NONE, now()), None)
        await attempts.record(session, [again])
    assert await made.all(Attempt) == []
    assert (await made.get(endpoint)).consecutive_failures == 0
    async with made.sending():
        assert await made.settled() == ["SUCCEEDED"]
    assert [attempt.number for attempt in await made.all(Attempt)] == [1]


async def test_a_stopping_process_gives_back_what_it_did_not_send(made: Hooks, receiver: Receiver) -> None:
    held = asyncio.Event()
    receiver.before_answer = held.wait
    await made.endpoint(receiver.url)
    await made.emit(8)
    async with made.sending(seconds=5):
        await receiver.wait(4)
        assert len(await claimed(made)) == 0, "all eight are claimed, four of them wait"
        held.set()
        stopping = True
    assert stopping
    found = await made.all(Delivery)
    owed = [delivery for delivery in found if delivery.next_attempt_at is not None]
    assert all(delivery.ready for delivery in owed), "nobody has to wait for a lease to end"
    assert len(receiver.requests) + len(owed) == 8


async def test_settled_deliveries_are_forgotten_after_their_time_and_owed_ones_never(
    made: Hooks, receiver: Receiver
) -> None:
    """Issue 7, line 6."""
    await made.endpoint(receiver.url)
    async with made.sending():
        await made.emit(3)
        await made.settled()
    await made.endpoint(receiver.url, status=EndpointStatus.PAUSED)
    await made.emit(2)
    async with made.database.transaction() as session:
        assert await deliveries.expire(session, now() - timedelta(minutes=1)) == (0, None)
    assert len(await made.all(Delivery)) == 7
    async with made.database.transaction() as session:
        assert await deliveries.expire(session, now() + timedelta(minutes=1)) == (3, None)
    assert set(await made.statuses()) == {"PENDING"}
    assert await made.all(Attempt) == []
    assert len(await made.all(Event)) > 5, "the log stays"


async def test_retention_goes_on_behind_what_is_owed(made: Hooks, receiver: Receiver) -> None:
    await made.endpoint(receiver.url, status=EndpointStatus.PAUSED)
    await made.emit(deliveries.EXPIRED_AT_ONCE)
    endpoint = await made.endpoint(receiver.url, [EventType.RESOURCE_DELETED])
    await made.emit(1, EventType.RESOURCE_DELETED)
    async with made.database.transaction() as session:
        await deliveries.cancel(session, endpoint.id)
    after: str | None = ""
    while after is not None:
        async with made.database.transaction() as session:
            _, after = await deliveries.expire(session, now() + timedelta(minutes=1), after)
    assert await made.statuses(endpoint) == []
    assert len(await made.statuses()) == deliveries.EXPIRED_AT_ONCE


async def test_two_processes_never_send_the_same(made: Hooks, receiver: Receiver) -> None:
    """Issue 7, line 8: no delivery claimed twice."""
    for _ in range(8):
        await made.endpoint(receiver.url)
    async with made.elsewhere() as second, made.sending(), second.sending():
        for _ in range(10):
            await made.emit(5)
        assert set(await made.settled(within=30)) == {"SUCCEEDED"}
    assert len(receiver.requests) == len(await made.all(Attempt)) == 400
