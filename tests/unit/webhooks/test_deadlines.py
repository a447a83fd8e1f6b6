"""Time limits that share a timer: each ends what runs under it, in its time, and nothing else."""

import asyncio

import pytest

from dispatcher.webhooks.deadlines import Deadlines

SECONDS = 0.05


async def for_ever(deadlines: Deadlines) -> float:
    """Waits in vain; the seconds until it was ended."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    limit = deadlines.start()
    try:
        with pytest.raises(TimeoutError):
            async with limit:
                await asyncio.Event().wait()
    finally:
        deadlines.over(limit)
    return loop.time() - began


async def test_each_of_many_ends_after_its_own_time() -> None:
    deadlines = Deadlines(SECONDS)
    first = asyncio.create_task(for_ever(deadlines))
    second = asyncio.create_task(for_ever(deadlines))
    assert await first >= SECONDS * 0.9
    third = asyncio.create_task(for_ever(deadlines))
    assert await second >= SECONDS * 0.9
    assert await third >= SECONDS * 0.9


async def test_what_was_over_in_time_is_left_alone() -> None:
    deadlines = Deadlines(SECONDS)
    for _ in range(100):
        limit = deadlines.start()
        async with limit:
            await asyncio.sleep(0)
        deadlines.over(limit)
    assert await for_ever(deadlines) >= SECONDS * 0.9
    assert not limit.expired()


async def test_to_be_cancelled_is_no_time_out() -> None:
    deadlines = Deadlines(SECONDS)
    waiting = asyncio.create_task(for_ever(deadlines))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    deadlines.close()
