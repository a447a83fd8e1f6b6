"""
How fast courses become packages, and how much memory that takes: `python -m tests.benchmarks.bench_exports [sizes]`.

A course with so many questions, ten to a lesson, is exported on the embedded default, from createContentExport until
its attachment is there. Beside it stands the bare floor, measured in the same run: the same course as values,
serialised and zipped by one process without a database. At last a course of 5,000 lessons with 1 GB of files is
exported. Aim: memory that does not grow with the course, and not with its files.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx

from storage import files, ids, resources
from storage.blobs import Blobs
from storage.database import Database
from storage.notify import Bells
from storage.packages.writing.archive import ZipWriter
from storage.packages.writing.cartridge import CartridgeWriter
from storage.packages.writing.course import Chapter as WrittenChapter
from storage.packages.writing.course import Course, Question, QuestionKind
from storage.packages.writing.course import Lesson as WrittenLesson
from storage.packages.writing.package import PackageWriter
from storage.packages.writing.qti_package import QtiWriter
from storage.tables import (
    Chapter,
    Environment,
    Lesson,
    QuestionType,
    Quiz,
    Resource,
    ResourceKind,
    ResourceOrigin,
    ResourceStatus,
    StoredFile,
)
from storage.tables.columns import now
from storage.tables.resources import CourseDetails
from storage.workspaces import find
from tests.benchmarks import figures
from tests.processes import Installation
from tests.processes import running as processes
from tests.world import PASSWORD

SIZES = (1_000, 10_000, 50_000)
A_LESSON = 10
A_CHAPTER = 100
LESSONS, FILES, FILE_BYTES = 5_000, 10, 100_000_000
AIM_GROWTH_MIB = 120

LECTURE = "<h2>Look</h2>" + "<p>The quick brown fox jumps over the lazy dog while the band plays on.</p>" * 20
OPTIONS = ["Report it", "Ignore it", "Hide it", "Ask a colleague"]
CSRF = {"X-Lectern-CSRF": "1"}
WRITERS: dict[str, type[PackageWriter]] = {"common_cartridge": CartridgeWriter, "qti": QtiWriter}

CREATE = """mutation ($input: CreateContentExportInput!) {
  createContentExport(input: $input) { contentExport { id } errors { message } }
}"""
SHOW = """query ($c: ContextInput!, $id: ID!) {
  contentExport(context: $c, id: $id) { workflowState attachment { byteSize } error { message } }
}"""


# The floor


def written(questions: int) -> Iterator[WrittenLesson]:
    """The lessons of the course as values."""
    for number in range(1, questions // A_LESSON + 1):
        asked = [
            Question(
                f"quiz_{number}_{turn}",
                QuestionKind.MULTIPLE_CHOICE,
                f"What do you do with hazard {number}.{turn}?",
                tuple(OPTIONS),
                ("Report it",),
                explanation="Whoever knows can act.",
            )
            for turn in range(A_LESSON)
        ]
        chapter = f"chapter_{(number - 1) // A_CHAPTER}"
        yield WrittenLesson(f"lesson_{number}", chapter, number, f"Lesson {number}", None, LECTURE, tuple(asked))


def floor(kind: str, questions: int) -> None:
    """Serialise and zip the course; prints the seconds."""
    chapters = tuple(
        WrittenChapter(f"chapter_{n}", f"Chapter {n}") for n in range(questions // A_LESSON // A_CHAPTER + 1)
    )
    began = time.perf_counter()
    writer: Any = WRITERS[kind](Course("course_1", "Safety", chapters=chapters), [])  # type: ignore[call-arg]
    archive = ZipWriter()
    with open(os.devnull, "wb") as out:
        for lesson in written(questions):
            writer.take(lesson)
        manifest = archive.open(writer.manifest_path, compress=True)
        out.writelines(manifest.feed(piece) for piece in writer.manifest())
        out.write(manifest.end())
        out.writelines(archive.add(path, data) for path, data in writer.first_entries())
        for lesson in written(questions):
            out.writelines(archive.add(path, data) for path, data in writer.entries(lesson))
        out.write(archive.close())
    print(time.perf_counter() - began)


def bare(kind: str, questions: int) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.bench_exports", "floor", kind, str(questions)]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


# The whole


async def course(database: Database, questions: int) -> str:
    """The same course as rows, past everybody; answers its id."""
    async with database.transaction() as session:
        workspace = await find(session, "default")
        assert workspace is not None
        made = Resource(
            id=resources.new_id(ResourceKind.course),
            workspace_id=workspace.id,
            environment=Environment.PRODUCTION,
            kind=ResourceKind.course,
            status=ResourceStatus.READY,
            origin=ResourceOrigin.API,
            title="Safety",
            details=CourseDetails(),
        )
        await resources.add(session, made)
    chapter_id = ""
    for first in range(0, questions // A_LESSON, A_CHAPTER):
        async with database.transaction() as session:
            chapter_id = ids.new(ids.Prefix.CHAPTER)
            place = first // A_CHAPTER + 1
            session.add(Chapter(id=chapter_id, resource_id=made.id, sequence=place, title=f"Chapter {place}"))
            await session.flush()
            for number in range(first + 1, min(first + A_CHAPTER, questions // A_LESSON) + 1):
                lesson = Lesson(
                    id=ids.new(ids.Prefix.LESSON),
                    resource_id=made.id,
                    chapter_id=chapter_id,
                    sequence=number,
                    title=f"Lesson {number}",
                    lecture=LECTURE,
                )
                session.add(lesson)
                session.add_all(_quiz(lesson, number, turn) for turn in range(A_LESSON))
    return made.id


def _quiz(lesson: Lesson, number: int, turn: int) -> Quiz:
    id = ids.new(ids.Prefix.QUIZ)
    return Quiz(
        id=id,
        resource_id=lesson.resource_id,
        owner_id=lesson.id,
        key=id,
        sequence=turn + 1,
        question=f"What do you do with hazard {number}.{turn}?",
        type=QuestionType.multiple_choice,
        options=OPTIONS,
        correct_answers=["Report it"],
        explanation="Whoever knows can act.",
    )


async def with_files(database: Database, blobs: Blobs, course_id: str) -> None:
    """Files of a course, as if they had been uploaded."""

    async def bytes_() -> Any:
        for _ in range(FILE_BYTES // 1_000_000):
            yield os.urandom(1_000_000)

    async with database.snapshot() as session:
        workspace = await find(session, "default")
        assert workspace is not None
    for number in range(FILES):
        key = f"uploads/bench/{number}"
        await blobs.put(key, bytes_())
        async with database.transaction() as session:
            session.add(
                StoredFile(
                    id=files.new_id(),
                    workspace_id=workspace.id,
                    environment=Environment.PRODUCTION,
                    context_id=course_id,
                    path=f"films/{number}.mp4",
                    content_type="video/mp4",
                    byte_size=FILE_BYTES,
                    upload_expires_at=now(),
                    sha256="0" * 64,
                    key=key,
                )
            )


class Exports:
    """An administrator of an installation."""

    def __init__(self, made: Installation) -> None:
        words = ("user", "create", "--email", "kim@example.org", "--role", "admin", "--password-stdin")
        figures.lectern(made, *words, stdin=PASSWORD)
        self.made = made
        self.client = httpx.Client(headers=CSRF, timeout=60)
        credentials = {"email": "kim@example.org", "password": PASSWORD}
        self.ask("mutation ($i: LoginInput!) { login(input: $i) { errors { code } } }", i=credentials)

    def ask(self, query: str, **variables: Any) -> Any:
        answer = self.client.post(self.made.url, json={"query": query, "variables": variables}).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def run(self, course_id: str, kind: str) -> tuple[float, int, float]:
        """Seconds until the attachment is there, its bytes, and by how many MiB the background process grew."""
        [background] = processes(self.made.folder, "-m dispatcher")
        before = grown = figures.resident(background)
        context = {"courseId": course_id}
        began = time.perf_counter()
        made = self.ask(CREATE, input={"context": context, "exportType": kind})["createContentExport"]
        assert not made["errors"], made
        while True:
            found = self.ask(SHOW, c=context, id=made["contentExport"]["id"])["contentExport"]
            took = time.perf_counter() - began
            if found["workflowState"] in ("exported", "failed"):
                break
            # Looking more often than every fiftieth of the time would meet the rate limit.
            while time.perf_counter() - began < max(took + 0.02, took * 1.02):
                grown = max(grown, figures.resident(background))
                time.sleep(0.01)
        assert found["attachment"], found
        return took, found["attachment"]["byteSize"], grown - before


async def main(sizes: list[int]) -> None:
    """Print the table, then whether the aims are met."""
    print(figures.load())
    grown = []
    async with figures.embedded() as made:
        database = Database(f"sqlite+aiosqlite:///{made.folder}/var/lectern.db", Bells())
        exports = await asyncio.to_thread(Exports, made)
        for size in sizes:
            course_id = await course(database, size)
            for kind in WRITERS:
                least = await asyncio.to_thread(bare, kind, size)
                took, byte_size, mib = await asyncio.to_thread(exports.run, course_id, kind)
                print(
                    f"{kind:16} {size:6,} questions: floor {size / least:7,.0f}/s, end to end {size / took:7,.0f}/s "
                    f"({least / took:4.0%} of the floor), {byte_size / 1e6:5.1f} MB, +{mib:.0f} MiB",
                    flush=True,
                )
                grown.append(mib)
        course_id = await course(database, LESSONS * A_LESSON if sizes == list(SIZES) else sizes[0])
        await with_files(database, Blobs(f"file://{made.folder}/var/blobs"), course_id)
        for kind in ("common_cartridge", "zip"):
            took, byte_size, mib = await asyncio.to_thread(exports.run, course_id, kind)
            print(f"{kind:16} with files: {byte_size / 1e9:.2f} GB in {took:.1f} s, +{mib:.0f} MiB", flush=True)
            grown.append(mib)
        await database.dispose()
    if max(grown) > AIM_GROWTH_MIB:
        raise SystemExit("an aim is missed")


if __name__ == "__main__":
    if sys.argv[1:2] == ["floor"]:
        floor(sys.argv[2], int(sys.argv[3]))
    else:
        asyncio.run(main([int(size) for size in sys.argv[1:]] or list(SIZES)))
