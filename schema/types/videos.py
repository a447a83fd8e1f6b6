"""Videos and their scenes."""

from typing import Annotated

import strawberry

from schema.context import Info
from schema.types.renders import RenderJob
from schema.types.resources import ContentResource, Node
from schema.types.scalars import described
from storage import renders, tables
from storage.tables import VisualType
from storage.tables.jobs import SUCCEEDED
from storage.tables.resources import RenderStatus

described(VisualType, "VisualType")
described(
    RenderStatus,
    "RenderStatus",
    "Projection of the newest render job; NOT_RENDERED when there was none since the video was created or reopened.",
)


@strawberry.type(description="One picture of a video with its narration.")
class Scene(Node):
    row: strawberry.Private[tables.Scene]
    order: int = strawberry.field(description="Counted from 1, without gaps.")
    script: str = strawberry.field(description="Narration; also the text of the captions.")
    display_text: str | None = strawberry.field(description="Text on the screen.")
    duration: float = strawberry.field(description="Seconds.")
    visual_type: VisualType

    @strawberry.field
    async def video(self, info: Info) -> Annotated["Video", strawberry.lazy("schema.types.videos")]:
        return await info.context.loaders.resources.load(self.row.resource_id)

    @classmethod
    def from_row(cls, row: tables.Scene) -> "Scene":
        """The graph's form of a scene."""
        return cls(
            row=row,
            id=strawberry.ID(row.id),
            order=row.sequence,
            script=row.script,
            display_text=row.display_text,
            duration=row.duration,
            visual_type=row.visual_type,
        )


@strawberry.type(description="Editable video plan, scenes, narration, and rendering control.")
class Video(ContentResource):
    aspect_ratio: str = strawberry.field(description="16:9, 9:16, 1:1 or 4:3.")
    target_duration_seconds: int | None
    editable: bool = strawberry.field(description="False once a render has completed, until reopenVideo.")
    reopened_render: strawberry.Private[str | None]

    @strawberry.field
    async def render_status(self, info: Info) -> RenderStatus:
        newest = next(iter(await info.context.loaders.renders.load(self.id)), None)
        return renders.status(newest, self.reopened_render)

    @strawberry.field(description="Newest render, whatever its state.")
    async def render_job(self, info: Info) -> RenderJob | None:
        return next(map(RenderJob.from_row, await info.context.loaders.renders.load(self.id)), None)

    @strawberry.field(
        description="Newest completed render, with the file to play; it is stale when its planVersion is below version."
    )
    async def completed_render_job(self, info: Info) -> RenderJob | None:
        completed = (row for row in await info.context.loaders.renders.load(self.id) if row.state in SUCCEEDED)
        return next(map(RenderJob.from_row, completed), None)

    @strawberry.field
    async def scene_count(self, info: Info) -> int:
        return (await info.context.loaders.scene_totals.load(self.id))[0]

    @strawberry.field(description="Sum of the scenes.")
    async def total_duration_seconds(self, info: Info) -> float:
        return (await info.context.loaders.scene_totals.load(self.id))[1]

    @strawberry.field
    async def scenes(self, info: Info) -> list[Scene]:
        return [Scene.from_row(row) for row in await info.context.loaders.scenes.load(self.id)]
