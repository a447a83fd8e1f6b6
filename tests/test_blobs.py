"""Bytes at rest: one suite for a local folder and for an S3 server on this machine."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from obstore.exceptions import GenericError

from storage.blobs import CHUNK_BYTES, Blobs
from tests.conftest import BUCKET


@pytest.fixture(params=["file", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Blobs:
    """An empty store of each kind."""
    if request.param == "file":
        return Blobs(f"file://{tmp_path / 'blobs'}")
    account: dict[str, str] = request.getfixturevalue("s3")
    for name, value in account.items():
        monkeypatch.setenv(name, value)
    return Blobs(f"s3://{BUCKET}/{tmp_path.name}")


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def read(blobs: Blobs, key: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in blobs.get(key, start, end)])


async def test_what_is_put_is_got_again(blobs: Blobs) -> None:
    content = os.urandom(3 * CHUNK_BYTES + 17)
    await blobs.put("a/b.bin", chunks(content[:100], content[100 : CHUNK_BYTES * 2], content[CHUNK_BYTES * 2 :]))
    assert await read(blobs, "a/b.bin") == content
    assert await blobs.size("a/b.bin") == len(content)


@pytest.mark.parametrize(("start", "end"), [(0, 5), (3, None), (CHUNK_BYTES - 1, CHUNK_BYTES + 1), (10, 10**9)])
async def test_a_range_is_read_without_the_rest(blobs: Blobs, start: int, end: int | None) -> None:
    content = os.urandom(2 * CHUNK_BYTES)
    await blobs.put("a", chunks(content))
    assert await read(blobs, "a", start, end) == content[start:end]


async def test_what_is_not_there_is_said(blobs: Blobs) -> None:
    with pytest.raises(FileNotFoundError):
        await read(blobs, "nothing")
    with pytest.raises(FileNotFoundError):
        await blobs.size("nothing")
    await blobs.delete("nothing")


async def test_a_stream_that_breaks_leaves_nothing(blobs: Blobs) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * CHUNK_BYTES
        raise ConnectionResetError

    with pytest.raises((ConnectionResetError, GenericError)):
        await blobs.put("half", broken())
    with pytest.raises(FileNotFoundError):
        await blobs.size("half")


async def test_deleting_removes(blobs: Blobs) -> None:
    await blobs.put("a", chunks(b"x"))
    await blobs.delete("a")
    with pytest.raises(FileNotFoundError):
        await blobs.size("a")


async def test_everything_under_a_prefix_is_removed_and_nothing_else(blobs: Blobs) -> None:
    for key in ("a/1/x", "a/2/y", "a/z", "ab/1/x"):
        await blobs.put(key, chunks(b"x"))
    await blobs.delete_all("a/")
    await blobs.delete_all("nothing/")
    assert [await blobs.has(key) for key in ("a/1/x", "a/2/y", "a/z", "ab/1/x")] == [False, False, False, True]


async def test_a_store_tells_whether_it_can_be_reached(blobs: Blobs) -> None:
    await blobs.check()


async def test_what_is_under_a_key_can_be_opened_as_a_file(blobs: Blobs) -> None:
    content = os.urandom(2 * CHUNK_BYTES + 17)
    await blobs.put("a/b.bin", chunks(content))
    async with blobs.file("a/b.bin") as path:
        assert path.read_bytes() == content
    assert await read(blobs, "a/b.bin") == content
    with pytest.raises(FileNotFoundError):
        async with blobs.file("nothing"):
            pass
