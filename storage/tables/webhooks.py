"""Who listens to events, what is owed to them, and each attempt to pay."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Float, Index, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import Field, SQLModel

from storage.tables.columns import Document, Instant, Row, Subject, now, stored
from storage.tables.events import EventType


class EndpointStatus(StrEnum):
    """Whether deliveries are made and sent."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    DISABLED = "DISABLED"


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "PENDING"
    RETRYING = "RETRYING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


OWED = (DeliveryStatus.PENDING, DeliveryStatus.RETRYING)


READY = text("ready")
"""To be claimed: due, and nobody has it. In the words of the partial index, which other words would not find."""

TIMED = text("next_attempt_at IS NOT NULL AND NOT ready")
"""To be looked at again at next_attempt_at: being sent until the lease ends, or waiting for the next attempt."""


class Endpoint(Subject, table=True):
    """
    URL of a receiver and what is sent to it; its secrets are sealed.

    While closed_until is set its breaker is open: nothing is sent before that time, then one delivery to see whether
    it answers again. paced_until is when the requests of the last claims are used up. line_id is the delivery that was
    claimed last of an endpoint that gets them in order.
    """

    url: str
    description: str | None = None
    events: list[EventType] = Field(sa_type=Document(list[EventType]))
    status: EndpointStatus = Field(default=EndpointStatus.ACTIVE, sa_type=stored(EndpointStatus))
    disabled_reason: str | None = None
    secret: str
    secret_hint: str = Field(max_length=32)
    previous_secret: str | None = None
    previous_secret_expires_at: datetime | None = Field(default=None, sa_type=Instant)
    ordered: bool = False
    rate_limit_per_minute: int | None = None
    consecutive_failures: int = 0
    failing_since: datetime | None = Field(default=None, sa_type=Instant)
    closed_until: datetime | None = Field(default=None, sa_type=Instant)
    paced_until: datetime | None = Field(default=None, sa_type=Instant)
    line_id: str | None = Field(default=None, max_length=64)
    deleted_at: datetime | None = Field(default=None, sa_type=Instant)


class NextChange(FunctionElement[int]):
    """
    A number that is greater for a later change, for whoever reads changes after a number.

    On SQLite writers come one after the other and count. On PostgreSQL it is the number of the transaction: a reader
    stops before the oldest one that still runs (`storage.deliveries.horizon`), so it never passes a change that
    becomes visible late, and writers never wait for each other.
    """

    type = BigInteger()
    inherit_cache = True


@compiles(NextChange, "sqlite")
def _counted(_element: NextChange, _compiler: SQLCompiler, **_: object) -> str:
    return "(SELECT coalesce(max(change), 0) + 1 FROM delivery)"


@compiles(NextChange, "postgresql")
def _transaction(_element: NextChange, _compiler: SQLCompiler, **_: object) -> str:
    return "CAST(CAST(pg_current_xact_id() AS text) AS bigint)"


class Delivery(Row, table=True):
    """
    One event on its way to one endpoint.

    It is owed while next_attempt_at is set: either ready, or timed. A claim makes it timed until the end of the lease,
    so a sender that dies gives it back by doing nothing. The place is its place in the line of its endpoint: the
    position that the log had when it was made.
    """

    __table_args__ = (
        Index("ix_delivery_ready", "endpoint_id", "place", "id", sqlite_where=READY, postgresql_where=READY),
        Index("ix_delivery_timed", "next_attempt_at", sqlite_where=TIMED, postgresql_where=TIMED),
        Index("ix_delivery_page", "endpoint_id", "id"),
        Index("ix_delivery_status", "endpoint_id", "status", "id"),
        Index("ix_delivery_changes", "change", "endpoint_id"),
        Index(
            "ix_delivery_replay",
            "replay_id",
            sqlite_where=text("replay_id IS NOT NULL"),
            postgresql_where=text("replay_id IS NOT NULL"),
        ),
    )

    endpoint_id: str = Field(foreign_key="endpoint.id", ondelete="CASCADE", max_length=64)
    event_id: str = Field(foreign_key="event.id", ondelete="CASCADE", max_length=64, index=True)
    place: int = Field(default=0, sa_type=BigInteger)
    status: DeliveryStatus = Field(default=DeliveryStatus.PENDING, sa_type=stored(DeliveryStatus))
    attempt_count: int = 0
    ready: bool = True
    next_attempt_at: datetime | None = Field(default_factory=now, sa_type=Instant)
    replay_of: str | None = Field(default=None, max_length=64)
    replay_id: str | None = Field(default=None, max_length=64)
    change: int = Field(default=None, sa_type=BigInteger, sa_column_kwargs={"default": NextChange()})
    completed_at: datetime | None = Field(default=None, sa_type=Instant)


class Attempt(SQLModel, table=True):
    """One request to an endpoint and its outcome; the steps of it in milliseconds."""

    delivery_id: str = Field(primary_key=True, foreign_key="delivery.id", ondelete="CASCADE", max_length=64)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    started_at: datetime = Field(sa_type=Instant)
    duration_ms: int
    dns_ms: float | None = Field(default=None, sa_type=Float)
    connect_ms: float | None = Field(default=None, sa_type=Float)
    first_byte_ms: float | None = Field(default=None, sa_type=Float)
    request_headers: dict[str, str] = Field(sa_type=Document(dict[str, str]))
    response_status: int | None = None
    response_body: str | None = None
    error: str | None = None
