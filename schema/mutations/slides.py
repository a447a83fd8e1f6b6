"""Slide decks: create and change."""

import strawberry

from schema.context import Info
from schema.mutations import mutation
from schema.mutations.resources import (
    CreateInput,
    CreateResourcePayload,
    ResourcePayload,
    UpdateInput,
    create,
    update,
)
from schema.mutations.rules import Values
from schema.types.slides import Slide
from storage import tables
from storage.database import Transaction
from storage.tables import ResourceKind, Scope
from storage.tables.resources import SlideTheme


@strawberry.input
class CreateSlideInput(CreateInput):
    slide_count: int | None = strawberry.field(default=None, description="1 to 100; default 10; needs a prompt.")
    theme: SlideTheme = SlideTheme.minimal


@strawberry.type
class CreateSlidePayload(CreateResourcePayload):
    slide: Slide | None = None


@strawberry.input
class UpdateSlideInput(UpdateInput):
    theme: SlideTheme | None = strawberry.UNSET
    content: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Replaces the deck; a sequence of balanced <slide> elements. At most 300 of them and 1000000 "
        "characters; their insides are sanitized.",
    )


@strawberry.type
class UpdateSlidePayload(ResourcePayload):
    slide: Slide | None = None


@strawberry.type
class SlideMutations:
    @mutation(Scope.RESOURCES_WRITE)
    async def create_slide(self, info: Info, input: CreateSlideInput) -> CreateSlidePayload:
        return await create(info, ResourceKind.slide, input, CreateSlidePayload)

    @mutation(Scope.RESOURCES_WRITE)
    async def update_slide(self, info: Info, input: UpdateSlideInput) -> UpdateSlidePayload:
        return await update(info, ResourceKind.slide, input, UpdateSlidePayload, write)


async def write(session: Transaction, resource: tables.Resource, values: Values) -> None:  # noqa: ARG001
    """Content is kept page by page."""
    if "content" in values:
        resource.details = resource.details.model_copy(update={"pages": values["content"] or []})
