"""The page of GET /graphql in a browser: GraphiQL from our own files, under a policy that lets nothing else in."""

import secrets

from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from gateway.pages import PAGES

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; font-src data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


async def show(_request: Request) -> Response:
    """The page; GraphiQL makes a few styles itself, and has a word for that which is new each time."""
    nonce = secrets.token_urlsafe(16)
    page = PAGES.get_template("explorer.html").render(nonce=nonce)
    return Response(page, headers={"Content-Security-Policy": POLICY.format(nonce=nonce)}, media_type="text/html")


class Assets(StaticFiles):
    """Files of the package; browsers may keep them for a while."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=300"
        return response
