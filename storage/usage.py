"""Meters: one unit per produced thing, once."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage.database import Transaction
from storage.tables import Environment, Meter, Realm, Usage
from storage.tables.columns import now


async def count(session: Transaction, realm: Realm, meter: Meter, product_id: str) -> None:
    """One unit for a produced thing, in the transaction that finishes it; a second time counts nothing."""
    insert = (sqlite.insert if session.on_sqlite else postgresql.insert)(Usage)
    await session.execute(
        insert.values(
            workspace_id=realm.workspace_id,
            environment=realm.environment,
            meter=meter,
            product_id=product_id,
            at=now(),
        ).on_conflict_do_nothing()
    )


async def readings(
    session: AsyncSession, workspace_id: str, environment: Environment, since: datetime, until: datetime
) -> Mapping[Meter, int]:
    """Units per meter in the half-open period from since to until."""
    query = (
        select(col(Usage.meter), func.count())
        .where(
            col(Usage.workspace_id) == workspace_id,
            col(Usage.environment) == environment,
            col(Usage.at) >= since,
            col(Usage.at) < until,
        )
        .group_by(col(Usage.meter))
    )
    return {meter: units for meter, units in (await session.execute(query)).all()}  # noqa: C416
