"""Keys and clients: make, show once, revoke."""

from typing import Any

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from schema.context import Info
from schema.mutations import KEY, CreatedPayload, Payload, mutation, once
from schema.types.credentials import ApiKey, OAuthClient
from storage import credentials, ids, tables
from storage.database import Transaction
from storage.errors import Checks
from storage.tables import ApiKeyKind, Environment, Scope

LONGEST_NAME = 255
HIGHEST_RATE = 100_000


@strawberry.input
class CreateApiKeyInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    name: str = strawberry.field(description="1 to 255 characters.")
    kind: ApiKeyKind
    environment: Environment
    rate_limit_per_minute: int = strawberry.field(default=60, description="1 to 100000.")


@strawberry.type
class CreateApiKeyPayload(CreatedPayload):
    api_key: ApiKey | None = None
    secret: str | None = strawberry.field(
        default=None, description="The key itself. Shown once, only a hash is kept; null in a replay."
    )

    @classmethod
    def about(cls, row: Any) -> "CreateApiKeyPayload":
        return cls(api_key=ApiKey.from_row(row))


@strawberry.input
class RevokeApiKeyInput:
    id: strawberry.ID


@strawberry.type
class RevokeApiKeyPayload(Payload):
    api_key: ApiKey | None = None


@strawberry.input
class CreateOAuthClientInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    name: str = strawberry.field(description="1 to 255 characters.")
    environment: Environment
    scopes: list[Scope] = strawberry.field(description="CONTENT_READ, CONTENT_WRITE or both.")
    rate_limit_per_minute: int = strawberry.field(default=60, description="1 to 100000.")


@strawberry.type
class CreateOAuthClientPayload(CreatedPayload):
    client: OAuthClient | None = None
    client_secret: str | None = strawberry.field(
        default=None, description="Shown once, only a hash is kept; null in a replay."
    )

    @classmethod
    def about(cls, row: Any) -> "CreateOAuthClientPayload":
        return cls(client=OAuthClient.from_row(row))


@strawberry.input
class RevokeOAuthClientInput:
    id: strawberry.ID


@strawberry.type
class RevokeOAuthClientPayload(Payload):
    client: OAuthClient | None = None


@strawberry.type
class CredentialMutations:
    @mutation(Scope.ADMIN)
    async def create_api_key(self, info: Info, input: CreateApiKeyInput) -> CreateApiKeyPayload:
        _check(input)
        workspace_id, shown = info.context.realm.workspace_id, {}

        async def make(session: Transaction, key_id: str) -> tables.ApiKey:
            await credentials.require_room(session, tables.ApiKey, workspace_id)
            key, shown["secret"] = credentials.create_key(
                session,
                workspace_id,
                input.kind,
                input.environment,
                input.name,
                input.rate_limit_per_minute,
                id=key_id,
            )
            return key

        async def find(session: AsyncSession, key_id: str) -> tables.ApiKey | None:
            return next(iter(await credentials.find(session, tables.ApiKey, workspace_id, [key_id])), None)

        key, replayed = await once(info, "createApiKey", input, ids.new(ids.Prefix.KEY), make, find)
        payload = CreateApiKeyPayload.about(key)
        payload.replayed, payload.secret = replayed, shown.get("secret")
        return payload

    @mutation(Scope.ADMIN)
    async def revoke_api_key(self, info: Info, input: RevokeApiKeyInput) -> RevokeApiKeyPayload:
        async with info.context.database.transaction() as session:
            key = await credentials.revoke(session, tables.ApiKey, info.context.realm.workspace_id, input.id)
        return RevokeApiKeyPayload(api_key=ApiKey.from_row(key))

    @mutation(Scope.ADMIN)
    async def create_o_auth_client(self, info: Info, input: CreateOAuthClientInput) -> CreateOAuthClientPayload:
        _check(input)
        workspace_id, shown = info.context.realm.workspace_id, {}

        async def make(session: Transaction, client_id: str) -> tables.OAuthClient:
            await credentials.require_room(session, tables.OAuthClient, workspace_id)
            client, shown["secret"] = credentials.create_client(
                session,
                workspace_id,
                input.environment,
                input.name,
                list(dict.fromkeys(input.scopes)),
                input.rate_limit_per_minute,
                id=client_id,
            )
            return client

        async def find(session: AsyncSession, client_id: str) -> tables.OAuthClient | None:
            return next(iter(await credentials.find(session, tables.OAuthClient, workspace_id, [client_id])), None)

        client, replayed = await once(info, "createOAuthClient", input, ids.new(ids.Prefix.CLIENT), make, find)
        payload = CreateOAuthClientPayload.about(client)
        payload.replayed, payload.client_secret = replayed, shown.get("secret")
        return payload

    @mutation(Scope.ADMIN)
    async def revoke_o_auth_client(self, info: Info, input: RevokeOAuthClientInput) -> RevokeOAuthClientPayload:
        async with info.context.database.transaction() as session:
            client = await credentials.revoke(session, tables.OAuthClient, info.context.realm.workspace_id, input.id)
        return RevokeOAuthClientPayload(client=OAuthClient.from_row(client))


def _check(input: CreateApiKeyInput | CreateOAuthClientInput) -> None:
    with Checks() as checks:
        checks.require(
            input.name.strip() and len(input.name) <= LONGEST_NAME,
            "name_length",
            f"name has 1 to {LONGEST_NAME} characters.",
            "input",
            "name",
        )
        checks.require(
            1 <= input.rate_limit_per_minute <= HIGHEST_RATE,
            "rate_limit_range",
            f"rateLimitPerMinute is 1 to {HIGHEST_RATE}.",
            "input",
            "rateLimitPerMinute",
        )
        if isinstance(input, CreateOAuthClientInput):
            checks.require(
                input.scopes and credentials.CLIENT_SCOPES.issuperset(input.scopes),
                "scopes_invalid",
                "A client has CONTENT_READ, CONTENT_WRITE or both.",
                "input",
                "scopes",
            )
