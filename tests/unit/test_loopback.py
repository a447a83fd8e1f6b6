"""The guard that keeps tests on this machine. It is asked; nothing is dialled."""

import socket
from collections.abc import Iterator

import pytest

from tests import loopback


@pytest.fixture(autouse=True)
def forgiven() -> Iterator[None]:
    """What is tried here on purpose is no escape."""
    before = len(loopback.escapes)
    yield
    del loopback.escapes[before:]


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("socket.connect", (None, ("192.0.2.1", 80))),
        ("socket.connect", (None, ("8.8.8.8", 53))),
        ("socket.connect", (None, ("0.0.0.0", 80))),
        ("socket.connect", (None, ("2001:db8::1", 80, 0, 0))),
        ("socket.connect", (None, ("example.com", 80))),
        ("socket.sendto", (None, ("192.0.2.1", 53))),
        ("socket.getaddrinfo", ("example.com", 443, 0, 1, 6)),
        ("socket.getaddrinfo", (b"example.com", 443, 0, 1, 6)),
    ],
)
def test_whatever_leaves_this_machine_is_stopped_and_remembered(event: str, arguments: tuple[object, ...]) -> None:
    before = len(loopback.escapes)
    with pytest.raises(loopback.EscapeError):
        loopback.judge(event, arguments)
    assert len(loopback.escapes) == before + 1


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("socket.connect", (None, ("127.0.0.1", 80))),
        ("socket.connect", (None, ("127.1.2.3", 80))),
        ("socket.connect", (None, ("::1", 80, 0, 0))),
        ("socket.connect", (None, ("::ffff:127.0.0.1", 80, 0, 0))),
        ("socket.connect", (None, "/run/some.socket")),
        ("socket.connect", (None, b"\0abstract")),
        ("socket.getaddrinfo", ("localhost", 80, 0, 1, 6)),
        ("socket.getaddrinfo", ("192.0.2.1", 80, 0, 1, 6)),
        ("socket.getaddrinfo", (None, 80, 0, 1, 6)),
        ("socket.bind", (None, ("0.0.0.0", 0))),
        ("open", ("/etc/hosts", "r", 0)),
    ],
)
def test_whatever_stays_on_this_machine_passes(event: str, arguments: tuple[object, ...]) -> None:
    loopback.judge(event, arguments)


def test_installed_it_lets_this_machine_talk_to_itself() -> None:
    loopback.install()
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
