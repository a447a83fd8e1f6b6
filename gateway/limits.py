"""
Rate limits: units taken in a sliding minute, counted in Redis by all web processes together and by each for itself.

A unit counts from its second on until 60 whole seconds have passed, so that no 60 seconds ever hold more than the
limit. What a process has admitted itself it also remembers itself: when Redis is away or has lost its memory, that
window alone decides, which fails safe.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from redis.exceptions import RedisError

from gateway import patience
from gateway.refusals import Refused
from schema.context import Budget

log = structlog.get_logger(__name__)

MINUTE = 60
"""Seconds of the window."""

CONNECTIONS = 16

AWAY_SECONDS = 1.0
"""How long Redis is left alone after it did not answer."""

MOST_WINDOWS = 20_000
"""Windows that a process remembers; those used last."""

TAKE = """
local now = tonumber(redis.call('TIME')[1])
local cost, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local used, taken = 0, {}
local units = redis.call('HGETALL', KEYS[1])
for i = 1, #units, 2 do
  if tonumber(units[i]) < now - 60 then
    redis.call('HDEL', KEYS[1], units[i])
  else
    used = used + tonumber(units[i + 1])
    taken[#taken + 1], taken[#taken + 2] = tonumber(units[i]), tonumber(units[i + 1])
  end
end
if used + cost > limit then
  return {0, now, taken}
end
if cost > 0 then
  redis.call('HINCRBY', KEYS[1], now, cost)
  redis.call('EXPIRE', KEYS[1], 62)
end
return {1, now, taken}
"""


class RateLimited(Refused):
    """The minute has not enough units left."""

    def __init__(self, window: "Window", limit: int, cost: int) -> None:
        self.window = window
        seconds = window.wait(limit, cost)
        message = f"At most {limit} a minute, this takes {cost}; try again in {seconds} s."
        super().__init__(429, "RATE_LIMITED", message, headers={"Retry-After": str(seconds)})


@dataclass(frozen=True, slots=True)
class Window:
    """The units of the last minute, by the second in which they were taken."""

    now: int
    taken: Mapping[int, int]

    @property
    def used(self) -> int:
        """All units that count."""
        return sum(self.taken.values())

    def left(self, limit: int) -> int:
        """How many units can still be taken."""
        return max(limit - self.used, 0)

    def has_room(self, limit: int, cost: int) -> bool:
        """Whether so many units can be taken."""
        return self.used + cost <= limit

    def plus(self, cost: int) -> "Window":
        """The window after so many units have been taken."""
        return Window(self.now, Counter(self.taken) + Counter({self.now: cost}))

    def wait(self, limit: int, cost: int) -> int:
        """Seconds until so many units can be taken; a whole window when that is never."""
        used = self.used
        for second in sorted(self.taken):
            used -= self.taken[second]
            if used + cost <= limit:
                return self._returns(second)
        return MINUTE + 1

    def resets_in(self) -> int:
        """Seconds until the oldest units come back."""
        return self._returns(min(self.taken)) if self.taken else 0

    def budget(self, limit: int) -> Budget:
        """What is left of the limit."""
        resets_at = datetime.fromtimestamp(self.now + self.resets_in(), UTC)
        return Budget(limit, self.left(limit), resets_at)

    def _returns(self, second: int) -> int:
        return second + MINUTE + 1 - self.now


class Windows:
    """The windows of one process."""

    def __init__(self, clock: Callable[[], float], most: int = MOST_WINDOWS) -> None:
        self._clock = clock
        self._most = most
        self._taken: OrderedDict[str, Counter[int]] = OrderedDict()

    def look(self, name: str) -> Window:
        """The window as it is now."""
        now = int(self._clock())
        taken: Mapping[int, int] = self._taken.get(name, {})
        return Window(now, {second: units for second, units in taken.items() if second >= now - MINUTE})

    def add(self, name: str, cost: int) -> Window:
        """Take units, whether there is room or not."""
        window = self.look(name).plus(cost)
        self._taken[name] = Counter(window.taken)
        self._taken.move_to_end(name)
        if len(self._taken) > self._most:
            self._taken.popitem(last=False)
        return window


class Limiter:
    """Takes units from named windows."""

    def __init__(self, redis_url: str, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._own = Windows(clock)
        self._away_until = 0.0
        self._connections = asyncio.Semaphore(CONNECTIONS)  # a wait for one of ours says nothing about Redis
        self._redis = patience.connected(redis_url)
        self._script = self._redis.register_script(TAKE)

    async def take(self, name: str, limit: int, cost: int) -> Window:
        """Take units; RateLimited when there are not enough, and then none are taken."""
        own = self._own.look(name)
        if not own.has_room(limit, cost):
            raise RateLimited(own, limit, cost)
        if (shared := await patience.aside(self._ask(name, limit, cost))) is None:
            own = self._own.look(name)  # others may have taken some while this one waited for Redis
            if not own.has_room(limit, cost):
                raise RateLimited(own, limit, cost)
            return self._own.add(name, cost)
        admitted, window = shared
        if not admitted:
            raise RateLimited(window, limit, cost)
        self._own.add(name, cost)
        return window.plus(cost)

    async def look(self, name: str, limit: int) -> Window:
        """The window as it is now."""
        shared = await patience.aside(self._ask(name, limit, 0))
        return shared[1] if shared else self._own.look(name)

    async def close(self) -> None:
        """Let go of Redis."""
        await self._redis.aclose()

    async def _ask(self, name: str, limit: int, cost: int) -> tuple[bool, Window] | None:
        """Whether Redis has taken the units, and its window before; None when it is away."""
        async with self._connections:
            if self._clock() < self._away_until:
                return None
            try:
                admitted, now, taken = await self._script([f"lectern:window:{name}"], [cost, limit])
            except (RedisError, OSError):
                self._note_absence()
                return None
        self._away_until = 0.0
        return bool(admitted), Window(now, dict(zip(taken[::2], taken[1::2], strict=True)))

    def _note_absence(self) -> None:
        """Leave Redis alone for a moment; the log says so once."""
        if not self._away_until:
            log.warning("rate limits are counted by this process alone")
        self._away_until = self._clock() + AWAY_SECONDS
