"""How fast packages are read, and in how much memory: python -m tests.packages.measure 1000 10000 50000"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from storage.packages import manifest, qti3, xml
from storage.packages.archive import Archive
from storage.packages.package import MANIFEST, read_package
from tests.packages.builders import bulk


def unzip(path: Path) -> None:
    with path.open("rb") as file:
        archive = Archive(file)
        for entry in archive.entries.values():
            for _ in archive.chunks(entry):
                pass


def parse(path: Path) -> None:
    with path.open("rb") as file:
        archive = Archive(file)
        for entry in archive.entries.values():
            if entry.path != MANIFEST:
                xml.parse(archive.read(entry, 2**24))


def normalise(path: Path) -> None:
    with path.open("rb") as file:
        archive = Archive(file)
        for entry in archive.entries.values():
            if entry.path.startswith("items/"):
                qti3.read_item(xml.parse(archive.read(entry, 2**24)))


def manifest_only(path: Path) -> None:
    with path.open("rb") as file:
        archive = Archive(file)
        manifest.read(lambda: archive.chunks(archive.entries[MANIFEST]))


def everything(path: Path) -> None:
    with path.open("rb") as file:
        for _ in read_package(file).outcomes():
            pass


STEPS: dict[str, Callable[[Path], None]] = {
    step.__name__: step for step in (unzip, parse, normalise, manifest_only, everything)
}


def measure(step: str, path: Path, items: int) -> None:
    started, before = time.process_time(), time.perf_counter()
    STEPS[step](path)
    busy, passed = time.process_time() - started, time.perf_counter() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{step:>14} {busy:7.2f} s of CPU, {passed:7.2f} s, {items / busy:8,.0f} items/s of CPU, {peak:4.0f} MB RSS")


def main(sizes: list[int]) -> None:
    """Every step in a process of its own, so that the peak of its memory is its own; a child inherits the parent's."""
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            path = Path(folder) / f"{size}.zip"
            run("make", path, size)
            print(f"{size:,} items and {size // 10:,} stimuli, {path.stat().st_size / 2**20:.1f} MB", flush=True)
            for step in STEPS:
                run(step, path, size)


def run(step: str, path: Path, size: int) -> None:
    subprocess.run([sys.executable, "-m", "tests.packages.measure", step, str(path), str(size)], check=True)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        bulk(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1] in STEPS:
        measure(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main([int(size) for size in sys.argv[1:]])
