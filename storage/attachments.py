"""Files that jobs made: kept, found, named."""

import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Sequence

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import ids
from storage.blobs import Blobs
from storage.packages import filenames
from storage.tables import Attachment, AttachmentRole, Job
from storage.tables.columns import now

STEM_BYTES = 120


def folder(job_id: str) -> str:
    """Where the blobs of a job are."""
    return f"jobs/{job_id}/"


def named(job: Job, role: AttachmentRole, filename: str, content_type: str) -> Attachment:
    """
    The row of a file that this attempt of a job is about to write.

    The key is that of job, attempt and role, so an attempt never writes over the file of another one.
    """
    return Attachment(
        id=ids.new(ids.Prefix.ATTACHMENT),
        job_id=job.id,
        role=role,
        key=f"{folder(job.id)}{job.attempt}/{role}",
        filename=filename,
        content_type=content_type,
    )


async def write(blobs: Blobs, row: Attachment, chunks: AsyncIterable[bytes]) -> None:
    """Write the file; the row learns its size and its digest."""
    await blobs.put(row.key, _measured(row, chunks))


async def _measured(row: Attachment, chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The chunks as they are, measured in passing."""
    digest = hashlib.sha256()
    async for chunk in chunks:
        digest.update(chunk)
        row.byte_size += len(chunk)
        yield chunk
    row.sha256 = digest.hexdigest()


async def of_jobs(session: AsyncSession, job_ids: Sequence[str]) -> Sequence[Attachment]:
    """The files of some jobs that are still there."""
    query = select(Attachment).where(col(Attachment.job_id).in_(job_ids), _there())
    return (await session.scalars(query.order_by(col(Attachment.id)))).all()


async def find(session: AsyncSession, workspace_id: str, id: str) -> Attachment | None:
    """A file of the workspace, if it is still there."""
    query = select(Attachment).join(Job, col(Job.id) == col(Attachment.job_id))
    return (
        await session.scalars(query.where(col(Attachment.id) == id, col(Job.workspace_id) == workspace_id, _there()))
    ).one_or_none()


def filename(title: str, suffix: str) -> str:
    """A title as the name of a file: without what file systems refuse or shells and browsers misread."""
    words = filenames.FORBIDDEN.sub(" ", title).split()
    stem = " ".join(words).encode()[:STEM_BYTES].decode(errors="ignore").strip(". ")
    return filenames.portable((stem or "untitled") + suffix)


def _there() -> ColumnElement[bool]:
    return or_(col(Attachment.expires_at).is_(None), col(Attachment.expires_at) > now())
