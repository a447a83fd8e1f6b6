"""A webhook receiver for the developer's own machine: verifies what arrives and prints one JSON line per delivery."""

import argparse
import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatcher.webhooks import signing
from dispatcher.webhooks.sender import Sender
from storage import destinations
from storage.errors import ValidationFailed

DEFAULT_PORT = 9000
MAX_BODY_BYTES = 1024 * 1024

_BODY = re.compile(r'"body":\s*')

PASSED_ON = (
    "Content-Type",
    "User-Agent",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "X-Content-Integration-Event",
    "X-Content-Integration-Signature",
)


class Settings(BaseSettings):
    """What the environment may tell the listener."""

    model_config = SettingsConfigDict(env_prefix="LECTERN_LISTEN_")

    secret: SecretStr = SecretStr("")


class Listener:
    """Judges each request, reports it as one line, and passes a genuine one on."""

    def __init__(self, secret: str, sender: Sender, out: TextIO, forward: str | None, indent: int | None) -> None:
        self._secret = secret
        self._sender = sender
        self._out = out
        self._forward = forward
        self._indent = indent
        self._seen: set[str] = set()

    async def receive(self, request: web.Request) -> web.Response:
        """204, or the status that the forwarded request was answered with (502 for none); 401 for a forgery."""
        body = await request.read()
        refusal = signing.verify(self._secret, request.headers, body, time.time())
        event_id = request.headers.get("webhook-id", "")
        line = described(request.headers, body, verified=refusal is None, repeated=event_id in self._seen)
        if refusal is not None:
            status, line["reason"] = 401, refusal
        else:
            self._seen |= {event_id} - {""}
            status = 204 if self._forward is None else await self._pass_on(self._forward, request, body)
        self._out.write(printed(line, body, self._indent) + "\n")
        self._out.flush()
        return web.Response(status=status)

    async def _pass_on(self, url: str, request: web.Request, body: bytes) -> int:
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        outcome = await self._sender.send(url, headers, body)
        if outcome.failure is not None:
            sys.stderr.write(f"{url}: {outcome.failure}\n")
        return outcome.status or 502


def printed(line: dict[str, Any], body: bytes, indent: int | None) -> str:
    """The line; a single one has JSON as it came, to the last digit, so that the same bytes can be sent again."""
    text = body.decode(errors="replace")
    if indent is None and text.isprintable() and isinstance(line["body"], dict):
        head = json.dumps({name: value for name, value in line.items() if name != "body"})
        return f'{head[:-1]}, "body": {text}}}'
    return json.dumps(line, indent=indent)


def described(headers: Mapping[str, str], body: bytes, *, verified: bool, repeated: bool) -> dict[str, Any]:
    """What is printed of a request; a body that is no JSON is given as text."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = body.decode(errors="replace")
    fields = content if isinstance(content, dict) else {}
    return {
        "id": headers.get("webhook-id"),
        "type": headers.get("X-Content-Integration-Event", fields.get("type")),
        "verified": verified,
        "repeated": repeated,
        "timestamp": fields.get("timestamp"),
        "subjectId": fields.get("subjectId"),
        "body": content,
    }


@asynccontextmanager
async def listening(
    secret: str, port: int, out: TextIO, forward: str | None = None, indent: int | None = None
) -> AsyncIterator[str]:
    """Receives on any path of the URL it yields; port 0 takes a free one. OSError when the port is taken."""
    async with Sender(allow_private=True) as sender:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post("/{path:.*}", Listener(secret, sender, out, forward, indent).receive)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


async def serve(secret: str, port: int, forward: str | None, indent: int | None) -> None:
    """Listen until the process is stopped."""
    async with listening(secret, port, sys.stdout, forward, indent) as url:
        sys.stderr.write(f"Listening on {url}\n")
        sys.stderr.flush()
        await asyncio.Event().wait()


async def replay(secret: str, lines: Iterable[str], url: str) -> int:
    """
    Send what was printed before to a URL again, signed anew under the same ids, so that a handler can be tried.

    Answers 0 when everything was taken with 2xx. ValueError for a line that this command has not printed.
    """
    refused = 0
    async with Sender(allow_private=True) as sender:
        for id, type, body in map(_printed, lines):
            headers = signing.headers(signing.Secrets(secret), id, type, body, int(time.time()))
            outcome = await sender.send(url, headers, body)
            sys.stdout.write(f"{id} {type}: {outcome.failure or outcome.status}\n")
            refused += not (outcome.status and 200 <= outcome.status < 300)
    return 1 if refused else 0


def _printed(line: str) -> tuple[str, str, bytes]:
    """Id, type and body of a delivery that was printed as one line."""
    try:
        match json.loads(line):
            case {"id": str(id), "type": str(type), "body": dict()} if start := _BODY.search(line):
                _, end = json.JSONDecoder().raw_decode(line, start.end())
                return id, type, line[start.end() : end].encode()
    except ValueError:
        pass
    raise ValueError(f"this is no line that was printed here: {line.strip()[:80]}")


def loopback_url(text: str) -> str:
    """A URL on this machine, for argparse."""
    try:
        destinations.check_url(text, allow_private=True)
    except ValidationFailed as problem:
        raise argparse.ArgumentTypeError(problem.message) from problem
    host = urlsplit(text).hostname or ""
    if host != "localhost" and not (destinations.is_address(host) and ip_address(host).is_loopback):
        raise argparse.ArgumentTypeError("deliveries are passed on to this machine only, e.g. http://127.0.0.1:3000/")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status; wrong use exits with 2 by itself."""
    parser = argparse.ArgumentParser("lectern listen", description=__doc__)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one (default %(default)s)")
    parser.add_argument("--secret-stdin", action="store_true", help="instead of LECTERN_LISTEN_SECRET")
    parser.add_argument("--forward", type=loopback_url, metavar="URL", help="pass genuine deliveries on to this")
    parser.add_argument("--pretty", action="store_true", help="several lines for each delivery, for people")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="send what it has printed on once more, and end")
    options = parser.parse_args(arguments)
    if options.replay and not options.forward:
        parser.error("--replay needs --forward: where to send what was printed")
    secret = sys.stdin.readline().strip() if options.secret_stdin else Settings().secret.get_secret_value()
    try:
        signing.key(secret)
    except ValueError:
        parser.error("the endpoint's secret (whsec_…) is needed: in LECTERN_LISTEN_SECRET, or with --secret-stdin")
    try:
        with suppress(KeyboardInterrupt):
            if options.replay:
                lines = options.replay.read_text(encoding="utf-8").splitlines()
                return asyncio.run(replay(secret, lines, options.forward))
            asyncio.run(serve(secret, options.port, options.forward, 2 if options.pretty else None))
    except OSError as error:
        sys.stderr.write(f"Cannot {'replay' if options.replay else 'listen'}: {error}\n")
        return 1
    except ValueError as wrong:
        sys.stderr.write(f"Cannot replay: {wrong}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
