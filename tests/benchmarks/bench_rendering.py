"""
How fast films are made, and how much memory that takes: `python -m tests.benchmarks.bench_rendering`.

Aims, at 1280 × 720: eight times real time without narration, and memory that does not grow with the film. Every film
is made by the renderer as the worker starts it, in a process of its own. The aim is judged by its processor time, as if
it had one core for itself: what else this machine does at the same time only changes the time that passes.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.films import plan

SCENE_SECONDS = 6.0
AIM_SPEED = 8.0
AIM_GROWTH = 1.1


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one film: how many times faster than real time it was made, by the clock and by the processor, and memory."""

    by_clock: float
    by_processor: float
    mebibytes: float


def rendered(seconds: int, *, script: str | None, codec: str = "h264") -> Cost:
    """Makes a film of so many seconds; without a script its scenes say what they always say."""
    with tempfile.TemporaryDirectory(prefix="bench-rendering-") as name:
        scenes = plan(*[SCENE_SECONDS] * int(seconds / SCENE_SECONDS), script=script)
        (Path(name) / "plan.json").write_text(scenes.model_dump_json())
        command = [sys.executable, "-m", "dispatcher.jobs.rendering", name, codec]
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - begun
    if status != 0:
        raise SystemExit(f"the renderer ended with status {status}")
    return Cost(seconds / took, seconds / (usage.ru_utime + usage.ru_stime), usage.ru_maxrss / 1024)


def show(codec: str, seconds: int, script: str | None) -> Cost:
    """One line of the table."""
    cost = rendered(seconds, script=script, codec=codec)
    kind = "silent" if script == "" else "narrated"
    speeds = f"{cost.by_clock:5.1f} × real time, {cost.by_processor:5.1f} × by processor time"
    print(f"{codec:6} {kind:8} {seconds:4} s film: {speeds}, {cost.mebibytes:4.0f} MiB")
    return cost


def main() -> None:
    """Print a table, then whether the aims are met."""
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    short, long = show("h264", 60, ""), show("h264", 600, "")
    for codec, seconds, script in (("h264", 60, None), ("h264", 600, None), ("vp9", 60, ""), ("mpeg4", 60, "")):
        show(codec, seconds, script)
    speed, growth = min(short.by_processor, long.by_processor), long.mebibytes / short.mebibytes
    print(f"silent: {speed:.1f} × real time on one core (aim {AIM_SPEED:g})")
    print(f"ten times the film: {growth:.2f} × the memory (aim {AIM_GROWTH:g})")
    if speed < AIM_SPEED or growth > AIM_GROWTH:
        raise SystemExit("the aim is missed")


if __name__ == "__main__":
    main()
