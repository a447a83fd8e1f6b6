"""Loaders whose keys go together, also when the objects that ask are executed in several turns."""

import asyncio
from collections.abc import Awaitable
from contextvars import ContextVar
from typing import TypeVar

from strawberry.dataloader import DataLoader

Key = TypeVar("Key")
Value = TypeVar("Value")


class PutOff:
    """The objects of one operation that wait for the loop to come round."""

    def __init__(self) -> None:
        self._waiting: set[object] = set()
        self._none: asyncio.Future[None] | None = None

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def begin(self, turn: object) -> None:
        """Somebody's turn is put off."""
        self._waiting.add(turn)

    def end(self, turn: object) -> None:
        """It has come, or never will; may be told again."""
        self._waiting.discard(turn)
        if self._none is not None and not self._waiting:
            self._none.set_result(None)
            self._none = None

    async def over(self) -> None:
        """Returns when nothing is put off any more, to all who wait in the same round of the loop."""
        while self._waiting:
            if self._none is None:
                self._none = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._none)


put_off: ContextVar[PutOff] = ContextVar("put_off")
"""What is put off of the operation that is being executed."""


class Loader(DataLoader[Key, Value]):
    """Takes keys only when no object is put off: else each turn would ask for its few, with a statement of its own."""

    def load(self, key: Key) -> Awaitable[Value]:
        """The value of a key, asked for together with those of all others that wait."""
        waiting = put_off.get(None)
        return self._load_later(key, waiting) if waiting else super().load(key)

    async def _load_later(self, key: Key, waiting: PutOff) -> Value:
        await waiting.over()
        return await super().load(key)
