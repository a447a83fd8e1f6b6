"""Tenants, and how far each of their event logs has come."""

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from storage.tables.columns import Environment, Row, stored


class Workspace(Row, table=True):
    """A tenant; it counts its content exports."""

    name: str = Field(unique=True, max_length=255)
    polling_verified: bool = False
    content_exports: int = 0


class Log(SQLModel, table=True):
    """
    The last position of the event log of one realm, and up to which position events have been removed from it.

    Whoever appends holds this row until the commit, so positions become visible in order and without gaps.
    """

    workspace_id: str = Field(primary_key=True, foreign_key="workspace.id", ondelete="CASCADE", max_length=64)
    environment: Environment = Field(primary_key=True, sa_type=stored(Environment))
    position: int = Field(default=0, sa_type=BigInteger)
    removed: int = Field(default=0, sa_type=BigInteger)
