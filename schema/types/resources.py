"""The common face of authored resources."""

from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Self

import strawberry

from schema.context import Info
from schema.types.scalars import URL, described
from storage import resources, tables
from storage.tables import Environment, ResourceKind, ResourceOrigin, ResourceStatus

if TYPE_CHECKING:
    from schema.types.jobs import Job

described(
    Environment, "Environment", "Data realm of a credential; the two never see each other, and TEST is never billed."
)
described(ResourceKind, "ResourceType")
described(
    ResourceStatus,
    "ResourceStatus",
    "Lifecycle of a resource; after READY it stays READY through edits.",
    GENERATING="Stored, but its content is still being produced by its job.",
    READY="Content is present and editable: the first state to show to reviewers.",
    FAILED="Generation failed; the resource can be edited, or its job retried.",
)
described(
    ResourceOrigin,
    "ResourceOrigin",
    "How the content came into being.",
    API="Created through the graph with an API credential.",
    EXPANSION="Output of an expansion.",
    UI="Written by a signed-in admin.",
)


@strawberry.interface
class Node:
    id: strawberry.ID


@strawberry.type(description="Pointer back to the system that owns the source.")
class ExternalRef:
    system: str
    id: str = strawberry.field(description="Id in that system.")
    version: str | None


@strawberry.input
class ExternalRefInput:
    system: str = strawberry.field(description="1 to 255 characters.")
    id: str = strawberry.field(description="1 to 255 characters.")
    version: str | None = strawberry.field(default=None, description="At most 255 characters.")


@strawberry.input(description="All given conditions must hold.")
class ResourceFilter:
    types: list[ResourceKind] | None = None
    status: ResourceStatus | None = None
    text: str | None = strawberry.field(
        default=None, description="Words of title, description or prompt. At most 200 characters."
    )
    external_ref: ExternalRefInput | None = strawberry.field(
        default=None, description="Without version: any version of that source."
    )
    idempotency_key: str | None = strawberry.field(default=None, description="Key of the create request.")
    curriculum_item_ids: list[str] | None = strawberry.field(
        default=None, description="Aligned to any of these CASE items."
    )


@strawberry.type(
    description="What wrote the generated text; the built-in generator is deterministic-outline and has no model."
)
class GeneratorInfo:
    name: str
    version: str
    model: str | None
    needs_review: bool = strawberry.field(description="True until the first edit by a caller.")


@strawberry.type(description="Read-only public page of a resource, without answers.")
class ShareLink:
    public_url: URL = strawberry.field(description="Holds the only secret of the page.")
    active: bool


@strawberry.interface(
    description="Common face of the five authored kinds. Authoring secrets and tenancy fields are not part of the "
    "graph at all."
)
class ContentResource(Node):
    row: strawberry.Private[tables.Resource]
    resource_type: ResourceKind
    title: str
    description: str | None = strawberry.field(description="Plain text.")
    language: str = strawberry.field(description="BCP 47 tag, e.g. en.")
    prompt: str | None = strawberry.field(description="What the content was generated from.")
    status: ResourceStatus
    origin: ResourceOrigin
    environment: Environment
    version: int = strawberry.field(
        description="Grows by one with every accepted change; pass it as baseVersion to guard an update."
    )
    idempotency_key: str | None = strawberry.field(description="Key of the create request.")
    external_ref: ExternalRef | None
    generator: GeneratorInfo | None = strawberry.field(description="Null for content written by hand.")
    created_at: datetime
    updated_at: datetime

    @strawberry.field(description="CASE items the resource is aligned to, as lower-case UUIDs.")
    async def curriculum_item_ids(self, info: Info) -> list[str]:
        return [alignment.curriculum_item_id for alignment in await info.context.loaders.alignments.load(self.id)]

    @strawberry.field(description="Null until shared; outputs of expansions are shared from the start.")
    def share(self, info: Info) -> ShareLink | None:
        url = resources.share_url(self.row, info.context.sealer, info.context.settings.public_url)
        return ShareLink(public_url=URL(url), active=self.row.share_active) if url else None

    @strawberry.field(description="The generation or expansion that produced the content.")
    async def job(self, info: Info) -> Annotated["Job", strawberry.lazy("schema.types.jobs")] | None:
        return await info.context.loaders.jobs.load(self.row.job_id) if self.row.job_id else None

    @classmethod
    def from_row(cls, row: tables.Resource) -> Self:
        """A graph resource is its row's shared columns and its details, by name."""
        return cls(
            row=row,
            id=strawberry.ID(row.id),
            resource_type=row.kind,
            external_ref=_external_ref(row),
            generator=GeneratorInfo(**row.generator.model_dump()) if row.generator else None,
            **{name: getattr(row, name) for name in _SHARED},
            **cls.of_kind(row),
        )

    @classmethod
    def of_kind(cls, row: tables.Resource) -> dict[str, Any]:
        """The fields that the kind adds: its details, by name."""
        return row.details.model_dump(exclude={"kind"})


_COMPOSED = {"row", "id", "resource_type", "external_ref", "generator"}
_SHARED = [field.name for field in fields(ContentResource) if field.init and field.name not in _COMPOSED]


def _external_ref(row: tables.Resource) -> ExternalRef | None:
    if row.external_system is None or row.external_id is None:
        return None
    return ExternalRef(system=row.external_system, id=row.external_id, version=row.external_version)
