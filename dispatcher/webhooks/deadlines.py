"""Time limits of one length: a single timer watches all that run, where one each costs as much as two signatures."""

import asyncio


class Deadlines:
    """Those of one loop; each ends what runs under it with TimeoutError, as asyncio.timeout does."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: dict[asyncio.Timeout, float] = {}
        """The running ones, in the order in which they end."""
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> asyncio.Timeout:
        """A limit to enter at once; say when it is over."""
        loop = asyncio.get_running_loop()
        limit = asyncio.timeout(None)
        self._ends[limit] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._end)
        return limit

    def over(self, limit: asyncio.Timeout) -> None:
        """Nothing runs under it any more."""
        self._ends.pop(limit, None)

    def close(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()

    def _end(self) -> None:
        """End what has run out of time, and come again for the next one."""
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._ends:
            limit, end = next(iter(self._ends.items()))
            if end > loop.time():
                self._timer = loop.call_at(end, self._end)
                return
            del self._ends[limit]
            limit.reschedule(end)
