"""What benchmarks share: percentiles, the memory of processes, and a real installation to measure."""

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.processes import LECTERN, Installation, environment, installation


def at(share: float, values: Sequence[float]) -> float:
    """The value below which this share of them lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def load() -> str:
    """How busy the machine is, for whoever reads the figures."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def peak(pids: Iterable[int]) -> float:
    """The most memory that some processes have had at a time each, in MiB; those that are gone count nothing."""
    return sum(_status(pid, "VmHWM") for pid in pids)


def seconds(pids: Iterable[int]) -> float:
    """The time of a core that some processes have used so far."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])  # user and system
    return ticks / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """The memory that a process has now, in MiB."""
    return _status(pid, "VmRSS")


def _status(pid: int, name: str) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
    return 0.0


@contextlib.asynccontextmanager
async def embedded(**settings: str) -> AsyncIterator[Installation]:
    """`lectern up` as a newcomer has it, in a temporary folder on the disk."""
    with tempfile.TemporaryDirectory(prefix="lectern-bench-") as folder:
        async with installation(Path(folder), **settings) as made:
            yield made


def lectern(made: Installation, *words: str, stdin: str = "") -> str:
    """What a command on the installation's database prints."""
    command = [*LECTERN, *words]
    options: dict[str, Any] = {"cwd": made.folder, "env": environment(**made.settings), "input": stdin, "text": True}
    printed: str = subprocess.run(command, capture_output=True, check=True, **options).stdout
    return printed


def access_token(made: Installation, environment: str = "production") -> str:
    """Of a new OAuth client that may read and write content."""
    limits = ("--scopes", "content.read,content.write", "--rate-limit", "100000", "--environment", environment)
    client = json.loads(lectern(made, "client", "create", *limits))
    answer = httpx.post(
        made.url.replace("/graphql", "/oauth/token"),
        data={"grant_type": "client_credentials"},
        auth=(client["client_id"], client["client_secret"]),
    )
    token: str = answer.raise_for_status().json()["access_token"]
    return token


_client = httpx.Client(timeout=60)
"""One for all: to make one takes longer than most answers, on the cores that belong to what is measured."""


def ask(made: Installation, token: str, query: str, **variables: Any) -> dict[str, Any]:
    """The data of an operation, by whoever has a token."""
    body = {"query": query, "variables": variables}
    answer = _client.post(made.url, json=body, headers={"Authorization": f"Bearer {token}"}).json()
    assert "errors" not in answer, answer["errors"]
    data: dict[str, Any] = answer["data"]
    return data
