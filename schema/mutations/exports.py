"""Starting content exports."""

from typing import Any

import strawberry

from schema.context import Info
from schema.mutations import KEY, CreatedPayload, idempotency_key, mutation, once
from schema.types.exports import ContentExport
from schema.types.files import ContextInput
from storage import contexts, exports, jobs, tables
from storage.database import Transaction
from storage.tables import ExportType, Scope
from storage.tables.jobs import ContentExportParameters


@strawberry.input
class CreateContentExportInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    context: ContextInput
    export_type: ExportType
    skip_notifications: bool = strawberry.field(
        default=False, description="True: the user gets no notification at the end; webhooks are not affected."
    )


@strawberry.type
class CreateContentExportPayload(CreatedPayload):
    content_export: ContentExport | None = None

    @classmethod
    def about(cls, row: Any) -> "CreateContentExportPayload":
        return cls(content_export=ContentExport.from_row(row))


@strawberry.type
class ExportMutations:
    @mutation(Scope.EXPORTS)
    async def create_content_export(self, info: Info, input: CreateContentExportInput) -> CreateContentExportPayload:
        caller = info.context.caller

        async def make(session: Transaction, id: str) -> tables.Job:
            context = await contexts.require(session, caller.realm, input.context.id, caller.member_id)
            asked = ContentExportParameters(
                export_type=input.export_type, title=context.title, skip_notifications=input.skip_notifications
            )
            job = await exports.planned(session, caller.realm, context, caller.id, asked, id)
            job.idempotency_key = idempotency_key(info, input)
            await jobs.add(session, job)
            return job

        find = jobs.finder(caller.realm, caller.member_id)
        job, replayed = await once(info, "createContentExport", input, jobs.new_id(), make, find)
        payload = CreateContentExportPayload.about(job)
        payload.replayed = replayed
        return payload
