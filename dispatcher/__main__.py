"""`python -m dispatcher`: the background process."""

import asyncio
import gc
import os
import sys

import uvloop

from dispatcher.settings import Settings
from dispatcher.worker import work
from storage.logs import configure
from storage.settings import SettingsInvalid


def main() -> int:
    """Run until stopped; answers the exit status, EX_CONFIG when another start would be as vain."""
    configure()
    gc.freeze()  # what is imported stays: looking through it again and again took a quarter of each delivery
    try:
        settings = Settings.read()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work(settings))
    except SettingsInvalid as wrong:
        sys.stderr.write(f"{wrong}\n")
        return os.EX_CONFIG
    return 0


if __name__ == "__main__":
    sys.exit(main())
