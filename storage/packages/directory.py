"""The central directory of a zip, read and distrusted: every guard is checked before any content."""

import re
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from storage.packages.paths import resolve
from storage.packages.refusals import invalid, unsafe

MAX_ENTRIES = 100_000
MAX_DIRECTORY_BYTES = 64 * 2**20
MAX_TOTAL_BYTES = 2 * 2**30
MAX_EXPANSION = 100
MAX_RATIO = 200
FREE_TOTAL_BYTES = 50 * 2**20
FREE_ENTRY_BYTES = 2**20
STORED, DEFLATED = 0, 8

_ENCRYPTED, _UTF8 = 0x1, 0x800

# The records of APPNOTE.TXT 4.3: end of central directory, its zip64 form and locator, directory header, local header.
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")

_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class Header:
    """What the central directory says about an entry; its offset counts from the start of the file."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    mode: int
    offset: int


def read_headers(file: BinaryIO, size: int) -> tuple[list[Header], int]:
    """The headers of the central directory, offsets counted from the start of the file, and where it starts."""
    end_at, count, length, offset = _find_end(file, size)
    start = end_at - length
    if start < 0 or offset > start:
        raise invalid("The zip file is truncated: its directory is incomplete.")
    if count > MAX_ENTRIES:
        raise invalid(f"The zip file has {count:,} entries; at most {MAX_ENTRIES:,} are allowed.")
    if length > MAX_DIRECTORY_BYTES:
        raise invalid("The directory of the zip file is too large.")
    if count == 0:
        raise invalid("The zip file is empty.")
    file.seek(start)
    try:
        # Bytes before the archive, as in a self-extractor, shift every offset.
        headers = list(_parse_directory(file.read(length), shift=start - offset))
    except struct.error:
        raise invalid("The directory of the zip file is damaged.") from None
    if len(headers) != count:
        raise invalid("The directory of the zip file is damaged: it has another number of entries than it says.")
    return headers, start


def _find_end(file: BinaryIO, size: int) -> tuple[int, int, int, int]:
    """Where the directory ends, its number of entries, its length, and its declared offset."""
    tail_at = max(0, size - _END.size - 0xFFFF)
    file.seek(tail_at)
    tail = file.read(size - tail_at)
    at = _end_in(tail)
    if at < 0:
        raise invalid("This is not a zip file, or it is truncated.")
    _, disk, directory_disk, here, count, length, offset, _ = _END.unpack_from(tail, at)
    wide = _find_end64(file, tail_at + at)
    if wide is not None:
        return wide
    if disk or directory_disk or here != count:
        raise invalid("Zip files in several parts are not supported.")
    return tail_at + at, count, length, offset


def _end_in(tail: bytes) -> int:
    """Where the record is whose comment ends with the file, else the last one, as a comment may hold its signature."""
    last = at = tail.rfind(b"PK\x05\x06", 0, max(0, len(tail) - _END.size + 4))
    while at >= 0:
        if at + _END.size + _END.unpack_from(tail, at)[-1] == len(tail):
            return at
        at = tail.rfind(b"PK\x05\x06", 0, at + 3)
    return last


def _find_end64(file: BinaryIO, end_at: int) -> tuple[int, int, int, int] | None:
    """The same of a zip64 directory, whose record and locator stand before the ordinary end."""
    at = end_at - _LOCATOR64.size - _END64.size
    if at < 0:
        return None
    file.seek(at)
    record = _END64.unpack(file.read(_END64.size))
    if file.read(4) != b"PK\x06\x07":
        return None
    signature, disk, directory_disk, here, count, length, offset = (record[0], *record[4:])
    if signature != b"PK\x06\x06":
        raise invalid("The zip file is damaged: its zip64 directory is missing.")
    if disk or directory_disk or here != count:
        raise invalid("Zip files in several parts are not supported.")
    return at, count, length, offset


def _parse_directory(directory: bytes, shift: int) -> Iterator[Header]:
    at = 0
    while at < len(directory):
        fields = _CENTRAL.unpack_from(directory, at)
        signature, _, _, flags, method, _, _, crc, compressed, size = fields[:10]
        name_length, extra_length, comment_length, _, _, attributes, offset = fields[10:]
        if signature != b"PK\x01\x02":
            raise invalid("The directory of the zip file is damaged.")
        at += _CENTRAL.size
        name = directory[at : at + name_length]
        extra = directory[at + name_length : at + name_length + extra_length]
        if 0xFFFFFFFF in (compressed, size, offset):
            size, compressed, offset = _widen(extra, size, compressed, offset)
        yield Header(name, flags, method, crc, compressed, size, attributes >> 16, offset + shift)
        at += name_length + extra_length + comment_length


def _widen(extra: bytes, *narrow: int) -> Iterator[int]:
    """The 64-bit values of the zip64 extra field, for those that do not fit into 32 bits."""
    at, wide = 0, b""
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            wide = extra[at + 4 : at + 4 + length]
        at += 4 + length
    values = iter(struct.unpack_from(f"<{narrow.count(0xFFFFFFFF)}Q", wide))
    return (next(values) if value == 0xFFFFFFFF else value for value in narrow)


def refuse_bombs(headers: list[Header], file_size: int) -> int:
    """How many bytes the package may unpack to, after checking what it declares."""
    allowed = max(MAX_EXPANSION * file_size, FREE_TOTAL_BYTES)
    total = sum(header.size for header in headers)
    if total > MAX_TOTAL_BYTES:
        raise invalid(f"The package unpacks to {total:,} bytes; at most {MAX_TOTAL_BYTES:,} are allowed.")
    if total > allowed:
        raise unsafe(f"The package unpacks to more than {MAX_EXPANSION} times its size.")
    for header in headers:
        if header.size > FREE_ENTRY_BYTES and header.size > MAX_RATIO * header.compressed:
            name = _decode_name(header)[:200]
            raise unsafe(f"The entry {name!r} of the zip file unpacks to more than {MAX_RATIO} times its size.")
    return allowed


def safe_path(header: Header) -> str:
    """The normalised name of an entry that stays in the package and can be read."""
    name = _decode_name(header).replace("\\", "/")
    if "\0" in name:
        raise unsafe(f"The zip file has an entry named {name[:200]!r}, with a NUL in it; rename it.")
    if name.startswith("/") or _DRIVE.match(name) or ".." in name.split("/"):
        raise unsafe(f"The zip file has an entry named {name[:200]!r}, which points outside the package.")
    if stat.S_IFMT(header.mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise unsafe(f"The entry {name[:200]!r} is a link or a special file; only files and folders are allowed.")
    if header.flags & _ENCRYPTED:
        raise invalid(f"The entry {name[:200]!r} is encrypted; zip the package without a password.")
    if header.method not in (STORED, DEFLATED):
        raise invalid(f"The entry {name[:200]!r} is compressed with method {header.method}; only deflate is supported.")
    if header.method == STORED and header.size != header.compressed:
        raise invalid(f"The zip file is damaged: the sizes of {name[:200]!r} disagree.")
    return resolve("", name) or ""


def _decode_name(header: Header) -> str:
    """UTF-8 also without its flag, which macOS does not set; else cp437, as the format says."""
    try:
        return header.raw_name.decode()
    except UnicodeDecodeError:
        if header.flags & _UTF8:
            raise invalid("The zip file has an entry whose name is no UTF-8.") from None
        return header.raw_name.decode("cp437")


def is_directory(header: Header) -> bool:
    return header.raw_name.endswith((b"/", b"\\")) or stat.S_ISDIR(header.mode)


def is_leftover(path: str) -> bool:
    return not path or path.startswith("__MACOSX/") or path.rpartition("/")[2] == ".DS_Store"


def find_data(file: BinaryIO, headers: list[Header], directory_start: int) -> list[int]:
    """Where the bytes of each entry begin; refuses entries that share bytes with a neighbour or the directory."""
    order = sorted(range(len(headers)), key=lambda index: headers[index].offset)
    starts = [0] * len(headers)
    ends: list[tuple[int, int]] = []
    for index in order:
        starts[index] = _read_local(file, headers[index], directory_start)
        ends.append((headers[index].offset, starts[index] + headers[index].compressed))
    for (_, end), (offset, _) in pairwise([*ends, (directory_start, 0)]):
        if end > offset:
            raise unsafe("Entries of the zip file overlap.")
    return starts


def _read_local(file: BinaryIO, header: Header, directory_start: int) -> int:
    """Where an entry's bytes begin; refuses a local header that contradicts the directory."""
    if not 0 <= header.offset <= directory_start - _LOCAL.size:
        raise invalid("The zip file is truncated or damaged: an entry lies outside of it.")
    file.seek(header.offset)
    local = file.read(_LOCAL.size + len(header.raw_name))
    signature, *_, size, name_length, extra_length = _LOCAL.unpack_from(local)
    start: int = header.offset + _LOCAL.size + name_length + extra_length
    if signature != b"PK\x03\x04" or name_length != len(header.raw_name) or local[_LOCAL.size :] != header.raw_name:
        raise invalid("The zip file is damaged: an entry and the directory name different files.")
    if size not in (0, header.size, 0xFFFFFFFF):
        raise unsafe("The zip file understates the size of an entry.")
    return start
