"""How operations are executed: by graphql-core, counted, and in slices that leave the loop to others."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Iterable
from typing import Any

from graphql import GraphQLLeafType, GraphQLObjectType
from graphql.execution import Executor

from schema.batching import PutOff
from storage.tables.columns import dump

SLICE_SECONDS = 0.01
"""How long operations may hold the loop before everything else that waits for it has its turn."""

LONG = 100
"""Elements from which on a list is walked over in slices; pages are no longer than this."""


class Pace:
    """The time that the operations of one process have used since the loop last looked at its sockets."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self._until: float | None = None

    def is_used_up(self) -> bool:
        """Whether it is time to let others run."""
        if self._until is None:
            self._until = time.perf_counter() + SLICE_SECONDS
            asyncio.get_running_loop().call_soon(self._renew)
        return time.perf_counter() > self._until

    async def wait(self) -> None:
        """Let the loop come round until there is time again; who has waited longest has it first."""
        async with self.turn:
            while self.is_used_up():  # noqa: ASYNC110
                await asyncio.sleep(0)

    def _renew(self) -> None:
        self._until = None


class OutOfHand(Exception):  # noqa: N818
    """The answer has become too large; what there is of it is thrown away."""


class PacedExecutor(Executor[Any]):
    """Counts what it answers with, ends where that is too much, and puts off what comes when its time is used up."""

    pace: Pace
    objects = 0
    characters = 0
    most_objects = most_characters = sys.maxsize

    def __init__(self, *parts: Any, **named: Any) -> None:
        super().__init__(*parts, **named)
        self.put_off = PutOff()

    @property
    def is_out_of_hand(self) -> bool:
        """Whether the answer is larger than answers may be."""
        return self.objects > self.most_objects or self.characters > self.most_characters

    def collect_and_execute_subfields(self, type_: GraphQLObjectType, *field: Any) -> Any:
        """The fields of one object of this type; introspection costs nothing, as in the price."""
        self.objects += not type_.name.startswith("__")
        if self.is_out_of_hand:
            raise OutOfHand
        if self.pace.is_used_up():
            return self._put_off(type_, field)
        return super().collect_and_execute_subfields(type_, *field)

    def complete_iterable_value(
        self, item_type: Any, fields: Any, info: Any, path: Any, items: Iterable[Any], context: Any
    ) -> Any:
        """A list; a long one is walked over in slices, as each element that is put off would be a task."""
        if not isinstance(items, list) or len(items) <= LONG:
            return super().complete_iterable_value(item_type, fields, info, path, items, context)
        return self._complete_long(item_type, fields, info, path, items, context)

    def complete_leaf_value(self, return_type: GraphQLLeafType, result: Any) -> Any:  # type: ignore[override]
        """A scalar or an enum."""
        value = super().complete_leaf_value(return_type, result)
        match value:
            case str():
                self.characters += len(value)
            case dict() | list():
                self.characters += len(dump(value))
        return value

    async def _complete_long(
        self, item_type: Any, fields: Any, info: Any, path: Any, items: list[Any], context: Any
    ) -> list[Any]:
        """What has to be awaited is a task at once, so that nothing is left unbegun when the operation is given up."""
        turn, completed, begun = object(), list[Any](), dict[int, asyncio.Future[Any]]()
        self.put_off.begin(turn)
        try:
            for index, item in enumerate(items):
                if self.pace.is_used_up():
                    await self.pace.wait()
                about = (item_type, fields, info, path.add_key(index, None), context)
                is_pending = self.is_awaitable(item)
                if is_pending:
                    completed.append(self.complete_awaitable_list_item_value(item, *about))
                else:
                    is_pending = self.complete_list_item_value(item, completed, *about)
                if is_pending:
                    begun[index] = asyncio.ensure_future(completed[index])
            self.put_off.end(turn)
            for index, value in zip(begun, await asyncio.gather(*begun.values()), strict=True):
                completed[index] = value
        except BaseException:
            for each in begun.values():
                each.cancel()
            if begun:
                self.settle_in_background([*begun.values()])
            raise
        finally:
            self.put_off.end(turn)
        return completed

    def _put_off(self, type_: GraphQLObjectType, field: tuple[Any, ...]) -> Awaitable[Any]:
        turn = object()
        self.put_off.begin(turn)
        later = asyncio.ensure_future(self._execute_later(turn, type_, field))
        later.add_done_callback(lambda _: self.put_off.end(turn))  # also when it is cancelled before it has begun
        return later

    async def _execute_later(self, turn: object, type_: GraphQLObjectType, field: tuple[Any, ...]) -> Any:
        await self.pace.wait()
        fields: Awaitable[Any] | dict[str, Any] = super().collect_and_execute_subfields(type_, *field)
        self.put_off.end(turn)
        return await fields if self.is_awaitable(fields) else fields


def paced(executor: type[Executor[Any]]) -> type[PacedExecutor]:
    """The same executor, paced together with all others that it makes."""
    return type("PacedExecutor", (PacedExecutor, executor), {"pace": Pace()})
