"""Downloads: signed addresses of files, whole and in parts (HTTP.md, section 2)."""

import hashlib
import string
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest

from gateway.downloads import disposition
from gateway.ranges import RangeUnsatisfiable, span
from storage import attachments, jobs, workspaces
from storage.blobs import Blobs
from storage.presign import DOWNLOAD_TIME, Permission, Presigner, Purpose
from storage.tables import Attachment, AttachmentRole, Environment, Job, JobKind, JobState
from storage.tables.columns import now
from tests.films import plan
from tests.world import SECRET, World

CONTENT = bytes(number % 251 for number in range(5000))
ETAG = f'"{hashlib.sha256(CONTENT).hexdigest()}"'


@dataclass
class File:
    """A file of a job, and how to ask for it."""

    lectern: World
    blobs: Blobs
    row: Attachment
    workspace_id: str

    def url(self, lasting: timedelta = DOWNLOAD_TIME, *, workspace_id: str | None = None, secret: str = SECRET) -> str:
        """A fresh address."""
        permission = Permission.lasting(workspace_id or self.workspace_id, self.row.id, lasting)
        return f"/downloads/{Presigner([secret]).code(Purpose.DOWNLOAD, permission)}"

    async def ask(self, url: str | None = None, method: str = "GET", **headers: str) -> httpx.Response:
        """Ask for it, without any credential."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.lectern.client.request(method, url or self.url(), headers=named)


@pytest.fixture
async def file(lectern: World) -> File:
    """A file as a worker leaves it."""
    blobs = Blobs(lectern.settings["blob_url"])
    async with lectern.database.transaction() as session:
        workspace = await workspaces.find(session, "ours")
        assert workspace is not None
        job = Job(
            id=jobs.new_id(),
            workspace_id=workspace.id,
            environment=Environment.PRODUCTION,
            kind=JobKind.RENDER,
            state=JobState.COMPLETED,
            parameters=plan(1.0),
            due_at=None,
        )
        session.add(job)
        await session.flush()
        row = attachments.named(job, AttachmentRole.artifact, 'Übung "1".mp4', "video/mp4")
        await attachments.write(blobs, row, parts())
        session.add(row)
    return File(lectern, blobs, row, workspace.id)


async def parts() -> AsyncIterator[bytes]:
    yield CONTENT[:2000]
    yield CONTENT[2000:]


async def test_whoever_holds_the_address_gets_the_file(file: File) -> None:
    answer = await file.ask()
    assert answer.status_code == 200
    assert answer.content == CONTENT
    headers = {
        "content-type": "video/mp4",
        "content-length": "5000",
        "content-disposition": "attachment; filename=\"_bung _1_.mp4\"; filename*=UTF-8''%C3%9Cbung%20%221%22.mp4",
        "etag": ETAG,
        "accept-ranges": "bytes",
        "cache-control": "private, no-store",
        "content-security-policy": "sandbox",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }
    assert {name: answer.headers.get(name) for name in headers} == headers
    assert file.row.byte_size == 5000


async def test_head_tells_the_same_without_the_file(file: File) -> None:
    whole, head = await file.ask(), await file.ask(method="HEAD", range="bytes=0-1")
    assert head.status_code == 200
    assert head.content == b""
    assert {**head.headers, "x-request-id": ""} == {**whole.headers, "x-request-id": ""}


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-0", 0, 1), ("bytes=1000-1999", 1000, 2000), ("bytes=4990-", 4990, 5000), ("bytes=-10", 4990, 5000)],
)
async def test_a_part_is_a_part(file: File, asked: str, start: int, end: int) -> None:
    answer = await file.ask(range=asked)
    assert answer.status_code == 206
    assert answer.content == CONTENT[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/5000"
    assert answer.headers["content-length"] == str(end - start)


async def test_a_part_behind_the_end_is_refused(file: File) -> None:
    answer = await file.ask(range="bytes=5000-")
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */5000"
    assert answer.json()["code"] == "range"


@pytest.mark.parametrize(("known", "status"), [(ETAG, 206), ('"other"', 200), ("W/" + ETAG, 200)])
async def test_a_part_is_only_of_the_file_that_is_known(file: File, known: str, status: int) -> None:
    answer = await file.ask(range="bytes=0-9", if_range=known)
    assert answer.status_code == status


async def test_an_address_that_was_not_made_here_is_refused(file: File) -> None:
    """Not even the spare bits of the last sign may be others."""
    good = file.url()
    others = [good[:-1] + sign for sign in string.ascii_letters + string.digits + "-_" if sign != good[-1]]
    nonsense = [good[:-5], "/downloads/nonsense", "/downloads/a.b", file.url(secret="x" * 40)]
    for url in (*others, *nonsense):
        answer = await file.ask(url)
        assert answer.status_code == 403
        assert answer.json()["code"] == "signature_invalid"


async def test_an_old_address_has_expired(file: File) -> None:
    answer = await file.ask(file.url(timedelta(seconds=-1)))
    assert answer.status_code == 410
    assert answer.json()["code"] == "expired"


async def test_a_file_that_was_removed_is_not_found(file: File) -> None:
    assert (await file.ask(file.url(workspace_id="workspace_other"))).status_code == 404
    await file.blobs.delete(file.row.key)
    answer = await file.ask()
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


async def test_a_file_whose_time_is_over_is_not_found(file: File) -> None:
    async with file.lectern.database.transaction() as session:
        file.row.expires_at = now()
        session.add(file.row)
    assert (await file.ask()).status_code == 404


async def test_a_file_is_only_read(file: File) -> None:
    answer = await file.ask(method="POST")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_an_address_is_good_while_its_key_is_kept() -> None:
    permission = Permission.lasting("workspace_1", "attachment_1", DOWNLOAD_TIME)
    code = Presigner(["o" * 32]).code(Purpose.DOWNLOAD, permission)
    assert Presigner(["n" * 32, "o" * 32]).read(Purpose.DOWNLOAD, code) == permission


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-4", (0, 5)),
        ("BYTES=0-4", (0, 5)),
        ("bytes=5-", (5, 10)),
        ("bytes=5-99", (5, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes=4-3", None),
        ("bytes=0-1,3-4", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=٣-٤", None),
        ("bytes=" + "9" * 40 + "-", None),
        ("items=0-4", None),
    ],
)
def test_a_range_is_read_as_the_specification_says(header: str | None, expected: tuple[int, int] | None) -> None:
    assert span(header, 10) == expected


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=10-12", 10), ("bytes=-0", 10), ("bytes=0-", 0)]
)
def test_nothing_cannot_be_sent(header: str, size: int) -> None:
    with pytest.raises(RangeUnsatisfiable):
        span(header, size)


@pytest.mark.parametrize(
    ("title", "filename"),
    [
        ("Safety: summary?", "Safety summary.mp4"),
        ("../../etc/passwd", "etc passwd.mp4"),
        ("世界", "世界.mp4"),
        ("a\r\nSet-Cookie: b", "a Set-Cookie b.mp4"),
        ("...", "untitled.mp4"),
        ("ü" * 200, "ü" * 60 + ".mp4"),
        ("gpj\u202e.exe", "gpj .exe.mp4"),
        ("con", "con_.mp4"),
        ("NUL.a", "NUL_.a.mp4"),
    ],
)
def test_a_title_becomes_a_harmless_filename(title: str, filename: str) -> None:
    assert attachments.filename(title, ".mp4") == filename


def test_a_filename_cannot_break_out_of_its_header() -> None:
    assert disposition('a"\\%\n;é') == "attachment; filename=\"a____;_\"; filename*=UTF-8''a%22%5C%25%0A%3B%C3%A9"
