"""One signed POST, and whatever comes of it as a value."""

import errno
import functools
import socket
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from dispatcher.webhooks.connections import (
    KEEP_ALIVE_SECONDS,
    Connections,
    EndlessHeadError,
    Exchange,
    NotHttpError,
    Peer,
    UnknownHostError,
)
from dispatcher.webhooks.deadlines import Deadlines
from dispatcher.webhooks.outcomes import Failure, Outcome, Timings
from storage import destinations
from storage.destinations import Resolve
from storage.errors import ValidationFailed

LOGGED_BYTES = 2048

_PORTS = {"http": 80, "https": 443}
_RECEIVER_ERRORS = (OSError, EndlessHeadError, NotHttpError)  # TimeoutError and SSLError are OSErrors
_OFFLINE = {errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS}


class BlockedError(OSError):
    """The address is not one that may be called."""

    def __init__(self) -> None:
        # No address in the text: of several equal errors aiohappyeyeballs raises the first one as it is.
        super().__init__(errno.EACCES, "address not allowed")


class Sender:
    """The connections of a process to all endpoints; enter it once, send from any task."""

    def __init__(
        self,
        *,
        allow_private: bool,
        timeout: float = 10.0,
        resolve: Resolve = destinations.look_up,
        kept: float = KEEP_ALIVE_SECONDS,
    ) -> None:
        """
        `timeout` is the seconds for everything together, from the look-up to the last byte that is read; `kept` those
        after which a connection that nobody uses is closed.
        """
        self._allow_private = allow_private
        self.timeout = timeout
        self._deadlines = Deadlines(timeout)
        self._connections = Connections(dial_any if allow_private else dial_public, resolve, kept)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._deadlines.close()
        await self._connections.close()

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """POST these bytes. Raises for nothing that a receiver, its name server or its network does."""
        started_at = datetime.now(UTC)
        exchange = Exchange(time.perf_counter())
        failure: Failure | None = None
        target = _target(url, self._allow_private)
        if target is None:
            failure = Failure.BLOCKED
        else:
            limit = self._deadlines.start()
            try:
                async with limit:
                    await self._connections.post(target.peer, _request(target, headers, body), exchange)
            except _RECEIVER_ERRORS as error:
                failure = None if exchange.status is not None else failure_of(error)
            finally:
                self._deadlines.over(limit)
        if exchange.status is not None and 300 <= exchange.status < 400:
            failure = Failure.REDIRECT
        return Outcome(
            started_at,
            _timings(exchange),
            status=exchange.status,
            failure=failure,
            retry_after=exchange.retry_after,
            body=_text(exchange.body),
        )


class _Target(NamedTuple):
    """Where a URL leads, and how a request to it begins."""

    peer: Peer
    start: bytes


@functools.lru_cache(maxsize=4096)
def _target(url: str, allow_private: bool) -> _Target | None:
    """Where to send; None for a URL that may not be called. As it was given: quoting again could break a signature."""
    try:
        destinations.check_url(url, allow_private=allow_private)
    except ValidationFailed:
        return None
    parts = urlsplit(url)
    host = (parts.hostname or "").removesuffix(".")
    port = parts.port or _PORTS[parts.scheme]
    named = f"[{host}]" if ":" in host else host
    authority = named if port == _PORTS[parts.scheme] else f"{named}:{port}"
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    start = f"POST {path} HTTP/1.1\r\nHost: {authority}\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
    return _Target(Peer(host, port, parts.scheme == "https"), start.encode())


def _request(target: _Target, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    head = f"{lines}Content-Length: {len(body)}\r\n\r\n".encode("utf-8", "surrogateescape")
    return b"".join((target.start, head, body))


def _timings(exchange: Exchange) -> Timings:
    """The steps so far, taking now for the end."""
    return Timings(
        dns=exchange.dns,
        connect=exchange.connect,
        first_byte=None if exchange.head is None else (exchange.head - exchange.start) * 1000,
        total=(time.perf_counter() - exchange.start) * 1000,
    )


def _text(body: bytearray | None) -> str:
    # PostgreSQL stores no NUL in a text.
    return body[:LOGGED_BYTES].decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}") if body else ""


def dial_any(address: tuple[Any, ...]) -> socket.socket:
    """A socket for an entry of getaddrinfo: family, type, protocol, canonical name, socket address."""
    family, kind, protocol, *_ = address
    return socket.socket(family, kind, protocol)


def dial_public(address: tuple[Any, ...]) -> socket.socket:
    """A socket towards a public address; for any other one none is made, whatever name or notation led to it."""
    if not destinations.is_public(address[-1][0]):
        raise BlockedError
    return dial_any(address)


def failure_of(error: Exception) -> Failure:
    """The word for what kept a request from being answered."""
    match error:
        case TimeoutError():
            return Failure.TIMEOUT
        case UnknownHostError():
            return Failure.DNS
        case ssl.SSLError():
            return Failure.TLS
        case EndlessHeadError():
            return Failure.TOO_LARGE
        case NotHttpError():
            return Failure.PROTOCOL
        case BlockedError():
            return Failure.BLOCKED
        case ConnectionRefusedError():
            return Failure.REFUSED
        case ConnectionError():
            return Failure.RESET
        case OSError(errno=number) if number in _OFFLINE:
            return Failure.OFFLINE
        case _:
            return Failure.UNREACHABLE
