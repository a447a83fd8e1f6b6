"""Real installations: `lectern up` in a folder of its own, its children found by what they run, signals sent by pid."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.world import eventually

LECTERN = [sys.executable, "-m", "gateway"]
PROJECT = Path(__file__).parents[1]


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def environment(**settings: str) -> dict[str, str]:
    """Ours without any LECTERN_ variable, and these."""
    ours = ("LECTERN_", "PYTHONDONTWRITEBYTECODE")  # compiling the project anew takes a process a second
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**inherited, "PYTHONPATH": str(PROJECT), **settings}


def running(folder: Path, words: str) -> list[int]:
    """The processes that were started in the folder and whose command line holds the words; zombies do not run."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and Path(os.readlink(entry / "cwd")).is_relative_to(folder.resolve()):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if words in command and not command.startswith("/bin/sh"):
                    found.append(int(entry.name))
    return found


@dataclass
class Installation:
    """A gateway that answers, in processes of its own."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"
    keys: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the graph is."""
        return f"http://127.0.0.1:{self.port}/graphql"

    def output(self) -> str:
        """What `lectern up` and its children have said."""
        return (self.folder / "output.txt").read_text()

    async def graph(self, query: str, **variables: Any) -> dict[str, Any]:
        """Run an operation with the content key; answers data."""
        async with httpx.AsyncClient(timeout=30) as client:
            answer = await client.post(
                self.url,
                json={"query": query, "variables": variables},
                headers={"Authorization": f"Bearer {self.keys['CONTENT']}"},
            )
        body: dict[str, Any] = answer.json()
        assert "errors" not in body, body
        data: dict[str, Any] = body["data"]
        return data

    def kill(self, words: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to the one child that runs these words; answers its pid."""
        (pid,) = running(self.folder, words)
        os.kill(pid, number)
        return pid

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End `lectern up` and wait for it; answers its exit status."""
        self.process.send_signal(number)
        return await asyncio.to_thread(self.process.wait, 30)

    async def gone(self) -> None:
        """Returns once nothing of it runs any more."""

        async def nothing_runs() -> bool:
            return not running(self.folder, "")

        await eventually(nothing_runs, within=20)


@contextlib.asynccontextmanager
async def installation(folder: Path, **settings: str) -> AsyncIterator[Installation]:
    """`lectern up` until the block ends; keys are those of the first start in the folder."""
    port = free_port()
    with open(folder / "output.txt", "ab") as output:
        process = subprocess.Popen(
            [*LECTERN, "up", "--port", str(port)],
            cwd=folder,
            env=environment(LECTERN_WEBHOOK_ALLOW_PRIVATE="1", **settings),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    made = Installation(folder, port, process, settings=settings)
    try:
        await eventually(lambda: _ready(made), within=60)
        made.keys = dict(re.findall(r"LECTERN_(\w+)_KEY=(\S+)", made.output()))
        yield made
    finally:
        if process.poll() is None:
            await made.stop()


async def _ready(made: Installation) -> bool:
    assert made.process.poll() is None, made.output()
    with contextlib.suppress(httpx.TransportError):
        async with httpx.AsyncClient() as client:
            return (await client.get(f"http://127.0.0.1:{made.port}/readyz")).status_code == 200
    return False


@contextlib.contextmanager
def process(command: list[str], folder: Path, **settings: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A child that is ended with the block."""
    with open(folder / "output.txt", "ab") as output:
        child = subprocess.Popen(
            command, cwd=folder, env=environment(**settings), stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield child
    finally:
        child.terminate()
        child.wait(20)
