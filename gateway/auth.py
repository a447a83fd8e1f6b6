"""From what a request presents, an API key, an access token or a session cookie, to a principal."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from starlette.requests import HTTPConnection

from gateway.refusals import Refused
from gateway.settings import Settings
from schema.context import SESSION_COOKIE, Principal
from storage import credentials, people, tokens
from storage.database import Database, Unavailable
from storage.sealing import hashed
from storage.tables import ApiKey, Environment, OAuthClient
from storage.tables.columns import now

CSRF_HEADER = "x-lectern-csrf"

NOTE_SECONDS = 0.5
"""How long a request waits to have it written that its credential was used."""


class Authenticator:
    """Checks credentials against the database, on every request: a revocation works at once."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self.settings = settings

    async def __call__(
        self, connection: HTTPConnection, init: Mapping[str, object] | None = None, *, safe: bool = False
    ) -> Principal | None:
        """
        The principal of a request or of a WebSocket's connection_init; None without any credential.

        A bad credential is Refused with 401. With an Authorization the cookie is ignored. A safe request can only read,
        so that nobody gains anything by making a browser send it: the cookie is enough.
        """
        presented = connection.headers.get("authorization") if init is None else _presented(init)
        if presented is not None:
            return await self._by_bearer(presented)
        if (token := connection.cookies.get(SESSION_COOKIE)) is None:
            return None
        if not safe:
            self._check_origin(connection, socket=init is not None)
        chosen = connection.headers.get("x-environment") if init is None else init.get("environment")
        principal = await self._by_cookie(token, environment(chosen))
        if principal is None and init is not None:
            raise _unauthenticated("The session has ended; sign in again.")
        return principal

    async def still_valid(self, principal: Principal) -> bool:
        """Whether the credential behind an open stream still holds."""
        async with self.database.snapshot() as session:
            return await credentials.holds(session, principal.id, principal.grant)

    async def _by_bearer(self, authorization: str) -> Principal:
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise _unauthenticated("Send the credential as Authorization: Bearer <key>.")
        if secret.strip().startswith(tokens.PREFIX):
            return await self._by_token(secret.strip())
        return await self._by_key(secret.strip())

    async def _by_key(self, secret: str) -> Principal:
        async with self.database.snapshot() as session:
            key = await credentials.find_key(session, secret)
        if key is None:
            raise _unauthenticated("This key is unknown or has been revoked.")
        await self._note_use(key)
        return Principal.of_key(key)

    async def _by_token(self, secret: str) -> Principal:
        async with self.database.snapshot() as session:
            found = await tokens.find(session, secret)
        if found is None:
            raise _unauthenticated("This access token is unknown, has expired or has been revoked.")
        token, client = found
        await self._note_use(client)
        return Principal.of_token(token, client)

    async def _by_cookie(self, token: str, chosen: Environment) -> Principal | None:
        """
        Nobody once the session has ended: the browser goes on sending the cookie, and what needs no credential must
        go on working, above all signing in again.
        """
        async with self.database.snapshot() as session:
            user = await people.find_session(session, token)
        return Principal.of_user(user, chosen, token) if user else None

    async def _note_use(self, credential: ApiKey | OAuthClient) -> None:
        """Once a minute is enough, and keeps reads from writing; who cannot write it now has been here all the same."""
        last = credential.last_used_at
        if last is None or (now() - last).total_seconds() > credentials.USED_EVERY_SECONDS:
            with suppress(TimeoutError, Unavailable):
                async with asyncio.timeout(NOTE_SECONDS), self.database.transaction() as session:
                    await credentials.used(session, credential)

    def _check_origin(self, connection: HTTPConnection, *, socket: bool) -> None:
        """What rests on a cookie must come from our own pages: the header proves it, and so does the Origin."""
        origin = connection.headers.get("origin")
        if origin is not None and origin != self.settings.origin:
            raise Refused(403, "CSRF", "The Origin is not that of this gateway.")
        if socket and origin is None:
            raise Refused(403, "CSRF", "A WebSocket that rests on the cookie needs an Origin.")
        if not socket and connection.headers.get(CSRF_HEADER) != "1":
            raise Refused(403, "CSRF", "A request that rests on the session cookie carries X-Lectern-CSRF: 1.")


def session_token(connection: HTTPConnection, principal: Principal | None) -> str | None:
    """What the session cookie holds, for a principal that rests on it; next to an Authorization it is ignored."""
    token = connection.cookies.get(SESSION_COOKIE)
    return token if token and principal and principal.grant == hashed(token) else None


def environment(chosen: object) -> Environment:
    """The environment that a session chooses by header or connection_init; production unless said otherwise."""
    match chosen:
        case None:
            return Environment.PRODUCTION
        case str() if chosen.upper() in Environment.__members__:
            return Environment[chosen.upper()]
    raise Refused(400, "BAD_REQUEST", "The environment is test or production.")


def _presented(init: Mapping[str, object]) -> str | None:
    value = next((value for name, value in init.items() if name.lower() == "authorization"), None)
    if value is not None and not isinstance(value, str):
        raise _unauthenticated("Authorization is a string: Bearer <key>.")
    return value


def _unauthenticated(message: str) -> Refused:
    return Refused(401, "UNAUTHENTICATED", message, headers={"WWW-Authenticate": "Bearer"})
