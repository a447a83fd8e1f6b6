"""`lectern ingest FILE`: the whole dance, as somebody at a terminal sees it."""

import asyncio
import json
import os
import pty
from pathlib import Path

import pytest

from tests.ingesting import QTI
from tests.packages.builders import lom, package, qti3, resource
from tests.processes import LECTERN, environment, free_port
from tests.test_oauth import client_of
from tests.world import World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

LISTED = (resource("good"), resource("bad\u202e", metadata=lom()), resource("test", "x.xml", "imsqti_test_xmlv3p0"))


class Ended:
    """A command that has ended: its status, what it printed, and what stood on its terminal."""

    def __init__(self, status: int | None, printed: bytes, shown: bytes) -> None:
        self.status = status
        self.printed = printed.decode()
        self.shown = shown.decode()


async def ingest(*words: str, **settings: str) -> Ended:
    """Run the command with a terminal as its stderr."""
    terminal, side = pty.openpty()
    command = await asyncio.create_subprocess_exec(
        *LECTERN, "ingest", *words, stdout=asyncio.subprocess.PIPE, stderr=side, env=environment(**settings)
    )
    os.close(side)
    shown = asyncio.create_task(asyncio.to_thread(_read, terminal))
    printed, _ = await command.communicate()
    return Ended(command.returncode, printed, await shown)


def _read(terminal: int) -> bytes:
    """All that is written to a terminal until nobody has it open any more."""
    shown = b""
    with open(terminal, "rb", buffering=0) as stream:
        while True:
            try:
                piece = stream.read(4096)
            except OSError:  # how Linux says that the other side is closed
                return shown
            if not piece:
                return shown
            shown += piece


async def known_to(lectern: World) -> dict[str, str]:
    """The settings of somebody who may ingest."""
    id, secret = await client_of(lectern)
    return {"LECTERN_CLIENT_ID": id, "LECTERN_CLIENT_SECRET": secret}


async def test_a_package_is_sent_followed_and_explained(lectern: World, tmp_path: Path) -> None:
    """Issue 4, point 10; HTTP.md, section 4."""
    (tmp_path / "mixed.zip").write_bytes(package(qti3(*LISTED)).read())
    settings, port = await known_to(lectern), free_port()
    address = f"http://127.0.0.1:{port}"
    async with lectern.another_gateway(port, public_url=address), lectern.background():
        ended = await ingest(str(tmp_path / "mixed.zip"), "--url", address, **settings)
    assert ended.status == 3, ended.shown
    told = json.loads(ended.printed)
    assert told.pop("jobId").startswith("job_")
    assert told == {"status": "COMPLETED_WITH_ERRORS", "completed": 1, "failed": 1, "skipped": 1}
    lines = ended.shown.splitlines()
    bars = [line for line in ended.shown.split("\r") if "[" in line]
    assert any(bar.startswith("\x1b[Kuploading  [########################################] 100.0 %") for bar in bars)
    assert any(bar.startswith("\x1b[Krunning") for bar in bars)
    assert "] 100.0 % 2 of 2" in bars[-1]
    [failed] = [line for line in lines if line.startswith("FAILED")]
    assert failed.startswith("FAILED bad\ufffd (CASE_ALIGNMENT_MISSING): "), "what strangers wrote moves no cursor"
    assert "curriculumStandardsMetadataSet" in failed, "it says what to change"
    assert [line for line in lines if line.startswith("warning test (type_unsupported)")]


async def test_whoever_cannot_ingest_is_told_why_in_a_line(lectern: World, tmp_path: Path) -> None:
    (tmp_path / "any.zip").write_bytes(QTI)
    settings, port, nobody = await known_to(lectern), free_port(), free_port()
    address = f"http://127.0.0.1:{port}"
    file = str(tmp_path / "any.zip")
    async with lectern.another_gateway(port):
        wrong, alone, missing = await asyncio.gather(
            ingest(file, "--url", address, **{**settings, "LECTERN_CLIENT_SECRET": "x"}),
            ingest(file, "--url", f"http://127.0.0.1:{nobody}", **settings),
            ingest(str(tmp_path / "none.zip"), "--url", address, **settings),
        )
    for ended, words in (
        (wrong, "does not know this client"),
        (alone, f"The gateway at http://127.0.0.1:{nobody} cannot be reached"),
    ):
        assert (ended.status, ended.printed) == (1, ""), ended.shown
        assert words in ended.shown
        assert len(ended.shown.splitlines()) == 1, ended.shown
    assert (missing.status, missing.printed) == (2, "")
    assert "does not exist" in missing.shown
    assert "Traceback" not in missing.shown
