"""
Write a zip as it is made: pieces of bytes to be sent on, the same for the same content.

Every entry has a UTF-8 name, one fixed time and one mode; there are no directories. No entry unpacks to more than a
hundred times its size, so that what is written here passes everybody's guards, our own included.
"""

import struct
import zlib
from dataclasses import dataclass

STORED, DEFLATED = 0, 8
MAX_RATIO = 100
WIDE = 0xF000_0000
"""An entry of unknown length that may be longer than this, or a place behind it, needs 64 bits."""

_LEVEL = 6
_STREAMED, _UTF8 = 0x8, 0x800
_DAY = 1 << 5 | 1  # 1 January 1980, the first that the format knows
_MODE = 0o100644 << 16
_UNIX = 3 << 8
_NARROW = 0xFFFF_FFFF

# The records of APPNOTE.TXT 4.3: local header, directory header, end of directory, its zip64 form and locator.
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")


class ZipWriter:
    """One zip; whatever its methods answer is the next piece of it."""

    def __init__(self) -> None:
        self._directory = bytearray()
        self._count = 0
        self._offset = 0

    def add(self, path: str, data: bytes) -> bytes:
        """A whole entry, compressed where that helps."""
        packed = _deflate(data)
        method = DEFLATED if len(data) // MAX_RATIO <= len(packed) < len(data) else STORED
        body = packed if method == DEFLATED else data
        entry = _Header(path.encode(), _UTF8, method, zlib.crc32(data), len(body), len(data), self._offset)
        return self._note(entry, entry.local() + body)

    def open(self, path: str, *, size: int = 0, compress: bool = False) -> "OpenEntry":
        """An entry whose bytes come piece by piece; `size` tells what to expect when it may be very large."""
        return OpenEntry(self, path, self._offset, wide=size > WIDE, level=_LEVEL if compress else 0)

    def close(self) -> bytes:
        """The directory, which ends the zip."""
        start, length, count = self._offset, len(self._directory), self._count
        end = bytes(self._directory)
        if max(start, length) > WIDE or count > 0xFFFE:
            end += _END64.pack(b"PK\x06\x06", _END64.size - 12, _UNIX | 45, 45, 0, 0, count, count, length, start)
            end += _LOCATOR64.pack(b"PK\x06\x07", 0, start + length, 1)
            start, length, count = _NARROW, _NARROW, 0xFFFF
        return end + _END.pack(b"PK\x05\x06", 0, 0, count, count, length, start, 0)

    def _note(self, entry: "_Header", written: bytes) -> bytes:
        self._directory += entry.central()
        self._count += 1
        self._offset += len(written)
        return written

    def _send(self, written: bytes) -> bytes:
        self._offset += len(written)
        return written


class OpenEntry:
    """
    An entry that is being written: its begin, its pieces, its end.

    What is not compressed is deflated all the same, at level 0: readers of a stream cannot find the end of a stored
    entry whose length stands behind it.
    """

    def __init__(self, owner: ZipWriter, path: str, offset: int, *, wide: bool, level: int) -> None:
        self._owner = owner
        self._wide = wide
        self._packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._header = _Header(path.encode(), _UTF8 | _STREAMED, DEFLATED, 0, 0, 0, offset)
        self._began = False

    def feed(self, piece: bytes) -> bytes:
        """More of the content."""
        head = b"" if self._began else self._header.local(wide=self._wide)
        self._began = True
        self._header.crc = zlib.crc32(piece, self._header.crc)
        self._header.size += len(piece)
        packed = self._packer.compress(piece)
        self._header.packed += len(packed)
        return self._owner._send(head + packed)

    def end(self) -> bytes:
        """The rest, and what is known of the entry only now."""
        written = self.feed(b"")
        rest = self._packer.flush()
        self._header.packed += len(rest)
        sizes = struct.pack("<L2Q" if self._wide else "<3L", self._header.crc, self._header.packed, self._header.size)
        return written + self._owner._note(self._header, rest + b"PK\x07\x08" + sizes)


@dataclass(slots=True)
class _Header:
    """What both headers of an entry say."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int

    def local(self, *, wide: bool = False) -> bytes:
        sizes = (_NARROW, _NARROW) if wide else (self.packed, self.size)
        extra = struct.pack("<2H2Q", 1, 16, self.size, self.packed) if wide else b""
        version = 45 if wide else 20
        fields = (b"PK\x03\x04", version, self.flags, self.method, 0, _DAY, self.crc, *sizes)
        return _LOCAL.pack(*fields, len(self.name), len(extra)) + self.name + extra

    def central(self) -> bytes:
        far = [value for value in (self.size, self.packed, self.offset) if value >= _NARROW]
        extra = struct.pack(f"<2H{len(far)}Q", 1, 8 * len(far), *far) if far else b""
        size, packed, offset = (min(value, _NARROW) for value in (self.size, self.packed, self.offset))
        version = 45 if far else 20
        fields = (b"PK\x01\x02", _UNIX | version, version, self.flags, self.method, 0, _DAY, self.crc, packed, size)
        return _CENTRAL.pack(*fields, len(self.name), len(extra), 0, 0, 0, _MODE, offset) + self.name + extra


def _deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()
