"""Renders: jobs that turn a video plan into a file."""

from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from schema.context import Info
from schema.types.attachments import Attachment
from schema.types.jobs import Job
from storage import renders, tables
from storage.tables import AttachmentRole
from storage.tables.jobs import SUCCEEDED

if TYPE_CHECKING:
    from schema.types.videos import Video


@strawberry.type(description="Turns a video plan into a file.")
class RenderJob(Job):
    plan_version: int = strawberry.field(
        description="Version of the video that is rendered; later edits do not change this render."
    )
    duration_seconds: float | None

    @strawberry.field(description="Null once the video is deleted.")
    async def video(self, info: Info) -> Annotated["Video", strawberry.lazy("schema.types.videos")] | None:
        return await self._video(info)

    @strawberry.field(description="The video file; null until completed.")
    async def artifact(self, info: Info) -> Attachment | None:
        return await self._file(info, AttachmentRole.artifact)

    @strawberry.field(description="The scripts as WebVTT.")
    async def captions(self, info: Info) -> Attachment | None:
        return await self._file(info, AttachmentRole.captions)

    async def _video(self, info: Info) -> Any:
        return await info.context.loaders.resources.load(self.row.resource_id or "")

    async def _file(self, info: Info, role: AttachmentRole) -> Attachment | None:
        """A deleted video has no files any more."""
        if await self._video(info) is None:
            return None
        files = await info.context.loaders.attachments.load(self.id)
        return next((Attachment.from_row(row, info) for row in files if row.role is role), None)

    @classmethod
    def of_kind(cls, row: tables.Job) -> dict[str, Any]:
        plan = renders.asked(row)
        return {
            "plan_version": plan.plan_version,
            "duration_seconds": plan.seconds if row.state in SUCCEEDED else None,
        }
