"""A receiver that costs next to nothing, in a process of its own: `python -m tests.benchmarks.receiving PORT CORE`."""

import asyncio
import contextlib
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from socket import create_connection
from typing import cast

import uvloop

from tests.processes import free_port
from tests.world import eventually

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
COUNT = b"COUNT"
STAMP = struct.Struct("!qd")


class Counter:
    """How many requests there were, and when the last one came (seconds since 1970)."""

    def __init__(self) -> None:
        self.requests = 0
        self.last = 0.0
        self.seconds = 0.0
        self.hangs = False


class Receiving(asyncio.Protocol):
    """Answers each POST with 204, at once or a little later; `COUNT` is answered with what there was so far."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.buffer.startswith(COUNT):
            self._control()
            return
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(self.buffer) < end + 4 + length:
                return
            self.buffer = self.buffer[end + 4 + length :]
            self.counter.requests += 1
            self.counter.last = time.time()
            if self.counter.hangs:
                continue
            if self.counter.seconds:
                asyncio.get_running_loop().call_later(self.counter.seconds, self.transport.write, ANSWER)
            else:
                self.transport.write(ANSWER)

    def _control(self) -> None:
        """COUNT, or COUNT with new seconds: then everything is forgotten."""
        _, _, seconds = self.buffer.partition(b" ")
        self.transport.write(STAMP.pack(self.counter.requests, self.counter.last))
        if seconds:
            self.counter.requests, self.counter.last = 0, 0.0
            self.counter.seconds, self.counter.hangs = max(0.0, float(seconds)), float(seconds) < 0
        self.buffer = b""


def look(port: int, seconds: float | None = None) -> tuple[int, float]:
    """How many requests came, and when the last; with seconds, how long answers take from now on (-1: for ever)."""
    with create_connection(("127.0.0.1", port)) as control:
        control.sendall(COUNT if seconds is None else COUNT + b" %f" % seconds)
        requests, last = STAMP.unpack(control.recv(STAMP.size))
    return int(requests), float(last)


@contextlib.contextmanager
def receiving(core: int) -> Iterator[int]:
    """Such a process on a core; answers its port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.receiving", str(port), str(core)])
    try:
        asyncio.run(_listens(port))
        yield port
    finally:
        process.terminate()
        process.wait(10)


async def _listens(port: int) -> None:
    async def there() -> bool:
        with contextlib.suppress(ConnectionRefusedError):
            look(port)
            return True
        return False

    await eventually(there)


async def serve(port: int) -> None:
    """Until the process is ended."""
    counter = Counter()
    server = await asyncio.get_running_loop().create_server(lambda: Receiving(counter), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[2])})
    uvloop.run(serve(int(sys.argv[1])))
