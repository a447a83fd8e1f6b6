"""
The renderer, a process of its own: `python -m dispatcher.jobs.rendering FOLDER [CODEC]`.

Reads the plan from plan.json in the folder, writes the files beside it, and tells on stdout, in lines of JSON, how
far it is and how it ended. It dies with whoever holds the other end of its stdin, and takes the folder with it.
"""

import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

import orjson

from storage.errors import JobErrorCode, JobFailed
from storage.tables.jobs import RenderParameters

NEEDED = ""
try:
    from dispatcher.jobs.rendering import film
except ImportError as missing:
    NEEDED = f'Rendering needs the extra "video" (pip install "lectern[video]"): {missing}.'

NICENESS = 10
TELL_EVERY_SECONDS = 0.5


def main(folder: Path, codec: str | None = None) -> None:
    """Render the plan; a failure is told, a crash is seen."""
    threading.Thread(target=_end_with_parent, args=[folder], daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(NICENESS)  # whoever waits for an answer goes first
    try:
        _tell(**_render(folder, codec))
    except JobFailed as failed:
        _tell(failed=failed.message)


def _render(folder: Path, codec: str | None) -> dict[str, Any]:
    if NEEDED:
        raise JobFailed(JobErrorCode.RENDER_FAILED, NEEDED)
    plan = RenderParameters.model_validate_json((folder / "plan.json").read_bytes())
    made = film.make(plan, folder, codec, _Teller())
    return {
        "video": made.video.name,
        "captions": made.captions.name,
        "poster": made.poster.name,
        "notices": [notice.model_dump() for notice in made.notices],
    }


class _Teller:
    """Tells every scene, and what is between them from time to time."""

    def __init__(self) -> None:
        self._scenes = 0
        self._at = time.monotonic()

    def __call__(self, scenes: int, seconds: float) -> None:
        if scenes > self._scenes or time.monotonic() > self._at + TELL_EVERY_SECONDS:
            self._scenes, self._at = scenes, time.monotonic()
            _tell(scenes=scenes, seconds=seconds)


def _tell(**news: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(news, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def _end_with_parent(folder: Path) -> None:
    os.read(0, 1)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
