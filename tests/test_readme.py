"""The README's quick start, executed exactly as it is printed."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dispatcher.settings import Settings as BackgroundSettings
from gateway.settings import Settings as WebSettings
from tests.ingesting import QTI
from tests.processes import PROJECT, environment, installation
from tests.world import eventually

SECTIONS = [
    re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    for section in (PROJECT / "README.md").read_text().split("\n## ")
]
START, *STEPS = SECTIONS[1]
INGESTING = SECTIONS[2]
USED_BY_MAKE = (
    "Makefile",
    "pyproject.toml",
    "requirements.lock",
    ".venv",
    "gateway",
    "schema",
    "dispatcher",
    "storage",
)

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")


def test_every_setting_is_in_the_table_with_its_default() -> None:
    table: dict[str, str] = {}
    for line in (PROJECT / "README.md").read_text().split("### Settings")[1].splitlines():
        if line.startswith("| `"):
            names, values = (re.findall("`([^`]+)`", cell) for cell in line.split("|")[1:3])
            values = values * len(names) if len(values) == 1 else values
            table |= dict(zip(names, [*values, *[""] * len(names)], strict=False))
    fields = {**WebSettings.model_fields, **BackgroundSettings.model_fields}
    assert table.keys() == {name.upper() for name in fields}
    for name, field in fields.items():
        default = field.default
        if isinstance(default, tuple):
            default = ",".join(f"{pause:g}" for pause in default) or None
        if default is not None and table[name.upper()]:
            assert table[name.upper()] == f"{int(default) if isinstance(default, bool) else default}", name


def taken(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The project, with a data folder of its own."""
    if not (PROJECT / ".venv/.ready").exists():
        pytest.skip("the environment was not made by make")
    if taken(8000) or taken(9000):
        pytest.skip("the ports of the quick start are in use")
    for name in USED_BY_MAKE:
        (tmp_path / name).symlink_to(PROJECT / name)
    return tmp_path


@pytest.fixture
def started(checkout: Path) -> Iterator[Path]:
    """Terminal 1."""
    with (checkout / "terminal-1").open("wb") as output:
        make = subprocess.Popen(
            ["bash", "-c", START],
            cwd=checkout,
            env=environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    yield checkout
    os.killpg(make.pid, signal.SIGINT)
    make.wait(30)


@needs_curl
async def test_a_newcomer_gets_from_the_clone_to_a_verified_webhook(started: Path) -> None:
    """R-IMP-16; issue 2, line 9."""

    async def ready() -> bool:
        return "Lectern is ready" in (started / "terminal-1").read_text()

    await eventually(ready, within=60)
    exports = re.findall(r"^export .*$", (started / "terminal-1").read_text(), re.MULTILINE)
    assert len(exports) == 2
    with (started / "terminal-2").open("wb") as output:
        shell = subprocess.Popen(
            ["bash", "-c", "\n".join([*exports, *STEPS, "wait"])],
            cwd=started,
            env=environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:

        async def delivered() -> list[dict[str, object]]:
            lines = (started / "terminal-2").read_text().splitlines()
            printed = [json.loads(line) for line in lines if line.startswith('{"id":')]
            return [delivery for delivery in printed if delivery["type"] == "content.completed"]

        (delivery,) = await eventually(delivered, within=60)

        async def shown() -> str:
            text = (started / "terminal-2").read_text()
            return text if "publicUrl" in text else ""

        said = await eventually(shown)
    finally:
        os.killpg(shell.pid, signal.SIGTERM)
        shell.wait(30)
    assert delivery["verified"] is True
    assert '"status":"queued"' in said
    assert '"percent":100.0' in said
    assert '"title":"A1 glossary module"' in said


@needs_curl
async def test_a_newcomer_brings_a_package_in_and_finds_what_was_in_it(tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(PROJECT / ".venv")
    (tmp_path / "package.zip").write_bytes(QTI)
    async with installation(tmp_path) as made:
        steps = "\n".join(INGESTING).replace("http://127.0.0.1:8000", f"http://127.0.0.1:{made.port}")
        shell = await asyncio.create_subprocess_exec(
            *("bash", "-euc", steps),
            cwd=tmp_path,
            env=environment(LECTERN_PUBLIC_URL=f"http://127.0.0.1:{made.port}"),
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await shell.communicate()
    assert shell.returncode == 0
    ingested, job, found = printed.decode().replace("}{", "}\n{").splitlines()
    assert json.loads(ingested)["status"] == "COMPLETED"
    assert json.loads(job)["data"]["ingestionJob"]["error"] is None
    assert json.loads(found)["data"]["searchContentItems"]["nodes"][0]["title"] == "Adding numbers"
