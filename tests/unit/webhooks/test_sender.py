"""The sender against a receiver that does everything wrong. Loopback only: what is refused is never dialled."""

import asyncio
import errno
import os
import socket
import sys
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.webhooks import sender as module
from dispatcher.webhooks.outcomes import Failure, Outcome
from dispatcher.webhooks.sender import Sender
from storage.destinations import Resolve
from tests.receivers import Answer, Fault, Receiver, refusing, self_signed
from tests.world import eventually

HEADERS = {"Content-Type": "application/json", "webhook-id": "event_1"}
BODY = b'{"id":"event_1"}'
TIMEOUT = 0.5
SLACK = 1.0
"""Seconds that a busy machine may add."""


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with Sender(allow_private=True, timeout=TIMEOUT) as sender:
        yield sender


async def send(sender: Sender, receiver: Receiver, answer: Answer = 204) -> Outcome:
    receiver.answer = lambda number: answer
    return await sender.send(receiver.url, HEADERS, BODY)


def names(*addresses: str) -> Resolve:
    """Knows these addresses for every name."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        if not addresses:
            raise OSError("unknown name")
        return addresses

    return resolve


async def test_the_request_arrives_as_it_was_given(sender: Sender, receiver: Receiver) -> None:
    before = datetime.now(UTC)
    outcome = await sender.send(receiver.url + "/%2Fa%41?sig=x%2By%2F+z&b=[c]", HEADERS, BODY)
    [received] = receiver.requests
    assert (outcome.status, outcome.failure) == (204, None)
    assert received.path == "/hook/%2Fa%41?sig=x%2By%2F+z&b=[c]"
    assert received.body == BODY
    assert received.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "content-type": "application/json",
        "webhook-id": "event_1",
        "content-length": str(len(BODY)),
        "accept": "*/*",
        "accept-encoding": "identity",
    }
    assert before <= outcome.started_at <= received.at


TABLE: list[tuple[Answer, int | None, Failure | None]] = [
    (200, 200, None),
    (204, 204, None),
    (400, 400, None),
    (410, 410, None),
    (500, 500, None),
    (301, 301, Failure.REDIRECT),
    (302, 302, Failure.REDIRECT),
    (307, 307, Failure.REDIRECT),
    (Fault.RETRY_IN_SECONDS, 429, None),
    (Fault.RETRY_AT_DATE, 429, None),
    (Fault.SLOW, 204, None),
    (Fault.EARLY_HINTS, 200, None),
    (Fault.RESET, None, Failure.RESET),
    (Fault.CLOSE, None, Failure.RESET),
    (Fault.RESET_IN_STATUS, None, Failure.RESET),
    (Fault.CLOSE_IN_STATUS, None, Failure.RESET),
    (Fault.TRUNCATED, 200, None),
    (Fault.NOT_HTTP, None, Failure.PROTOCOL),
    (Fault.BEFORE_BODY, 200, None),
    (Fault.HUGE_HEADER, None, Failure.TOO_LARGE),
    (Fault.MANY_HEADERS, None, Failure.TOO_LARGE),
    (Fault.HANG, None, Failure.TIMEOUT),
    (Fault.HANG_IN_HEAD, None, Failure.TIMEOUT),
    (Fault.DRIPPING_HEAD, None, Failure.TIMEOUT),
    (Fault.DRIPPING_BODY, 200, None),
    (Fault.HUGE_BODY, 200, None),
    (Fault.HUGE_TRAILER, 200, None),
    (Fault.BOMB, 200, None),
    (Fault.TWO_ANSWERS, 204, None),
    (Fault.LATE_ANSWER, 204, None),
    (Fault.EVIL_COOKIES, 200, None),
    (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 101, None),
    (b"HTTP/1.0 204 No Content\r\n\r\n", 204, None),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", 200, None),
    (b"HTTP/1.1 200 " + b"x" * 100_000, None, Failure.TOO_LARGE),
    (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", None, Failure.PROTOCOL),
    (b"\x15\x03\x01\x00\x02\x02\x16", None, Failure.PROTOCOL),
]


@pytest.mark.parametrize(("answer", "status", "failure"), TABLE, ids=lambda value: str(value)[:40])
async def test_whatever_a_receiver_does_is_an_outcome_in_time(
    sender: Sender, receiver: Receiver, answer: Answer, status: int | None, failure: Failure | None
) -> None:
    outcome = await send(sender, receiver, answer)
    assert (outcome.status, outcome.failure) == (status, failure)
    assert outcome.duration_ms <= (TIMEOUT + SLACK) * 1000
    assert len(receiver.requests) == 1, "no redirect is followed, nothing is sent twice"
    assert (await send(sender, receiver, 200)).body == "ok", "and the next request gets its own answer"


def test_every_fault_is_in_the_table() -> None:
    assert set(Fault) <= {answer for answer, *_ in TABLE}


@pytest.mark.parametrize(
    "fault", [Fault.HUGE_BODY, Fault.HUGE_TRAILER, Fault.BOMB, Fault.HUGE_HEADER, Fault.MANY_HEADERS]
)
async def test_a_huge_answer_costs_little_memory(sender: Sender, receiver: Receiver, fault: Fault) -> None:
    tracemalloc.start()
    try:
        await send(sender, receiver, fault)
        assert tracemalloc.get_traced_memory()[1] < 15_000_000, "the receiver's own few megabytes included"
    finally:
        tracemalloc.stop()


async def test_the_first_2048_bytes_of_an_answer_are_kept(sender: Sender, receiver: Receiver) -> None:
    answer = b"HTTP/1.1 500 Error\r\n\r\n" + b"\0\xff" + b"x" * 100_000
    assert (await send(sender, receiver, answer)).body == "\N{REPLACEMENT CHARACTER}" * 2 + "x" * 2046


async def test_retry_after_is_handed_on(sender: Sender, receiver: Receiver) -> None:
    assert (await send(sender, receiver, Fault.RETRY_IN_SECONDS)).retry_after == "120"
    assert (await send(sender, receiver, Fault.RETRY_AT_DATE)).retry_after is not None
    assert (await send(sender, receiver, 500)).retry_after is None


@settings(max_examples=60)
@given(
    st.binary(max_size=200)
    | st.binary(max_size=100).map(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n".__add__)
    | st.binary(max_size=100).map(lambda junk: b"HTTP/1.1 200 OK\r\nSet-Cookie: " + junk + b"\r\n\r\n")
    | st.binary(max_size=100).map(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".__add__)
)
def test_any_bytes_are_an_outcome(answer: bytes) -> None:
    async def exchange() -> Outcome:
        async with Receiver() as receiver, Sender(allow_private=True, timeout=TIMEOUT) as sender:
            return await send(sender, receiver, answer)

    outcome = asyncio.run(exchange())
    assert outcome.status is not None or outcome.failure is not None


async def test_a_port_nobody_listens_on(sender: Sender) -> None:
    with refusing() as url:
        outcome = await sender.send(url, HEADERS, BODY)
    assert (outcome.status, outcome.failure) == (None, Failure.REFUSED)


async def test_a_name_that_does_not_resolve() -> None:
    async with Sender(allow_private=False, resolve=names()) as sender:
        outcome = await sender.send("https://hooks.example/", HEADERS, BODY)
    assert outcome.failure is Failure.DNS


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("::1",),
        ("::ffff:127.0.0.1",),
        ("127.0.0.1", "127.0.0.2"),
        ("127.0.0.1", "::1"),
        ("10.0.0.1", "169.254.169.254", "fd00:ec2::254", "64:ff9b::7f00:1"),
    ],
)
async def test_a_name_that_resolves_to_a_private_address_is_never_dialled(
    receiver: Receiver, addresses: tuple[str, ...]
) -> None:
    async with Sender(allow_private=False, resolve=names(*addresses)) as sender:
        outcome = await sender.send(f"https://hooks.example:{receiver.port}/", HEADERS, BODY)
    assert (outcome.status, outcome.failure) == (None, Failure.BLOCKED)
    assert receiver.connections == 0


@pytest.mark.parametrize(
    "url", ["http://localhost:{}/", "https://127.0.0.1:{}/", "https://2130706433:{}/", "https://[::1]:{}/"]
)
async def test_a_url_that_may_not_be_saved_may_not_be_called_either(receiver: Receiver, url: str) -> None:
    async with Sender(allow_private=False) as sender:
        outcome = await sender.send(url.format(receiver.port), HEADERS, BODY)
    assert (outcome.status, outcome.failure) == (None, Failure.BLOCKED)
    assert receiver.connections == 0


def test_a_socket_is_made_for_a_public_address_only() -> None:
    module.dial_public((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443))).close()  # made, not connected
    with pytest.raises(module.BlockedError):
        module.dial_public((socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1%eth0", 443, 0, 2)))


async def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing() as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        async with Sender(allow_private=True) as sender:
            assert (await send(sender, receiver)).status == 204


async def test_cookies_are_not_given_back(sender: Sender, receiver: Receiver) -> None:
    await send(sender, receiver, b"HTTP/1.1 204 No Content\r\nSet-Cookie: a=b\r\nConnection: close\r\n\r\n")
    await send(sender, receiver)
    assert "cookie" not in receiver.requests[1].headers


async def test_a_connection_is_kept_and_its_steps_are_timed(receiver: Receiver) -> None:
    async with Sender(allow_private=True, resolve=names("127.0.0.1")) as sender:
        first, second = [await sender.send(f"http://a.test:{receiver.port}/", HEADERS, BODY) for _ in range(2)]
    assert receiver.connections == 1
    assert first.timings.dns is not None
    assert first.timings.connect is not None
    assert first.timings.first_byte is not None
    assert first.timings.dns + first.timings.connect < first.timings.first_byte < first.timings.total
    assert (second.timings.dns, second.timings.connect) == (None, None)


async def test_a_kept_connection_that_the_receiver_closed_is_replaced(sender: Sender, receiver: Receiver) -> None:
    receiver.answer = lambda number: Fault.CLOSE if number == 2 else 204
    outcomes = [await sender.send(receiver.url, HEADERS, BODY) for _ in range(2)]
    assert [outcome.status for outcome in outcomes] == [204, 204]
    assert (receiver.connections, len(receiver.requests)) == (2, 3)


async def test_a_connection_that_nobody_uses_is_closed(receiver: Receiver) -> None:
    async with Sender(allow_private=True, kept=0.2) as sender:
        await asyncio.gather(*(send(sender, receiver) for _ in range(3)))
        assert receiver.open == 3
        await eventually(lambda: asyncio.sleep(0, receiver.open == 0))


async def test_what_an_idle_connection_says_is_no_answer(sender: Sender, receiver: Receiver) -> None:
    receiver.answer = lambda number: Fault.TWO_ANSWERS if number == 1 else 200
    statuses = [(await sender.send(receiver.url, HEADERS, BODY)).status for _ in range(3)]
    assert (statuses, receiver.connections) == ([204, 200, 200], 2)
    async with Sender(allow_private=True, kept=60) as patient, Receiver() as late:
        await send(patient, late, Fault.LATE_ANSWER)
        await eventually(lambda: asyncio.sleep(0, late.open == 0), within=2)


@pytest.mark.parametrize(("length", "connections"), [(10_000, 1), (100_000, 2)])
async def test_a_connection_is_used_again_behind_a_short_answer(
    sender: Sender, receiver: Receiver, length: int, connections: int
) -> None:
    """A long one is not read to its end."""
    receiver.body = b"x" * length
    assert [(await send(sender, receiver, 500)).body for _ in range(2)] == ["x" * 2048] * 2
    assert receiver.connections == connections


async def test_a_kept_connection_that_breaks_within_an_answer_is_a_failure(sender: Sender, receiver: Receiver) -> None:
    """The receiver has read the request: it is not sent again at once."""
    receiver.answer = lambda number: 204 if number == 1 else Fault.RESET_IN_STATUS
    outcomes = [await sender.send(receiver.url, HEADERS, BODY) for _ in range(2)]
    assert [outcome.failure for outcome in outcomes] == [None, Failure.RESET]
    assert len(receiver.requests) == 2


@pytest.mark.parametrize(("fault", "failure"), [(Fault.RESET, Failure.RESET), (Fault.HANG, Failure.TIMEOUT)])
async def test_a_replaced_connection_is_not_replaced_again(
    sender: Sender, receiver: Receiver, fault: Fault, failure: Failure
) -> None:
    answers: list[Answer] = [204, Fault.CLOSE, fault]
    receiver.answer = lambda number: answers[number - 1]
    await sender.send(receiver.url, HEADERS, BODY)
    outcome = await sender.send(receiver.url, HEADERS, BODY)
    assert (outcome.status, outcome.failure, len(receiver.requests)) == (None, failure, 3)
    assert outcome.duration_ms <= (TIMEOUT + SLACK) * 1000


async def test_a_receiver_that_comes_back_is_found_again(sender: Sender, receiver: Receiver) -> None:
    assert (await send(sender, receiver)).status == 204
    await receiver.down()
    assert (await send(sender, receiver)).failure is Failure.REFUSED
    await receiver.up()
    assert (await send(sender, receiver)).status == 204


async def test_a_hanging_receiver_does_not_hold_up_others(sender: Sender, receiver: Receiver) -> None:
    async with Receiver() as hanging:
        hanging.answer = lambda number: Fault.HANG
        stuck = [asyncio.create_task(sender.send(hanging.url, HEADERS, BODY)) for _ in range(100)]
        await hanging.wait(100)
        assert (await send(sender, receiver)).status == 204
        assert not any(task.done() for task in stuck)
        assert {(await task).failure for task in stuck} == {Failure.TIMEOUT}


async def test_a_cancelled_request_is_cancelled(sender: Sender, receiver: Receiver) -> None:
    receiver.answer = lambda number: Fault.HANG
    task = asyncio.create_task(sender.send(receiver.url, HEADERS, BODY))
    await receiver.wait(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("number", "failure"),
    [
        (errno.ECONNREFUSED, Failure.REFUSED),
        (errno.ECONNRESET, Failure.RESET),
        (errno.EPIPE, Failure.RESET),
        (errno.ETIMEDOUT, Failure.TIMEOUT),
        (errno.EHOSTUNREACH, Failure.UNREACHABLE),
        (errno.ENETUNREACH, Failure.OFFLINE),
        (errno.EMFILE, Failure.OFFLINE),
        (errno.EADDRNOTAVAIL, Failure.OFFLINE),
    ],
)
def test_an_error_of_the_system_has_its_word(number: int, failure: Failure) -> None:
    assert module.failure_of(OSError(number, os.strerror(number))) is failure


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def https(certificate: Path) -> AsyncIterator[Receiver]:
    async with Receiver(certificate) as receiver:
        yield receiver


async def test_a_certificate_that_nobody_vouches_for(sender: Sender, https: Receiver) -> None:
    outcome = await send(sender, https)
    assert (outcome.status, outcome.failure, https.requests) == (None, Failure.TLS, [])


async def test_a_receiver_that_does_not_speak_tls(sender: Sender) -> None:
    def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        outcome = await sender.send(f"https://127.0.0.1:{port}/", HEADERS, BODY)
    assert (outcome.status, outcome.failure) == (None, Failure.TLS)


SEND_OVER_TLS = """
import asyncio, sys
from dispatcher.webhooks.sender import Sender
async def main():
    async with Sender(allow_private=True) as sender:
        return (await sender.send(sys.argv[1], {}, b"over tls")).status
print(asyncio.run(main()))
"""


async def test_a_certificate_that_the_system_trusts(https: Receiver, certificate: Path) -> None:
    url = https.url.replace("127.0.0.1", "localhost")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SEND_OVER_TLS, url),
        env={**os.environ, "SSL_CERT_FILE": str(certificate)},
        cwd=Path(module.__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert output.strip() == b"204"
    assert https.requests[0].body == b"over tls"
