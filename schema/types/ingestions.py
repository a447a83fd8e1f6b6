"""Ingestions: packages on their way in, and what becomes of each of their resources."""

from datetime import datetime
from typing import Any, Self

import strawberry

from schema.context import Info
from schema.pagination import Below, Connection, Order, page_below
from schema.permissions import guarded
from schema.types.content import ContentItem
from schema.types.jobs import Job
from schema.types.scalars import BigInt, described
from storage import ingestions, tables
from storage.errors import JobErrorCode
from storage.tables import IngestionStatus, ItemState, PackageType, Scope

ITEMS = Below(
    tables.IngestionItem.job_id,  # type: ignore[arg-type]
    Order("ingestion_item", tables.IngestionItem.position, newest_first=False),  # type: ignore[arg-type]
)

described(IngestionStatus, "IngestionStatus")
described(ItemState, "IngestionItemState")
described(PackageType, "PackageType", "Format of a package, detected and never asked for.")


@strawberry.type(description="Outcome of one resource of a package.")
class IngestionItemStatus:
    row: strawberry.Private[tables.IngestionItem]
    item_id: str = strawberry.field(
        description="Resource identifier of the manifest; resource#item for one question of an assessment with several."
    )
    status: ItemState
    message: str | None = strawberry.field(description="What went wrong; always set when FAILED.")
    error_code: JobErrorCode | None = strawberry.field(description="Machine-readable form of message.")
    last_updated: datetime

    @guarded(Scope.CONTENT_READ)
    async def content_item(self, info: Info) -> ContentItem | None:
        return await info.context.loaders.content.load(self.row.content_id) if self.row.content_id else None

    @classmethod
    def from_row(cls, row: tables.IngestionItem) -> Self:
        """The graph's form of what became of a resource."""
        return cls(
            row=row,
            item_id=row.item_id,
            status=row.state,
            message=row.message if row.state is ItemState.FAILED else None,
            error_code=row.code if row.state is ItemState.FAILED else None,
            last_updated=row.updated_at,
        )


@strawberry.type(
    description="A package on its way in. What is no content item by rule is a warning, not a failed item."
)
class IngestionJob(Job):
    status: IngestionStatus = strawberry.field(
        description="FAILED also when expired, or cancelled before anything was done."
    )
    item_count: int = strawberry.field(description="As announced; a difference to what is found is a warning.")
    zip_file_size: BigInt = strawberry.field(description="As announced; the upload must have exactly this size.")
    upload_expires_at: datetime
    package_type: PackageType | None = strawberry.field(description="Detected from the manifest.")
    package_identifier: str | None = strawberry.field(description="Identifier of the manifest.")

    @strawberry.field(description="In manifest order; entries appear while the job is running.")
    async def item_statuses(
        self,
        info: Info,
        status: ItemState | None = None,
        first: int | None = 20,
        after: str | None = None,
        offset: int | None = None,
    ) -> Connection[IngestionItemStatus]:
        loaders, node, only = info.context.loaders, IngestionItemStatus.from_row, ("state", status)
        return await page_below(loaders, ITEMS, self.id, node, first=first, after=after, offset=offset, only=only)

    @classmethod
    def of_kind(cls, row: tables.Job) -> dict[str, Any]:
        asked = ingestions.asked(row)
        return {
            "status": ingestions.status(row.state, row.progress.completed_units),
            "item_count": asked.item_count,
            "zip_file_size": BigInt(asked.zip_file_size),
            "upload_expires_at": asked.upload_expires_at,
            "package_type": asked.package_type,
            "package_identifier": asked.package_identifier,
        }
