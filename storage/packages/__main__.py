"""
`python -m storage.packages`: what the package holds whose path comes on stdin, as frames of JSON on stdout.

Packages come from strangers, so they are read in a process of their own: it has a ceiling of memory, it can be killed
at any moment, and whatever happens to it happens to one package. What it answers is data, never objects. It can be
started before the package is there.

A frame is four bytes of length and a JSON object: first what the package is, then its files, then its outcomes in
batches, small ones at first. Last comes `end`, or `refused` when the package as a whole cannot be used: whoever listens
need not wait until everything that was read is forgotten.
"""

import base64
import contextlib
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, BinaryIO

import orjson

from storage.errors import JobErrorCode, JobFailed
from storage.packages.outcomes import Association, Content, Failure, Outcome, PackageWarning
from storage.packages.package import Package, read_package
from storage.packages.words import Entry

MOST_MEMORY = 2 * 2**30
MOST_FILES = 5_000
MOST_OUTCOMES = 2_048
MOST_BYTES = 2**19
MOST_SECONDS = 0.5
MOST_IDENTIFIER = 255
TOO_LARGE = "The package cannot be read in the memory that one package may take."

Encoded = dict[str, Any]


def main(path: str) -> None:
    """Write the frames of the package at a path."""
    with contextlib.suppress(ValueError, OSError):  # a system without such a limit
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    with open(path, "rb") as file:
        for frame in frames(file):
            sys.stdout.buffer.write(len(frame).to_bytes(4, "big") + frame)
            sys.stdout.buffer.flush()


def frames(file: BinaryIO) -> Iterator[bytes]:
    """The frames of a package, without their lengths."""
    try:
        package = read_package(file)
        identifier = package.identifier and package.identifier[:MOST_IDENTIFIER]
        yield orjson.dumps({"format": package.format, "identifier": identifier, "total": package.total})
        yield from _files(package)
        yield from _batches(package)
        yield orjson.dumps({"end": package.done})
    except JobFailed as refused:
        yield orjson.dumps({"refused": {"code": refused.code, "message": refused.message}})
    except MemoryError:
        yield orjson.dumps({"refused": {"code": JobErrorCode.PACKAGE_UNSAFE, "message": TOO_LARGE}})


def _files(package: Package) -> Iterator[bytes]:
    rows = ([it.path, it.size, it.compressed, it.start, it.method, it.crc] for it in package.entries)
    while chunk := list(islice(rows, MOST_FILES)):
        yield orjson.dumps({"files": chunk})


def _batches(package: Package) -> Iterator[bytes]:
    """Outcomes with how many resources are done and which one is being read; each batch holds eight times as many."""
    batch: list[bytes] = []
    size, most, began = 0, 1, time.monotonic()
    refused: JobFailed | None = None
    try:
        for outcome in package.outcomes():
            if len(batch) >= most or size >= MOST_BYTES or (batch and time.monotonic() - began >= MOST_SECONDS):
                yield _batch(package, batch)
                batch, size, most, began = [], 0, min(8 * most, MOST_OUTCOMES), time.monotonic()
            batch.append(orjson.dumps(encode(outcome)))
            size += len(batch[-1])
    except JobFailed as failed:
        refused = failed  # what was found before still counts, above all the warnings
    if batch:
        yield _batch(package, batch)
    if refused:
        raise refused


def _batch(package: Package, outcomes: list[bytes]) -> bytes:
    place = orjson.dumps({"done": package.done, "current": package.current})
    return b'{"outcomes":[' + b",".join(outcomes) + b"]," + place[1:]


def encode(outcome: Outcome) -> Encoded:
    """An outcome as JSON has it."""
    match outcome:
        case Content():
            return {"content": _content(outcome)}
        case Failure():
            return {"failure": outcome}
        case PackageWarning():
            return {"warning": outcome}
        case Association():
            return {"association": outcome}


def _content(content: Content) -> Encoded:
    """A content item; what is itself stored as JSON is JSON already."""
    entry = Entry.of(content.title, content.description or "", content.text)
    return {
        "key": content.key,
        "type": content.type,
        "source_identifier": content.source_identifier,
        "title": content.title,
        "description": content.description,
        "language": content.language,
        "difficulty": content.difficulty,
        "alignments": orjson.dumps(content.alignments).decode(),
        "standards": [alignment.curriculum_item_id for alignment in content.alignments],
        "path": content.path,
        "sha256": content.sha256,
        "body": content.body,
        "question": orjson.dumps(replace(content.question, body="", text="")).decode() if content.question else None,
        "source": base64.b64encode(content.xml).decode() if content.xml else None,
        "video_url": content.video_url,
        "provider": content.provider,
        "words": entry,
    }


if __name__ == "__main__":
    if path := sys.stdin.readline().removesuffix("\n"):  # nothing comes when whoever started us is gone
        main(path)
