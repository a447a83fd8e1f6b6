"""Rendering videos: start it, stop it, and go on editing afterwards."""

import strawberry

from schema.context import Info
from schema.mutations import KEY, idempotency_key, mutation, once
from schema.mutations.resources import AddedPayload, ResourcePayload, check_version
from schema.types.renders import RenderJob
from schema.types.videos import Video
from storage import jobs, renders, resources, tables
from storage.database import Transaction
from storage.errors import JobStateInvalid, NotFound
from storage.tables import ResourceKind, Scope
from storage.tables.jobs import FINISHED


@strawberry.input
class RenderVideoInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    video_id: strawberry.ID
    reviewed_version: int | None = strawberry.field(
        default=None, description="Video.version that was reviewed; refused when the video has changed since."
    )


@strawberry.type
class RenderVideoPayload(AddedPayload):
    job: RenderJob | None = None
    video: Video | None = None


@strawberry.input
class CancelRenderInput:
    video_id: strawberry.ID


@strawberry.type
class CancelRenderPayload(ResourcePayload):
    job: RenderJob | None = None
    video: Video | None = None


@strawberry.input
class ReopenVideoInput:
    video_id: strawberry.ID


@strawberry.type
class ReopenVideoPayload(ResourcePayload):
    video: Video | None = None


@strawberry.type
class RenderMutations:
    @mutation(Scope.RESOURCES_WRITE, description="Never started by anything else than this mutation.")
    async def render_video(self, info: Info, input: RenderVideoInput) -> RenderVideoPayload:
        realm = info.context.realm

        async def make(session: Transaction, job_id: str) -> tables.Job:
            video = await resources.locked(session, realm, input.video_id, ResourceKind.video)
            check_version(video, input.reviewed_version)
            job = await renders.planned(session, video, job_id, idempotency_key(info, input))
            await jobs.add(session, job)
            return job

        job, replayed = await once(info, "renderVideo", input, jobs.new_id(), make, jobs.finder(realm))
        payload = RenderVideoPayload.showing(job)
        payload.video = await info.context.loaders.resources.load(job.resource_id or "")
        payload.replayed = replayed
        return payload

    @mutation(Scope.RESOURCES_WRITE, description="Cancels the video's running or queued render.")
    async def cancel_render(self, info: Info, input: CancelRenderInput) -> CancelRenderPayload:
        realm = info.context.realm
        async with info.context.database.transaction() as session:
            video = await resources.finder(realm)(session, input.video_id)
            if video is None or video.kind is not ResourceKind.video:
                raise NotFound
            newest = await renders.newest(session, video.id)
            if newest is None or newest.state in FINISHED:
                raise JobStateInvalid("No render of this video is queued or running.")
            job = await jobs.locked(session, realm, newest.id)
            await jobs.cancel(session, job)
        return CancelRenderPayload.showing(video, job)

    @mutation(Scope.RESOURCES_WRITE, description="Makes a rendered video editable again; the rendered file stays.")
    async def reopen_video(self, info: Info, input: ReopenVideoInput) -> ReopenVideoPayload:
        async with info.context.database.transaction() as session:
            video = await resources.locked(session, info.context.realm, input.video_id, ResourceKind.video)
            await renders.reopen(session, video)
        return ReopenVideoPayload.showing(video)
