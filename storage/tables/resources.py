"""Authored resources: one table, one document of details per kind."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

import pydantic
from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from storage.tables.columns import Document, Instant, Subject, stored


class ResourceKind(StrEnum):
    """The authored kinds."""

    module = "module"
    course = "course"
    video = "video"
    slide = "slide"
    test = "test"


class ResourceStatus(StrEnum):
    """Lifecycle of a resource; after READY it stays READY through edits."""

    GENERATING = "GENERATING"
    READY = "READY"
    FAILED = "FAILED"


class ResourceOrigin(StrEnum):
    """How the content came into being."""

    API = "API"
    EXPANSION = "EXPANSION"
    UI = "UI"


class ModuleType(StrEnum):
    """Form of a module or lesson."""

    markdown = "markdown"


class SlideTheme(StrEnum):
    """How a deck looks."""

    minimal = "minimal"
    classic = "classic"
    dark = "dark"


class RenderStatus(StrEnum):
    """Projection of the newest render job of a video."""

    NOT_RENDERED = "NOT_RENDERED"
    QUEUED = "QUEUED"
    RENDERING = "RENDERING"
    RENDERED = "RENDERED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class ModuleDetails(pydantic.BaseModel):
    """What only modules have; their quizzes are rows."""

    kind: Literal[ResourceKind.module] = ResourceKind.module
    type: ModuleType = ModuleType.markdown
    has_quiz: bool = False
    lecture: str | None = None


class CourseDetails(pydantic.BaseModel):
    """What only courses have; their chapters and lessons are rows."""

    kind: Literal[ResourceKind.course] = ResourceKind.course
    has_quiz: bool = False
    has_practice: bool = False


class VideoDetails(pydantic.BaseModel):
    """What only videos have; their scenes are rows, and so are the jobs that render them; one of them was reopened."""

    kind: Literal[ResourceKind.video] = ResourceKind.video
    aspect_ratio: str = "16:9"
    target_duration_seconds: int | None = None
    editable: bool = True
    reopened_render: str | None = None


class Page(pydantic.BaseModel):
    """One slide: its first heading as text, and its sanitized HTML."""

    heading: str | None = None
    html: str


class SlideDetails(pydantic.BaseModel):
    """What only slide decks have; their pages have no ids."""

    kind: Literal[ResourceKind.slide] = ResourceKind.slide
    theme: SlideTheme = SlideTheme.minimal
    pages: list[Page] = []

    @property
    def content(self) -> str | None:
        """The whole deck as a sequence of slide elements."""
        return "".join(f"<slide>{page.html}</slide>" for page in self.pages) or None


class TestDetails(pydantic.BaseModel):
    """What only tests have; their items are rows."""

    __test__ = False  # pytest collects Test*

    kind: Literal[ResourceKind.test] = ResourceKind.test
    time_limit: int | None = None


AnyDetails = ModuleDetails | CourseDetails | VideoDetails | SlideDetails | TestDetails
Details = Annotated[AnyDetails, pydantic.Field(discriminator="kind")]


DETAILS: dict[ResourceKind, type[AnyDetails]] = {
    ResourceKind.module: ModuleDetails,
    ResourceKind.course: CourseDetails,
    ResourceKind.video: VideoDetails,
    ResourceKind.slide: SlideDetails,
    ResourceKind.test: TestDetails,
}


class Generator(pydantic.BaseModel):
    """What wrote the generated text."""

    name: str
    version: str
    model: str | None = None
    needs_review: bool = True


GONE = text("deleted_at IS NOT NULL")


def _index(name: str, *columns: str) -> Index:
    """An index of what is not deleted, in one realm."""
    there = text("deleted_at IS NULL")
    return Index(name, "workspace_id", "environment", *columns, sqlite_where=there, postgresql_where=there)


class Resource(Subject, table=True):
    """
    A module, course, video, slide deck or test.

    The stamp is the part of the id that orders by time, across the kinds; words are what searches look through.
    """

    __table_args__ = (
        _index("ix_resource_list", "kind", "stamp"),
        _index("ix_resource_mixed", "stamp"),
        _index("ix_resource_source", "external_system", "external_id"),
        _index("ix_resource_key", "idempotency_key"),
        Index("ix_resource_deleted", "deleted_at", sqlite_where=GONE, postgresql_where=GONE),
    )

    kind: ResourceKind = Field(sa_type=stored(ResourceKind))
    status: ResourceStatus = Field(default=ResourceStatus.GENERATING, sa_type=stored(ResourceStatus))
    origin: ResourceOrigin = Field(default=ResourceOrigin.API, sa_type=stored(ResourceOrigin))
    title: str = Field(max_length=500)
    description: str | None = None
    language: str = Field(default="en", max_length=64)
    prompt: str | None = None
    version: int = 1
    idempotency_key: str | None = Field(default=None, max_length=255)
    details: Details = Field(sa_type=Document(Details))
    generator: Generator | None = Field(default=None, sa_type=Document(Generator))
    job_id: str | None = Field(default=None, max_length=64, index=True)
    classroom_id: str | None = Field(default=None, foreign_key="classroom.id", max_length=64, index=True)
    external_system: str | None = Field(default=None, max_length=255)
    external_id: str | None = Field(default=None, max_length=255)
    external_version: str | None = Field(default=None, max_length=255)
    share_hash: str | None = Field(default=None, unique=True, max_length=64)
    share_code: str | None = Field(default=None, max_length=255)
    share_active: bool = False
    stamp: str = Field(default="", max_length=26)
    words: str = ""
    deleted_at: datetime | None = Field(default=None, sa_type=Instant)


class Alignment(SQLModel, table=True):
    """A CASE item that a resource is aligned to."""

    resource_id: str = Field(primary_key=True, foreign_key="resource.id", ondelete="CASCADE", max_length=64)
    curriculum_item_id: str = Field(primary_key=True, max_length=36, index=True)
    sequence: int
