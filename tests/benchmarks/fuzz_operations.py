"""
Ten thousand random operations, twice: `python -m tests.benchmarks.fuzz_operations [how many] [first seed]`.

First those of schemathesis, so many for each root field, then our own, which know the ids that are there and of which a
third is bent. Stops at the first answer that is a fault of ours or says too much, with what was sent.
"""

import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

import httpx
import structlog

from gateway import valkey
from gateway.supervisor import Supervisor
from storage.migrations import upgrade
from tests import loopback
from tests.schemathesis_operations import documents
from tests.test_fuzzed_operations import neighbourhood
from tests.world import world

ROOT_FIELDS = 85


async def fuzz(settings: dict[str, str], count: int, first: int) -> Counter[str]:
    """How often each outcome was seen."""
    await upgrade(settings["database_url"])
    seen: Counter[str] = Counter()
    async with world(settings) as lectern:
        neighbours = await neighbourhood(lectern)
        for document in documents(-(-count // ROOT_FIELDS)):
            seen["schemathesis " + outcome(await neighbours.send(Random(first), {"query": document}))] += 1
        for seed in range(first, first + count):
            try:
                response = await neighbours.ask(Random(seed), bent=seed % 3 == 0)
            except AssertionError:
                print(f"seed {seed}")
                raise
            seen[outcome(response)] += 1
    return seen


def outcome(response: httpx.Response) -> str:
    """The status, and the codes of the errors."""
    codes = {error["extensions"]["code"] for error in response.json().get("errors", [])}
    return f"{response.status_code} {' '.join(sorted(codes)) or 'OK'}"


def main(count: int = 10_000, first: int = 0) -> None:
    """Run and tell."""
    loopback.install()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory(prefix="lectern-") as folder, Supervisor(Path(folder), grace=5) as supervisor:
        settings = {
            "database_url": f"sqlite+aiosqlite:///{folder}/fuzzed.db",
            "redis_url": valkey.start(supervisor, Path(folder)),
            "blob_url": f"file://{folder}/blobs",
        }
        started = time.monotonic()
        seen = asyncio.run(fuzz(settings, count, first))
    for outcome, times in seen.most_common():
        print(f"{times:6}  {outcome}")
    faults = sum(times for outcome, times in seen.items() if " 5" in f" {outcome}" or "INTERNAL" in outcome)
    print(f"{sum(seen.values()):,} operations in {time.monotonic() - started:.0f} s: {faults} faults, 0 leaks")
    assert not loopback.escapes, "something tried to leave this machine"


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
