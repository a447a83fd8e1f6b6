"""Processes that read packages: one for each, and some that are ready for the next."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import orjson

from dispatcher.settings import harmless_environment
from storage.errors import JobErrorCode, JobFailed

READER = ("-m", "storage.packages")

AHEAD = 2**20
"""Bytes that a reader may be ahead, twice over: it reads on while a batch is written."""

Frame = dict[str, Any]


class ReaderCrashed(Exception):  # noqa: N818
    """The process that read the package ended as none of ours should."""


class Readers:
    """
    The readers of one background process; close them at its end.

    To start one takes as long as to read some hundred items, so the next one is started before it is asked for.
    """

    def __init__(self, ready: int) -> None:
        """`ready` is how many wait for a package."""
        self._most = ready
        self._ready: deque[asyncio.Task[Process]] = deque()

    def prepare(self) -> None:
        """Start those that are to wait; after a job, not beside its last steps."""
        while len(self._ready) < self._most:
            self._ready.append(asyncio.create_task(_start()))

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[Process]:
        """A reader that waits for a package; it dies with the block, in the middle of whatever it does."""
        reader = await self._next()
        try:
            yield reader
        finally:
            await _end(reader)

    async def close(self) -> None:
        """End those that wait."""
        self._most = 0
        while self._ready:
            with contextlib.suppress(OSError):
                await _end(await self._ready.popleft())

    async def _next(self) -> Process:
        while self._ready:
            with contextlib.suppress(OSError):  # it could not be started then; perhaps it can be now
                reader = await self._ready.popleft()
                if reader.returncode is None:
                    return reader
        return await _start()


async def frames(reader: Process, path: Path) -> AsyncGenerator[Frame, None]:
    """
    Frame after frame of a package.

    JobFailed when the reader refuses the package, ReaderCrashed when it ends without an end.
    """
    assert reader.stdin is not None  # noqa: S101  (they are pipes)
    assert reader.stdout is not None  # noqa: S101
    assert reader.stderr is not None  # noqa: S101
    reader.stdin.write(f"{path}\n".encode())
    with contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            length = await reader.stdout.readexactly(4)
            frame: Frame = orjson.loads(await reader.stdout.readexactly(int.from_bytes(length, "big")))
            if refused := frame.get("refused"):
                raise JobFailed(JobErrorCode(refused["code"]), refused["message"])
            if "end" in frame:
                return
            yield frame
    said = (await reader.stderr.read()).decode(errors="replace")
    raise ReaderCrashed(f"status {await reader.wait()}: {said[-2000:]}")


async def _start() -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, *READER),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        limit=AHEAD,
        env=harmless_environment(),
        start_new_session=True,
    )


async def _end(reader: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        reader.kill()
    await reader.communicate()
