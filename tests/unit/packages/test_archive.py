"""The guards of a zip, and the ways an href may be written."""

import io
import stat
import struct
import zipfile
from typing import BinaryIO

import pytest

from storage.errors import JobErrorCode, JobFailed
from storage.packages.archive import Archive
from storage.packages.directory import MAX_ENTRIES
from storage.packages.paths import resolve
from tests.packages.builders import Raw, forged, zipped

ZEROS = bytes(2 * 2**20)


def names(*entries: bytes) -> BinaryIO:
    return forged(*(Raw(name, b"x") for name in entries))


def commented(archive: BinaryIO, comment: bytes) -> BinaryIO:
    return io.BytesIO(archive.read()[:-2] + struct.pack("<H", len(comment)) + comment)


@pytest.mark.parametrize(
    ("archive", "code"),
    [
        pytest.param(io.BytesIO(b""), JobErrorCode.PACKAGE_INVALID, id="0 bytes"),
        pytest.param(io.BytesIO(b"not a zip" * 9), JobErrorCode.PACKAGE_INVALID, id="not a zip"),
        pytest.param(forged(), JobErrorCode.PACKAGE_INVALID, id="empty"),
        pytest.param(io.BytesIO(zipped({"a": b"x" * 99}).read()[:-30]), JobErrorCode.PACKAGE_INVALID, id="truncated"),
        pytest.param(io.BytesIO(zipped({"a": b"x" * 99}).read()[40:]), JobErrorCode.PACKAGE_INVALID, id="beheaded"),
        pytest.param(forged(Raw(b"a"), count=2), JobErrorCode.PACKAGE_INVALID, id="fewer entries than it says"),
        pytest.param(forged(Raw(b"a"), count=0xFFFF), JobErrorCode.PACKAGE_INVALID, id="zip64 without record"),
        pytest.param(forged(Raw(b"a", flags=1)), JobErrorCode.PACKAGE_INVALID, id="encrypted"),
        pytest.param(forged(Raw(b"a", method=99)), JobErrorCode.PACKAGE_INVALID, id="method 99"),
        pytest.param(names(b"a", b"a"), JobErrorCode.PACKAGE_INVALID, id="two equal names"),
        pytest.param(names(b"a/b", b"a\\b"), JobErrorCode.PACKAGE_INVALID, id="equal but for the separator"),
        pytest.param(names("é".encode(), "e\u0301".encode()), JobErrorCode.PACKAGE_INVALID, id="equal after NFC"),
        pytest.param(forged(Raw(b"a", local_name=b"b")), JobErrorCode.PACKAGE_INVALID, id="named otherwise locally"),
        pytest.param(forged(Raw(b"a", b"xy", method=0, size=1)), JobErrorCode.PACKAGE_INVALID, id="stored, two sizes"),
        pytest.param(forged(Raw(b"a", offset=10**6)), JobErrorCode.PACKAGE_INVALID, id="entry outside"),
        pytest.param(forged(Raw(b"\xff\xfe", flags=0x800)), JobErrorCode.PACKAGE_INVALID, id="no UTF-8"),
        pytest.param(names(b"../evil"), JobErrorCode.PACKAGE_UNSAFE, id="parent"),
        pytest.param(names(b"a/../../evil"), JobErrorCode.PACKAGE_UNSAFE, id="parent inside"),
        pytest.param(names(b"..\\evil"), JobErrorCode.PACKAGE_UNSAFE, id="backslash parent"),
        pytest.param(names(b"/etc/passwd"), JobErrorCode.PACKAGE_UNSAFE, id="absolute"),
        pytest.param(names(b"\\\\host\\share"), JobErrorCode.PACKAGE_UNSAFE, id="network"),
        pytest.param(names(b"C:/evil"), JobErrorCode.PACKAGE_UNSAFE, id="drive"),
        pytest.param(names(b"a\0.xml"), JobErrorCode.PACKAGE_UNSAFE, id="NUL"),
        pytest.param(forged(Raw(b"l", mode=stat.S_IFLNK | 0o777)), JobErrorCode.PACKAGE_UNSAFE, id="link"),
        pytest.param(forged(Raw(b"l/", mode=stat.S_IFLNK | 0o777)), JobErrorCode.PACKAGE_UNSAFE, id="linked folder"),
        pytest.param(forged(Raw(b"f", mode=stat.S_IFIFO)), JobErrorCode.PACKAGE_UNSAFE, id="pipe"),
        pytest.param(zipped({"a": ZEROS}), JobErrorCode.PACKAGE_UNSAFE, id="ratio of one entry"),
        pytest.param(forged(Raw(b"a", size=60 * 2**20)), JobErrorCode.PACKAGE_UNSAFE, id="ratio of all"),
        pytest.param(forged(Raw(b"a", size=3 * 2**30)), JobErrorCode.PACKAGE_INVALID, id="2 GiB"),
        pytest.param(forged(Raw(b"a", b"x" * 50, size=10, local_size=50)), JobErrorCode.PACKAGE_UNSAFE, id="two sizes"),
        pytest.param(forged(Raw(b"a", b"x"), Raw(b"a", b"y", offset=0)), JobErrorCode.PACKAGE_UNSAFE, id="overlap"),
    ],
)
def test_a_zip_is_refused_before_anything_is_read(archive: BinaryIO, code: JobErrorCode) -> None:
    with pytest.raises(JobFailed) as refusal:
        Archive(archive)
    assert refusal.value.code is code


def test_entries_are_counted() -> None:
    # More than 65,535 entries need zip64, as every proper writer knows.
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(MAX_ENTRIES + 1):
            archive.writestr(zipfile.ZipInfo(f"{number}"), b"")
    with pytest.raises(JobFailed, match="100,001 entries"):
        Archive(buffer)


def test_quoted_overlap_is_refused() -> None:
    """The kernel of one entry is the local header and the kernel of the next: 42.zip's cleverer sister."""
    inner = forged(Raw(b"b", b"x" * 100, method=0)).getvalue()  # type: ignore[attr-defined]
    quoted = inner[: 31 + 100]
    outer = forged(Raw(b"a", quoted, method=0), Raw(b"b", b"x" * 100, method=0, offset=31))
    with pytest.raises(JobFailed, match="overlap"):
        Archive(outer)


@pytest.mark.parametrize(
    ("archive", "paths"),
    [
        pytest.param(names(b"A.xml", b"a.xml"), {"A.xml", "a.xml"}, id="case"),
        pytest.param(names(b"items\\q1.xml"), {"items/q1.xml"}, id="backslashes"),
        pytest.param(names(b"./a//b"), {"a/b"}, id="dots and double slashes"),
        pytest.param(names("e\u0301.xml".encode()), {"é.xml"}, id="NFD"),
        pytest.param(names(b"\x81.xml"), {"ü.xml"}, id="cp437"),
        pytest.param(names(b"a/", b"a/b"), {"a/b"}, id="folders"),
        pytest.param(names(b"__MACOSX/._a", b"a/.DS_Store", b"b"), {"b"}, id="macOS"),
        pytest.param(names(b"n" * 5000), {"n" * 5000}, id="long name"),
        pytest.param(forged(Raw(b"a", b"x"), before=b"#!/bin/sh\n" * 9), {"a"}, id="leading junk"),
        pytest.param(commented(names(b"a"), b"made by hand"), {"a"}, id="comment"),
        pytest.param(commented(names(b"a"), b"PK\x05\x06" + bytes(30)), {"a"}, id="comment like an end"),
        pytest.param(io.BytesIO(names(b"a").read() + b"\r\n"), {"a"}, id="trailing junk"),
        pytest.param(zipped({"a.zip": zipped({"b": b"x"}).read()}), {"a.zip"}, id="nested archive"),
    ],
)
def test_an_odd_zip_is_read(archive: BinaryIO, paths: set[str]) -> None:
    opened = Archive(archive)
    assert set(opened.entries) == paths
    assert all(opened.read(entry, 10**6) for entry in opened.entries.values())


def test_a_zip64_directory_is_read() -> None:
    plain = forged(Raw(b"a", b"content")).read()
    end = struct.unpack("<4s4H2LH", plain[-22:])
    directory, start = end[5], end[6]
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, directory, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(plain) - 22, 1)
    last = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    archive = Archive(io.BytesIO(plain[:-22] + record + locator + last))
    assert archive.read(archive.entries["a"], 100) == b"content"


def test_wide_sizes_are_read() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open("a", "w", force_zip64=True) as entry:
        entry.write(b"content")
    opened = Archive(buffer)
    assert opened.read(opened.entries["a"], 100) == b"content"


def test_a_damaged_file_leaves_the_others_alone() -> None:
    archive = Archive(forged(Raw(b"a", b"x" * 99, crc=1), Raw(b"b", b"fine")))
    with pytest.raises(JobFailed, match="damaged") as failure:
        archive.read(archive.entries["a"], 100)
    assert failure.value.code is JobErrorCode.RESOURCE_INVALID
    assert archive.read(archive.entries["b"], 100) == b"fine"


def test_a_file_longer_than_declared_condemns_the_package() -> None:
    archive = Archive(forged(Raw(b"a", b"x" * 5000, size=10)))
    with pytest.raises(JobFailed, match="longer") as failure:
        archive.read(archive.entries["a"], 100)
    assert failure.value.code is JobErrorCode.PACKAGE_UNSAFE


def test_a_file_read_over_and_over_again_condemns_the_package() -> None:
    archive = Archive(zipped({"a": bytes(2**20)}))
    for _ in range(150):
        archive.read(archive.entries["a"], 2**20)
    with pytest.raises(JobFailed, match="over and over") as failure:
        archive.read(archive.entries["a"], 2**20)
    assert failure.value.code is JobErrorCode.PACKAGE_UNSAFE


def test_a_large_file_is_refused_unread() -> None:
    archive = Archive(zipped({"a": b"x" * 101}))
    with pytest.raises(JobFailed, match="at most 100"):
        archive.read(archive.entries["a"], 100)


def test_pieces_are_small_and_complete() -> None:
    content = bytes(range(256)) * 4000
    archive = Archive(zipped({"a": content}))
    pieces = list(archive.chunks(archive.entries["a"]))
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= 2**16


FILES = {"items/q1.xml": b"", "items/100%25.xml": b"", "items/100%.xml": b"", "a b.xml": b"", "é.xml": b"", "x?y": b""}


@pytest.mark.parametrize(
    ("href", "base", "path"),
    [
        ("items/q1.xml", "", "items/q1.xml"),
        ("q1.xml", "items", "items/q1.xml"),
        ("items/100%25.xml", "", "items/100%25.xml"),
        ("a%20b.xml", "", "a b.xml"),
        ("items\\q1.xml", "", "items/q1.xml"),
        ("./x/../items/q1.xml", "", "items/q1.xml"),
        ("../a b.xml", "items", "a b.xml"),
        ("/items/q1.xml", "other", "items/q1.xml"),
        ("items/q1.xml?v=2#top", "", "items/q1.xml"),
        ("x?y", "", "x?y"),
        ("e\u0301.xml", "", "é.xml"),
        ("%C3%A9.xml", "", "é.xml"),
    ],
)
def test_an_href_is_found(href: str, base: str, path: str) -> None:
    assert Archive(zipped(FILES)).find(href, base).path == path


@pytest.mark.parametrize(
    ("href", "message"),
    [
        ("missing.xml", "is not in the package"),
        ("Items/q1.xml", "is not in the package"),
        ("../items/q1.xml", "outside the package"),
        ("%2e%2e/%2e%2e/etc/passwd", "not in the package"),
        ("https://example.org/q1.xml", "never fetched"),
        ("//example.org/q1.xml", "never fetched"),
        ("file:///etc/passwd", "never fetched"),
        ("a/" * 2_049, "4,096 characters"),
    ],
)
def test_an_href_is_refused(href: str, message: str) -> None:
    with pytest.raises(JobFailed, match=message) as failure:
        Archive(zipped(FILES)).find(href)
    assert failure.value.code is JobErrorCode.RESOURCE_INVALID


def test_dot_segments_stay_inside() -> None:
    assert resolve("a/b", "../c") == "a/c"
    assert resolve("a", "../../c") is None


def test_whoever_made_the_package_is_told_which_entry_is_wrong_and_how() -> None:
    with pytest.raises(JobFailed, match=r"'items/blank\.bmp' of the zip file unpacks to more than 200 times"):
        Archive(zipped({"items/blank.bmp": bytes(2 * 2**20)}))
    with pytest.raises(JobFailed, match="with a NUL in it"):
        Archive(forged(Raw(b"a\0b", b"x")))
