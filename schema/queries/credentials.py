"""Who is asking, with which keys and clients, and what was used."""

from datetime import datetime
from typing import Annotated

import strawberry

from schema.context import Info
from schema.permissions import query
from schema.types.credentials import ApiKey, MeterReading, OAuthClient, Viewer
from storage import credentials, tables, usage
from storage.tables import Environment, Meter, Scope
from storage.tables.columns import now


@strawberry.type
class CredentialQueries:
    @query(description="Null without a credential.")
    async def viewer(self, info: Info) -> Viewer | None:
        return Viewer.of(info)

    @query(
        Scope.ADMIN,
        description="Of both environments: at most 100 active ones, and those revoked in the last 30 days.",
    )
    async def api_keys(self, info: Info) -> list[ApiKey]:
        async with info.context.database.snapshot() as session:
            rows = await credentials.listed(session, tables.ApiKey, info.context.realm.workspace_id)
        return [ApiKey.from_row(row) for row in rows]

    @query(
        Scope.ADMIN,
        description="Of both environments: at most 100 active ones, and those revoked in the last 30 days.",
    )
    async def oauth_clients(self, info: Info) -> list[OAuthClient]:
        async with info.context.database.snapshot() as session:
            rows = await credentials.listed(session, tables.OAuthClient, info.context.realm.workspace_id)
        return [OAuthClient.from_row(row) for row in rows]

    @query(Scope.ADMIN, description="Every meter; default: the current calendar month.")
    async def usage(
        self,
        info: Info,
        since: Annotated[datetime | None, strawberry.argument(name="from")] = None,
        until: Annotated[datetime | None, strawberry.argument(name="to")] = None,
    ) -> list[MeterReading]:
        workspace_id, environment = info.context.realm
        began = since or now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        ended = until or now()
        async with info.context.database.snapshot() as session:
            units = await usage.readings(session, workspace_id, environment, began, ended)
        billed = environment is Environment.PRODUCTION
        return [
            MeterReading(
                meter=meter, quantity=units.get(meter, 0), billable_quantity=units.get(meter, 0) if billed else 0
            )
            for meter in Meter
        ]
