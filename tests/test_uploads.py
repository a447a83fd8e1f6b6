"""Signed addresses that take what was announced, once: R-UPL, P22, D17."""

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from storage import ids, ingestions
from storage.presign import Permission, Presigner, Purpose
from storage.tables import Job
from storage.tables.columns import now
from tests.ingesting import QTI, ZIP, client
from tests.world import SECRET, World, eventually

SIZE = len(QTI)


def blobs(lectern: World) -> list[Path]:
    """Every file of the blob store, half-written ones too."""
    return [path for path in Path(urlsplit(lectern.settings["blob_url"]).path).rglob("*") if path.is_file()]


@contextlib.contextmanager
def blocked(lectern: World) -> Iterator[None]:
    """A blob store that takes no uploads: a file lies where their folder should be."""
    in_the_way = Path(urlsplit(lectern.settings["blob_url"]).path, "uploads")
    in_the_way.parent.mkdir(exist_ok=True)
    in_the_way.touch()
    yield
    in_the_way.unlink()


def problem(answer: Any) -> tuple[int, str]:
    """Status and code of a refusal."""
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


async def age(lectern: World, id: str) -> None:
    """Let the hour of an upload pass."""
    async with lectern.database.transaction() as session:
        job = await session.get_one(Job, id)
        over = now() - timedelta(seconds=1)
        job.parameters = ingestions.asked(job).model_copy(update={"upload_expires_at": over})
        job.due_at = over


async def test_an_upload_is_announced_with_an_hour_to_come(lectern: World) -> None:
    """R-UPL-1 to 3."""
    author = await client(lectern)
    made = await author.announce(1_048_576, items=25)
    assert made["errors"] == []
    assert not made["replayed"]
    job = made["job"]
    assert ids.prefix_of(job["id"]) is ids.Prefix.JOB
    assert (job["kind"], job["status"], job["state"]) == ("INGESTION", "AWAITING_UPLOAD", "AWAITING_UPLOAD")
    assert (job["itemCount"], job["zipFileSize"], job["sequence"]) == (25, 1_048_576, 1)
    created, expires = (datetime.fromisoformat(text) for text in (job["createdAt"], made["expiresAt"]))
    assert expires - created == timedelta(seconds=3600)
    assert job["uploadExpiresAt"] == made["expiresAt"]
    assert made["uploadUrl"].startswith("http://gateway.test/uploads/")


@pytest.mark.parametrize(
    ("items", "size", "problems"),
    [
        (0, 1, [("positive", "itemCount")]),
        (-1, 0, [("positive", "itemCount"), ("positive", "zipFileSize")]),
        (1, 1_073_741_825, [("zip_too_large", "zipFileSize")]),
        (1, 1_073_741_824, []),
    ],
)
async def test_an_announcement_has_to_make_sense(lectern: World, items: int, size: int, problems: Any) -> None:
    """R-UPL-1."""
    made = await (await client(lectern)).announce(size, items)
    assert [(error["rule"], error["path"][-1]) for error in made["errors"]] == problems
    assert {error["code"] for error in made["errors"]} <= {"VALIDATION_FAILED"}
    assert (made["job"] is None) == bool(problems)


async def test_a_repeated_announcement_is_the_same_upload_until_it_has_arrived(lectern: World) -> None:
    """D12, D20."""
    author = await client(lectern)
    first = await author.announce(SIZE, idempotencyKey="package-7")
    again = await author.announce(SIZE, idempotencyKey="package-7")
    assert again["replayed"]
    assert (again["job"]["id"], again["uploadUrl"]) == (first["job"]["id"], first["uploadUrl"])
    other = await author.announce(SIZE + 1, idempotencyKey="package-7")
    assert [error["code"] for error in other["errors"]] == ["IDEMPOTENCY_CONFLICT"]
    assert (await author.put(first["uploadUrl"], QTI)).status_code == 200
    late = await author.announce(SIZE, idempotencyKey="package-7")
    assert late["replayed"]
    assert late["uploadUrl"] is None
    assert late["expiresAt"] == first["expiresAt"]

    expired = await author.announce(SIZE, idempotencyKey="package-8")
    await age(lectern, expired["job"]["id"])
    assert (await author.announce(SIZE, idempotencyKey="package-8"))["uploadUrl"] is None


async def test_the_bytes_are_kept_and_the_job_is_queued_at_once(lectern: World) -> None:
    """R-UPL-4, R-UPL-5."""
    author = await client(lectern)
    made = await author.announce(SIZE)
    answer = await author.put(made["uploadUrl"], QTI)
    assert answer.status_code == 200
    assert answer.content == b""
    assert len(answer.headers["etag"].strip('"')) == 64
    [kept] = blobs(lectern)
    assert kept.read_bytes() == QTI
    job = await author.job(made["job"]["id"])
    assert (job["status"], job["state"]) == ("PROCESSING", "QUEUED")
    assert problem(await author.put(made["uploadUrl"], QTI)) == (409, "already_uploaded")
    assert blobs(lectern) == [kept]
    async with lectern.background():
        assert (await author.finished(made["job"]["id"]))["status"] == "COMPLETED"
    assert problem(await author.put(made["uploadUrl"], QTI)) == (409, "already_uploaded")


async def test_what_is_wrong_is_refused_and_the_address_stays_good(lectern: World) -> None:
    """R-UPL-4, D17."""
    author = await client(lectern)
    made = await author.announce(SIZE)
    url = made["uploadUrl"]
    short = await author.put(url, QTI[:-6])
    assert problem(short) == (400, "length_mismatch")
    assert short.json()["detail"] == f"Announced {SIZE} bytes, received {SIZE - 6}."
    assert problem(await author.put(url, QTI + b"x")) == (400, "length_mismatch")
    for wrong in ("text/plain", "application/zipper", ""):
        assert problem(await author.put(url, QTI, **{"Content-Type": wrong})) == (415, "content_type")
    assert problem(await author.put(url, QTI, **{"Content-Length": "1073741825"})) == (413, "too_large")
    assert problem(await author.put(url[:-4] + "AAAA", QTI)) == (403, "signature_invalid")
    assert problem(await author.put("/uploads/nonsense", QTI)) == (403, "signature_invalid")
    code = url.rpartition("/")[2]
    assert problem(await lectern.client.get(f"/downloads/{code}")) == (403, "signature_invalid")
    assert problem(await lectern.client.get(f"/session/{code}")) == (403, "signature_invalid")
    assert blobs(lectern) == []
    typed = {"Content-Type": "Application/ZIP; charset=binary"}
    assert (await author.put(url, QTI, **typed)).status_code == 200


async def test_a_package_that_does_not_come_in_time_expires(lectern: World) -> None:
    """R-UPL-3, R-JOB-1."""
    author = await client(lectern)
    made = await author.announce(SIZE)
    id = made["job"]["id"]
    await age(lectern, id)
    assert problem(await author.put(made["uploadUrl"], QTI)) == (403, "upload_expired")
    async with lectern.background():
        job = await author.finished(id)
    assert (job["state"], job["status"], job["error"]["code"]) == ("EXPIRED", "FAILED", "UPLOAD_EXPIRED")
    assert not job["retryable"]
    assert problem(await author.put(made["uploadUrl"], QTI)) == (403, "upload_expired")
    retry = "mutation ($id: ID!) { retryJob(input: {jobId: $id}) { errors { code } } }"
    assert (await author.graph(retry, id=id))["retryJob"]["errors"] == [{"code": "JOB_STATE_INVALID"}]
    told = "query ($id: ID!) { ingestionJob(jobId: $id) { events { nodes { type } } } }"
    events = (await author.graph(told, id=id))["ingestionJob"]["events"]["nodes"]
    assert [event["type"] for event in events] == ["JOB_PROGRESS", "INGESTION_FAILED"]
    assert blobs(lectern) == []


async def test_a_code_that_is_too_old_is_refused_whatever_the_job_says(lectern: World) -> None:
    author = await client(lectern)
    made = await author.announce(SIZE)
    async with lectern.database.snapshot() as session:
        job = await session.get_one(Job, made["job"]["id"])
    old = Permission(job.workspace_id, job.id, now() - timedelta(seconds=2))
    url = f"/uploads/{Presigner([SECRET]).code(Purpose.UPLOAD, old)}"
    assert problem(await author.put(url, QTI)) == (403, "upload_expired")
    elsewhere = Permission("workspace_0000000000000000000000000a", job.id, now() + timedelta(hours=1))
    url = f"/uploads/{Presigner([SECRET]).code(Purpose.UPLOAD, elsewhere)}"
    assert problem(await author.put(url, QTI)) == (403, "upload_expired"), "of another workspace"


async def test_a_cancelled_upload_is_awaited_no_more_and_cannot_be_retried(lectern: World) -> None:
    author = await client(lectern)
    made = await author.announce(SIZE)
    cancel = "mutation ($id: ID!) { cancelJob(input: {jobId: $id}) { job { state retryable } errors { code } } }"
    cancelled = (await author.graph(cancel, id=made["job"]["id"]))["cancelJob"]
    assert cancelled == {"job": {"state": "CANCELED", "retryable": False}, "errors": []}
    assert problem(await author.put(made["uploadUrl"], QTI)) == (403, "upload_expired")
    assert (await author.job(made["job"]["id"]))["status"] == "FAILED"


async def test_of_two_uploads_at_once_one_wins_and_the_other_leaves_nothing(lectern: World) -> None:
    author = await client(lectern)
    made = await author.announce(SIZE)
    answers = await asyncio.gather(*(author.put(made["uploadUrl"], QTI) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert len(blobs(lectern)) == 1


async def test_an_address_that_is_still_good_does_not_get_into_the_log(
    lectern: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """R-IMP-13: what goes wrong is told by its route."""
    author = await client(lectern)
    url = (await author.announce(SIZE))["uploadUrl"]
    with blocked(lectern):
        assert problem(await author.put(url, QTI)) == (500, "internal")
    told = capsys.readouterr().out
    assert "request failed" in told
    assert "/uploads/{code}" in told
    assert url.rpartition("/")[2] not in told
    assert (await author.put(url, QTI)).status_code == 200


# Real sockets


async def raw(address: str, url: str, head: bytes, body: bytes, *, reads: bool = False) -> bytes:
    """Send a PUT by hand, read what comes back, and hang up."""
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"PUT %s HTTP/1.1\r\nHost: gateway\r\n%s\r\n\r\n" % (urlsplit(url).path.encode(), head) + body)
    await writer.drain()
    if reads or b"chunked" in head:
        answer = await reader.read(65536)
    else:
        answer = b""
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_connection_that_breaks_half_way_leaves_nothing_and_the_address_stays_good(lectern: World) -> None:
    """Issue 4, point 2: also after megabytes have been written."""
    author = await client(lectern)
    size = 30_000_000
    made = await author.announce(size)
    async with lectern.another_gateway() as address:
        head = f"Content-Type: application/zip\r\nContent-Length: {size}".encode()
        await raw(address, made["uploadUrl"], head, bytes(20_000_000))
        chunked = await raw(
            address, made["uploadUrl"], b"Content-Type: application/zip\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"
        )
        assert chunked.startswith(b"HTTP/1.1 411")
        spaced = f"Content-Type: application/zip\r\nContent-Length: {size - 1} ".encode()
        async with asyncio.timeout(10):
            assert b"length_mismatch" in await raw(address, made["uploadUrl"], spaced + b"\t", b"", reads=True)

        async def nothing_left() -> bool:
            return blobs(lectern) == []

        await eventually(nothing_left)
        async with httpx.AsyncClient() as browser:
            answer = await browser.put(
                f"http://{address}{urlsplit(made['uploadUrl']).path}", content=bytes(size), headers=ZIP
            )
    assert answer.status_code == 200
    [kept] = blobs(lectern)
    assert kept.stat().st_size == size


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
async def test_the_curl_line_of_the_document_works_as_it_stands(lectern: World, tmp_path: Path) -> None:
    """R-UPL-4: letter by letter, but for the address and what is printed."""
    author = await client(lectern)
    made = await author.announce(SIZE)
    (tmp_path / "package.zip").write_bytes(QTI)
    async with lectern.another_gateway() as address:
        url = f"http://{address}{urlsplit(made['uploadUrl']).path}"
        line = f'curl -s -w "%{{http_code}}" -X PUT "{url}" \\\n  -H "Content-Type: application/zip" \\\n' + (
            "  --data-binary @package.zip"
        )
        run = await asyncio.to_thread(subprocess.run, ["sh", "-c", line], cwd=tmp_path, capture_output=True, check=True)
    assert run.stdout == b"200"
    assert (await author.job(made["job"]["id"]))["status"] == "PROCESSING"
