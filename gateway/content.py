"""Content files: a signed address becomes a cookie, and with it a browser gets the files of packages."""

import unicodedata
from mimetypes import MimeTypes
from posixpath import splitext
from urllib.parse import unquote, urlsplit

from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from gateway.problems import problem
from gateway.ranges import RangeUnsatisfiable, span
from storage import content, content_sessions, ids
from storage.blobs import Blobs
from storage.content import Stored
from storage.database import Database
from storage.presign import PermissionExpired, Presigner, Purpose, SignatureInvalid
from storage.tables import PackageFile, Realm

COOKIE = "lectern_content"
FILES = "/content/"

# The gateway's own origin, or no browser would send the cookie for the files beside a page; but no script, ever.
POLICY = (
    "sandbox allow-same-origin; default-src 'none'; script-src 'none'; img-src 'self' data:; media-src 'self'; "
    "style-src 'self' 'unsafe-inline'; font-src 'self'"
)
HEADERS = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "private, max-age=300",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
}

TYPES = MimeTypes()
for suffix, media_type in {
    ".xhtml": "application/xhtml+xml",
    ".vtt": "text/vtt",
    ".webp": "image/webp",
    ".m4v": "video/mp4",
    ".ogv": "video/ogg",
    ".m4a": "audio/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".ttf": "font/ttf",
    ".otf": "font/otf",
}.items():
    TYPES.add_type(media_type, suffix)


class FilePath(PathConvertor):
    """A path with any characters in it, line breaks too."""

    regex = "(?s:.*)"


register_url_convertor("file", FilePath())


class ContentFiles:
    """What stands behind /session/{code} and /content/{itemId}/{path}."""

    def __init__(self, database: Database, blobs: Blobs, presigner: Presigner, *, secure: bool) -> None:
        self.database = database
        self.blobs = blobs
        self.presigner = presigner
        self.secure = secure

    async def enter(self, request: Request) -> Response:
        """The cookie, once, and on to `next`."""
        onward = request.query_params.get("next")
        if onward is not None and not _below_content(onward):
            return problem(request, 400, f"next is a path below {FILES}.")
        code = request.path_params["code"]
        try:
            entered = self.presigner.read(Purpose.SESSION, code)
        except SignatureInvalid:
            return problem(request, 403, "This address was not made here.", code="signature_invalid")
        except PermissionExpired:
            return problem(request, 410, "This address has expired; ask for a new one.", code="expired")
        async with self.database.transaction() as session:
            fresh = await content_sessions.spend(session, code, entered)
        if not fresh:
            return problem(request, 410, "This address works once, and has.", code="already_used")
        response = Response(status_code=204) if onward is None else RedirectResponse(onward, 302)
        seconds = int(content_sessions.STAY_TIME.total_seconds())
        cookie = self.presigner.code(Purpose.CONTENT, content_sessions.stay(entered))
        response.set_cookie(
            COOKIE, cookie, max_age=seconds, path="/content", httponly=True, samesite="lax", secure=self.secure
        )
        return response

    async def show(self, request: Request) -> Response:
        """A file of an item's package; 403 for whatever is not of the cookie's workspace and environment."""
        realm, id = self._realm(request), request.path_params["item_id"]
        path = unicodedata.normalize("NFC", request.path_params["path"])
        async with self.database.snapshot() as session:
            items = await content.find(session, realm, [id]) if realm and ids.prefix_of(id) else []
            found = await content.locate(session, [(item.job_id, path) for item in items if "\0" not in path])
        if not items:
            return problem(request, 403, "Begin a content session of its workspace first.", code="session_required")
        if not found:
            return problem(request, 404, "There is no such file in the package.")
        [stored] = found.values()
        return self._answer(request, stored)

    def _realm(self, request: Request) -> Realm | None:
        try:
            permission = self.presigner.read(Purpose.CONTENT, request.cookies.get(COOKIE, ""))
        except (SignatureInvalid, PermissionExpired):
            return None
        return content_sessions.realm(permission)

    def _answer(self, request: Request, stored: Stored) -> Response:
        etag = _etag(stored.file)
        headers = {**HEADERS, "ETag": etag, "Content-Type": _type(stored.file.path)}
        known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
        if known & {etag, "*"}:
            return Response(status_code=304, headers={name: headers[name] for name in ("ETag", "Cache-Control")})
        whole = request.method == "HEAD" or request.headers.get("if-range", etag) != etag
        try:
            part = None if whole else span(request.headers.get("range"), stored.file.size)
        except RangeUnsatisfiable:
            size = {"Content-Range": f"bytes */{stored.file.size}"}
            return problem(request, 416, "Nothing of that range is in the file.", code="range", headers=size)
        start, end = part or (0, stored.file.size)
        headers["Content-Length"] = str(end - start)
        if part:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{stored.file.size}"
        if request.method == "HEAD":
            return Response(headers=headers)
        return StreamingResponse(content.read(self.blobs, stored, start, end), 206 if part else 200, headers)


def _below_content(path: str) -> bool:
    """Whether a browser that follows this stays on this gateway and below /content/."""
    plain = path.isprintable() and "\\" not in path
    return plain and path.startswith(FILES) and ".." not in unquote(urlsplit(path).path).split("/")


def _etag(file: PackageFile) -> str:
    """Packages never change: what a zip says of a file is what there is."""
    return f'"{file.crc:08x}-{file.size:x}"'


def _type(path: str) -> str:
    """By the end of the name; without a charset, for the file itself says what it has."""
    guessed, encoding = TYPES.guess_type(f"file{splitext(path)[1]}")
    return guessed if guessed and encoding is None else "application/octet-stream"
