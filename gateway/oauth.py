"""POST /oauth/token: the client credentials grant of RFC 6749, for machines that ingest content."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from urllib.parse import unquote_plus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway import forms
from gateway.admission import Admission
from gateway.limits import RateLimited
from gateway.problems import problem
from gateway.settings import Settings
from storage import credentials, tokens
from storage.database import Database
from storage.tables import OAuthClient, Scope
from storage.tables.columns import dump

MOST_BYTES = 16_384
SEED_PREFIX = "https://timeback-platform.trilogy.com/content/scope/"
CHALLENGE = {"WWW-Authenticate": 'Basic realm="Lectern"'}


class TokenRefused(Exception):  # noqa: N818
    """An error in the words of RFC 6749, section 5.2."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        self.error = error
        self.description = description
        self.status = status
        super().__init__(description)


class TokenEndpoint:
    """What stands behind /oauth/token."""

    def __init__(self, database: Database, settings: Settings, admission: Admission) -> None:
        self.database = database
        self.admission = admission
        self.prefixes = (SEED_PREFIX, f"{settings.public_url}/content/scope/")

    async def show(self, request: Request) -> Response:
        """A token for an hour, or an error as RFC 6749 has them; a client's requests count as units of its minute."""
        try:
            return await self._grant(request)
        except TokenRefused as refused:
            body = {"error": refused.error, "error_description": refused.description}
            return _answer(body, refused.status, CHALLENGE if refused.status == 401 else {})
        except RateLimited as limited:
            return problem(request, 429, limited.message, headers={"Pragma": "no-cache", **limited.headers})

    async def _grant(self, request: Request) -> Response:
        form = await _form(request)
        client = await self._client(request, form)
        await self.admission.of_client(client, request)
        if "grant_type" not in form:
            raise TokenRefused("invalid_request", "grant_type is missing.")
        if form["grant_type"] != "client_credentials":
            raise TokenRefused("unsupported_grant_type", "The only grant is client_credentials.")
        scopes = self._scopes(form.get("scope", "").split(), client.scopes)
        async with self.database.transaction() as session:
            token = await tokens.issue(session, client, scopes)
            await credentials.used(session, client)
        return _answer(
            {
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": int(tokens.LIFETIME.total_seconds()),
                "scope": " ".join(scopes),
            }
        )

    async def _client(self, request: Request, form: Mapping[str, str]) -> OAuthClient:
        """Who asks; invalid_client for anybody unknown, and 429 for an address that was wrong too often."""
        client_id, secret = _presented(request, form)
        async with self.database.snapshot() as session:
            client = await tokens.check_client(session, client_id, secret)
        if client is None:
            await self.admission.of_address("oauth", request)
            raise TokenRefused("invalid_client", "The client is unknown or revoked, or its secret is wrong.", 401)
        return client

    def _scopes(self, asked: Sequence[str], granted: Sequence[Scope]) -> list[Scope]:
        """The scopes that are asked for, by short name or full URL; all that are granted when none is."""
        names = {self._short(name) for name in asked} or set(granted)
        if not names <= set(granted):
            raise TokenRefused("invalid_scope", f"This client has {' and '.join(granted)}.")
        return [scope for scope in Scope if scope in names]

    def _short(self, name: str) -> str:
        for prefix in self.prefixes:
            name = name.removeprefix(prefix)
        return name


async def _form(request: Request) -> dict[str, str]:
    """The fields; those without a value count as left out, and none may come twice."""
    try:
        fields = [(name, value) for name, value in await forms.read(request, MOST_BYTES) if value]
    except HTTPException as wrong:
        raise TokenRefused("invalid_request", wrong.detail) from None
    if len(dict(fields)) < len(fields):
        raise TokenRefused("invalid_request", "A field comes twice.")
    return dict(fields)


def _presented(request: Request, form: Mapping[str, str]) -> tuple[str, str]:
    """Id and secret, by HTTP Basic or in the form, but not by both."""
    authorization = request.headers.get("authorization")
    if authorization is None:
        if "client_id" not in form or "client_secret" not in form:
            raise TokenRefused("invalid_client", "Send client_id and client_secret, by HTTP Basic or here.", 401)
        return form["client_id"], form["client_secret"]
    if "client_secret" in form:
        raise TokenRefused("invalid_request", "Send the secret by HTTP Basic or in the form, not both.")
    scheme, _, encoded = authorization.partition(" ")
    try:
        name, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        name, colon, secret = "", "", ""
    if scheme.lower() != "basic" or not colon:
        raise TokenRefused("invalid_client", "The Authorization is no HTTP Basic.", 401)
    if form.get("client_id", unquote_plus(name)) != unquote_plus(name):
        raise TokenRefused("invalid_request", "client_id differs from the one in the Authorization.")
    return unquote_plus(name), unquote_plus(secret)


def _answer(body: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(dump(body), status, {"Pragma": "no-cache", **(headers or {})}, media_type="application/json")
