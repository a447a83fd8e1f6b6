"""
Access tokens of OAuth clients: random secrets of which the hash is kept, for an hour.

Signed tokens would save no read, for a revoked client has to be looked up anyway, and could not be taken back.
"""

import secrets
from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import ids
from storage.database import Transaction
from storage.sealing import hashed, random_letters
from storage.tables import AccessToken, OAuthClient, Scope
from storage.tables.columns import now

PREFIX = "tf_access_"
LIFETIME = timedelta(hours=1)


async def check_client(session: AsyncSession, client_id: str, secret: str) -> OAuthClient | None:
    """The client whose secret this is, unless it was revoked."""
    if ids.prefix_of(client_id) is not ids.Prefix.CLIENT:
        return None
    client = await session.get(OAuthClient, client_id)
    if client is None or client.revoked_at is not None:
        return None
    return client if secrets.compare_digest(client.secret_hash, hashed(secret)) else None


async def issue(session: Transaction, client: OAuthClient, scopes: Collection[Scope]) -> str:
    """A new token; the client's expired ones are forgotten on the way."""
    await session.execute(
        delete(AccessToken).where(col(AccessToken.client_id) == client.id, col(AccessToken.expires_at) <= now())
    )
    token = PREFIX + random_letters(43)
    session.add(AccessToken(id=hashed(token), client_id=client.id, scopes=sorted(scopes), expires_at=now() + LIFETIME))
    return token


async def find(session: AsyncSession, token: str) -> tuple[AccessToken, OAuthClient] | None:
    """The token that is presented and its client, while it lasts and the client is not revoked."""
    query = (
        select(AccessToken, OAuthClient)
        .join(OAuthClient, col(OAuthClient.id) == col(AccessToken.client_id))
        .where(col(AccessToken.id) == hashed(token), col(AccessToken.expires_at) > now())
        .where(col(OAuthClient.revoked_at).is_(None))
    )
    found = (await session.execute(query)).one_or_none()
    return (found[0], found[1]) if found else None
