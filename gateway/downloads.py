"""Downloads: whoever holds a signed address gets the file, whole or in parts, until the address expires."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.problems import problem
from gateway.ranges import RangeUnsatisfiable, span
from storage import attachments, files, ids
from storage.blobs import Blobs
from storage.database import Database
from storage.presign import Permission, PermissionExpired, Presigner, Purpose, SignatureInvalid
from storage.tables import Attachment, StoredFile

HEADERS = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "sandbox",
}


class Downloads:
    """What stands behind /downloads/{code}."""

    def __init__(self, database: Database, blobs: Blobs, presigner: Presigner) -> None:
        self.database = database
        self.blobs = blobs
        self.presigner = presigner

    async def show(self, request: Request) -> Response:
        """The file, or the part that Range asks for; a problem for a code that is wrong, old, or leads nowhere."""
        try:
            permission = self.presigner.read(Purpose.DOWNLOAD, request.path_params["code"])
        except SignatureInvalid:
            return problem(request, 403, "This address was not made here.", code="signature_invalid")
        except PermissionExpired:
            return problem(request, 410, "This address has expired; read a new one from the graph.", code="expired")
        file = await self._find(permission)
        if file is None or not await self.blobs.has(file.key or ""):
            return problem(request, 404, "This file has been removed.")
        return self._answer(request, file, file.key or "")

    async def _find(self, permission: Permission) -> Attachment | StoredFile | None:
        """What a job made, or somebody stored."""
        is_stored = ids.prefix_of(permission.object_id) is ids.Prefix.FILE
        find = files.find_there if is_stored else attachments.find
        async with self.database.snapshot() as session:
            return await find(session, permission.workspace_id, permission.object_id)

    def _answer(self, request: Request, file: Attachment | StoredFile, key: str) -> Response:
        etag = f'"{file.sha256}"'
        headers = {**HEADERS, "ETag": etag, "Content-Disposition": disposition(file.filename)}
        whole = request.method == "HEAD" or request.headers.get("if-range", etag) != etag
        try:
            part = None if whole else span(request.headers.get("range"), file.byte_size)
        except RangeUnsatisfiable:
            size = {"Content-Range": f"bytes */{file.byte_size}"}
            return problem(request, 416, "Nothing of that range is in the file.", code="range", headers=size)
        start, end = part or (0, file.byte_size)
        headers["Content-Length"] = str(end - start)
        if part:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.byte_size}"
        if request.method == "HEAD":
            return Response(headers=headers, media_type=file.content_type)
        body = self.blobs.get(key, start, end) if part else self.blobs.get(key)
        return StreamingResponse(body, 206 if part else 200, headers, media_type=file.content_type)


def disposition(filename: str) -> str:
    """Save it under this name (RFC 6266): in ASCII for old clients, and as it is."""
    plain = "".join(character if " " <= character <= "~" and character not in '"\\%' else "_" for character in filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
