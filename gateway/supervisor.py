"""`lectern up`: child processes that are started again when they end, and that never outlive us."""

import contextlib
import fcntl
import os
import pathlib
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Self

# Runs in a session of its own and becomes the child. Beside it stays a minder, reading a pipe whose other end we hold:
# when we close it or die, however we die, the child gets TERM, and once it is gone or out of time, its group gets KILL.
# The minder belongs to that group, so the system gives the child's number to nobody else while it is used here.
# A zombie counts as gone: not every init collects orphans at once, and in containers some never do.
MINDER = """
ticks=$1; shift
exec 3<&0 </dev/null
(
    trap "" HUP INT TERM
    read -r end <&3
    kill -TERM $$
    while [ $ticks -gt 0 ] && kill -0 $$ && ! grep -q ") Z " /proc/$$/stat; do sleep 0.05; ticks=$((ticks - 1)); done
    kill -KILL -$$
) 2>/dev/null &
exec 3<&-
exec "$@"
"""
TICKS_PER_SECOND = 20

STEADY = 10.0
"""Seconds after which an end is no longer one of several in a row."""


class StartError(Exception):
    """`lectern up` cannot start here; the message says why."""


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep running: its command, and the variables it gets on top of our environment."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Post:
    """A child and the process that runs it; none while it waits to be started again."""

    child: Child
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    early_ends: int = 0


class Supervisor:
    """
    Keeps processes running on behalf of one data folder, as a context: leaving it ends them all.

    Entering raises StartError when another supervisor uses the folder, and waits for what a killed one left to end.
    grace: seconds a process has between TERM and KILL.
    """

    def __init__(self, data: pathlib.Path, *, grace: float = 30.0) -> None:
        self._data = data
        self._grace = grace
        self._posts: list[_Post] = []
        self._leave = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._lock = self._leave.enter_context(_claimed(self._data))
        return self

    def __exit__(self, *_: object) -> None:
        self._end(self._posts)
        self._leave.close()

    def start(self, child: Child) -> subprocess.Popen[bytes]:
        """Start what the children of run() rest on; it ends after them."""
        post = _Post(child)
        self._posts.append(post)
        return self._open(post)

    def run(self, children: Iterable[Child]) -> None:
        """
        Start the children and keep everything running until SIGINT or SIGTERM; then end them, all at once.

        A child that ends with EX_CONFIG has said on stderr what must be changed first: that is a StartError.
        """
        calls = self._listen()
        foundation = len(self._posts)
        for child in children:
            self.start(child)
        while self._wait(calls) not in (signal.SIGINT, signal.SIGTERM):
            for post in self._posts:
                self._attend(post)
        self._end(self._posts[foundation:])

    def _listen(self) -> queue.SimpleQueue[int]:
        """Signals as a queue: a call that comes between two looks is not lost, and none interrupts the ending."""
        calls: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
            before = signal.signal(number, lambda number, _: calls.put(number))
            self._leave.callback(signal.signal, number, before)
        calls.put(signal.SIGCHLD)  # for a child that ended before we listened
        return calls

    def _wait(self, calls: queue.SimpleQueue[int]) -> int | None:
        """The next signal, or None when a child is due."""
        due = min((post.due for post in self._posts if post.process is None), default=None)
        try:
            return calls.get(timeout=None if due is None else max(0.0, due - time.monotonic()))
        except queue.Empty:
            return None

    def _attend(self, post: _Post) -> None:
        """Bury a child that has ended, and start one that is due."""
        now = time.monotonic()
        if post.process is None and post.due <= now:
            self._open(post)
        elif post.process is not None and post.process.poll() is not None:
            if post.process.returncode == os.EX_CONFIG:
                raise StartError(f"lectern: {post.child.name} cannot run as it is set up")
            post.early_ends = post.early_ends + 1 if now - post.started < STEADY else 0
            post.due = now + pause(post.early_ends)
            _say(f"{post.child.name} {_ending(post.process)}; starting it again in {pause(post.early_ends):.1f} s")
            self._end([post])

    def _open(self, post: _Post) -> subprocess.Popen[bytes]:
        post.started = time.monotonic()
        post.process = subprocess.Popen(  # noqa: S603  (our own commands)
            ["/bin/sh", "-c", MINDER, "minder", str(round(self._grace * TICKS_PER_SECOND)), *post.child.command],
            stdin=subprocess.PIPE,
            env={**os.environ, **post.child.environment},
            start_new_session=True,
            pass_fds=[self._lock],
        )
        return post.process

    def _end(self, posts: Iterable[_Post]) -> None:
        """Have the minders end these children, together, and wait for it."""
        running = [(post, post.process) for post in posts if post.process is not None]
        for _, process in running:
            if process.stdin is not None:
                process.stdin.close()
        for post, process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self._grace + 2)  # longer than the minder: should somebody have killed it, we do its work
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # the minder, and what the child left behind
            process.wait()
            post.process = None


def pause(early_ends: int) -> float:
    """Seconds before a child is started again: 0.1, doubled by every early end in a row, at most 30."""
    return min(0.1 * 2.0 ** min(early_ends, 10), 30.0)


@contextlib.contextmanager
def _claimed(data: pathlib.Path) -> Iterator[int]:
    """
    The folder is ours; answers the lock that every child inherits.

    Two locks, because a killed supervisor drops its own at once, and its children drop theirs when the last is gone:
    only then may another Valkey open the same files.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)  # everything of everybody is in it
    with (data / "supervisor.lock").open("w") as ours, (data / "children.lock").open("w") as theirs:
        if not _locked(ours):
            raise StartError(f"Another `lectern up` is running in {data.resolve()}.")
        if not _locked(theirs):
            _say("waiting for the processes of a killed `lectern up` to end")
            fcntl.flock(theirs, fcntl.LOCK_EX)
        inherited = fcntl.fcntl(theirs, fcntl.F_DUPFD_CLOEXEC, 10)  # the minder works with the single digits
        try:
            yield inherited
        finally:
            os.close(inherited)


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _ending(process: subprocess.Popen[bytes]) -> str:
    status = process.returncode
    if status < 0:
        return f"(process {process.pid}) was ended by signal {-status} ({signal.strsignal(-status)})"
    return f"(process {process.pid}) ended with exit status {status}"


def _say(message: str) -> None:
    sys.stderr.write(f"lectern: {message}\n")
