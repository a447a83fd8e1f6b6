"""Uploads: what is awaited under which id, and what follows when it has come. Each comes once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from storage import files, ids, ingestions, jobs
from storage.database import Transaction
from storage.presign import Permission
from storage.tables import Job, JobKind, StoredFile


class AlreadyUploaded(Exception):  # noqa: N818
    """It has come before."""


class UploadExpired(Exception):  # noqa: N818
    """It is not awaited any more."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What the bytes have to be."""

    byte_size: int
    content_type: str


@dataclass(frozen=True, slots=True)
class Received:
    """What came: where it lies now, and its digest."""

    key: str
    sha256: str


def folder(object_id: str) -> str:
    """Where the bytes for a job or a file come to lie, finished or not."""
    return f"uploads/{object_id}/"


async def announced(session: AsyncSession, permission: Permission) -> Announced:
    """What is awaited under a permission; AlreadyUploaded or UploadExpired when it is not, or not any more."""
    return await _kind(permission).announced(session, permission)


async def accept(session: Transaction, permission: Permission, received: Received) -> None:
    """Take what came, and start what waited for it; of two that come at once the later is AlreadyUploaded."""
    await _kind(permission).accept(session, permission, received)


async def _announced_package(session: AsyncSession, permission: Permission) -> Announced:
    job = await session.get(Job, permission.object_id)
    return Announced(ingestions.asked(_awaiting(job, permission)).zip_file_size, "application/zip")


async def _accept_package(session: Transaction, permission: Permission, received: Received) -> None:
    known = _ours(await session.get(Job, permission.object_id), permission)
    job = _awaiting(await jobs.locked(session, known.realm, known.id), permission)
    job.parameters = ingestions.asked(job).model_copy(update={"blob_key": received.key})
    await jobs.uploaded(session, job)


def _ours(job: Job | None, permission: Permission) -> Job:
    if job is None or job.workspace_id != permission.workspace_id or job.kind is not JobKind.INGESTION:
        raise UploadExpired
    return job


def _awaiting(job: Job | None, permission: Permission) -> Job:
    found = _ours(job, permission)
    if ingestions.arrived(found):
        raise AlreadyUploaded
    if not ingestions.expects(found):
        raise UploadExpired
    return found


async def _announced_file(session: AsyncSession, permission: Permission) -> Announced:
    file = _awaited(await session.get(StoredFile, permission.object_id), permission)
    return Announced(file.byte_size, file.content_type)


async def _accept_file(session: Transaction, permission: Permission, received: Received) -> None:
    file = _awaited(await files.locked(session, permission.object_id), permission)
    if not await files.arrive(session, file, received.key, received.sha256):
        raise UploadExpired


def _awaited(file: StoredFile | None, permission: Permission) -> StoredFile:
    if file is None or file.workspace_id != permission.workspace_id:
        raise UploadExpired
    if file.sha256 is not None:
        raise AlreadyUploaded
    if not files.expects(file):
        raise UploadExpired
    return file


@dataclass(frozen=True, slots=True)
class Kind:
    """What uploads for ids of one prefix have to be, and what is done with them."""

    announced: Callable[[AsyncSession, Permission], Awaitable[Announced]]
    accept: Callable[[Transaction, Permission, Received], Awaitable[None]]


KINDS = {
    ids.Prefix.JOB: Kind(_announced_package, _accept_package),
    ids.Prefix.FILE: Kind(_announced_file, _accept_file),
}


def _kind(permission: Permission) -> Kind:
    return KINDS[ids.Prefix(permission.object_id.partition("_")[0])]
