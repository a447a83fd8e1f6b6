"""Keys, clients and who is asking; meters."""

from datetime import datetime
from typing import Annotated, Self, TypeAlias

import strawberry
from sqlalchemy import select

from schema.context import Info, Principal
from schema.pagination import Connection, page
from schema.permissions import guarded, root_fields
from schema.types.notifications import NOTIFICATIONS, Notification
from schema.types.people import User
from schema.types.resources import Node
from schema.types.scalars import described
from storage import credentials, notifications, tables
from storage.tables import ApiKeyKind, Environment, Meter, Scope

described(
    ApiKeyKind,
    "ApiKeyKind",
    WORKSPACE="Scopes integrations.read, integrations.write and webhooks.",
    CONTENT="A tf_content_ key: the same and resources.read, resources.write.",
)
described(Meter, "Meter", "The first three are billing meters; the others are only counted.")


@strawberry.type(description="Bearer key of one environment.")
class ApiKey(Node):
    name: str
    kind: ApiKeyKind
    environment: Environment
    prefix: str = strawberry.field(description="First characters, safe to show.")
    scopes: list[Scope]
    rate_limit_per_minute: int
    last_used_at: datetime | None
    created_at: datetime
    revoked_at: datetime | None

    @classmethod
    def from_row(cls, row: tables.ApiKey) -> Self:
        """The graph's form of a key, without its secret."""
        return cls(
            id=strawberry.ID(row.id),
            name=row.name,
            kind=row.kind,
            environment=row.environment,
            prefix=row.prefix,
            scopes=in_order(credentials.KEY_SCOPES[row.kind]),
            rate_limit_per_minute=row.rate_limit_per_minute,
            last_used_at=row.last_used_at,
            created_at=row.created_at,
            revoked_at=row.revoked_at,
        )


@strawberry.type(description="Exchanges its secret for short-lived access at the OAuth route; its id is the client_id.")
class OAuthClient(Node):
    name: str
    environment: Environment
    scopes: list[Scope]
    rate_limit_per_minute: int
    last_used_at: datetime | None
    created_at: datetime
    revoked_at: datetime | None

    @classmethod
    def from_row(cls, row: tables.OAuthClient) -> Self:
        """The graph's form of a client, without its secret."""
        return cls(
            id=strawberry.ID(row.id),
            name=row.name,
            environment=row.environment,
            scopes=in_order(row.scopes),
            rate_limit_per_minute=row.rate_limit_per_minute,
            last_used_at=row.last_used_at,
            created_at=row.created_at,
            revoked_at=row.revoked_at,
        )


Actor: TypeAlias = Annotated[
    ApiKey | OAuthClient | User, strawberry.union("Actor", description="Whose credential it is.")
]


@strawberry.type(description="One unit is one root field, aliases included.")
class RateLimit:
    limit_per_minute: int
    remaining: int
    reset_at: datetime
    cost: int = strawberry.field(description="Units taken by this request.")


@strawberry.type(description="Who is asking.")
class Viewer:
    principal: strawberry.Private[Principal]
    environment: Environment
    scopes: list[Scope]

    @strawberry.field
    async def actor(self, info: Info) -> Actor:
        return await info.context.loaders.actor(self.principal.id)

    @strawberry.field
    async def workspace_name(self, info: Info) -> str:
        return (await info.context.loaders.workspace()).name

    @strawberry.field
    async def rate_limit(self, info: Info) -> RateLimit:
        budget = await info.context.budget_of(self.principal)
        cost = len(root_fields(info.operation, info._raw_info.fragments))
        return RateLimit(
            limit_per_minute=budget.limit, remaining=budget.remaining, reset_at=budget.resets_at, cost=cost
        )

    @strawberry.field(
        description="True once the result of a finished integration job has been read; webhooks are meant to come "
        "after that."
    )
    async def polling_verified(self, info: Info) -> bool:
        return (await info.context.loaders.workspace()).polling_verified

    @guarded(Scope.EXPORTS, description="Messages to the signed-in user.")
    async def notifications(
        self, info: Info, first: int | None = 20, after: str | None = None, offset: int | None = None
    ) -> Connection[Notification] | None:
        found = select(tables.Notification).where(*notifications.visible(self.principal.realm, self.principal.id))
        return await page(info, found, NOTIFICATIONS, Notification.from_row, first=first, after=after, offset=offset)

    @classmethod
    def of(cls, info: Info) -> "Viewer | None":
        """The principal of the request, if there is one."""
        principal = info.context.principal
        if principal is None:
            return None
        return cls(principal=principal, environment=principal.environment, scopes=in_order(principal.scopes))


@strawberry.type(description="Units counted on one meter in the asked period.")
class MeterReading:
    meter: Meter
    quantity: int
    billable_quantity: int = strawberry.field(description="0 in the TEST environment.")


def in_order(scopes: frozenset[Scope] | list[Scope]) -> list[Scope]:
    """Scopes in the order of the contract."""
    return [scope for scope in Scope if scope in scopes]
