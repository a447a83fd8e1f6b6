"""The delivery loop: claim fairly, sign, send, record."""

import asyncio
import contextlib
import random
import time
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import structlog

from dispatcher.webhooks import schedule, signing
from dispatcher.webhooks.lanes import SLOTS, Lanes
from dispatcher.webhooks.outcomes import Outcome
from dispatcher.webhooks.sender import Sender
from storage import attempts, claims, ids
from storage.attempts import Made, Recorded
from storage.claims import Owed, Target
from storage.database import Database, Unavailable
from storage.health import Sign
from storage.notify import Bell, wait
from storage.sealing import Sealer
from storage.tables import DeliveryStatus, EventType
from storage.tables.columns import now

log = structlog.get_logger(__name__)

LOOK_EVERY = timedelta(seconds=1)
LEASE = timedelta(seconds=60)

PATIENCE = timedelta(seconds=5)
"""After an outage of the database: leases that ended in it belong to processes that have outcomes to record."""

STOP_SECONDS = 15.0
WARN_AFTER = 4
RECORDED_AT_ONCE = 500
KEPT_SECRETS = 1_000

# A transaction costs as much as writing twenty outcomes: while many requests are under way, some more are waited for.
BUSY = SLOTS // 8
LINGER_SECONDS = 0.01


class DeliveryLoop:
    """Everything one process sends; several processes share the work through the leases of the rows."""

    def __init__(
        self, database: Database, sender: Sender, sealer: Sealer, attempts: Sequence[float], lease: timedelta = LEASE
    ) -> None:
        self.database = database
        self.sender = sender
        self.sealer = sealer
        self.schedule = attempts
        self.lease = lease
        self._lanes = Lanes()
        self._sending: set[asyncio.Task[None]] = set()
        self._secrets: dict[Target, signing.Secrets] = {}
        self._position, self._whole = "", True
        self._wake_at = self._look_at = now()
        self._news = asyncio.Event()
        self._outcomes: list[Recorded] = []
        self._given_back: list[Owed] = []
        self._to_write = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled, or until one half of it cannot go on."""
        async with asyncio.TaskGroup() as halves:
            halves.create_task(self._claim())
            halves.create_task(self._record())

    async def stop(self) -> None:
        """Wait for what is under way, record it, and give back what was not sent."""
        self._given_back += self._lanes.drain()
        if self._sending:
            await asyncio.wait(self._sending)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                while self._outcomes or self._given_back:
                    await self._write()

    async def _claim(self) -> None:
        with self.database.bells.listening(Bell.DELIVERIES) as self._news:
            while True:
                self._news.clear()
                if not self._lanes.free:
                    self._whole = False  # there may be more than we know: whoever makes room rings
                    await wait(self._news, LOOK_EVERY.total_seconds())
                    continue
                await self._claim_some()
                self._start()
                if self._whole:
                    await wait(self._news, self._pause())

    def _pause(self) -> float:
        """Seconds until something is due as far as we know; instants are whole milliseconds."""
        return max(0.0, (min(self._look_at, self._wake_at) - now()).total_seconds()) + 0.001

    async def _claim_some(self) -> None:
        """Claim what there is room for, and find out when to look again."""
        moment = now()
        self._look_at = moment + LOOK_EVERY
        limit, room = self._lanes.free, self._lanes.room()
        stopped: Collection[str] = ()
        try:
            async with self.database.transaction() as session:
                if self._wake_at <= moment:
                    self._wake_at = min(await claims.wake(session) or self._look_at, self._look_at)
                    stopped = await claims.stopped(session, self._lanes.occupied)
                claimed = await claims.claim(session, room=room, limit=limit, position=self._position, lease=self.lease)
        except Unavailable as error:
            log.warning("deliveries wait for the database", error=str(error))
            self._whole, self._wake_at = True, now() + PATIENCE
            return
        self._look_at = min(self._look_at, claimed.look_at or self._look_at)
        self._position, self._whole = claimed.position, claimed.whole
        self._lanes.put(claimed)
        if back := self._lanes.empty(stopped):
            self._given_back += back
            self._to_write.set()

    def _start(self) -> None:
        """Send what may be sent; a lease that is nearly over is somebody else's soon."""
        safe = now() + timedelta(seconds=self.sender.timeout)
        while owed := self._lanes.next():
            if owed.lease < safe:
                self._given_back.append(owed)
                self._given_back += self._lanes.ended(owed.target.endpoint_id, None)
                self._to_write.set()
            else:
                task = asyncio.create_task(self._deliver(owed))
                self._sending.add(task)
                task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        if not task.cancelled() and (fault := task.exception()):
            log.error("a delivery broke off, and is due again when its lease ends", exc_info=fault)

    async def _deliver(self, owed: Owed) -> None:
        """One attempt, signed anew, and what follows from it."""
        outcome: Outcome | None = None
        try:
            secrets = self._opened(owed.target)
            headers = signing.headers(secrets, owed.event_id, owed.type, owed.body, int(time.time()))
            outcome = await self.sender.send(owed.target.url, headers, owed.body)
            self._outcomes.append(self._decide(owed, headers, outcome))
        finally:
            self._make_room(owed.target.endpoint_id, outcome)

    def _make_room(self, endpoint_id: str, outcome: Outcome | None) -> None:
        """The request is over: others may start, and others be claimed."""
        self._given_back += self._lanes.ended(endpoint_id, outcome)
        self._to_write.set()
        self._start()
        if self._lanes.hungry(endpoint_id) or not (self._whole or self._lanes.crowded):
            self._news.set()

    def _opened(self, target: Target) -> signing.Secrets:
        """The secrets of an endpoint that sign now; opening them takes as long as ten signatures."""
        if target not in self._secrets:
            if len(self._secrets) >= KEPT_SECRETS:
                self._secrets.clear()
            previous = self.sealer.unseal(target.previous_secret) if target.previous_secret else None
            self._secrets[target] = signing.Secrets(self.sealer.unseal(target.secret), previous)
        secrets = self._secrets[target]
        over = target.previous_until is not None and target.previous_until <= now()
        return signing.Secrets(secrets.current) if over else secrets

    def _decide(self, owed: Owed, headers: dict[str, str], outcome: Outcome) -> Recorded:
        number, moment = owed.attempts + 1, now()
        if outcome.failure is not None:
            outcome = schedule.judged(outcome, ids.made_at(owed.id), moment)
        attempts = self.schedule[:1] if owed.type == EventType.WEBHOOK_TEST else self.schedule
        chance = random.uniform(-1, 1)  # noqa: S311  (spreads retries, hides nothing)
        decision = schedule.decide(outcome, number, moment, attempts, chance)
        status, at = _consequence(decision)
        seen = schedule.seen(outcome, moment)
        if number == WARN_AFTER and at is not None:
            log.warning("a delivery has failed four times", delivery=owed.id, endpoint=owed.target.endpoint_id)
        return Recorded(owed, status, at, seen, _made(owed, headers, outcome) if seen.sign is not Sign.NONE else None)

    async def _record(self) -> None:
        while True:
            await self._to_write.wait()
            if self._lanes.sending >= BUSY and len(self._outcomes) < RECORDED_AT_ONCE:
                await asyncio.sleep(LINGER_SECONDS)
            await self._write()

    async def _write(self) -> None:
        """Write outcomes, many in one transaction; what is not recorded would be sent again."""
        self._to_write.clear()
        outcomes, back = self._outcomes[:RECORDED_AT_ONCE], self._given_back[:RECORDED_AT_ONCE]
        try:
            async with self.database.transaction() as session:
                await attempts.record(session, outcomes)
                await claims.release(session, back)
        except Unavailable as error:
            log.warning("outcomes wait for the database", error=str(error))
            await asyncio.sleep(LOOK_EVERY.total_seconds())
        else:
            # Only now: should we be stopped before, they are written again, which changes nothing.
            del self._outcomes[: len(outcomes)], self._given_back[: len(back)]
            self._written(outcomes)
        if self._outcomes or self._given_back:
            self._to_write.set()

    def _written(self, outcomes: Sequence[Recorded]) -> None:
        """The claimer has to know of earlier attempts than it waits for, and of lines that go on."""
        for outcome in outcomes:
            if outcome.seen.sign is Sign.GONE:
                self._lanes.reopen(outcome.owed.target.endpoint_id)
        at = min((outcome.next_attempt_at for outcome in outcomes if outcome.next_attempt_at), default=self._wake_at)
        if at < self._wake_at or any(outcome.owed.target.single for outcome in outcomes):
            self._wake_at = min(at, self._wake_at)
            self._news.set()


def _consequence(decision: schedule.Decision) -> tuple[DeliveryStatus, datetime | None]:
    match decision:
        case schedule.Delivered():
            return DeliveryStatus.SUCCEEDED, None
        case schedule.Again(at) | schedule.Postponed(at):
            return DeliveryStatus.RETRYING, at
    return DeliveryStatus.FAILED, None


def _made(owed: Owed, headers: dict[str, str], outcome: Outcome) -> Made:
    return Made(
        delivery_id=owed.id,
        number=owed.attempts + 1,
        started_at=outcome.started_at,
        duration_ms=outcome.duration_ms,
        dns_ms=outcome.timings.dns,
        connect_ms=outcome.timings.connect,
        first_byte_ms=outcome.timings.first_byte,
        request_headers=headers,
        response_status=outcome.status,
        response_body=outcome.body or None,
        error=outcome.failure,
    )
