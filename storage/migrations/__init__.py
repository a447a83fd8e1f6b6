"""Schema changes, one script for SQLite and PostgreSQL alike; upgrade() brings a database to the newest."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import create_async_engine

from storage.database import Unavailable, tell_unavailable
from storage.settings import SettingsInvalid

HERE = Path(__file__).parent


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    return config


async def upgrade(url: str) -> None:
    """
    Apply what is missing; may be repeated, and waits for another process that does the same.

    A database that cannot be reached, or whose file cannot be made, is SettingsInvalid.
    """
    try:
        await _upgraded(url)
    except (Unavailable, OSError) as error:
        raise SettingsInvalid(f"LECTERN_DATABASE_URL: the database cannot be opened: {error}") from error


async def _upgraded(url: str) -> None:
    engine = create_async_engine(url)
    tell_unavailable(engine)
    sqlite = engine.dialect.name == "sqlite"
    if sqlite:
        Path(engine.url.database or "").parent.mkdir(mode=0o700, parents=True, exist_ok=True)

        @event.listens_for(engine.sync_engine, "connect")
        def prepare(connection: object, _record: object) -> None:
            connection.isolation_level = None  # type: ignore[attr-defined]

    async with engine.connect() as connection:
        await connection.run_sync(_upgrade, sqlite)
    await engine.dispose()


def _upgrade(connection: Connection, sqlite: bool) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if sqlite else "SELECT pg_advisory_xact_lock(7461)")
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.exec_driver_sql("COMMIT") if sqlite else connection.commit()
