"""Videos and their scenes: create, change, add, move, remove."""

import strawberry

from schema.context import Info
from schema.mutations import KEY, mutation
from schema.mutations.parts import Parts
from schema.mutations.resources import (
    AddedPayload,
    CreateInput,
    CreateResourcePayload,
    DeletedPayload,
    ResourcePayload,
    UpdateInput,
    create,
    update,
)
from schema.types.videos import Scene, Video
from storage import ids, tables
from storage.tables import ResourceKind, Scope, VisualType

TARGET = "The scenes' durations add up to this. 1 to 7200."
SECONDS = "Seconds, more than 0 and at most 3600."
SCRIPT = "At most 10000 characters."
DISPLAY_TEXT = "At most 2000 characters."


@strawberry.input
class CreateVideoInput(CreateInput):
    scene_count: int | None = strawberry.field(default=None, description="1 to 60; default 5; needs a prompt.")
    aspect_ratio: str = strawberry.field(default="16:9", description="16:9, 9:16, 1:1 or 4:3.")
    target_duration_seconds: int | None = strawberry.field(default=None, description=TARGET)


@strawberry.type
class CreateVideoPayload(CreateResourcePayload):
    video: Video | None = None


@strawberry.input
class UpdateVideoInput(UpdateInput):
    aspect_ratio: str | None = strawberry.field(default=strawberry.UNSET, description="16:9, 9:16, 1:1 or 4:3.")
    target_duration_seconds: int | None = strawberry.field(default=strawberry.UNSET, description="1 to 7200.")


@strawberry.type
class VideoPayload(ResourcePayload):
    video: Video | None = None


@strawberry.type
class UpdateVideoPayload(VideoPayload):
    pass


@strawberry.type
class ScenePayload(VideoPayload):
    scene: Scene | None = None


@strawberry.input
class AddSceneInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    video_id: strawberry.ID
    order: int | None = strawberry.field(
        default=None, description="Later scenes move down. Default: at the end. A place behind the end is the end."
    )
    script: str = strawberry.field(description=SCRIPT)
    display_text: str | None = strawberry.field(default=None, description=DISPLAY_TEXT)
    duration: float = strawberry.field(default=5.0, description=SECONDS)
    visual_type: VisualType = VisualType.text


@strawberry.type
class AddScenePayload(AddedPayload, ScenePayload):
    pass


@strawberry.input
class UpdateSceneInput:
    id: strawberry.ID
    base_version: int | None = strawberry.field(default=None, description="Video.version.")
    order: int | None = strawberry.field(default=strawberry.UNSET, description="Moves the scene; the others close up.")
    script: str | None = strawberry.field(default=strawberry.UNSET, description=SCRIPT)
    display_text: str | None = strawberry.field(default=strawberry.UNSET, description=DISPLAY_TEXT)
    duration: float | None = strawberry.field(default=strawberry.UNSET, description=SECONDS)
    visual_type: VisualType | None = strawberry.UNSET


@strawberry.type
class UpdateScenePayload(ScenePayload):
    pass


@strawberry.input
class DeleteSceneInput:
    id: strawberry.ID


@strawberry.type
class DeleteScenePayload(DeletedPayload, VideoPayload):
    pass


@strawberry.input
class ReorderScenesInput:
    video_id: strawberry.ID
    base_version: int | None = None
    scene_ids: list[strawberry.ID] = strawberry.field(description="A permutation of all scene ids.")


@strawberry.type
class ReorderScenesPayload(VideoPayload):
    pass


SCENES = Parts(tables.Scene, ids.Prefix.SCENE, ResourceKind.video, "scenes", place="order")


@strawberry.type
class VideoMutations:
    @mutation(Scope.RESOURCES_WRITE)
    async def create_video(self, info: Info, input: CreateVideoInput) -> CreateVideoPayload:
        return await create(info, ResourceKind.video, input, CreateVideoPayload)

    @mutation(Scope.RESOURCES_WRITE)
    async def update_video(self, info: Info, input: UpdateVideoInput) -> UpdateVideoPayload:
        return await update(info, ResourceKind.video, input, UpdateVideoPayload)

    @mutation(Scope.RESOURCES_WRITE)
    async def add_scene(self, info: Info, input: AddSceneInput) -> AddScenePayload:
        return await SCENES.add(info, "addScene", input, AddScenePayload)

    @mutation(Scope.RESOURCES_WRITE)
    async def update_scene(self, info: Info, input: UpdateSceneInput) -> UpdateScenePayload:
        return await SCENES.change(info, input, UpdateScenePayload)

    @mutation(Scope.RESOURCES_WRITE)
    async def delete_scene(self, info: Info, input: DeleteSceneInput) -> DeleteScenePayload:
        return await SCENES.remove(info, input, DeleteScenePayload)

    @mutation(Scope.RESOURCES_WRITE)
    async def reorder_scenes(self, info: Info, input: ReorderScenesInput) -> ReorderScenesPayload:
        return await SCENES.reorder(info, input, ReorderScenesPayload)
