"""Content sessions: an address that works once becomes a cookie for everything of one workspace and environment."""

import secrets
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from storage.database import Transaction
from storage.presign import Permission
from storage.sealing import hashed
from storage.tables import Environment, Realm, SpentCode
from storage.tables.columns import now

ENTRY_TIME = timedelta(minutes=5)
STAY_TIME = timedelta(hours=1)


def entry(realm: Realm) -> Permission:
    """Permission to begin a session; it is about an environment, and no two are the same."""
    return Permission.lasting(realm.workspace_id, f"{realm.environment}.{secrets.token_urlsafe(12)}", ENTRY_TIME)


def stay(entered: Permission) -> Permission:
    """What the cookie permits: for an hour, counted from when the address was handed out."""
    return Permission(entered.workspace_id, entered.object_id, entered.expires_at - ENTRY_TIME + STAY_TIME)


def realm(permission: Permission) -> Realm:
    """Whose content it is about."""
    return Realm(permission.workspace_id, Environment(permission.object_id.partition(".")[0]))


async def spend(session: Transaction, code: str, entered: Permission) -> bool:
    """Use an address up; False when it has been used before. Those that have expired need not be remembered."""
    await session.execute(delete(SpentCode).where(col(SpentCode.expires_at) <= now()))
    insert = (sqlite.insert if session.on_sqlite else postgresql.insert)(SpentCode)
    spent = insert.values(id=hashed(code), expires_at=entered.expires_at).on_conflict_do_nothing()
    return (await session.execute(spent.returning(col(SpentCode.id)))).first() is not None
