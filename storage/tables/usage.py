"""Meters: one row per produced thing, and the idempotency keys that keep things from being produced twice."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from storage.tables.columns import Environment, Instant, now, stored


class Meter(StrEnum):
    """What is counted; the first three are billed."""

    interactive_module = "interactive_module"
    summary_video = "summary_video"
    expanded_quiz = "expanded_quiz"
    course_generation = "course_generation"
    slide_generation = "slide_generation"
    video_render = "video_render"


class Usage(SQLModel, table=True):
    """One unit on one meter; unique by what was produced, so nothing is counted twice."""

    __table_args__ = (
        UniqueConstraint("meter", "product_id"),
        Index("ix_usage_period", "workspace_id", "environment", "at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id", ondelete="CASCADE", max_length=64)
    environment: Environment = Field(sa_type=stored(Environment))
    meter: Meter = Field(sa_type=stored(Meter))
    product_id: str = Field(max_length=64)
    at: datetime = Field(default_factory=now, sa_type=Instant)


class IdempotencyKey(SQLModel, table=True):
    """What a key was used for: the fingerprint of the input and the id of the original."""

    __tablename__ = "idempotency_key"

    workspace_id: str = Field(primary_key=True, foreign_key="workspace.id", ondelete="CASCADE", max_length=64)
    environment: Environment = Field(primary_key=True, sa_type=stored(Environment))
    mutation: str = Field(primary_key=True, max_length=64)
    key: str = Field(primary_key=True, max_length=255)
    fingerprint: str = Field(max_length=64)
    original_id: str = Field(max_length=64)
    created_at: datetime = Field(default_factory=now, sa_type=Instant)
