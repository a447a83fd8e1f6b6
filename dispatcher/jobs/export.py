"""Content exports: a course, a group or a user in; a package out, streamed into the blob store as it is made."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from dispatcher.jobs.run import Run
from storage import attachments, copies, exports, ids, jobs
from storage.errors import JobErrorCode, JobFailed
from storage.packages.outcomes import PackageWarning
from storage.packages.writing.archive import ZipWriter
from storage.packages.writing.cartridge import CartridgeWriter
from storage.packages.writing.course import Course, File, Lesson
from storage.packages.writing.folders import FolderWriter
from storage.packages.writing.package import PackageWriter
from storage.packages.writing.qti_package import QtiWriter
from storage.tables import AttachmentRole, ExportType, Progress, StoredFile
from storage.tables.columns import now
from storage.tables.jobs import Notice

PIECE_BYTES = 1 << 18
FILES_AT_ONCE = 50
TAKEN_PERCENT = 20
WRITTEN_PERCENT = 95
TELL_EVERY_SECONDS = 1.0
MEGABYTE = 1_000_000

ZIP = ".zip", "application/zip"
FORMS = {
    ExportType.common_cartridge: (".imscc", "application/vnd.ims.imsccv1p3"),
    ExportType.qti: ZIP,
    ExportType.zip: ZIP,
}


async def process(run: Run) -> None:
    """
    Read everything twice, both times the same: for the manifest, which comes first, and for what it lists.

    A course is never in memory, only what its manifest says.
    """
    asked = exports.asked(run.job)
    await run.clear()
    async with run.database.snapshot(steady=True) as session:
        package = await _begin(run, session, asked.export_type)
        await _take(run, package)
        suffix, content_type = FORMS[asked.export_type]
        filename = attachments.filename(asked.title, suffix)
        row = await run.keep(AttachmentRole.package, filename, content_type, _gathered(_pieces(run, package)))
    row.expires_at = now() + timedelta(days=run.settings.export_days)
    async with run.transaction() as (transaction, job):
        listed = [*package.missing, *package.writer.losses.listed()]
        job.warnings = [Notice(code=loss.code, message=loss.message, subject=loss.subject) for loss in listed]
        await jobs.advance(transaction, job, package.progress("storing"))


@dataclass(slots=True)
class Package:
    """What is being written, and how far it has come; a lesson weighs as much as a megabyte of files."""

    session: AsyncSession
    course: Course | None
    files: Sequence[StoredFile]
    missing: Sequence[PackageWarning]
    writer: PackageWriter
    lessons: int = 0
    done: int = 0
    copied: int = 0
    told: float = 0.0

    def progress(self, phase: str) -> Progress:
        """Units are lessons and files."""
        total = self.lessons + len(self.files)
        weight = self.lessons + sum(file.byte_size for file in self.files) / MEGABYTE
        share = (min(self.done, self.lessons) + self.copied / MEGABYTE) / weight if weight else 1
        percent = TAKEN_PERCENT + (WRITTEN_PERCENT - TAKEN_PERCENT) * share
        return Progress(percent=percent, phase=phase, completed_units=self.done, total_units=total)


async def _begin(run: Run, session: AsyncSession, type: ExportType) -> Package:
    """What there is, apart from the lessons; JobFailed for a course that is gone."""
    realm, context_id = run.job.realm, run.job.resource_id or ""
    await run.advance(Progress(phase="reading"))
    rows = [] if type is ExportType.qti else await copies.read_files(session, realm, context_id)
    files, missing = await _there(run, rows)
    course = await copies.read_course(session, realm, context_id)
    if course is None and ids.prefix_of(context_id) is ids.Prefix.COURSE:
        raise JobFailed(JobErrorCode.EXPORT_EMPTY, "The course has been deleted.")
    return Package(session, course, files, missing, _writer(type, course, [copies.file(row) for row in files]))


def _writer(type: ExportType, course: Course | None, files: Sequence[File]) -> PackageWriter:
    """Only courses are asked for as packages."""
    match type, course:
        case ExportType.common_cartridge, Course():
            return CartridgeWriter(course, files)
        case ExportType.qti, Course():
            return QtiWriter(course, files)
    return FolderWriter(course, files)


async def _there(run: Run, rows: Sequence[StoredFile]) -> tuple[list[StoredFile], list[PackageWarning]]:
    """The files whose bytes are there, and a warning for each that the blob store has lost."""
    found: list[bool] = []
    for start in range(0, len(rows), FILES_AT_ONCE):
        batch = rows[start : start + FILES_AT_ONCE]
        found += await asyncio.gather(*(run.blobs.has(row.key or "") for row in batch))
    lost = [row for row, there in zip(rows, found, strict=True) if not there]
    message = "The bytes of this file are lost; it was left out."
    warnings = [PackageWarning("file_lost", message, row.path) for row in lost]
    return [row for row, there in zip(rows, found, strict=True) if there], warnings


async def _take(run: Run, package: Package) -> None:
    """The first pass; JobFailed when there is nothing to export."""
    async for batch in _lessons(package):
        await asyncio.to_thread(_take_all, package.writer, batch)
        package.lessons += len(batch)
    if package.writer.is_empty:
        raise JobFailed(JobErrorCode.EXPORT_EMPTY, package.writer.nothing)
    await run.advance(package.progress("writing"))


def _take_all(writer: PackageWriter, lessons: Sequence[Lesson]) -> None:
    for lesson in lessons:
        writer.take(lesson)


async def _pieces(run: Run, package: Package) -> AsyncIterator[bytes]:
    """The second pass: the zip, piece by piece."""
    writer, archive = package.writer, ZipWriter()
    manifest = archive.open(writer.manifest_path, compress=True)
    for piece in writer.manifest():
        yield await asyncio.to_thread(manifest.feed, piece)
    yield manifest.end()
    for path, data in writer.first_entries():
        yield archive.add(path, data)
    async for batch in _lessons(package):
        for lesson in batch:
            yield await asyncio.to_thread(_add, archive, writer, lesson)
            package.done += 1
        await _tell(run, package)
    for row in sorted(package.files, key=lambda row: writer.place(copies.file(row))):
        entry = archive.open(writer.place(copies.file(row)), size=row.byte_size)
        async for chunk in run.blobs.get(row.key or ""):
            yield entry.feed(chunk)
            package.copied += len(chunk)
            await _tell(run, package)
        yield entry.end()
        package.done += 1
    yield archive.close()


def _add(archive: ZipWriter, writer: PackageWriter, lesson: Lesson) -> bytes:
    return b"".join(archive.add(path, data) for path, data in writer.entries(lesson))


async def _lessons(package: Package) -> AsyncIterator[Sequence[Lesson]]:
    if package.course is not None:
        async for batch in copies.read_lessons(package.session, package.course.id):
            yield batch


async def _tell(run: Run, package: Package) -> None:
    """How far it is, now and then."""
    moment = time.monotonic()
    if moment - package.told >= TELL_EVERY_SECONDS:
        package.told = moment
        await run.advance(package.progress("writing"))


async def _gathered(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in larger pieces: handing one over takes as long as writing many kilobytes."""
    waiting = bytearray()
    async for piece in pieces:
        waiting += piece
        if len(waiting) >= PIECE_BYTES:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)
