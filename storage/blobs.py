"""Bytes at rest, by key: a local folder or S3, streamed in and out."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import obstore
from obstore.store import LocalStore, ObjectStore, S3Store

CHUNK_BYTES = 1 << 20


class Blobs:
    """A store of LECTERN_BLOB_URL; credentials, region and endpoint of S3 come from AWS_* as usual."""

    def __init__(self, url: str) -> None:
        self.store = _store(url)

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> None:
        """Write a stream under a key; nothing is there until all of it is."""
        await obstore.put_async(self.store, key, chunks, chunk_size=8 * CHUNK_BYTES)

    async def get(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Read a stream, or the bytes from start up to end; FileNotFoundError when there is nothing."""
        if start == 0 and end is None:
            found = await obstore.get_async(self.store, key)
            async for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(chunk)
            return
        size = (await obstore.head_async(self.store, key))["size"]
        stop = size if end is None else min(end, size)
        for begin in range(start, stop, CHUNK_BYTES):
            yield bytes(await obstore.get_range_async(self.store, key, start=begin, end=min(begin + CHUNK_BYTES, stop)))

    @contextlib.asynccontextmanager
    async def file(self, key: str) -> AsyncIterator[Path]:
        """
        What is under a key as a file of this machine while the block runs: itself, only to be read, or else a copy.

        FileNotFoundError when there is nothing.
        """
        if isinstance(self.store, LocalStore) and (path := Path(self.store.prefix or "", key)).is_file():
            yield path
            return
        with tempfile.NamedTemporaryFile(prefix="lectern-") as copy:
            async for chunk in self.get(key):
                await asyncio.to_thread(copy.write, chunk)
            await asyncio.to_thread(copy.flush)
            yield Path(copy.name)

    async def size(self, key: str) -> int:
        """Bytes under a key; FileNotFoundError when there is nothing."""
        return (await obstore.head_async(self.store, key))["size"]

    async def has(self, key: str) -> bool:
        """Whether there is anything under a key."""
        try:
            await self.size(key)
        except FileNotFoundError:
            return False
        return True

    async def delete(self, key: str) -> None:
        """Remove what is under a key; nothing there is fine."""
        try:
            await obstore.delete_async(self.store, key)
        except FileNotFoundError:
            return

    async def delete_all(self, prefix: str) -> None:
        """Remove what is under all keys that begin with a prefix, which ends with a slash."""
        async for batch in obstore.list(self.store, prefix):
            for found in batch:
                await self.delete(found["path"])

    async def check(self) -> None:
        """Fails when the store cannot be reached."""
        await obstore.list_with_delimiter_async(self.store, prefix="healthz")


async def chunks_of(path: Path) -> AsyncIterator[bytes]:
    """The bytes of a local file, to put somewhere."""
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk


def _store(url: str) -> ObjectStore:
    parts = urlsplit(url)
    path = f"{parts.netloc}{parts.path}"
    if parts.scheme == "file":
        return LocalStore(Path(path).absolute(), mkdir=True, automatic_cleanup=True)
    bucket, _, prefix = path.partition("/")
    return S3Store(bucket, prefix=prefix or None)
