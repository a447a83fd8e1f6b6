"""What an author reports while it writes."""

from typing import NamedTuple, Protocol


class Spent(NamedTuple):
    """What one request of a model took, as its service counts it."""

    input_tokens: int
    output_tokens: int


class Watch(Protocol):
    """Whoever wants to know how far an author is, and what it uses up."""

    async def wrote(self, done: int, total: int) -> None:
        """So many of so many pieces are written."""

    async def spent(self, spent: Spent) -> None:
        """A model has been asked once more."""
