"""Messages to users."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from schema.context import Info
from schema.pagination import Order
from schema.types.resources import Node
from schema.types.scalars import described
from storage import tables
from storage.tables import NotificationKind

if TYPE_CHECKING:
    from schema.types.exports import ContentExport

NOTIFICATIONS = Order("notification", tables.Notification.sequence)  # type: ignore[arg-type]

described(NotificationKind, "NotificationKind", "How an export ended.")


@strawberry.type(description="Message to the user who started an export.")
class Notification(Node):
    row: strawberry.Private[tables.Notification]
    kind: NotificationKind
    message: str
    created_at: datetime

    @strawberry.field
    async def content_export(
        self, info: Info
    ) -> Annotated["ContentExport", strawberry.lazy("schema.types.exports")] | None:
        return await info.context.loaders.job(self.row.job_id)

    @classmethod
    def from_row(cls, row: tables.Notification) -> "Notification":
        """The graph's form of a message."""
        return cls(row=row, id=strawberry.ID(row.id), kind=row.kind, message=row.message, created_at=row.created_at)
