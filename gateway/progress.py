"""Progress of jobs for those who poll an address: the Progress API that progress_url speaks of."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.auth import Authenticator
from gateway.problems import problem
from gateway.refusals import Refused
from schema.loaders import Loaders
from storage import exports
from storage.blobs import Blobs
from storage.database import Database
from storage.tables import Job, JobKind, JobState
from storage.tables.columns import dump
from storage.tables.jobs import FINISHED, LEASED, SUCCEEDED


class Progress:
    """What stands behind /api/v1/progress/{jobId}."""

    def __init__(self, database: Database, blobs: Blobs, authenticate: Authenticator, public_url: str) -> None:
        self.database = database
        self.blobs = blobs
        self.authenticate = authenticate
        self.public_url = public_url

    async def show(self, request: Request) -> Response:
        """How far a job is; 404 for one that the credential may not read."""
        try:
            principal = await self.authenticate(request, safe=True)
        except Refused as refused:
            return problem(request, refused.status, refused.message, headers=refused.headers)
        if principal is None:
            return problem(request, 401, "Send a credential.", headers={"WWW-Authenticate": "Bearer"})
        job = await Loaders(self.database, self.blobs, principal).job(request.path_params["job_id"])
        if job is None:
            return problem(request, 404, "There is no such job.")
        return Response(dump(shown(job.row, self.public_url)), media_type="application/json")


def workflow_state(state: JobState) -> str:
    """A job's state in the words of the Progress API (decisions, table 1)."""
    if state in SUCCEEDED:
        return "completed"
    if state in FINISHED:
        return "failed"
    return "running" if state in LEASED else "queued"


def shown(job: Job, public_url: str) -> dict[str, object]:
    """A job as that API shows it; only exports have a context and a user."""
    is_export = job.kind is JobKind.CONTENT_EXPORT
    return {
        "id": job.id,
        "context_id": job.resource_id if is_export else None,
        "user_id": job.user_id,
        "tag": job.kind.lower(),
        "completion": job.progress.percent,
        "workflow_state": workflow_state(job.state),
        "seconds_remaining": job.progress.seconds_remaining,
        "message": job.error.message if job.error else job.progress.phase,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "url": exports.progress_url(job, public_url),
    }
