"""Ingested content: the common face, its five types, and how they belong together."""

from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Self
from urllib.parse import quote

import strawberry
from pydantic import TypeAdapter

from schema.context import Info
from schema.pagination import Connection, check_page, connection, decode, encode
from schema.types.interactions import QuestionFeedback, QuestionInteraction
from schema.types.resources import Node
from schema.types.scalars import HTML, URL, described
from storage import content, tables
from storage.errors import ValidationFailed
from storage.packages.questions import Question
from storage.tables import AssociationType, ContentType

if TYPE_CHECKING:
    from schema.types.ingestions import IngestionJob

MEMBERS = "member"

QUESTION = TypeAdapter(Question)

described(ContentType, "ContentType")


class Related(NamedTuple):
    """A page of the items that are related to an item in one way."""

    target_id: str
    type: AssociationType
    limit: int
    after: tuple[int, str] | None
    offset: int


described(
    AssociationType,
    "AssociationType",
    "What a dependency or an organization of a package meant.",
    STIMULUS="Target is a stimulus or passage for the source question.",
    SEE_ALSO="Related content items.",
    IS_CHILD_OF="Source belongs to the target container.",
)


@strawberry.type(description="A CASE standard that a package attached to an item.")
class CaseAlignment:
    curriculum_item_id: str = strawberry.field(description="Lower-case UUID.")
    uri: URL | None
    label: str | None


@strawberry.interface(description="Common face of ingested content.")
class ContentItem(Node):
    row: strawberry.Private[tables.ContentItem]
    content_type: ContentType
    title: str
    description: str | None
    language: str | None
    difficulty: str | None = strawberry.field(
        description="As the package's metadata words it, e.g. very easy, easy, medium, difficult, very difficult."
    )
    source_identifier: str = strawberry.field(
        description="Identifier in the manifest, of the resource or, for a container, of the organization's item; "
        "resource#item for one question of several."
    )
    version: int = strawberry.field(
        description="Grows when the same resource of the same package is ingested again with other content."
    )
    sha256: str | None = strawberry.field(description="Of the item's file.")
    created_at: datetime
    updated_at: datetime

    @strawberry.field(
        description="Where a browser with a content session gets the item's file; null for containers, which have none."
    )
    def content_url(self, info: Info) -> URL | None:
        if self.row.path is None or self.row.type is ContentType.CONTAINER:
            return None
        return URL(f"{info.context.settings.public_url}/content/{self.id}/{quote(self.row.path)}")

    @strawberry.field(description="Same as the ids in alignments; for a container those of everything below it.")
    def curriculum_item_ids(self) -> list[str]:
        return content.standards([self.row])

    @strawberry.field
    def alignments(self) -> list[CaseAlignment]:
        return [
            CaseAlignment(
                curriculum_item_id=alignment.curriculum_item_id,
                uri=URL(alignment.uri) if alignment.uri else None,
                label=alignment.label,
            )
            for alignment in content.ALIGNMENTS.validate_json(self.row.alignments)
        ]

    @strawberry.field(description="In both directions.")
    async def associations(
        self, info: Info, type: AssociationType | None = None
    ) -> list[Annotated["ContentAssociation", strawberry.lazy("schema.types.content")]]:
        found: list[ContentAssociation] = await info.context.loaders.associations.load((self.id, type))
        return found

    @strawberry.field(description="Containers this item is a direct member of.")
    async def containers(self, info: Info) -> list[Annotated["ContainerItem", strawberry.lazy("schema.types.content")]]:
        return await _targets(info, self.id, AssociationType.IS_CHILD_OF)

    @strawberry.field(description="The newest ingestion that wrote this item.")
    async def ingestion_job(self, info: Info) -> Annotated["IngestionJob", strawberry.lazy("schema.types.ingestions")]:
        return await info.context.loaders.jobs.load(self.row.job_id)

    @classmethod
    def from_row(cls, row: tables.ContentItem) -> Self:
        """What every item shows, and what its type adds."""
        shared = {name: getattr(row, name) for name in _SHARED}
        return cls(row=row, id=strawberry.ID(row.id), content_type=row.type, **shared, **cls.of_type(row))

    @classmethod
    def of_type(cls, row: tables.ContentItem) -> dict[str, Any]:  # noqa: ARG003  (a type reads its columns)
        """The fields that the type adds."""
        return {}


_COMPOSED = {"row", "id", "content_type"}
_SHARED = [field.name for field in fields(ContentItem) if field.init and field.name not in _COMPOSED]


@strawberry.type(description="Directed relation between two content items.")
class ContentAssociation:
    row: strawberry.Private[Any]
    type: AssociationType
    sort_order: int | None = strawberry.field(description="Position below a container, counted from 0.")

    @strawberry.field
    async def source(self, info: Info) -> ContentItem:
        return await info.context.loaders.content.load(self.row.source_id)

    @strawberry.field
    async def target(self, info: Info) -> ContentItem:
        return await info.context.loaders.content.load(self.row.target_id)

    @classmethod
    def from_row(cls, row: Any) -> Self:
        """The graph's form of an association, of which the columns are enough."""
        position = row.position if row.type is AssociationType.IS_CHILD_OF else None
        return cls(row=row, type=row.type, sort_order=position)


@strawberry.type(
    description="Interactive assessment question. What the typed fields leave out (response processing, "
    "templates) is in xml."
)
class QuestionItem(ContentItem):
    body: HTML | None = strawberry.field(description="The item's text with the interactions as inert marks.")

    @strawberry.field(description="In document order; empty for a purely informational item.")
    def interactions(self) -> list[QuestionInteraction]:
        return [QuestionInteraction.from_read(read) for read in self._question.interactions]

    @strawberry.field(description="In document order; without what is a part of the question.")
    def feedback(self) -> list[QuestionFeedback]:
        return [QuestionFeedback.from_read(read) for read in self._question.feedback]

    @strawberry.field
    def max_score(self) -> float | None:
        return self._question.max_score

    @strawberry.field(
        description="How answers are judged: the name of a template such as match_correct, custom or none."
    )
    def scoring(self) -> str:
        return self._question.scoring

    @strawberry.field
    async def stimuli(self, info: Info) -> list[Annotated["StimulusItem", strawberry.lazy("schema.types.content")]]:
        return await _targets(info, self.id, AssociationType.STIMULUS)

    @strawberry.field(description="The item exactly as it was in the package.")
    async def xml(self, info: Info) -> str:
        return await info.context.loaders.xml.load(self.row)

    @property
    def _question(self) -> Question:
        return QUESTION.validate_json(self.row.question or "")

    @classmethod
    def of_type(cls, row: tables.ContentItem) -> dict[str, Any]:
        return {"body": row.body}


@strawberry.type(description="Reading passage or media that several questions refer to.")
class StimulusItem(ContentItem):
    body: HTML | None

    @strawberry.field
    async def questions(
        self, info: Info, first: int | None = 20, after: str | None = None, offset: int | None = None
    ) -> Connection[ContentItem]:
        return await _members(info, self.id, AssociationType.STIMULUS, first, after, offset)

    @classmethod
    def of_type(cls, row: tables.ContentItem) -> dict[str, Any]:
        return {"body": row.body}


@strawberry.type(description="Standalone reading or reference material.")
class ArticleItem(ContentItem):
    body: HTML | None

    @classmethod
    def of_type(cls, row: tables.ContentItem) -> dict[str, Any]:
        return {"body": row.body}


@strawberry.type(
    description="Chapter, unit or folder that organizes other items; made from the organization of a cartridge."
)
class ContainerItem(ContentItem):
    @strawberry.field(description="In manifest order.")
    async def children(
        self, info: Info, first: int | None = 20, after: str | None = None, offset: int | None = None
    ) -> Connection[ContentItem]:
        return await _members(info, self.id, AssociationType.IS_CHILD_OF, first, after, offset)


@strawberry.type(description="Video that lives elsewhere.")
class VideoItem(ContentItem):
    video_url: URL
    provider: str = strawberry.field(description="youtube, vimeo or other.")

    @classmethod
    def of_type(cls, row: tables.ContentItem) -> dict[str, Any]:
        return {"video_url": row.video_url, "provider": row.provider}


@strawberry.input(description="All given conditions must hold; within one list any value is enough.")
class ContentItemFilter:
    content_type: ContentType | None = None
    curriculum_item_ids: list[str] | None = None
    difficulty: str | None = None
    text: str | None = strawberry.field(
        default=None, description="Words of title, description or body. At most 200 characters."
    )
    ingestion_job_id: strawberry.ID | None = None
    container_id: strawberry.ID | None = strawberry.field(
        default=None, description="Everything below this container, at any depth."
    )


@strawberry.type(description="A one-time URL that trades itself for a cookie when a browser opens it.")
class ContentSession:
    url: URL
    url_expires_at: datetime = strawberry.field(description="When the url stops working.")
    cookies_expire_at: datetime = strawberry.field(description="When the cookie it sets stops working.")


async def _targets(info: Info, id: str, type: AssociationType) -> list[Any]:
    """The items that an item is related to, in this direction, in the order of the package."""
    return await info.context.loaders.content.load_many(await info.context.loaders.targets.load((id, type)))


async def _members(
    info: Info, id: str, type: AssociationType, first: int | None, after: str | None, offset: int | None
) -> Connection[ContentItem]:
    """A page of the items that are related to an item, in their order."""
    first = check_page(first, after, offset)
    behind = _place(after) if after is not None else None
    rows = await info.context.loaders.related.load(Related(id, type, first + 1, behind, offset or 0))
    items = await info.context.loaders.content.load_many([row.source_id for row in rows[:first]])

    async def count() -> int:
        return await info.context.loaders.related_counts.load((id, type))

    return connection(
        list(zip(rows, items, strict=False)),
        lambda pair: encode(MEMBERS, f"{pair[0].position}:{pair[0].source_id}"),
        lambda pair: pair[1],
        count,
        more=len(rows) > first,
        began=bool(after or offset),
    )


def _place(cursor: str) -> tuple[int, str]:
    position, _, id = decode(MEMBERS, cursor).partition(":")
    if not position.isascii() or not position.isdigit() or len(position) > 9:
        raise ValidationFailed("cursor", "This is no cursor of this list.", "after")
    return int(position), id
