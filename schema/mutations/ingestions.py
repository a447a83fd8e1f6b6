"""Announcing packages: a place to upload to, and the job that will read what comes."""

import math
from datetime import UTC, datetime
from typing import Any

import strawberry

from schema.context import Info
from schema.mutations import KEY, CreatedPayload, idempotency_key, mutation, once
from schema.types.ingestions import IngestionJob
from schema.types.scalars import URL, BigInt
from storage import ingestions, jobs, tables
from storage.database import Transaction
from storage.errors import Checks
from storage.presign import Permission, Presigner, Purpose
from storage.tables import Scope


@strawberry.input
class CreateIngestUploadInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    item_count: int = strawberry.field(description="At least 1.")
    zip_file_size: BigInt = strawberry.field(description="Bytes.")


@strawberry.type
class CreateIngestUploadPayload(CreatedPayload):
    job: IngestionJob | None = None
    upload_url: URL | None = strawberry.field(
        default=None,
        description="PUT the zip file here with Content-Type application/zip; null in a replay once the upload has "
        "arrived or expired.",
    )
    expires_at: datetime | None = strawberry.field(default=None, description="One hour after the job was created.")

    @classmethod
    def about(cls, row: Any) -> "CreateIngestUploadPayload":
        return cls(job=IngestionJob.from_row(row), expires_at=ingestions.asked(row).upload_expires_at)


@strawberry.type
class IngestionMutations:
    @mutation(
        Scope.CONTENT_WRITE,
        description="Answers with a signed URL; processing begins by itself once the zip file has been PUT there.",
    )
    async def create_ingest_upload(self, info: Info, input: CreateIngestUploadInput) -> CreateIngestUploadPayload:
        check(input, info.context.settings.max_zip_bytes)
        realm = info.context.realm

        async def make(session: Transaction, job_id: str) -> tables.Job:
            key = idempotency_key(info, input)
            job = ingestions.awaiting(realm, job_id, input.item_count, input.zip_file_size, key)
            await jobs.add(session, job)
            return job

        job, replayed = await once(info, "createIngestUpload", input, jobs.new_id(), make, jobs.finder(realm))
        payload = CreateIngestUploadPayload.about(job)
        payload.replayed = replayed
        payload.upload_url = upload_url(info, job) if ingestions.expects(job) else None
        return payload


def check(input: CreateIngestUploadInput, most_bytes: int) -> None:
    """What can be said about a package before it comes."""
    with Checks() as checks:
        message = "A package has at least one item."
        checks.require(input.item_count >= 1, "positive", message, "input", "itemCount")
        size, place = input.zip_file_size, ("input", "zipFileSize")
        if checks.require(size >= 1, "positive", "A zip file has at least one byte.", *place):
            message = f"A zip file has at most {most_bytes:,} bytes."
            checks.require(size <= most_bytes, "zip_too_large", message, *place)


def upload_url(info: Info, job: tables.Job) -> URL:
    """Where the package goes; a code counts in seconds, so it lasts up to one longer than the job waits."""
    last = datetime.fromtimestamp(math.ceil(ingestions.asked(job).upload_expires_at.timestamp()), UTC)
    permission = Permission(job.workspace_id, job.id, last)
    code = Presigner(info.context.settings.secret_keys).code(Purpose.UPLOAD, permission)
    return URL(f"{info.context.settings.public_url}/uploads/{code}")
