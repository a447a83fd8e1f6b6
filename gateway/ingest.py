"""`lectern ingest FILE`: a client of a running gateway that uploads a package and tells what became of it."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import httpx
import orjson

from storage.errors import JobFailed
from storage.packages.package import read_package

CHUNK_BYTES = 1 << 20
BAR = 40
RECONNECTS = 5

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
OUTCOME = """query ($id: ID!) {
  ingestionJob(jobId: $id) {
    error { code message }
    warnings { code message subject }
    itemStatuses(status: FAILED, first: 100) { totalCount nodes { itemId errorCode message } }
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
            answer = self.http.post("/oauth/token", data=form, auth=self.credentials)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                raise IngestFailed("The gateway does not know this client: check LECTERN_CLIENT_ID and its secret.")
            told = _told(answer)
            if answer.is_error:
                raise IngestFailed(f"The gateway gives no access token: {told.get('error', answer.status_code)}")
            self._token, self._renew_at = told["access_token"], time.monotonic() + told["expires_in"] / 2
        return {"Authorization": f"Bearer {self._token}"}

    def graph(self, query: str, **variables: Any) -> Any:
        """The data of an operation."""
        answer = self.http.post("/graphql", json={"query": query, "variables": variables}, headers=self.access())
        body = _told(answer)
        if errors := body.get("errors"):
            raise IngestFailed("; ".join(error["message"] for error in errors))
        return body["data"]

    def follow(self, id: str) -> Iterator[dict[str, Any]]:
        """The events of a job until its last; a stream that breaks or ends too early goes on where it was."""
        seen, broken = 0, 0
        while broken <= RECONNECTS:
            try:
                for event in self._events({"query": FOLLOW, "variables": {"id": id, "after": seen}}):
                    seen, broken = event["sequence"], 0
                    yield event
                    if event["event"]["type"] in LAST:
                        return
            except httpx.TransportError:
                if broken == RECONNECTS:
                    raise
            broken += 1
        raise IngestFailed(f"The gateway no longer tells how far {id} is; ask for the job by this id.")

    def _events(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        headers = {**self.access(), "Accept": "text/event-stream"}
        with self.http.stream("POST", "/graphql", json=body, headers=headers, timeout=60) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:") and (answer := orjson.loads(line.removeprefix("data:") or b"null")):
                    if errors := answer.get("errors"):
                        raise IngestFailed("; ".join(error["message"] for error in errors))
                    yield answer["data"]["jobProgress"]


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
            payload = _follow(client, id, bar)
            _explain(client, id)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise IngestFailed(f"The gateway at {url} cannot be reached: {error}") from error
    told = {name: payload[name] for name in ("jobId", "status", "completed", "failed", "skipped")}
    sys.stdout.write(orjson.dumps(told).decode() + "\n")
    return STATUSES[told["status"]]


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
        still = "" if left is None else f", about {left:.0f} s left"
        bar.show(event["state"].lower(), progress["percent"], f"{done:,} of {progress['totalUnits'] or '?'}{still}")
        payload = event["event"]["payload"]
    bar.end()
    return payload


def _explain(client: Client, id: str) -> None:
    """Say what failed and what was left out, for whoever has to change it."""
    job = client.graph(OUTCOME, id=id)["ingestionJob"]
    failed = job["itemStatuses"]
    lines = [f"FAILED {item['itemId']} ({item['errorCode']}): {item['message']}" for item in failed["nodes"]]
    if failed["totalCount"] > len(failed["nodes"]):
        lines.append(f"FAILED and {failed['totalCount'] - len(failed['nodes']):,} more")
    lines += [
        f"warning {warning['subject'] or ''} ({warning['code']}): {warning['message']}"
        for warning in job["warnings"]
        if warning["code"] != "item_count_mismatch"  # the count was a guess of ours
    ]
    if job["error"]:
        lines.append(f"{job['error']['code']}: {job['error']['message']}")
    sys.stderr.writelines(f"{_printable(line)}\n" for line in lines)


def _printable(line: str) -> str:
    """What strangers wrote into a package must not move the cursor."""
    return "".join(character if character.isprintable() else "\ufffd" for character in line)
