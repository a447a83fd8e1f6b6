"""`lectern ingest FILE`: the whole dance, as somebody at a terminal sees it."""

import asyncio
import contextlib
import json
import os
import pty
import re
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from storage.tables import Scope
from tests.ingesting import QTI
from tests.packages.builders import lom, package, qti3, resource
from tests.processes import LECTERN, environment, free_port
from tests.test_oauth import client_of
from tests.world import World, eventually

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

LISTED = (resource("good"), resource("bad\u202e", metadata=lom()), resource("test", "x.xml", "imsqti_test_xmlv3p0"))


class Ended:
    """A command that has ended: its status, what it printed, and what stood on its terminal."""

    def __init__(self, status: int | None, printed: bytes, shown: bytes) -> None:
        self.status = status
        self.printed = printed.decode()
        self.shown = shown.decode()


@dataclass
class Started:
    """A command that runs, with a terminal as its stderr; what stands there grows."""

    command: asyncio.subprocess.Process
    terminal: int
    seen: bytearray = field(default_factory=bytearray)

    async def says(self, words: str) -> None:
        """Returns once it has said this."""

        async def said() -> bool:
            return words.encode() in self.seen

        await eventually(said)

    async def ended(self) -> Ended:
        """What it was, when it has ended."""
        printed, _ = await self.command.communicate()
        return Ended(self.command.returncode, printed, bytes(self.seen))

    def read(self) -> None:
        """Takes all that is written to the terminal until nobody has it open any more."""
        with open(self.terminal, "rb", buffering=0) as stream, contextlib.suppress(OSError):  # so Linux says the end
            while piece := stream.read(4096):
                self.seen += piece


@contextlib.asynccontextmanager
async def ingesting(*words: str, **settings: str) -> AsyncIterator[Started]:
    """The command, which is to end in the block."""
    terminal, side = pty.openpty()
    command = await asyncio.create_subprocess_exec(
        *LECTERN, "ingest", *words, stdout=asyncio.subprocess.PIPE, stderr=side, env=environment(**settings)
    )
    os.close(side)
    started = Started(command, terminal)
    reading = asyncio.create_task(asyncio.to_thread(started.read))
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            command.kill()
        await reading


async def ingest(*words: str, **settings: str) -> Ended:
    """Run the command to its end."""
    async with ingesting(*words, **settings) as started:
        return await started.ended()


async def known_to(lectern: World, **granted: Any) -> dict[str, str]:
    """The settings of somebody who may ingest."""
    id, secret = await client_of(lectern, **granted)
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


async def test_a_client_without_the_scope_is_told_which(lectern: World, tmp_path: Path) -> None:
    (tmp_path / "any.zip").write_bytes(QTI)
    settings, port = await known_to(lectern, scopes=[Scope.CONTENT_READ]), free_port()
    async with lectern.another_gateway(port):
        ended = await ingest(str(tmp_path / "any.zip"), "--url", f"http://127.0.0.1:{port}", **settings)
    assert (ended.status, ended.printed) == (1, "")
    assert ended.shown.splitlines() == ["This credential may not do that. It needs content.write."]


async def test_a_gateway_that_is_replaced_costs_the_command_nothing(lectern: World, tmp_path: Path) -> None:
    (tmp_path / "any.zip").write_bytes(QTI)
    settings, port = await known_to(lectern), free_port()
    address = f"http://127.0.0.1:{port}"
    async with contextlib.AsyncExitStack() as meanwhile:
        async with lectern.another_gateway(port, public_url=address):
            command = ingesting(str(tmp_path / "any.zip"), "--url", address, **settings)
            started = await meanwhile.enter_async_context(command)
            await started.says("queued")
        async with lectern.background(), lectern.another_gateway(port, public_url=address):
            ended = await started.ended()
    assert ended.status == 0, ended.shown
    assert json.loads(ended.printed)["completed"] == 3


async def test_whoever_leaves_early_is_told_which_job_goes_on(lectern: World, tmp_path: Path) -> None:
    (tmp_path / "any.zip").write_bytes(QTI)
    settings, port = await known_to(lectern), free_port()
    address = f"http://127.0.0.1:{port}"
    async with (
        lectern.another_gateway(port, public_url=address),
        ingesting(str(tmp_path / "any.zip"), "--url", address, **settings) as started,
    ):
        await started.says("queued")
        started.command.send_signal(signal.SIGINT)
        ended = await started.ended()
    assert (ended.status, ended.printed) == (130, "")
    assert "its job goes on without this command: job_" in ended.shown.splitlines()[-1]


async def test_whoever_asks_too_often_waits_and_is_told_how_long(lectern: World, tmp_path: Path) -> None:
    (tmp_path / "any.zip").write_bytes(QTI)
    settings, port = await known_to(lectern, rate=2), free_port()
    address = f"http://127.0.0.1:{port}"
    async with (
        lectern.another_gateway(port, public_url=address),
        ingesting(str(tmp_path / "any.zip"), "--url", address, **settings) as started,
    ):
        await started.says("The gateway takes so many requests a minute; going on in ")
        assert started.command.returncode is None


async def test_everything_that_failed_is_told(lectern: World, tmp_path: Path) -> None:
    listed = (resource("good"), *(resource(f"bad{number}", f"items/{number}.xml") for number in range(150)))
    (tmp_path / "many.zip").write_bytes(package(qti3(*listed)).read())
    settings, port = await known_to(lectern), free_port()
    address = f"http://127.0.0.1:{port}"
    async with lectern.another_gateway(port, public_url=address), lectern.background():
        ended = await ingest(str(tmp_path / "many.zip"), "--url", address, **settings)
    assert ended.status == 3, ended.shown
    assert len([line for line in ended.shown.splitlines() if line.startswith("FAILED bad")]) == 150


CHUNKED = re.compile(rb"transfer-encoding: chunked\r\n|(^|\r\n\r\n)[0-9a-f]+\r\n(?=event)")


@contextlib.asynccontextmanager
async def breaking(port: int, gateway: int) -> AsyncIterator[None]:
    """A proxy whose first stream of events, which ends with the connection, ends in the middle of one."""
    broken = False

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal broken
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        answers, asked = await asyncio.open_connection("127.0.0.1", gateway)
        asked.write(head.replace(b"HTTP/1.1", b"HTTP/1.0", 1) + await reader.readexactly(length))
        while piece := await answers.read(65536):
            if not broken:
                piece = CHUNKED.sub(rb"\1", piece)
                broken = b"data: {" in piece
                if broken:
                    writer.write(piece[: piece.index(b"data: {") + 20])
                    break
            writer.write(piece)
        for each in (asked, writer):
            each.close()

    async with await asyncio.start_server(forward, "127.0.0.1", port):
        yield
    assert broken


async def test_a_proxy_that_breaks_an_event_costs_the_command_nothing(lectern: World, tmp_path: Path) -> None:
    (tmp_path / "any.zip").write_bytes(QTI)
    settings, port, gateway = await known_to(lectern), free_port(), free_port()
    address = f"http://127.0.0.1:{port}"
    async with (
        lectern.another_gateway(gateway, public_url=address),
        breaking(port, gateway),
        lectern.background(),
    ):
        ended = await ingest(str(tmp_path / "any.zip"), "--url", address, **settings)
    assert ended.status == 0, ended.shown
    assert json.loads(ended.printed)["completed"] == 3
