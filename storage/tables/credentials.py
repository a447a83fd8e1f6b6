"""API keys and OAuth clients; of their secrets only hashes are kept."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index
from sqlmodel import Field

from storage.tables.columns import Document, Instant, Owned, Row, stored


class Scope(StrEnum):
    """What a credential may do, by wire name."""

    INTEGRATIONS_READ = "integrations.read"
    INTEGRATIONS_WRITE = "integrations.write"
    RESOURCES_READ = "resources.read"
    RESOURCES_WRITE = "resources.write"
    CONTENT_READ = "content.read"
    CONTENT_WRITE = "content.write"
    EXPORTS = "exports"
    WEBHOOKS = "webhooks"
    ADMIN = "admin"


class ApiKeyKind(StrEnum):
    """What a key is for."""

    WORKSPACE = "workspace"
    CONTENT = "content"


class Credential(Owned):
    """What keys and clients share."""

    name: str = Field(max_length=255)
    secret_hash: str = Field(unique=True, max_length=64)
    rate_limit_per_minute: int = 60
    last_used_at: datetime | None = Field(default=None, sa_type=Instant)
    revoked_at: datetime | None = Field(default=None, sa_type=Instant)


class ApiKey(Credential, table=True):
    """A bearer key."""

    __tablename__ = "api_key"
    __table_args__ = (Index("ix_api_key_workspace", "workspace_id", "id"),)

    kind: ApiKeyKind = Field(sa_type=stored(ApiKeyKind))
    prefix: str = Field(max_length=32)


class OAuthClient(Credential, table=True):
    """Exchanges its secret for short-lived access."""

    __tablename__ = "oauth_client"
    __table_args__ = (Index("ix_oauth_client_workspace", "workspace_id", "id"),)

    scopes: list[Scope] = Field(sa_type=Document(list[Scope]))


class AccessToken(Row, table=True):
    """Short-lived access of an OAuth client; its id is the SHA-256 of what is presented."""

    __tablename__ = "access_token"

    client_id: str = Field(foreign_key="oauth_client.id", ondelete="CASCADE", max_length=64, index=True)
    scopes: list[Scope] = Field(sa_type=Document(list[Scope]))
    expires_at: datetime = Field(sa_type=Instant)
