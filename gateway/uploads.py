"""Uploads: whoever holds a signed address may put there what was announced, once, and what waited for it begins."""

import hashlib
import secrets
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gateway.problems import problem
from storage import uploads
from storage.blobs import Blobs
from storage.database import Database
from storage.files import PathTaken
from storage.presign import Permission, PermissionExpired, Presigner, Purpose, SignatureInvalid
from storage.uploads import AlreadyUploaded, Announced, Received, UploadExpired


class Uploads:
    """What stands behind /uploads/{code}."""

    def __init__(self, database: Database, blobs: Blobs, presigner: Presigner, most_bytes: int) -> None:
        self.database = database
        self.blobs = blobs
        self.presigner = presigner
        self.most_bytes = most_bytes

    async def receive(self, request: Request) -> Response:
        """Keep the bytes, and start what waits for them; a problem for a wrong code, length, type, time or place."""
        try:
            permission = self.presigner.read(Purpose.UPLOAD, request.path_params["code"])
            async with self.database.snapshot() as session:
                announced = await uploads.announced(session, permission)
            return self._refusal(request, announced) or await self._keep(request, permission)
        except SignatureInvalid:
            return problem(request, 403, "This address was not made here.", code="signature_invalid")
        except (PermissionExpired, UploadExpired):
            return problem(request, 403, "Nothing is awaited here any more.", code="upload_expired")
        except AlreadyUploaded:
            return problem(request, 409, "This has been uploaded already.", code="already_uploaded")
        except PathTaken as taken:
            return problem(request, 409, taken.message, code="path_taken")

    def _refusal(self, request: Request, announced: Announced) -> Response | None:
        """What can be said before the first byte is read; the address stays good."""
        length = request.headers.get("content-length", "")
        if not length.isdigit():
            return problem(request, 411, "Say the Content-Length.", code="length_required")
        if int(length) > self.most_bytes:
            return problem(request, 413, f"At most {self.most_bytes:,} bytes are taken.")
        stated = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if stated != announced.content_type:
            return problem(request, 415, f"The Content-Type has to be {announced.content_type}.")
        if int(length) != announced.byte_size:
            message = f"Announced {announced.byte_size} bytes, received {length}."
            return problem(request, 400, message, code="length_mismatch")
        return None

    async def _keep(self, request: Request, permission: Permission) -> Response:
        """A connection that breaks leaves nothing: the blob is there when all of it is, or not at all."""
        digest = hashlib.sha256()
        key = f"{uploads.folder(permission.object_id)}{secrets.token_hex(8)}"
        try:
            await self.blobs.put(key, _hashing(request, digest))
        except ClientDisconnect:
            return problem(request, 400, "The connection broke.", code="length_mismatch")
        received = Received(key, digest.hexdigest())
        try:
            async with self.database.transaction() as session:
                await uploads.accept(session, permission, received)
        except (AlreadyUploaded, UploadExpired, PathTaken):
            await self.blobs.delete(key)
            raise
        return Response(headers={"ETag": f'"{received.sha256}"'})


async def _hashing(request: Request, digest: "hashlib._Hash") -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        digest.update(chunk)
        if chunk:
            yield chunk
