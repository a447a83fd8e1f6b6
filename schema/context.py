"""Who asks, and what a resolver may reach."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import strawberry

from storage import credentials
from storage.database import Database
from storage.sealing import Sealer, hashed
from storage.settings import StorageSettings
from storage.tables import AccessToken, ApiKey, Environment, OAuthClient, Realm, Scope, User

if TYPE_CHECKING:
    from schema.loaders import Loaders

SESSION_COOKIE = "lectern_session"


@dataclass(frozen=True, slots=True)
class Principal:
    """
    A checked credential: an API key, an access token of an OAuth client, or a user's session.

    The id is that of the key, client or user; grant is that of the row behind the token or session.
    """

    id: str
    workspace_id: str
    environment: Environment
    scopes: frozenset[Scope]
    rate_limit_per_minute: int
    grant: str | None = None

    @property
    def realm(self) -> Realm:
        """Whose data it may see."""
        return Realm(self.workspace_id, self.environment)

    @property
    def member_id(self) -> str | None:
        """The user whose own things are all that may be seen; None for whoever may see those of everybody."""
        return None if Scope.ADMIN in self.scopes else self.id

    @classmethod
    def of_key(cls, key: ApiKey) -> "Principal":
        """What a key may do is decided by its kind."""
        scopes = credentials.KEY_SCOPES[key.kind]
        return cls(key.id, key.workspace_id, key.environment, scopes, key.rate_limit_per_minute)

    @classmethod
    def of_token(cls, token: AccessToken, client: OAuthClient) -> "Principal":
        """A token may do what was asked for when it was issued."""
        scopes = frozenset(token.scopes)
        return cls(client.id, client.workspace_id, client.environment, scopes, client.rate_limit_per_minute, token.id)

    @classmethod
    def of_user(cls, user: User, environment: Environment, token: str) -> "Principal":
        """What a session may do is decided by its user's role; it chooses its environment itself."""
        scopes = credentials.SESSION_SCOPES[user.role]
        return cls(user.id, user.workspace_id, environment, scopes, credentials.SESSION_RATE_LIMIT, hashed(token))


@dataclass(frozen=True, slots=True)
class Budget:
    """Units of a credential: how many a minute has, how many are left of it, and when the next ones come back."""

    limit: int
    remaining: int
    resets_at: datetime


@dataclass(slots=True)
class Context:
    """One request."""

    principal: Principal | None
    database: Database
    sealer: Sealer
    settings: StorageSettings
    loaders: "Loaders"
    budget_of: Callable[[Principal], Awaitable[Budget]]
    environment: Environment = Environment.PRODUCTION
    idempotency_key: str | None = None
    session_token: str | None = None
    cookies: dict[str, str | None] = field(default_factory=dict)

    def sign_in(self, user: User, token: str) -> None:
        """The rest of the request is the user's; the response sets the cookie."""
        self.principal = self.loaders.principal = Principal.of_user(user, self.environment, token)
        self.cookies[SESSION_COOKIE] = self.session_token = token

    def sign_out(self) -> None:
        """The response removes the cookie."""
        self.cookies[SESSION_COOKIE] = self.session_token = None

    @property
    def caller(self) -> Principal:
        """The principal of a field that needs one; the edge has refused everybody else."""
        assert self.principal is not None, "a field that is not @public was reached without a credential"  # noqa: S101
        return self.principal

    @property
    def realm(self) -> Realm:
        """Whose data is meant."""
        return self.caller.realm


Info = strawberry.Info[Context, None]
