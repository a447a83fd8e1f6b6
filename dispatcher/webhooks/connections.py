"""Connections to receivers, kept and used again: as much of HTTP/1.1 as a POST needs. httptools parses the answers."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, NamedTuple, cast

import aiohappyeyeballs
import httptools

from storage import destinations
from storage.destinations import Resolve

HEAD_BYTES = 32 * 1024
"""The longest head of an answer."""

READ_BYTES = 16 * 1024
"""So much of a body is read, so that the connection can be used again behind a short one."""

KEEP_ALIVE_SECONDS = 4.0
"""Below the 5 s after which common servers close an idle connection."""

NEXT_ADDRESS_SECONDS = 0.25
"""Until the next address of a name is dialled as well, as RFC 8305 recommends."""

Dial = Callable[[tuple[Any, ...]], socket.socket]
"""A socket for an entry of getaddrinfo; an OSError when it must not be dialled."""


class UnknownHostError(OSError):
    """The name does not resolve."""


class EndlessHeadError(Exception):
    """The head of the answer is too long."""


class NotHttpError(Exception):
    """What came was no answer."""


class Peer(NamedTuple):
    """Whom a connection leads to."""

    host: str
    port: int
    tls: bool


@dataclass(slots=True)
class Exchange:
    """One request and what has come of it so far; the clock at each step."""

    start: float
    dns: float | None = None
    """Milliseconds of the look-up."""
    connect: float | None = None
    """Milliseconds until the connection was there."""
    head: float | None = None
    status: int | None = None
    retry_after: str | None = None
    body: bytearray | None = None


class Connections:
    """All connections of a process; close them at the end."""

    def __init__(self, dial: Dial, resolve: Resolve, kept: float = KEEP_ALIVE_SECONDS) -> None:
        """`kept` is the seconds after which a connection that nobody uses is closed."""
        self._seconds = kept
        self._dial = dial
        self._resolve = resolve
        self._idle: defaultdict[Peer, list[_Connection]] = defaultdict(list)
        self._sweeping: asyncio.TimerHandle | None = None

    async def post(self, peer: Peer, request: bytes, exchange: Exchange) -> None:
        """
        Send until the connection that was used is a new one or there is an answer.

        A kept connection may be closed by the receiver in the very moment it is used again. That is no failure of
        the receiver; and should it have read the request nevertheless, webhook-id tells it so. Whatever goes wrong
        before there is a status is an OSError, EndlessHeadError or NotHttpError.
        """
        while (kept := self._kept(peer)) is not None:
            with contextlib.suppress(ConnectionError):
                return await self._use(kept, request, exchange)
            if kept.answered:
                raise ConnectionResetError
        return await self._use(await self._open(peer, exchange), request, exchange)

    async def close(self) -> None:
        """Close what is kept."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()
        await asyncio.sleep(0)

    async def _use(self, connection: "_Connection", request: bytes, exchange: Exchange) -> None:
        try:
            await connection.exchange(request, exchange)
        finally:
            if connection.reusable:
                self._keep(connection)
            else:
                connection.close()

    def _kept(self, peer: Peer) -> "_Connection | None":
        """The one that was used last: those of a peer that gets less to do are left to age."""
        idle = self._idle.get(peer)
        while idle:
            connection = idle.pop()
            if connection.open:
                return connection
        return None

    def _keep(self, connection: "_Connection") -> None:
        connection.idle_since = time.perf_counter()
        self._idle[connection.peer].append(connection)
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(self._seconds / 4, self._sweep)

    def _sweep(self) -> None:
        """Close what nobody has used for long, or the receiver has closed."""
        self._sweeping = None
        oldest = time.perf_counter() - self._seconds
        for peer, idle in list(self._idle.items()):
            fresh = [connection for connection in idle if connection.open and connection.idle_since > oldest]
            for connection in set(idle).difference(fresh):
                connection.close()
            self._idle[peer] = fresh
            if not fresh:
                del self._idle[peer]
        if self._idle:
            self._sweeping = asyncio.get_running_loop().call_later(self._seconds / 4, self._sweep)

    async def _open(self, peer: Peer, exchange: Exchange) -> "_Connection":
        addresses = await self._addresses(peer, exchange)
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        sock = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, socket_factory=self._dial
        )
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tls: dict[str, Any] = {"ssl": self._trust, "server_hostname": peer.host} if peer.tls else {}
            _, connection = await loop.create_connection(lambda: _Connection(peer), sock=sock, **tls)
        except BaseException:
            sock.close()
            raise
        exchange.connect = _milliseconds(began)
        return connection

    async def _addresses(self, peer: Peer, exchange: Exchange) -> Sequence[Any]:
        """As getaddrinfo has them."""
        found = [peer.host]
        if not destinations.is_address(peer.host):
            began = time.perf_counter()
            try:
                found = list(await self._resolve(peer.host, peer.port))
            except OSError as error:
                raise UnknownHostError(str(error)) from error
            exchange.dns = _milliseconds(began)
            if not found:
                raise UnknownHostError("no address")
        return [_entry(address, peer.port) for address in found]

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        """The authorities that the system trusts."""
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        return context


class _Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.idle_since = 0.0
        self.reusable = False
        self.answered = False
        """Something of an answer to the last request has come."""
        self._parser = httptools.HttpResponseParser(self)
        self._head_left, self._body_left = HEAD_BYTES, 2 * READ_BYTES
        self._exchange: Exchange | None = None
        self._ended: asyncio.Future[None]

    @property
    def open(self) -> bool:
        """Whether another request may be tried."""
        return not self._transport.is_closing()

    def close(self) -> None:
        """At once: nothing that may still come is of interest."""
        self._transport.abort()

    async def exchange(self, request: bytes, exchange: Exchange) -> None:
        """Send a request and read its answer into the exchange, as far as it is kept."""
        self._ended = asyncio.get_running_loop().create_future()
        self._exchange = exchange
        self._head_left, self._body_left = HEAD_BYTES, 2 * READ_BYTES
        self.reusable = self.answered = False
        self._transport.write(request)
        try:
            await self._ended
        finally:
            self._exchange = None

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        self._end(ConnectionResetError("the connection ended before there was an answer"))

    def data_received(self, data: bytes) -> None:
        if self._exchange is None:
            self.close()  # nobody has asked for anything
            return
        self.answered = True
        try:
            if self._exchange.head is None:
                part, data = data[: self._head_left], data[self._head_left :]
                self._head_left -= len(part)
                self._parser.feed_data(part)
                if self._exchange is not None and self._exchange.head is None and not self._head_left:
                    raise EndlessHeadError  # noqa: TRY301
            if data:
                self._body_left -= len(data)
                self._parser.feed_data(data)
                if self._body_left <= 0:
                    self._end(None)  # what is no body also has an end: trailers, extensions of chunks
        except httptools.HttpParserUpgrade:
            self._end(None)
        except httptools.HttpParserError as error:
            self._end(NotHttpError(str(error)))
        except EndlessHeadError as error:
            self._end(error)

    # What the parser calls

    def on_message_begin(self) -> None:
        if self._ended.done():
            self.reusable = False  # more than one answer

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._exchange is not None and not self._ended.done() and name.lower() == b"retry-after":
            self._exchange.retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        exchange, status = self._exchange, self._parser.get_status_code()
        if exchange is None or self._ended.done():
            return
        if status < HTTPStatus.OK and status != HTTPStatus.SWITCHING_PROTOCOLS:
            exchange.retry_after = None  # informational: the answer is still to come
            return
        exchange.head, exchange.status, exchange.body = time.perf_counter(), status, bytearray()

    def on_body(self, body: bytes) -> None:
        exchange = self._exchange
        if exchange is not None and exchange.body is not None and not self._ended.done():
            exchange.body += body[: READ_BYTES - len(exchange.body)]
            if len(exchange.body) >= READ_BYTES:
                self._end(None)

    def on_message_complete(self) -> None:
        if self._exchange is not None and self._exchange.head is not None and not self._ended.done():
            self.reusable = self._parser.should_keep_alive()
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        """The answer is there as far as it matters. With a status it is one, whatever went wrong behind it."""
        exchange = self._exchange
        if exchange is not None and not self._ended.done():
            if error is None or exchange.status is not None:
                self._ended.set_result(None)
            else:
                self._ended.set_exception(error)


def _entry(address: str, port: int) -> tuple[Any, ...]:
    """An address as getaddrinfo describes it; a scope goes where the system expects it."""
    host, _, scope = address.partition("%")
    if ip_address(host).version == 4:
        return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port)
    number = socket.if_nametoindex(scope) if scope and not scope.isdigit() else int(scope or 0)
    return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, number)


def _milliseconds(since: float) -> float:
    return (time.perf_counter() - since) * 1000
