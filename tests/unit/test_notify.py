"""Waiting for a bell."""

import asyncio

import pytest

from storage.notify import wait


@pytest.mark.parametrize("turns", range(5))
async def test_whoever_is_cancelled_just_when_the_bell_rings_does_end(turns: int) -> None:
    heard = asyncio.Event()

    async def listen() -> None:
        while True:
            heard.clear()
            await wait(heard, 60)

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)
    heard.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    listening.cancel()
    await asyncio.wait([listening], timeout=1)
    assert listening.cancelled()


async def test_nobody_waits_longer_than_told() -> None:
    await wait(asyncio.Event(), 0.001)
