"""The developer's local receiver."""

import asyncio
import io
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dispatcher import listen
from dispatcher.webhooks import signing
from dispatcher.webhooks.outcomes import Outcome
from dispatcher.webhooks.sender import Sender
from dispatcher.webhooks.signing import Secrets
from tests.receivers import Receiver, refusing

SECRET = "whsec_bGVjdGVybi10ZXN0LXNlY3JldC0wMTIzNDU2Nzg5YWI="
EVENT = {"id": "event_1", "type": "job.progress", "timestamp": "2026-07-02T09:30:00.000Z", "subjectId": "job_1"}
BODY = json.dumps(EVENT).encode()
FORGED = {"webhook-signature": "v1,AAAA"}
NOTHING: Mapping[str, str] = {}


class Listening:
    """A listener under test: what it printed, and a client that signs."""

    def __init__(self, sender: Sender, url: str, out: io.StringIO) -> None:
        self.url = url
        self._sender = sender
        self._out = out

    @property
    def printed(self) -> list[str]:
        return self._out.getvalue().splitlines()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.printed]

    async def deliver(
        self, body: bytes = BODY, *, id: str = "event_1", age: float = 0, changed: Mapping[str, str] = NOTHING
    ) -> Outcome:
        signed = signing.headers(Secrets(SECRET), id, "job.progress", body, int(time.time() - age))
        return await self._sender.send(self.url, signed | dict(changed), body)


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with Sender(allow_private=True) as sender:
        yield sender


@pytest.fixture
async def listening(sender: Sender) -> AsyncIterator[Listening]:
    out = io.StringIO()
    async with listen.listening(SECRET, 0, out) as url:
        yield Listening(sender, url, out)


async def test_a_genuine_delivery_is_taken_and_printed(listening: Listening) -> None:
    assert (await listening.deliver()).status == 204
    assert listening.lines == [
        {
            "id": "event_1",
            "type": "job.progress",
            "verified": True,
            "repeated": False,
            "timestamp": "2026-07-02T09:30:00.000Z",
            "subjectId": "job_1",
            "body": EVENT,
        }
    ]


async def test_it_listens_on_this_machine_only(listening: Listening) -> None:
    assert listening.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (FORGED, "wrong signature"),
        ({"webhook-id": "event_2"}, "wrong signature"),
        ({"webhook-timestamp": "0"}, "timestamp more than 5 minutes away"),
        ({"webhook-timestamp": "now"}, "no readable timestamp"),
        ({"webhook-signature": "", "X-Content-Integration-Signature": ""}, "no signature"),
    ],
)
async def test_a_forgery_is_refused_and_the_line_says_why(
    listening: Listening, changed: dict[str, str], reason: str
) -> None:
    assert (await listening.deliver(changed=changed)).status == 401
    [line] = listening.lines
    assert (line["verified"], line["reason"]) == (False, reason)


async def test_an_old_delivery_is_refused(listening: Listening) -> None:
    assert (await listening.deliver(age=299)).status == 204
    assert (await listening.deliver(age=310)).status == 401


async def test_a_repetition_is_taken_and_marked(listening: Listening) -> None:
    for event in ("event_1", "event_2", "event_1"):
        assert (await listening.deliver(id=event)).status == 204
    assert [line["repeated"] for line in listening.lines] == [False, False, True]


async def test_a_forgery_does_not_make_the_genuine_one_a_repetition(listening: Listening) -> None:
    await listening.deliver(changed=FORGED)
    await listening.deliver()
    assert [line["repeated"] for line in listening.lines] == [False, False]


@pytest.mark.parametrize("body", [b"not json", b"\xff\x00", b"[" * 100_000, b"[1, 2]", b'"text"', b"", b'{"id": []}'])
async def test_any_body_is_printed(listening: Listening, body: bytes) -> None:
    assert (await listening.deliver(body)).status == 204
    [line] = listening.lines
    assert line["verified"] is True
    assert line["subjectId"] is None


async def test_a_genuine_delivery_is_passed_on_as_it_came(sender: Sender) -> None:
    out = io.StringIO()
    async with Receiver() as own, listen.listening(SECRET, 0, out, own.url) as url:
        own.answer = lambda number: 500 if number == 1 else 204
        developer = Listening(sender, url, out)
        assert (await developer.deliver()).status == 500, "so that the delivery is made again"
        assert (await developer.deliver()).status == 204
        assert (await developer.deliver(changed=FORGED)).status == 401
    assert [received.body for received in own.requests] == [BODY, BODY]
    assert signing.verify(SECRET, own.requests[0].headers, BODY, time.time()) is None


async def test_a_port_that_nobody_listens_on_is_a_bad_gateway(sender: Sender) -> None:
    out = io.StringIO()
    with refusing() as nobody:
        async with listen.listening(SECRET, 0, out, nobody) as url:
            assert (await Listening(sender, url, out).deliver()).status == 502


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:3000/hook", "http://127.1.2.3/", "http://localhost:1/", "https://[::1]/"]
)
def test_deliveries_may_be_passed_on_to_this_machine(url: str) -> None:
    assert listen.loopback_url(url) == url


@pytest.mark.parametrize(
    "url",
    ["https://example.com/", "http://10.0.0.1/", "http://0.0.0.0/", "http://127.0.0.1@example.com/", "localhost:1"],
)
def test_deliveries_are_not_passed_on_elsewhere(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        listen.main(["--port", "0", "--forward", url])
    assert stopped.value.code == 2
    assert "--forward" in capsys.readouterr().err


def test_without_a_secret_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LECTERN_LISTEN_SECRET", "something else")
    with pytest.raises(SystemExit) as stopped:
        listen.main([])
    assert stopped.value.code == 2
    assert "LECTERN_LISTEN_SECRET" in capsys.readouterr().err


async def test_for_people_a_delivery_takes_several_lines(sender: Sender) -> None:
    out = io.StringIO()
    async with listen.listening(SECRET, 0, out, indent=2) as url:
        await Listening(sender, url, out).deliver()
    assert json.loads(out.getvalue())["body"] == EVENT
    assert len(out.getvalue().splitlines()) > 5


async def test_what_was_printed_is_sent_on_again_signed_anew(
    listening: Listening, capsys: pytest.CaptureFixture[str]
) -> None:
    bodies = [
        b'{"id":"event_1","a":12345678901234567890123,"b":1.10,"c":1e400,"d":"\xc3\xbc \\u00fc \\"body\\": "}',
        BODY,
    ]
    for number, body in enumerate(bodies, start=1):
        await listening.deliver(body, id=f"event_{number}")
    async with Receiver() as handler:
        handler.answer = lambda number: 204 if number == 1 else 500
        assert await listen.replay(SECRET, listening.printed, handler.url) == 1
    assert [request.body for request in handler.requests] == bodies, "to the last digit"
    assert [request.headers["webhook-id"] for request in handler.requests] == ["event_1", "event_2"]
    for request in handler.requests:
        assert signing.verify(SECRET, request.headers, request.body, time.time()) is None
    assert capsys.readouterr().out == "event_1 job.progress: 204\nevent_2 job.progress: 500\n"


@pytest.mark.parametrize("line", ["", "no JSON", "[]", '{"id": 1}', '{"id": "x", "type": "y", "body": "text"}'])
async def test_only_what_was_printed_can_be_replayed(line: str) -> None:
    with pytest.raises(ValueError, match="no line that was printed"):
        await listen.replay(SECRET, [line], "http://127.0.0.1:9/")


def test_a_replay_needs_to_know_where_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "lines").write_text("")
    with pytest.raises(SystemExit):
        listen.main(["--replay", str(tmp_path / "lines")])
    assert "--forward" in capsys.readouterr().err


async def test_a_taken_port_is_an_error_with_a_message(listening: Listening) -> None:
    process = await start("--port", listening.url.rpartition(":")[2], environment={"LECTERN_LISTEN_SECRET": SECRET})
    _, errors = await process.communicate()
    assert (process.returncode, errors.decode().partition(":")[0]) == (1, "Cannot listen")


@pytest.mark.parametrize(
    ("arguments", "environment", "stdin"),
    [
        (["--secret-stdin"], {}, f"{SECRET}\n".encode()),
        ([], {"LECTERN_LISTEN_SECRET": SECRET}, b""),
    ],
    ids=["stdin", "environment"],
)
async def test_the_command_prints_its_address_and_each_delivery_at_once(
    sender: Sender, arguments: list[str], environment: dict[str, str], stdin: bytes
) -> None:
    process = await start("--port", "0", *arguments, environment=environment)
    assert process.stdin
    assert process.stdout
    assert process.stderr
    process.stdin.write(stdin)
    process.stdin.close()
    try:
        announced = (await process.stderr.readline()).decode()
        url = announced.removeprefix("Listening on ").strip()
        assert (await Listening(sender, url, io.StringIO()).deliver()).status == 204
        assert json.loads(await process.stdout.readline())["verified"] is True
    finally:
        process.terminate()
        await process.communicate()


async def start(*arguments: str, environment: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dispatcher.listen", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(listen.__file__).parents[1],
        env={**os.environ, **environment},
    )
