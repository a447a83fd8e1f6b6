"""Announcing files: a place to upload to, and the file that will be there."""

import math
from datetime import UTC, datetime
from typing import Any

import strawberry

from schema.context import Info
from schema.mutations import KEY, CreatedPayload, mutation, once
from schema.types.files import ContextInput, StoredFile
from schema.types.scalars import URL, BigInt
from storage import contexts, files, tables
from storage.database import Transaction
from storage.errors import Checks
from storage.presign import Permission, Presigner, Purpose
from storage.tables import Scope
from storage.tables.columns import now


@strawberry.input
class CreateFileUploadInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    context: ContextInput = strawberry.field(description="Who owns the file.")
    path: str = strawberry.field(
        description="Relative, with forward slashes; an existing file of this path is replaced when the upload "
        "arrives. At most 500 characters, each name of at most 255 bytes."
    )
    content_type: str = strawberry.field(description="A media type without parameters of at most 127 characters.")
    byte_size: BigInt


@strawberry.type
class CreateFileUploadPayload(CreatedPayload):
    file: StoredFile | None = None
    upload_url: URL | None = strawberry.field(
        default=None, description="PUT the bytes here with the announced content type."
    )
    expires_at: datetime | None = None

    @classmethod
    def about(cls, row: Any) -> "CreateFileUploadPayload":
        return cls(file=StoredFile.from_row(row), expires_at=row.upload_expires_at)


@strawberry.type
class FileMutations:
    @mutation(Scope.EXPORTS, description="Answers with a signed URL; the file exists once it has been PUT there.")
    async def create_file_upload(self, info: Info, input: CreateFileUploadInput) -> CreateFileUploadPayload:
        check(input, info.context.settings.max_file_bytes)
        realm, member_id = info.context.realm, info.context.caller.member_id

        async def make(session: Transaction, id: str) -> tables.StoredFile:
            context = await contexts.require(session, realm, input.context.id, member_id)
            file = tables.StoredFile(
                id=id,
                workspace_id=realm.workspace_id,
                environment=realm.environment,
                context_id=context.id,
                path=files.normal(input.path),
                content_type=input.content_type.lower(),
                byte_size=input.byte_size,
                upload_expires_at=now() + files.UPLOAD_TIME,
            )
            await files.announce(session, file)
            return file

        find = files.finder(realm, member_id)
        file, replayed = await once(info, "createFileUpload", input, files.new_id(), make, find)
        payload = CreateFileUploadPayload.about(file)
        payload.replayed = replayed
        payload.upload_url = upload_url(info, file) if files.expects(file) else None
        return payload


def check(input: CreateFileUploadInput, most_bytes: int) -> None:
    """What can be said about a file before it comes."""
    with Checks() as checks:
        message = "A path is relative and stays inside: names with forward slashes between, e.g. handouts/plan.pdf."
        checks.require(files.is_path(files.normal(input.path)), "path", message, "input", "path")
        plausible = files.CONTENT_TYPE.fullmatch(input.content_type.lower())
        message = "contentType is a media type without parameters, e.g. application/pdf."
        checks.require(plausible, "content_type", message, "input", "contentType")
        message = f"A file has 0 to {most_bytes:,} bytes."
        checks.require(0 <= input.byte_size <= most_bytes, "file_size", message, "input", "byteSize")


def upload_url(info: Info, file: tables.StoredFile) -> URL:
    """Where the file goes; a code counts in seconds, so it lasts up to one longer than the file is awaited."""
    last = datetime.fromtimestamp(math.ceil(file.upload_expires_at.timestamp()), UTC)
    permission = Permission(file.workspace_id, file.id, last)
    code = Presigner(info.context.settings.secret_keys).code(Purpose.UPLOAD, permission)
    return URL(f"{info.context.settings.public_url}/uploads/{code}")
