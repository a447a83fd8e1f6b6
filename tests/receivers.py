"""A webhook receiver on loopback that can do everything receivers do wrong. Real sockets, no framework."""

import asyncio
import functools
import itertools
import socket
import ssl
import struct
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import Enum, auto
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Received:
    """One request: its path as sent, headers by lower-case name, raw body, and when its last byte was there."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: datetime


class Fault(Enum):
    """What a receiver may do instead of answering with a plain status."""

    RETRY_IN_SECONDS = auto()
    "429 with Retry-After: 120."
    RETRY_AT_DATE = auto()
    "429 with a Retry-After date two minutes ahead."
    SLOW = auto()
    "204 after 0.1 s."
    EARLY_HINTS = auto()
    "Two informational answers, then 200."
    RESET = auto()
    CLOSE = auto()
    RESET_IN_STATUS = auto()
    CLOSE_IN_STATUS = auto()
    TRUNCATED = auto()
    "200 with fewer bytes than announced."
    NOT_HTTP = auto()
    BEFORE_BODY = auto()
    "200 as soon as the head of the request is there, then reads nothing."
    HUGE_HEADER = auto()
    MANY_HEADERS = auto()
    HANG = auto()
    HANG_IN_HEAD = auto()
    "A status and a header, and then nothing."
    DRIPPING_HEAD = auto()
    DRIPPING_BODY = auto()
    HUGE_BODY = auto()
    "200 with 100 MB."
    HUGE_TRAILER = auto()
    "200 with nothing, and 100 MB of a header behind it."
    BOMB = auto()
    "200 with 100 MB of zeros in 100 kB of gzip."
    TWO_ANSWERS = auto()
    "204, and at once a 500 that nobody asked for."
    LATE_ANSWER = auto()
    "204, and a little later a 500 that nobody asked for."
    EVIL_COOKIES = auto()


Answer = int | Fault | bytes
"""A status, a fault, or the very bytes to send before the connection is closed."""


class Receiver:
    """
    Listens on a free port while entered; `answer` says what the request of that number, counted from 1, gets.

    Whatever `before_answer` waits for comes first.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        """With a certificate, as a PEM file with its key, it speaks TLS."""
        self.requests: list[Received] = []
        self.answer: Callable[[int], Answer] = lambda number: 204
        self.body = b"ok"
        """Of an answer with a plain status."""
        self.before_answer: Callable[[], Awaitable[object]] | None = None
        self.connections = 0
        """How many there have been."""
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._tls.load_cert_chain(certificate)
        self._port = 0
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._arrival = asyncio.Condition()

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}/hook"

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self._tasks)

    @property
    def port(self) -> int:
        """For a URL with another host name."""
        return self._port

    async def up(self) -> None:
        """Listen; after `down` again on the same port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, ssl=self._tls)
        self._port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Refuse connections, and drop the open ones."""
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks)
        await self._server.wait_closed()

    async def wait(self, number: int, within: float = 5.0) -> list[Received]:
        """The requests, once there are this many; TimeoutError when they do not come."""
        async with asyncio.timeout(within), self._arrival:
            await self._arrival.wait_for(lambda: len(self.requests) >= number)
        return self.requests

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._exchange(reader, writer):
                pass
            writer.close()
            await writer.wait_closed()
        writer.transport.abort()
        self._tasks.discard(task)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection is kept."""
        path, headers = _parse((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
        answer = self.answer(next(self._numbers))
        body = b"" if answer is Fault.BEFORE_BODY else await reader.readexactly(int(headers.get("content-length", 0)))
        async with self._arrival:
            self.requests.append(Received(path, headers, body, datetime.now(UTC)))
            self._arrival.notify_all()
        if self.before_answer is not None:
            await self.before_answer()
        match answer:
            case int():
                writer.write(_plain(answer, self.body))
                await writer.drain()
                return True
            case bytes():
                writer.write(answer)
                await writer.drain()
            case Fault():
                await _FAULTS[answer](reader, writer)
        return False


@contextmanager
def refusing() -> Iterator[str]:
    """A URL whose port is taken and refuses every connection."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/hook"


def self_signed(folder: Path) -> Path:
    """A PEM file with a fresh key and its own certificate for localhost, which nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "localhost.pem"
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


def _parse(head: str) -> tuple[str, dict[str, str]]:
    request, *lines = head.split("\r\n")
    fields = (line.partition(":") for line in lines if line)
    return request.split(" ")[1], {name.lower(): value.strip() for name, _, value in fields}


def _plain(status: int, body: bytes = b"ok") -> bytes:
    body = b"" if status in {204, 304} else body
    extra = f"Content-Length: {len(body)}\r\n" if body else ""
    location = "Location: /elsewhere\r\n" if 300 <= status < 400 else ""
    return f"HTTP/1.1 {status} Status\r\n{extra}{location}\r\n".encode() + body


def _full(status: str, *headers: str, body: bytes = b"", length: int | None = None) -> bytes:
    announced = len(body) if length is None else length
    head = [f"HTTP/1.1 {status}", "Connection: close", f"Content-Length: {announced}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


_Fault = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _bytes(make: Callable[[], bytes]) -> _Fault:
    """Answer with these bytes and close."""

    async def fault(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(make())
        await writer.drain()

    return fault


def _reset_after(start: bytes) -> _Fault:
    """Answer with these bytes and end the connection with RST instead of FIN."""

    async def fault(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        await writer.drain()
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return fault


def _drip(start: bytes, drop: bytes) -> _Fault:
    """Answer with a start and then a few bytes now and then, for ever."""

    async def fault(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while not writer.is_closing():
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.05)  # 60 lines in 3 s: fewer than are too many

    return fault


async def _hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()  # until the client gives up


async def _hang_in_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-More: to come\r\n")
    await _hang(reader, writer)


async def _two_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_plain(204) + _plain(500))
    await _hang(reader, writer)


async def _late_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_plain(204))
    await asyncio.sleep(0.1)
    writer.write(_plain(500))
    await _hang(reader, writer)


async def _slow(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.1)
    writer.write(_plain(204))


def _huge(start: bytes) -> _Fault:
    """Answer with a start and then 100 MB."""

    async def fault(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        for _ in range(100):
            writer.write(b"x" * 1024 * 1024)
            await writer.drain()

    return fault


@functools.cache
def _bomb() -> bytes:
    """A hundred MiB of zeros as gzip: one block again and again, because packing them takes as long as clients wait."""
    zeros, count = bytes(1024 * 1024), 100
    packer = zlib.compressobj(wbits=-15)
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    head, end = b"\x1f\x8b\x08" + bytes(6) + b"\xff", b"\x03\x00"
    checked = functools.reduce(lambda crc, _: zlib.crc32(zeros, crc), range(count), 0)
    packed = head + block * count + end + struct.pack("<II", checked, count * len(zeros))
    return _full("200 OK", "Content-Encoding: gzip", body=packed)


def _in_two_minutes() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(minutes=2), usegmt=True)


_FAULTS: dict[Fault, _Fault] = {
    Fault.RETRY_IN_SECONDS: _bytes(lambda: _full("429 Too Many Requests", "Retry-After: 120")),
    Fault.RETRY_AT_DATE: _bytes(lambda: _full("429 Too Many Requests", f"Retry-After: {_in_two_minutes()}")),
    Fault.SLOW: _slow,
    Fault.EARLY_HINTS: _bytes(lambda: b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n" * 2 + _full("200 OK", body=b"ok")),
    Fault.RESET: _reset_after(b""),
    Fault.CLOSE: _bytes(lambda: b""),
    Fault.RESET_IN_STATUS: _reset_after(b"HTTP/1.1 2"),
    Fault.CLOSE_IN_STATUS: _bytes(lambda: b"HTTP/1.1 2"),
    Fault.TRUNCATED: _bytes(lambda: _full("200 OK", body=b"ten bytes.", length=1000)),
    Fault.NOT_HTTP: _bytes(lambda: b"220 mail.example ESMTP\r\n"),
    Fault.BEFORE_BODY: _bytes(lambda: _full("200 OK", body=b"ok")),
    Fault.HUGE_HEADER: _bytes(lambda: _full("200 OK", "X-Huge: " + "x" * 1_000_000)),
    Fault.MANY_HEADERS: _bytes(lambda: _full("200 OK", *(f"X-{number}: x" for number in range(100_000)))),
    Fault.HANG: _hang,
    Fault.HANG_IN_HEAD: _hang_in_head,
    Fault.DRIPPING_HEAD: _drip(b"HTTP/1.1 200 OK\r\n", b"X-Drop: 1\r\n"),
    Fault.DRIPPING_BODY: _drip(_full("200 OK", length=1_000_000), b"x"),
    Fault.HUGE_BODY: _huge(_full("200 OK", length=100 * 1024 * 1024)),
    Fault.HUGE_TRAILER: _huge(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Huge: "),
    Fault.BOMB: _bytes(_bomb),
    Fault.TWO_ANSWERS: _two_answers,
    Fault.LATE_ANSWER: _late_answer,
    Fault.EVIL_COOKIES: _bytes(lambda: _full("200 OK", *['Set-Cookie: "\\";;;=;a="; Max-Age=x; Expires=\x80'] * 50)),
}
