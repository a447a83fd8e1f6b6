"""The base of all rows, and the column types that SQLite and PostgreSQL share."""

import time
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

import orjson
from pydantic import TypeAdapter
from sqlalchemy import JSON, DateTime, Dialect, Enum, MetaData
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

Shape = TypeVar("Shape")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SQLModel.metadata.naming_convention = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
).naming_convention


class Instant(TypeDecorator[datetime]):
    """A moment in UTC, to the millisecond; SQLite forgets the zone, so it is put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Document(TypeDecorator[Any]):
    """JSON text in the database, a checked value of the given shape in Python. Nothing filters inside a document."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def __init__(self, shape: Any) -> None:
        self.shape = TypeAdapter[Any](shape)
        super().__init__()

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else self.shape.dump_python(value, mode="json")

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else self.shape.validate_python(value)


def stored(enum: type[StrEnum]) -> Enum:
    """An enum kept as its wire form in a text column, so that a new member needs no migration."""
    return Enum(enum, native_enum=False, length=32, values_callable=lambda members: [str(member) for member in members])


def shaped(document: object, shape: type[Shape]) -> Shape:
    """The document of a kind as what it is; TypeError when the row is of another kind."""
    if not isinstance(document, shape):
        raise TypeError(f"{type(document).__name__} is no {shape.__name__}")
    return document


def now() -> datetime:
    """This moment, as the database and the contract keep it: UTC, whole milliseconds."""
    return EPOCH + timedelta(milliseconds=time.time_ns() // 1_000_000)


def wire(instant: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, e.g. 2026-02-19T14:00:00.000Z."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def dump(value: Any) -> bytes:
    """A value of any JSON shape as compact UTF-8; instants in wire form."""
    return orjson.dumps(value, default=_default, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _default(value: Any) -> Any:
    if isinstance(value, datetime):
        return wire(value)
    raise TypeError(type(value).__name__)


class Row(SQLModel):
    """What every row has."""

    id: str = Field(primary_key=True, max_length=64)
    created_at: datetime = Field(default_factory=now, sa_type=Instant)
    updated_at: datetime = Field(default_factory=now, sa_type=Instant)


class Environment(StrEnum):
    """Data realm of a credential."""

    TEST = "TEST"
    PRODUCTION = "PRODUCTION"


class Realm(NamedTuple):
    """Whose data: one workspace and one environment. Nothing crosses it."""

    workspace_id: str
    environment: Environment


class Owned(Row):
    """A row of one workspace and environment: its realm."""

    workspace_id: str = Field(foreign_key="workspace.id", ondelete="CASCADE", max_length=64)
    environment: Environment = Field(sa_type=stored(Environment))

    @property
    def realm(self) -> Realm:
        """Whose it is."""
        return Realm(self.workspace_id, self.environment)


class Subject(Owned):
    """Something that events are about; it counts its own."""

    sequence: int = Field(default=0)
