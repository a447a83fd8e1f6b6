"""Reading content exports and stored files."""

import strawberry
from sqlalchemy import select
from sqlmodel import col

from schema.context import Info
from schema.pagination import Connection, Order, page
from schema.permissions import query
from schema.types.exports import ContentExport
from schema.types.files import ContextInput, StoredFile
from storage import contexts, files, jobs, tables
from storage.tables import JobKind, Scope

EXPORTS = Order("export", tables.Job.number)  # type: ignore[arg-type]
FILES = Order("file", tables.StoredFile.path, newest_first=False)  # type: ignore[arg-type]


@strawberry.type
class ExportQueries:
    @query(Scope.EXPORTS, description="Past and pending ones; a MEMBER sees those it started.")
    async def content_exports(
        self,
        info: Info,
        context: ContextInput,
        first: int | None = 20,
        after: str | None = None,
        offset: int | None = None,
    ) -> Connection[ContentExport]:
        caller, id = info.context.caller, await _seen(info, context)
        found = select(tables.Job).where(
            *jobs.visible(caller.realm, caller.member_id),
            col(tables.Job.kind) == JobKind.CONTENT_EXPORT,
            col(tables.Job.resource_id) == id,
        )
        return await page(info, found, EXPORTS, ContentExport.from_row, first=first, after=after, offset=offset)

    @query(Scope.EXPORTS, description="Null when the export is not of this context.")
    async def content_export(self, info: Info, context: ContextInput, id: strawberry.ID) -> ContentExport | None:
        job = await info.context.loaders.job(id)
        if not isinstance(job, ContentExport) or job.context_id != await _seen(info, context):
            return None
        return job

    @query(Scope.EXPORTS, description="By path.")
    async def files(
        self,
        info: Info,
        context: ContextInput,
        first: int | None = 20,
        after: str | None = None,
        offset: int | None = None,
    ) -> Connection[StoredFile]:
        found = files.listed(info.context.realm, await _seen(info, context) or "")
        return await page(info, found, FILES, StoredFile.from_row, first=first, after=after, offset=offset)


async def _seen(info: Info, context: ContextInput) -> str | None:
    """The id of a context that the caller may see; nothing belongs to any other."""
    caller = info.context.caller
    async with info.context.database.snapshot() as session:
        found = await contexts.find(session, caller.realm, context.id, caller.member_id)
    return found.id if found else None
