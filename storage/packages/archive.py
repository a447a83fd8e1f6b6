"""Open a zip safely, and read its files piece by piece."""

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import BinaryIO
from urllib.parse import unquote

from storage.packages.directory import (
    STORED,
    find_data,
    is_directory,
    is_leftover,
    read_headers,
    refuse_bombs,
    safe_path,
)
from storage.packages.paths import is_remote, readings, resolve
from storage.packages.refusals import invalid, unreadable, unsafe

CHUNK = 64 * 2**10
MAX_PATH = 4_096


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the package; `start` is where its compressed bytes begin."""

    path: str
    size: int
    compressed: int
    crc: int
    method: int
    start: int


class Archive:
    """The files of a package by path: NFC, forward slashes, without directories and macOS leftovers.

    Raises JobFailed(PACKAGE_INVALID | PACKAGE_UNSAFE). The file must be seekable and stay open.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        size = file.seek(0, os.SEEK_END)
        headers, directory_start = read_headers(file, size)
        allowance = refuse_bombs(headers, size)
        paths = [safe_path(header) for header in headers]
        starts = find_data(file, headers, directory_start)
        # Enough to read everything three times; a small file that thousands of resources name is a bomb, too.
        self._allowance = 3 * allowance
        self.entries: dict[str, Entry] = {}
        for header, path, start in zip(headers, paths, starts, strict=True):
            if is_directory(header) or is_leftover(path):
                continue
            if path in self.entries:
                raise invalid(f"Two entries of the zip file are named {path[:200]!r}; keep one of them.")
            self.entries[path] = Entry(path, header.size, header.compressed, header.crc, header.method, start)

    def find(self, href: str, base: str = "") -> Entry:
        """The file that an href in folder `base` means: as written, else percent-decoded, else without ? and #.

        The folder may be percent-encoded as well.

        Raises JobFailed(RESOURCE_INVALID) when it is missing, outside the package, or remote, or its path too long.
        """
        if len(base) + len(href) > MAX_PATH:
            raise unreadable(f"The path {href[:200]!r} has more than {MAX_PATH:,} characters; shorten it.")
        inside = False
        for folder, reading in product(dict.fromkeys((base, unquote(base))), readings(href)):
            path = resolve(folder, reading)
            if path in self.entries:
                return self.entries[path]
            inside = inside or path is not None
        if is_remote(href) or is_remote(base):
            raise unreadable(f"The file {href[:200]!r} is remote and never fetched; put it into the package.")
        if not inside:
            raise unreadable(f"The file {href[:200]!r} lies outside the package; name one in it.")
        name = resolve(base, href) or href
        raise unreadable(f"The file {name[:200]!r} is not in the package; add it, or correct the href.")

    def read(self, entry: Entry, limit: int) -> bytes:
        """All bytes of a file of at most `limit` bytes, checked against size and CRC."""
        if entry.size > limit:
            raise unreadable(f"The file {entry.path!r} has {entry.size:,} bytes; at most {limit:,} are read.")
        return b"".join(self.chunks(entry))

    def chunks(self, entry: Entry) -> Iterator[bytes]:
        """The bytes of a file, piece by piece.

        Raises JobFailed: RESOURCE_INVALID when it is damaged, PACKAGE_UNSAFE when it is longer than it says.
        """
        seen, crc = 0, 0
        for piece in self._pieces(entry):
            seen += len(piece)
            if seen > entry.size:
                raise unsafe(f"The file {entry.path!r} is longer than the {entry.size:,} bytes that the zip declares.")
            self._allowance -= len(piece)
            if self._allowance < 0:
                raise unsafe("The package has the same files read over and over again.")
            crc = zlib.crc32(piece, crc)
            yield piece
        if seen != entry.size or crc != entry.crc:
            raise unreadable(f"The file {entry.path!r} is damaged, its checksum or length is wrong; zip it anew.")

    def _pieces(self, entry: Entry) -> Iterator[bytes]:
        """Inflated pieces of bounded size; a reader may use the file between two of them."""
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        for done in range(0, entry.compressed, CHUNK):
            self._file.seek(entry.start + done)
            raw = self._file.read(min(CHUNK, entry.compressed - done))
            if entry.method == STORED:
                yield raw
                continue
            while raw:
                try:
                    piece = inflate.decompress(raw, CHUNK)
                except zlib.error:
                    raise unreadable(
                        f"The file {entry.path!r} is damaged and cannot be decompressed; zip it anew."
                    ) from None
                raw = b"" if inflate.eof else inflate.unconsumed_tail
                yield piece
        yield inflate.flush()
