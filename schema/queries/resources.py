"""Reading authored resources and nodes of any kind."""

from typing import Annotated, Any

import strawberry
from sqlalchemy import Select, select
from sqlmodel import col

from schema.context import Info
from schema.mutations.reading import read
from schema.pagination import Connection, Order, page
from schema.permissions import query
from schema.types import catalog
from schema.types.assessments import Assessment
from schema.types.courses import Course, Lesson
from schema.types.modules import Module
from schema.types.resources import ContentResource, Node, ResourceFilter
from schema.types.slides import Slide
from schema.types.videos import Video
from storage import resources, tables
from storage.errors import Checks
from storage.tables import Alignment, ResourceKind, Scope

RESOURCES = Order("resource", tables.Resource.stamp)  # type: ignore[arg-type]

READERS = (
    Scope.INTEGRATIONS_READ,
    Scope.RESOURCES_READ,
    Scope.CONTENT_READ,
    Scope.CONTENT_WRITE,
    Scope.EXPORTS,
    Scope.WEBHOOKS,
    Scope.ADMIN,
)


def listing(kind: ResourceKind, shown: type[ContentResource]) -> Any:
    """A root field: the resources of one kind, newest first."""

    async def resolve(
        info: Info, first: int | None = 20, after: str | None = None, offset: int | None = None
    ) -> Connection[shown]:  # type: ignore[valid-type]
        found = select(tables.Resource).where(*resources.visible(info.context.realm), col(tables.Resource.kind) == kind)
        return await page(info, found, RESOURCES, shown.from_row, first=first, after=after, offset=offset)

    return query(Scope.RESOURCES_READ)(resolve)


def single(shown: type[ContentResource]) -> Any:
    """A root field: one resource of a kind, null for anything else."""

    async def resolve(info: Info, id: strawberry.ID) -> shown | None:  # type: ignore[valid-type]
        resource = await info.context.loaders.resources.load(id)
        return resource if isinstance(resource, shown) else None

    return query(Scope.RESOURCES_READ)(resolve)


@strawberry.type
class ResourceQueries:
    @query(*READERS)
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        return await info.context.loaders.node(id)

    @query(Scope.RESOURCES_READ, description="All five kinds mixed.")
    async def resources(
        self,
        info: Info,
        where: Annotated[ResourceFilter | None, strawberry.argument(name="filter")] = None,
        first: int | None = 20,
        after: str | None = None,
        offset: int | None = None,
    ) -> Connection[ContentResource]:
        found = select(tables.Resource).where(*resources.visible(info.context.realm))
        found = _filtered(found, where) if where is not None else found
        return await page(info, found, RESOURCES, catalog.resource, first=first, after=after, offset=offset)

    modules = listing(ResourceKind.module, Module)
    module = single(Module)
    courses = listing(ResourceKind.course, Course)
    course = single(Course)

    @query(Scope.RESOURCES_READ)
    async def lesson(self, info: Info, id: strawberry.ID) -> Lesson | None:
        return await info.context.loaders.lessons_by_id.load(id)

    videos = listing(ResourceKind.video, Video)
    video = single(Video)
    slides = listing(ResourceKind.slide, Slide)
    slide = single(Slide)
    tests = listing(ResourceKind.test, Assessment)
    test = single(Assessment)


def _filtered(found: Select[tables.Resource], where: ResourceFilter) -> Select[tables.Resource]:
    """Every condition that is given holds."""
    with Checks() as checks:
        values = read(checks, where, "filter")
    resource = tables.Resource
    if where.types is not None:
        found = found.where(col(resource.kind).in_(where.types))
    if where.curriculum_item_ids is not None:
        aligned = col(Alignment.curriculum_item_id).in_(values["curriculum_item_ids"])
        found = found.where(col(resource.id).in_(select(col(Alignment.resource_id)).where(aligned)))
    for word in values["text"] or ():
        found = found.where(col(resource.words).contains(word, autoescape=True))
    exact = {"status": where.status, "idempotency_key": where.idempotency_key, **(values["external_ref"] or {})}
    return found.where(*(getattr(resource, name) == value for name, value in exact.items() if value is not None))
