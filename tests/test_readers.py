"""Readers of packages: one waits for the next package, and none outlives who started it."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dispatcher.jobs.readers import Frame, ReaderCrashed, Readers, frames
from tests.ingesting import COURSE, QTI, client
from tests.packages.builders import bulk
from tests.world import World


@contextlib.asynccontextmanager
async def ready(count: int) -> AsyncIterator[Readers]:
    readers = Readers(count)
    readers.prepare()
    try:
        yield readers
    finally:
        await readers.close()


async def told(reader: Process, folder: Path) -> list[Frame]:
    """What a reader tells of a package."""
    path = folder / "package.zip"
    path.write_bytes(QTI)
    return [frame async for frame in frames(reader, path)]


async def test_one_after_the_other_reads_a_package_and_a_new_one_waits(tmp_path: Path) -> None:
    seen = set()
    async with ready(1) as readers:
        for _ in range(3):
            async with readers.one() as reader:
                assert (await told(reader, tmp_path))[0]["format"] == "QTI_3_0"
                seen.add(reader.pid)
    assert len(seen) == 3


async def test_as_many_at_once_as_are_needed(tmp_path: Path) -> None:
    async with ready(1) as readers, readers.one() as first, readers.one() as second:
        assert await told(first, tmp_path) == await told(second, tmp_path)


async def test_one_that_died_while_it_waited_is_not_used(tmp_path: Path) -> None:
    async with ready(2) as readers:
        for each in readers._ready:
            reader = await each
            os.kill(reader.pid, signal.SIGKILL)
            await reader.wait()
        async with readers.one() as another:
            assert await told(another, tmp_path)


async def test_one_that_dies_while_it_reads_is_not_taken_for_one_that_has_told_all(tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    bulk(str(path), 3_000)
    async with Readers(0).one() as reader, contextlib.aclosing(frames(reader, path)) as told:
        assert (await anext(told))["total"] == 3_300
        reader.kill()
        with pytest.raises(ReaderCrashed, match="status -9"):
            async for _ in told:
                pass


async def test_one_that_waits_ends_with_whoever_started_it() -> None:
    async with Readers(0).one() as reader:
        assert reader.stdin is not None
        reader.stdin.close()
        output, faults = await reader.communicate()
        assert (reader.returncode, output, faults) == (0, b"", b"")


async def test_none_is_left_when_they_are_closed() -> None:
    async with ready(2) as readers:
        waiting = await asyncio.gather(*readers._ready)
    assert [reader.returncode for reader in waiting] == [-signal.SIGKILL] * 2
    readers.prepare()
    assert not readers._ready


async def test_packages_are_read_by_the_readers_that_wait(lectern: World) -> None:
    author = await client(lectern)
    async with lectern.background(idle_readers=1):
        for content in (QTI, COURSE, QTI):
            job = await author.finished(await author.upload(content))
            assert job["status"] == "COMPLETED"
