"""The same key with the same input is the same request: what it made is found again instead of made again."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage.database import Transaction
from storage.errors import IdempotencyConflict, IdempotencyOriginalDeleted
from storage.tables import IdempotencyKey, Realm
from storage.tables.columns import dump, now

Made = TypeVar("Made")


async def once(
    session: Transaction,
    realm: Realm,
    mutation: str,
    key: str | None,
    input: Any,
    new_id: str,
    make: Callable[[Transaction, str], Awaitable[Made]],
    find: Callable[[AsyncSession, str], Awaitable[Made | None]],
) -> tuple[Made, bool]:
    """
    Make a thing, or find what the same key made before; tells whether it was found.

    The key is taken in the transaction that makes, so a refused or broken request does not use it up, and of equal
    requests that run at once one makes and the others find. Raises IdempotencyConflict with the original when the
    input differs, IdempotencyOriginalDeleted when it is gone.
    """
    if key is None:
        return await make(session, new_id), False
    try:
        known_id = await claim(session, realm, mutation, key, fingerprint(input), new_id)
    except IdempotencyConflict as conflict:
        raise IdempotencyConflict(await find(session, conflict.original)) from None
    if known_id is None:
        return await make(session, new_id), False
    original = await find(session, known_id)
    if original is None:
        raise IdempotencyOriginalDeleted
    return original, True


def fingerprint(input: Any) -> str:
    """SHA-256 over the input as JSON with sorted keys; lists keep their order."""
    return hashlib.sha256(dump(_sorted(input))).hexdigest()


def _sorted(value: Any) -> Any:
    match value:
        case dict():
            return {str(key): _sorted(value[key]) for key in sorted(value)}
        case list() | tuple():
            return [_sorted(item) for item in value]
    return value


async def claim(
    session: Transaction, realm: Realm, mutation: str, key: str, fingerprint: str, new_id: str
) -> str | None:
    """
    Take the key for the object that is about to be made; None when it is ours, else the id of the original.

    A parallel request with the same key waits here until the first has ended. IdempotencyConflict carries the id of
    the original when the input differs.
    """
    values = {
        "workspace_id": realm.workspace_id,
        "environment": realm.environment,
        "mutation": mutation,
        "key": key,
        "fingerprint": fingerprint,
        "original_id": new_id,
        "created_at": now(),
    }
    insert = (sqlite.insert if session.on_sqlite else postgresql.insert)(IdempotencyKey)
    taken = await session.execute(
        insert.values(**values).on_conflict_do_nothing().returning(col(IdempotencyKey.original_id))
    )
    if taken.first() is not None:
        return None
    known = (
        await session.execute(
            select(col(IdempotencyKey.fingerprint), col(IdempotencyKey.original_id)).where(
                col(IdempotencyKey.workspace_id) == realm.workspace_id,
                col(IdempotencyKey.environment) == realm.environment,
                col(IdempotencyKey.mutation) == mutation,
                col(IdempotencyKey.key) == key,
            )
        )
    ).one()
    if known.fingerprint != fingerprint:
        raise IdempotencyConflict(known.original_id)
    return str(known.original_id)
