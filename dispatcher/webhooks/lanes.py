"""Who sends next: a lane for each endpoint that has work here, in turn, wider or narrower by its answers. Pure."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from dispatcher.webhooks.outcomes import Outcome
from storage.claims import Claimed, Owed

SLOTS = 256
"""Requests under way at a time."""

SUSPECT_SLOTS = SLOTS // 2
"""How many of them may go to endpoints that last gave cause to narrow their lane."""

WIDTH = 4
"""Requests under way to one endpoint at first."""

WIDEST = 16
REMEMBERED = 1_000
"""Idle lanes whose width is remembered, those that were busy last."""

OVERLOADED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})


@dataclass(slots=True)
class Lane:
    """What is under way to one endpoint, and what waits for it."""

    width: int = WIDTH
    credit: int = 0
    """Good answers since the width last changed."""
    sending: int = 0
    waiting: deque[Owed] = field(default_factory=deque)
    full: bool = False
    """The endpoint was owed more than there was room for."""
    paced: bool = False
    in_turn: bool = False

    @property
    def open(self) -> bool:
        """Whether the next delivery may start."""
        return bool(self.waiting) and self.sending < self.width

    @property
    def suspect(self) -> bool:
        """Whether its endpoint did not do well."""
        return self.width < WIDTH

    @property
    def idle(self) -> bool:
        """Whether it has nothing to do."""
        return not (self.sending or self.waiting)

    @property
    def room(self) -> int:
        """
        How many more to claim: a healthy lane has the next ones at hand, one that is suspect or paced what it can
        send at once.
        """
        return max(0, self.width * (1 if self.suspect or self.paced else 2) - self.sending - len(self.waiting))

    @property
    def hungry(self) -> bool:
        """Whether it is time to claim more for it."""
        return self.full and 2 * len(self.waiting) <= self.width and self.room > 0

    def answered(self, outcome: Outcome) -> None:
        """One more after as many good answers as it is wide; half for an overload, one where there is no answer."""
        match outcome.status:
            case None:
                self.width, self.credit = 1, 0
            case int(status) if 200 <= status < 300:
                self.credit += 1
                if self.credit >= self.width:
                    self.width, self.credit = min(self.width + 1, WIDEST), 0
            case int(status):
                self.credit = 0
                if status == HTTPStatus.GONE:
                    self.width = 0  # until the endpoint is disabled for everybody
                elif status in OVERLOADED:
                    self.width = max(1, self.width // 2)


class Lanes:
    """The lanes of one process."""

    def __init__(self) -> None:
        self.sending = 0
        self.waiting = 0
        self._lanes: dict[str, Lane] = {}
        self._turns: deque[str] = deque()

    @property
    def crowded(self) -> bool:
        """Whether there is no need to claim more yet."""
        return self.sending + self.waiting > SLOTS

    @property
    def free(self) -> int:
        """How many deliveries to claim in all."""
        return max(0, 2 * SLOTS - self.sending - self.waiting)

    def room(self) -> Mapping[str, int]:
        """How many of them for each endpoint that is known here."""
        self._forget()
        suspects = [lane for lane in self._lanes.values() if lane.suspect]
        left = SUSPECT_SLOTS - sum(lane.sending + len(lane.waiting) for lane in suspects)
        room: dict[str, int] = {}
        for endpoint_id, lane in self._lanes.items():
            room[endpoint_id] = min(lane.room, left) if lane.suspect else lane.room
            left -= room[endpoint_id] if lane.suspect else 0
        return room

    def put(self, claimed: Claimed) -> None:
        """Line up what was claimed, and note which endpoints are owed more than that."""
        for owed in claimed.owed:
            endpoint_id = owed.target.endpoint_id
            lane = self._lanes.pop(endpoint_id) if endpoint_id in self._lanes else Lane()
            self._lanes[endpoint_id] = lane
            lane.waiting.append(owed)
            lane.paced = owed.target.paced
            self.waiting += 1
            self._queue(endpoint_id, lane)
        for endpoint_id, lane in self._lanes.items():
            if claimed.whole or endpoint_id in claimed.served:
                lane.full = endpoint_id in claimed.left

    def next(self) -> Owed | None:
        """The delivery to start now: endpoints in turn, each as its lane allows."""
        while self._turns and self.sending < SLOTS:
            endpoint_id = self._turns.popleft()
            lane = self._lanes[endpoint_id]
            lane.in_turn = False
            if lane.open:
                lane.sending += 1
                self.sending += 1
                self.waiting -= 1
                owed = lane.waiting.popleft()
                self._queue(endpoint_id, lane)
                return owed
        return None

    def ended(self, endpoint_id: str, outcome: Outcome | None) -> list[Owed]:
        """A request is over; answers what is to be given back, because the lane got narrower."""
        lane = self._lanes[endpoint_id]
        width = lane.width
        lane.sending -= 1
        self.sending -= 1
        if outcome is not None:
            lane.answered(outcome)
        back = self.empty([endpoint_id]) if lane.width < width else []
        self._queue(endpoint_id, lane)
        return back

    @property
    def occupied(self) -> list[str]:
        """The endpoints for which something waits."""
        return [endpoint_id for endpoint_id, lane in self._lanes.items() if lane.waiting]

    def empty(self, endpoint_ids: Iterable[str]) -> list[Owed]:
        """What waits for these endpoints, to be given back."""
        back: list[Owed] = []
        for lane in (self._lanes[endpoint_id] for endpoint_id in endpoint_ids if endpoint_id in self._lanes):
            lane.full |= bool(lane.waiting)
            back += lane.waiting
            lane.waiting.clear()
        self.waiting -= len(back)
        return back

    def reopen(self, endpoint_id: str) -> None:
        """What follows from a 410 is recorded."""
        if lane := self._lanes.get(endpoint_id):
            lane.width = max(1, lane.width)

    def hungry(self, endpoint_id: str) -> bool:
        """Whether it is time to claim more for this endpoint."""
        lane = self._lanes.get(endpoint_id)
        return lane is not None and lane.hungry

    def drain(self) -> list[Owed]:
        """Everything that waits, to be given back."""
        return self.empty(self._lanes)

    def _queue(self, endpoint_id: str, lane: Lane) -> None:
        if lane.open and not lane.in_turn:
            lane.in_turn = True
            self._turns.append(endpoint_id)

    def _forget(self) -> None:
        """Lanes are in the order in which something was last claimed for them."""
        idle = [endpoint_id for endpoint_id, lane in self._lanes.items() if lane.idle and not lane.in_turn]
        for endpoint_id in idle[: max(0, len(idle) - REMEMBERED)]:
            del self._lanes[endpoint_id]
