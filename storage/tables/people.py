"""Staff, their groups, and their signed-in sessions."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Field, SQLModel

from storage.tables.columns import Instant, Row, stored


class UserRole(StrEnum):
    """What a session of the user may do."""

    ADMIN = "admin"
    MEMBER = "member"


class User(Row, table=True):
    """A member of staff, who has been sent so many messages."""

    workspace_id: str = Field(foreign_key="workspace.id", ondelete="CASCADE", max_length=64, index=True)
    email: str = Field(unique=True, max_length=255)
    name: str = Field(max_length=255)
    role: UserRole = Field(sa_type=stored(UserRole))
    notifications: int = 0
    password_hash: str


class UserSession(Row, table=True):
    """A signed-in browser; its id is the SHA-256 of what the cookie holds."""

    __tablename__ = "user_session"

    user_id: str = Field(foreign_key="user.id", ondelete="CASCADE", max_length=64, index=True)
    expires_at: datetime = Field(sa_type=Instant)


class Group(Row, table=True):
    """People who share files and exports; like its members it belongs to both environments."""

    workspace_id: str = Field(foreign_key="workspace.id", ondelete="CASCADE", max_length=64, index=True)
    name: str = Field(max_length=255)


class Membership(SQLModel, table=True):
    """Who is in a group."""

    group_id: str = Field(primary_key=True, foreign_key="group.id", ondelete="CASCADE", max_length=64)
    user_id: str = Field(primary_key=True, foreign_key="user.id", ondelete="CASCADE", max_length=64, index=True)
