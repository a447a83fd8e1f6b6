"""API keys and OAuth clients: made once, kept as hashes, found by what is presented, revoked at once."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import ids, workspaces
from storage.database import Transaction
from storage.errors import NotFound, ValidationFailed
from storage.notify import Bell
from storage.sealing import hashed, random_letters
from storage.tables import (
    AccessToken,
    ApiKey,
    ApiKeyKind,
    Environment,
    OAuthClient,
    Scope,
    UserRole,
    UserSession,
)
from storage.tables.columns import now

INTEGRATIONS = frozenset({Scope.INTEGRATIONS_READ, Scope.INTEGRATIONS_WRITE, Scope.WEBHOOKS})
KEY_SCOPES = {
    ApiKeyKind.WORKSPACE: INTEGRATIONS,
    ApiKeyKind.CONTENT: INTEGRATIONS | {Scope.RESOURCES_READ, Scope.RESOURCES_WRITE},
}
SESSION_SCOPES = {UserRole.MEMBER: frozenset({Scope.EXPORTS}), UserRole.ADMIN: frozenset(Scope)}
CLIENT_SCOPES = frozenset({Scope.CONTENT_READ, Scope.CONTENT_WRITE})
SESSION_RATE_LIMIT = 600
USED_EVERY_SECONDS = 60

MOST_ACTIVE = 100
"""Keys of one workspace that may be active at a time; clients likewise."""

LISTED_AFTER_REVOCATION = timedelta(days=30)

C = TypeVar("C", ApiKey, OAuthClient)


def create_key(
    session: Transaction,
    workspace_id: str,
    kind: ApiKeyKind,
    environment: Environment,
    name: str,
    rate_limit: int = 60,
    *,
    id: str | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its secret, tf_content_ or tf_workspace_, test_ for the test environment, and 32 letters."""
    begin = f"tf_{kind}_{'test_' if environment is Environment.TEST else ''}"
    secret = begin + random_letters(32)
    key = ApiKey(
        id=id or ids.new(ids.Prefix.KEY),
        workspace_id=workspace_id,
        environment=environment,
        name=name,
        kind=kind,
        prefix=secret[: len(begin) + 4],
        secret_hash=hashed(secret),
        rate_limit_per_minute=rate_limit,
    )
    session.add(key)
    return key, secret


def create_client(
    session: Transaction,
    workspace_id: str,
    environment: Environment,
    name: str,
    scopes: Sequence[Scope],
    rate_limit: int = 60,
    *,
    id: str | None = None,
) -> tuple[OAuthClient, str]:
    """A new OAuth client and its secret; its id is the client_id."""
    secret = random_letters(43)
    client = OAuthClient(
        id=id or ids.new(ids.Prefix.CLIENT),
        workspace_id=workspace_id,
        environment=environment,
        name=name,
        secret_hash=hashed(secret),
        scopes=sorted(scopes),
        rate_limit_per_minute=rate_limit,
    )
    session.add(client)
    return client, secret


async def find_key(session: AsyncSession, secret: str) -> ApiKey | None:
    """The key that is presented, unless it was revoked."""
    query = select(ApiKey).where(col(ApiKey.secret_hash) == hashed(secret), col(ApiKey.revoked_at).is_(None))
    return (await session.scalars(query)).one_or_none()


async def find(session: AsyncSession, table: type[C], workspace_id: str, found_ids: Sequence[str]) -> Sequence[C]:
    """The keys or clients of a workspace among some ids; whoever manages them sees both environments."""
    query = select(table).where(col(table.workspace_id) == workspace_id, col(table.id).in_(found_ids))
    return (await session.scalars(query)).all()


async def listed(session: AsyncSession, table: type[C], workspace_id: str) -> Sequence[C]:
    """The active keys or clients of a workspace and those revoked lately, newest first."""
    recent = or_(col(table.revoked_at).is_(None), col(table.revoked_at) > now() - LISTED_AFTER_REVOCATION)
    query = select(table).where(col(table.workspace_id) == workspace_id, recent).order_by(col(table.id).desc())
    return (await session.scalars(query)).all()


async def require_room(session: Transaction, table: type[C], workspace_id: str) -> None:
    """ValidationFailed (rule too_many_credentials) when as many are active as may be; others wait for their turn."""
    await workspaces.hold(session, workspace_id)
    active = select(func.count()).where(col(table.workspace_id) == workspace_id, col(table.revoked_at).is_(None))
    if (await session.scalar(active) or 0) >= MOST_ACTIVE:
        message = f"A workspace has at most {MOST_ACTIVE} of these at a time; revoke one first."
        raise ValidationFailed("too_many_credentials", message, "input")


async def revoke(session: Transaction, table: type[C], workspace_id: str, id: str) -> C:
    """
    End a key or client for good, and have what it has open closed everywhere; NotFound when there is none.

    A second time changes nothing.
    """
    query = select(table).where(col(table.workspace_id) == workspace_id, col(table.id) == id).with_for_update()
    revoked = (await session.scalars(query)).one_or_none()
    if revoked is None:
        raise NotFound
    if revoked.revoked_at is None:
        revoked.revoked_at = revoked.updated_at = now()
        session.bells.add(Bell.CREDENTIALS)
    return revoked


async def holds(session: AsyncSession, id: str, grant: str | None = None) -> bool:
    """Whether a credential still holds: the key, the client with its access token, or the user's session."""
    moment = now()
    match ids.prefix_of(id):
        case ids.Prefix.USER:
            query = select(col(UserSession.id)).where(
                col(UserSession.user_id) == id, col(UserSession.id) == grant, col(UserSession.expires_at) > moment
            )
        case ids.Prefix.CLIENT:
            query = (
                select(col(OAuthClient.id))
                .join(AccessToken, col(AccessToken.client_id) == col(OAuthClient.id))
                .where(col(OAuthClient.id) == id, col(OAuthClient.revoked_at).is_(None))
                .where(col(AccessToken.id) == grant, col(AccessToken.expires_at) > moment)
            )
        case _:
            query = select(col(ApiKey.id)).where(col(ApiKey.id) == id, col(ApiKey.revoked_at).is_(None))
    return await session.scalar(query) is not None


async def used(session: Transaction, credential: ApiKey | OAuthClient) -> None:
    """Note that a key or client is in use."""
    table = type(credential)
    await session.execute(update(table).where(col(table.id) == credential.id).values(last_used_at=now()))
