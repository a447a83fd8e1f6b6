"""Content exports: packages on their way out."""

from typing import Any

import strawberry

from schema.context import Info
from schema.types.attachments import Attachment
from schema.types.jobs import Job
from schema.types.people import User
from schema.types.scalars import URL, described
from storage import exports, tables
from storage.tables import ExportType, WorkflowState
from storage.tables.jobs import SUCCEEDED

described(
    ExportType,
    "ExportType",
    common_cartridge="The whole course as Common Cartridge (.imscc).",
    qti="Quizzes and tests of the course as QTI.",
    zip="Files of the course, group or user.",
)
described(WorkflowState, "ExportWorkflowState", "failed also when cancelled.")


@strawberry.type(description="A package on its way out.")
class ContentExport(Job):
    number: int = strawberry.field(
        description="Decimal number that grows within the workspace: the id of the Content Exports API."
    )
    export_type: ExportType
    workflow_state: WorkflowState
    user_id: strawberry.ID = strawberry.field(description="Who started the export.")
    context_id: strawberry.ID = strawberry.field(description="Id of the exported course, group or user.")
    skip_notifications: bool

    @strawberry.field(description="Null until exported, and again after the package has been removed.")
    async def attachment(self, info: Info) -> Attachment | None:
        files = await info.context.loaders.attachments.load(self.id) if self.state in SUCCEEDED else []
        return next((Attachment.from_row(row, info) for row in files), None)

    @strawberry.field(description="Answers with the job's progress as JSON.")
    def progress_url(self, info: Info) -> URL:
        return URL(exports.progress_url(self.row, info.context.settings.public_url))

    @strawberry.field
    async def user(self, info: Info) -> User:
        return await info.context.loaders.users.load(self.user_id)

    @classmethod
    def of_kind(cls, row: tables.Job) -> dict[str, Any]:
        asked = exports.asked(row)
        return {
            "number": row.number,
            "export_type": asked.export_type,
            "workflow_state": exports.workflow_state(row.state),
            "user_id": row.user_id,
            "context_id": row.resource_id,
            "skip_notifications": asked.skip_notifications,
        }
