"""Alembic's environment: the connection comes from upgrade() in this package."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Enum
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

import storage.tables  # noqa: F401  (brings the tables into the metadata)
from storage.tables.columns import Document, Instant


def plainly(kind: str, type_: Any, _context: AutogenContext) -> str | Literal[False]:
    """Column types in SQLAlchemy's own words: a migration outlives the code of its day."""
    if kind != "type":
        return False
    match type_:
        case Enum():
            return f"sa.String(length={type_.length})"
        case AutoString():
            return f"sa.String(length={type_.length})" if type_.length else "sa.Text()"
        case Instant():
            return "sa.DateTime(timezone=True)"
        case Document():
            return "sa.JSON()"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transaction_per_migration=False,
    compare_type=False,
    render_item=plainly,
)
context.run_migrations()
