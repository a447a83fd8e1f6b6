"""What was used last, as much of it as fits."""

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """Values by key; when there are too many, or they are too large together, the one used longest ago goes first."""

    def __init__(self, entries: int, size: int) -> None:
        """So many entries at most, and so much of whatever their sizes are counted in."""
        self._entries = entries
        self._size = size
        self._kept: OrderedDict[str, tuple[T, int]] = OrderedDict()
        self._kept_size = 0

    def get(self, key: str) -> T | None:
        """The value, which has been used now; None when there is none any more."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def keep(self, key: str, value: T, size: int) -> None:
        """Remember a value in place of what was there."""
        _, before = self._kept.pop(key, (None, 0))
        self._kept[key] = (value, size)
        self._kept_size += size - before
        while len(self._kept) > self._entries or self._kept_size > self._size:
            _, (_, freed) = self._kept.popitem(last=False)
            self._kept_size -= freed
