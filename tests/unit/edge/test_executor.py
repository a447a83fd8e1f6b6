"""Operations are executed in slices, and their objects counted."""

import asyncio
from typing import Any

import pytest
from graphql import GraphQLSchema, build_schema, execute, parse
from graphql.execution import Executor

from gateway.executor import PacedExecutor, paced

SCHEMA: GraphQLSchema = build_schema(
    "type Query { rows: [Row!]  row: Row  fails: [Row!] }  type Row { id: Int  rows: [Row!]  later: Row }"
)


class Row:
    """A row with as many rows as wanted."""

    def __init__(self, id: int, rows: int = 0) -> None:
        self.id = id
        self.rows = [Row(number) for number in range(rows)]

    async def later(self, info: Any) -> "Row":
        await asyncio.sleep(0)
        return Row(self.id)


MANY = {"rows": [Row(number, 50) for number in range(50)], "row": Row(1)}


async def test_a_long_operation_lets_others_run_and_answers_the_same() -> None:
    executor = paced(Executor)
    document = parse("{ rows { id rows { id a: id b: id c: id d: id } } }")
    expected = execute(SCHEMA, document, MANY)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(others())
    result = execute(SCHEMA, document, MANY, executor_class=executor)
    assert asyncio.iscoroutine(result), "2550 objects take longer than a slice"
    assert await result == expected
    assert turns > 2
    waiting.cancel()


async def test_a_long_list_is_no_crowd_of_tasks() -> None:
    """To make thousands at once holds the loop for seconds."""
    document = parse("{ rows { id } }")
    many = {"rows": [Row(number) for number in range(10_000)]}
    most = 0

    async def others() -> None:
        nonlocal most
        while True:
            most = max(most, len(asyncio.all_tasks()))
            await asyncio.sleep(0)

    waiting = asyncio.create_task(others())
    result = execute(SCHEMA, document, many, executor_class=paced(Executor))
    assert asyncio.iscoroutine(result)
    assert await result == execute(SCHEMA, document, many)
    assert most < 10
    waiting.cancel()


async def test_a_short_operation_does_not_wait_for_the_end_of_a_long_list() -> None:
    """What has used up its slice goes behind all others."""
    seen = 0

    def number(_info: object) -> int:
        nonlocal seen
        seen += 1
        return seen

    executor, many = paced(Executor), [{"id": number}] * 20_000
    result = execute(SCHEMA, parse("{ rows { id } }"), {"rows": many}, executor_class=executor)
    assert asyncio.iscoroutine(result)
    long = asyncio.create_task(result)
    await asyncio.sleep(0)
    short = execute(SCHEMA, parse("{ row { id } }"), MANY, executor_class=executor)
    assert asyncio.iscoroutine(short), "the slice is used up"
    assert await short == ({"row": {"id": 1}}, None)
    assert seen < len(many) / 2
    assert not (await long).errors
    assert seen == len(many)


async def test_an_operation_that_is_given_up_in_a_long_list_leaves_nothing_behind() -> None:
    """A coroutine that nobody awaits any more is a warning, and here a failure."""
    many = {"rows": [Row(number) for number in range(10_000)]}
    result = execute(SCHEMA, parse("{ rows { later { id } } }"), many, executor_class=paced(Executor))
    assert asyncio.iscoroutine(result)
    working = asyncio.create_task(result)
    await asyncio.sleep(0)
    working.cancel()
    await asyncio.wait([working])
    assert working.cancelled()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        await asyncio.wait(left)


async def test_a_short_operation_is_executed_at_once() -> None:
    result = execute(SCHEMA, parse("{ row { id } }"), MANY, executor_class=paced(Executor))
    assert not asyncio.iscoroutine(result)


@pytest.mark.parametrize(
    ("query", "objects"),
    [
        ("{ __typename }", 0),
        ("{ row { id } }", 1),
        ("{ row { later { id } } }", 2),
        ("{ __schema { types { name } } }", 0),
    ],
)
async def test_objects_are_counted(query: str, objects: int) -> None:
    executor = paced(Executor).build(SCHEMA, parse(query), MANY)
    assert isinstance(executor, PacedExecutor)
    result = executor.execute_operation()
    if asyncio.iscoroutine(result):
        await result
    assert executor.objects == objects
