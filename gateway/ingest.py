"""`lectern ingest FILE`: a client of a running gateway that uploads a package and tells what became of it."""

import contextlib
import re
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

import httpx
import orjson

from storage.errors import JobFailed
from storage.packages.package import read_package

CHUNK_BYTES = 1 << 20
BAR = 40
PAUSES = (0.25, 0.5, 1, 2, 4, 8, 8, 8)
"""Seconds before each new try to follow a job: a gateway that is being replaced is back within thirty."""

WAITS = 10
"""How often one request is sent again because there had been too many."""

WAIT_SECONDS = 60

LAST = frozenset({"INGESTION_COMPLETED", "INGESTION_FAILED"})
STATUSES = {"COMPLETED": 0, "FAILED": 1, "COMPLETED_WITH_ERRORS": 3}
"""Exit statuses."""

CREATE = """mutation ($input: CreateIngestUploadInput!) {
  createIngestUpload(input: $input) { job { id } uploadUrl errors { message } }
}"""
FOLLOW = """subscription ($id: ID!, $after: Int) {
  jobProgress(jobId: $id, after: $after) {
    sequence state event { type payload }
    progress { percent completedUnits failedUnits totalUnits secondsRemaining }
  }
}"""
OUTCOME = """query ($id: ID!, $after: String) {
  ingestionJob(jobId: $id) {
    error { code message }
    warnings { code message subject }
    itemStatuses(status: FAILED, first: 100, after: $after) {
      nodes { itemId errorCode message }
      pageInfo { hasNextPage endCursor }
    }
  }
}"""


class IngestFailed(Exception):  # noqa: N818
    """The gateway could not be asked, or refused; says why."""


class Client:
    """An OAuth client of a gateway."""

    def __init__(self, http: httpx.Client, client_id: str, client_secret: str) -> None:
        self.http = http
        self.credentials = (client_id, client_secret)
        self._token, self._renew_at = "", 0.0

    def access(self) -> dict[str, str]:
        """Access as a header, renewed in time."""
        if time.monotonic() >= self._renew_at:
            form = {"grant_type": "client_credentials"}
            answer = self._post("/oauth/token", data=form, auth=self.credentials)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                raise IngestFailed("The gateway does not know this client: check LECTERN_CLIENT_ID and its secret.")
            told = _told(answer)
            if answer.is_error:
                said = told.get("error_description") or told.get("detail") or answer.status_code
                raise IngestFailed(f"The gateway gives no access token: {said}")
            self._token, self._renew_at = told["access_token"], time.monotonic() + told["expires_in"] / 2
        return {"Authorization": f"Bearer {self._token}"}

    def graph(self, query: str, **variables: Any) -> Any:
        """The data of an operation."""
        answer = self._post("/graphql", json={"query": query, "variables": variables}, headers=self.access())
        return _data(_told(answer))

    def follow(self, id: str) -> Iterator[dict[str, Any]]:
        """The events of a job until its last; a stream that breaks or ends too early goes on where it was."""
        seen, pauses = 0, iter(PAUSES)
        while True:
            try:
                for event in self._events({"query": FOLLOW, "variables": {"id": id, "after": seen}}):
                    seen, pauses = event["sequence"], iter(PAUSES)
                    yield event
                    if event["event"]["type"] in LAST:
                        return
            except httpx.TransportError as error:
                broken = f"cannot be reached: {error}"
            else:
                broken = "no longer tells how far it is"
            if (pause := next(pauses, None)) is None:
                raise IngestFailed(f"The gateway {broken}.")
            time.sleep(pause)

    def _events(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        headers = {**self.access(), "Accept": "text/event-stream"}
        with self.http.stream("POST", "/graphql", json=body, headers=headers, timeout=60) as stream:
            if stream.status_code == httpx.codes.TOO_MANY_REQUESTS:
                time.sleep(_wait(stream))
                return
            if stream.is_client_error:
                stream.read()
                _data(_told(stream))
            for line in stream.iter_lines():
                if line.startswith("data:") and (answer := _event(line.removeprefix("data:"))):
                    yield _data(answer)["jobProgress"]

    def _post(self, path: str, **request: Any) -> httpx.Response:
        """The answer to a request, which is sent again when the gateway says that there are too many for now."""
        for _ in range(WAITS):
            answer = self.http.post(path, **request)
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                break
            time.sleep(_wait(answer))
        return answer


def _event(data: str) -> Any:
    """What an event carries, if anything; a proxy may end a stream in the middle of one."""
    try:
        return orjson.loads(data or b"null")
    except orjson.JSONDecodeError as error:
        raise httpx.RemoteProtocolError("an event broke off") from error


def _wait(answer: httpx.Response) -> int:
    """How many seconds the gateway asks for; says so, as they may be many."""
    stated = answer.headers.get("Retry-After", "")
    seconds = int(stated) if re.fullmatch(r"[0-9]{1,4}", stated) else WAIT_SECONDS
    sys.stderr.write(f"The gateway takes so many requests a minute; going on in {seconds} s.\n")
    return seconds


def _data(body: dict[str, Any]) -> Any:
    """What the graph answers; IngestFailed says what it refuses, and which scope is missing."""
    if errors := body.get("errors"):
        raise IngestFailed("; ".join(map(_message, errors)))
    if body.get("data") is None:
        raise IngestFailed(str(body.get("detail") or "What answers there speaks JSON, but is no gateway."))
    return body["data"]


def _message(error: dict[str, Any]) -> str:
    scopes = error.get("extensions", {}).get("requiredScopes")
    return f"{error['message']} It needs {' or '.join(scopes)}." if scopes else str(error["message"])


def _told(answer: httpx.Response) -> dict[str, Any]:
    """The object that a gateway answers with; whoever answers something else is none."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise IngestFailed(f"There is no gateway at {answer.url}: it answers {answer.status_code} and no JSON.")
    return body


class Bar:
    """Progress in one line, on terminals only."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream if stream.isatty() else None

    def show(self, doing: str, percent: float, more: str = "") -> None:
        """How far something is."""
        if self.stream:
            done = round(BAR * percent / 100)
            self.stream.write(f"\r\x1b[K{doing:<10} [{'#' * done}{'-' * (BAR - done)}] {percent:5.1f} % {more}")
            self.stream.flush()

    def end(self) -> None:
        """Go on below."""
        if self.stream:
            self.stream.write("\n")


def ingest(path: Path, url: str, client_id: str, client_secret: str) -> int:
    """Upload a package and follow its job; the exit status. Raises IngestFailed when there is nobody to talk to."""
    bar = Bar(sys.stderr)
    try:
        with httpx.Client(base_url=url, timeout=30) as http:
            client = Client(http, client_id, client_secret)
            id = _upload(client, path, bar)
            with _going_on(id, bar):
                payload = _follow(client, id, bar)
            try:
                _explain(client, id)
            except (httpx.HTTPError, IngestFailed) as error:
                sys.stderr.write(f"What failed and why cannot be asked now: {error}\n")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise IngestFailed(f"The gateway at {url} cannot be reached: {error}") from error
    told = {name: payload[name] for name in ("jobId", "status", "completed", "failed", "skipped")}
    sys.stdout.write(orjson.dumps(told).decode() + "\n")
    return STATUSES[told["status"]]


@contextlib.contextmanager
def _going_on(id: str, bar: Bar) -> Iterator[None]:
    """Whoever leaves before the end is told that the job does not."""
    try:
        yield
    except (KeyboardInterrupt, IngestFailed, httpx.HTTPError):
        bar.end()
        sys.stderr.write(f"The package has arrived, and its job goes on without this command: {id}\n")
        raise


def _upload(client: Client, path: Path, bar: Bar) -> str:
    """Announce the package and send it; the id of its job."""
    size = path.stat().st_size
    made = client.graph(CREATE, input={"itemCount": _count(path), "zipFileSize": size})["createIngestUpload"]
    if made["errors"]:
        raise IngestFailed("; ".join(error["message"] for error in made["errors"]))
    headers = {"Content-Type": "application/zip", "Content-Length": str(size)}
    answer = client.http.put(made["uploadUrl"], content=_pieces(path, size, bar), headers=headers, timeout=600)
    bar.end()
    if answer.is_error:
        raise IngestFailed(f"The upload was refused: {answer.text}")
    return str(made["job"]["id"])


def _count(path: Path) -> int:
    """How many resources the package lists; what cannot be read here is for the gateway to explain."""
    with path.open("rb") as file:
        try:
            return max(1, read_package(file).total)
        except JobFailed:
            return 1


def _pieces(path: Path, size: int, bar: Bar) -> Iterator[bytes]:
    sent = 0
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            yield piece
            sent += len(piece)
            bar.show("uploading", 100 * sent / size)


def _follow(client: Client, id: str, bar: Bar) -> dict[str, Any]:
    """The body of the job's last event."""
    payload: dict[str, Any] = {}
    for event in client.follow(id):
        progress = event["progress"]
        done = progress["completedUnits"] + progress["failedUnits"]
        left = progress["secondsRemaining"]
        total = f"{progress['totalUnits']:,}" if progress["totalUnits"] else "?"
        still = "" if left is None else f", about {left:.0f} s left"
        bar.show(event["state"].lower(), progress["percent"], f"{done:,} of {total}{still}")
        payload = event["event"]["payload"]
    bar.end()
    return payload


def _explain(client: Client, id: str) -> None:
    """Say what failed and what was left out, for whoever has to change it."""
    after: str | None = None
    while True:  # however many they are, whoever has to change them needs them all
        job = client.graph(OUTCOME, id=id, after=after)["ingestionJob"]
        failed = job["itemStatuses"]
        _say(f"FAILED {item['itemId']} ({item['errorCode']}): {item['message']}" for item in failed["nodes"])
        if not failed["pageInfo"]["hasNextPage"]:
            break
        after = failed["pageInfo"]["endCursor"]
    _say(
        " ".join(filter(None, ["warning", warning["subject"], f"({warning['code']}): {warning['message']}"]))
        for warning in job["warnings"]
        if warning["code"] != "item_count_mismatch"  # the count was a guess of ours
    )
    if job["error"]:
        _say([f"{job['error']['code']}: {job['error']['message']}"])


def _say(lines: Iterable[str]) -> None:
    sys.stderr.writelines(f"{_printable(line)}\n" for line in lines)


def _printable(line: str) -> str:
    """What strangers wrote into a package must not move the cursor."""
    return "".join(character if character.isprintable() else "\ufffd" for character in line)
