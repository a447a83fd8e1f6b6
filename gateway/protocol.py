"""One connection of HTTP/1.1: uvicorn's, with an end to what a client may collect here, or keep waiting."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEADER_BYTES = 65_536
"""Bytes without a request or a part of a body in them: headers, trailers, what stands between chunks."""


def answer(status: str, message: str) -> bytes:
    """What is said where there is no request yet."""
    fields = f"content-type: text/plain; charset=utf-8\r\ncontent-length: {len(message)}\r\nconnection: close"
    return f"HTTP/1.1 {status}\r\n{fields}\r\n\r\n{message}".encode()


HEADERS_TOO_LARGE = answer("431 Request Header Fields Too Large", "The header is too large")
REQUEST_TIMEOUT = answer("408 Request Timeout", "The request did not come in time")
TOO_MANY = answer("503 Service Unavailable", "There are too many connections")


class Protocol(HttpToolsProtocol):
    """
    Refuses headers and trailers without end, which httptools would collect until the memory is full, and lets go of
    clients that begin something and do not go on with it.
    """

    header_seconds = 15.0
    """For all of a request's header, also for the first byte of it."""
    body_seconds = 30.0
    """Between two parts of a body."""
    answer_seconds = 60.0
    """For a client to take the next part of an answer."""
    most_connections = 4_000

    collected = 0
    reads_header = False
    since = 0.0
    """When it last went on."""

    def check(self) -> None:
        """Let go of a client that has been waited for too long; called once a second."""
        waited = self.loop.time() - self.since
        if self.transport.is_closing() or self.flow.write_paused:
            if waited > self.answer_seconds:
                self.transport.abort()
        elif self.cycle is None or self.cycle.response_complete:
            if waited > self.header_seconds:
                self._refuse(REQUEST_TIMEOUT if self.reads_header else b"")
        elif self.cycle.more_body and not self.flow.read_paused and waited > self.body_seconds:
            self.transport.close()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._go_on()
        if len(self.connections) > self.most_connections:
            self._refuse(TOO_MANY)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.cycle and not self.cycle.response_complete and (leave := self.cycle.scope["state"].get("leave")):
            leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.collected += len(data)
        super().data_received(data)
        if self.collected > MOST_HEADER_BYTES and not self.transport.is_closing():
            self._refuse(HEADERS_TOO_LARGE if self.reads_header else b"")

    def pause_writing(self) -> None:
        super().pause_writing()
        self._go_on()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.reads_header = True
        self._go_on()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.reads_header:  # a trailer is no header: it would change a request that has been looked at already
            super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        self.reads_header = False
        self.collected = 0
        self._go_on()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self.collected = 0
        self._go_on()
        super().on_body(body)

    def on_response_complete(self) -> None:
        self._go_on()
        super().on_response_complete()

    def _go_on(self) -> None:
        self.since = self.loop.time()

    def _refuse(self, answer: bytes) -> None:
        self.transport.write(answer)
        self.transport.close()
