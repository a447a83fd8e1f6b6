"""Problems of the routes that are not GraphQL, as application/problem+json (RFC 9457)."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from storage.errors import Problem
from storage.tables.columns import dump

CODES = {
    400: "malformed",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "content_type",
    422: "invalid",
    429: "rate_limited",
    500: "internal",
    503: "unavailable",
}


def problem(
    request: Request,
    status: int,
    detail: str,
    *,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
    errors: Iterable[Problem] = (),
) -> Response:
    """One problem, or several of one input; the code is stable, the detail is for people."""
    told = [{"code": it.code, "message": it.message, "path": it.path, "rule": it.rule} for it in errors]
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code or CODES[status],
        "detail": detail,
        "requestId": request.state.request_id,
        **({"errors": told} if told else {}),
    }
    return Response(dump(body), status, headers, media_type="application/problem+json")


async def from_exception(request: Request, error: Exception) -> Response:
    """What Starlette itself refuses: unknown paths, wrong methods, bodies that are too large."""
    assert isinstance(error, HTTPException)  # noqa: S101  (registered for nothing else)
    detail = "There is nothing here." if error.status_code == 404 else error.detail
    return problem(request, error.status_code, detail, headers=error.headers)
