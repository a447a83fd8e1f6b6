"""Reading ingested content: search, single items, sessions, and the ingestions themselves."""

from typing import Annotated

import strawberry

from schema.context import Info
from schema.mutations.rules import curriculum_item_ids
from schema.pagination import Connection, check_page, connection, decode, encode
from schema.permissions import query
from schema.types.content import ContentItem, ContentItemFilter, ContentSession
from schema.types.ingestions import IngestionJob
from schema.types.scalars import URL
from storage import content_sessions, search
from storage.errors import Checks, ValidationFailed
from storage.presign import Presigner, Purpose
from storage.search import Hit, Place, Wanted
from storage.tables import Scope

FOUND = "found"
LONGEST_TEXT = 200


@strawberry.type
class ContentQueries:
    @query(Scope.CONTENT_READ, Scope.CONTENT_WRITE)
    async def ingestion_job(self, info: Info, job_id: strawberry.ID) -> IngestionJob | None:
        job = await info.context.loaders.job(job_id)
        return job if isinstance(job, IngestionJob) else None

    @query(Scope.CONTENT_READ)
    async def search_content_items(
        self,
        info: Info,
        where: Annotated[ContentItemFilter | None, strawberry.argument(name="filter")] = None,
        first: int | None = 20,
        after: str | None = None,
        offset: int | None = None,
    ) -> Connection[ContentItem]:
        wanted = await _wanted(info, where or ContentItemFilter())
        first = check_page(first, after, offset)
        place = _place(after) if after is not None else None
        async with info.context.database.snapshot() as session:
            hits = await search.find(session, wanted, first + 1, after=place, offset=offset or 0)
        items = await info.context.loaders.content.load_many([hit.item_id for hit in hits[:first]])

        async def count() -> int:
            async with info.context.database.snapshot() as session:
                return await search.count(session, wanted)

        return connection(
            [pair for pair in zip(hits, items, strict=False) if pair[1]],
            lambda pair: _cursor(pair[0]),
            lambda pair: pair[1],
            count,
            more=len(hits) > first,
            began=bool(after or offset),
        )

    @query(Scope.CONTENT_READ)
    async def content_item(self, info: Info, id: strawberry.ID) -> ContentItem | None:
        return await info.context.loaders.content.load(id)

    @query(Scope.CONTENT_READ, description="A new one on every read.")
    async def content_session(self, info: Info) -> ContentSession:
        entry = content_sessions.entry(info.context.realm)
        code = Presigner(info.context.settings.secret_keys).code(Purpose.SESSION, entry)
        return ContentSession(
            url=URL(f"{info.context.settings.public_url}/session/{code}"),
            url_expires_at=entry.expires_at,
            cookies_expire_at=content_sessions.stay(entry).expires_at,
        )


async def _wanted(info: Info, where: ContentItemFilter) -> Wanted:
    with Checks() as checks:
        asked = where.curriculum_item_ids
        standards = None if asked is None else curriculum_item_ids(checks, asked, "filter", "curriculumItemIds")
        fits = len(where.text or "") <= LONGEST_TEXT
        checks.require(fits, "too_long", f"text has at most {LONGEST_TEXT} characters.", "filter", "text")
    below = None
    if where.container_id is not None:
        container = await info.context.loaders.content.load(where.container_id)
        below = Place(container.row.id, container.row.job_id) if container else Place("", "")
    return Wanted(
        info.context.realm,
        type=where.content_type,
        difficulty=where.difficulty,
        job_id=where.ingestion_job_id,
        standards=standards,
        text=where.text,
        below=below,
    )


def _cursor(hit: Hit) -> str:
    return encode(FOUND, f"{hit.tier}:{hit.rowid}")


def _place(cursor: str) -> tuple[int, int]:
    tier, _, rowid = decode(FOUND, cursor).partition(":")
    if not (tier + rowid).isascii() or not tier.isdigit() or not rowid.isdigit() or len(tier + rowid) > 18:
        raise ValidationFailed("cursor", "This is no cursor of this list.", "after")
    return int(tier), int(rowid)
