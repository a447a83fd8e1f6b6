"""Whether a database is at the schema of this code; alembic, which brings it there, takes ten megabytes to be asked."""

from pathlib import Path

from sqlalchemy import inspect, text

from storage.database import Database, Unavailable
from storage.settings import SettingsInvalid

MIGRATIONS = Path(__file__).parent / "migrations" / "versions"
NEWEST = max(path.name.partition("_")[0] for path in MIGRATIONS.glob("[0-9]*.py"))
"""The revision of the newest migration, with which its file's name begins."""


async def require(database: Database) -> None:
    """Refuse a database that is there but lacks a migration; one that is away for the moment may still come back."""
    try:
        lacking = await behind(database)
    except Unavailable:
        lacking = database.url.startswith("sqlite")  # the file is not there
    if lacking:
        raise SettingsInvalid("LECTERN_DATABASE_URL: the database is not at the current schema: run `lectern migrate`.")


async def behind(database: Database) -> bool:
    """Whether the database lacks a migration of this code."""
    async with database.snapshot() as session:
        connection = await session.connection()
        if not await connection.run_sync(lambda sync: inspect(sync).has_table("alembic_version")):
            return True
        return bool(await session.scalar(text("SELECT version_num FROM alembic_version")) != NEWEST)
