"""The zip that is written as it is made: readable by others, the same for the same content, and no bomb."""

import io
import os
import random
import zipfile
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.packages import directory
from storage.packages.archive import Archive
from storage.packages.writing import archive
from storage.packages.writing.archive import MAX_RATIO, OpenEntry, ZipWriter

paths = st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=9), unique=True, max_size=9)


def streamed(entry: OpenEntry, pieces: list[bytes]) -> bytes:
    return b"".join([*map(entry.feed, pieces), entry.end()])


@given(paths, st.lists(st.binary(max_size=500), max_size=4), st.booleans())
def test_what_goes_in_comes_out(names: list[str], pieces: list[bytes], compress: bool) -> None:
    writer = ZipWriter()
    data = b"".join(
        writer.add(f"a/{name}", b"".join(pieces))
        if number % 2
        else streamed(writer.open(f"a/{name}", compress=compress), pieces)
        for number, name in enumerate(names)
    )
    data += writer.close()
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.namelist() == [f"a/{name}" for name in names]
        assert all(found.read(name) == b"".join(pieces) for name in found.namelist())
    if names:
        ours = Archive(io.BytesIO(data))
        assert all(b"".join(ours.chunks(entry)) == b"".join(pieces) for entry in ours.entries.values())


@pytest.mark.parametrize("size", [10_000, 3_000_000, 60_000_000])
def test_endless_repetition_is_no_bomb(size: int) -> None:
    """Our own guards would refuse a package that unpacks to more than a hundred times its size."""
    writer = ZipWriter()
    data = writer.add("zeros", bytes(size)) + writer.close()
    (entry,) = Archive(io.BytesIO(data)).entries.values()
    assert entry.size == size <= MAX_RATIO * entry.compressed


def test_text_is_compressed_and_noise_is_stored() -> None:
    noise, text = random.Random(5).randbytes(9_000), b"<p>Hello, Min.</p>\n" + os.urandom(50).hex().encode() * 30
    writer = ZipWriter()
    data = writer.add("noise", noise) + writer.add("text", text) + writer.close()
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        methods = [entry.compress_type for entry in found.infolist()]
    assert methods == [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]


def test_a_file_that_may_be_huge_has_room_for_its_size() -> None:
    writer = ZipWriter()
    data = streamed(writer.open("film", size=archive.WIDE + 1), [b"abc", b"def"]) + writer.close()
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.read("film") == b"abcdef"


class Sparse(io.RawIOBase):
    """A file of some bytes far behind its beginning, so that nobody has to write what is before them."""

    def __init__(self, gap: int, data: bytes) -> None:
        self.gap, self.data, self.at = gap, data, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: self.gap + len(self.data)}[whence]
        self.at = start + offset
        return self.at

    def read(self, size: int = -1) -> bytes:
        assert self.at >= self.gap, "nobody reads the gap"
        begin = self.at - self.gap
        found = self.data[begin:] if size is None or size < 0 else self.data[begin : begin + size]
        self.at += len(found)
        return found


def test_entries_behind_four_gigabytes_are_found() -> None:
    writer = ZipWriter()
    writer._offset = gap = 5 * 2**30
    data = writer.add("far/away.txt", b"here") + writer.close()
    with zipfile.ZipFile(Sparse(gap, data)) as found:
        assert found.read("far/away.txt") == b"here"


def test_more_entries_than_sixteen_bits_can_count() -> None:
    writer = ZipWriter()
    data = b"".join(map(writer.add, names(70_000), [b""] * 70_000)) + writer.close()
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert len(found.namelist()) == 70_000
    assert len(Archive(io.BytesIO(data)).entries) == 70_000 <= directory.MAX_ENTRIES


def names(count: int) -> Iterator[str]:
    return (f"{number:05d}" for number in range(count))
