"""Cancelling and retrying jobs of any kind."""

from typing import Any

import strawberry

from schema.context import Info
from schema.mutations import KEY, CreatedPayload, Payload, mutation, once
from schema.types import catalog
from schema.types.jobs import Job
from storage import jobs, tables
from storage.database import Transaction
from storage.errors import NotFound
from storage.tables import Scope

WRITERS = (Scope.INTEGRATIONS_WRITE, Scope.RESOURCES_WRITE, Scope.CONTENT_WRITE, Scope.EXPORTS)


@strawberry.input
class CancelJobInput:
    job_id: strawberry.ID


@strawberry.type
class CancelJobPayload(Payload):
    job: Job | None = None


@strawberry.input
class RetryJobInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    job_id: strawberry.ID


@strawberry.type
class RetryJobPayload(CreatedPayload):
    job: Job | None = None

    @classmethod
    def about(cls, row: Any) -> "RetryJobPayload":
        return cls(job=catalog.job(row))


@strawberry.type
class JobMutations:
    @mutation(*WRITERS)
    async def cancel_job(self, info: Info, input: CancelJobInput) -> CancelJobPayload:
        async with info.context.database.transaction() as session:
            job = await writable(info, session, input.job_id)
            await jobs.cancel(session, job)
        return CancelJobPayload(job=catalog.job(job))

    @mutation(*WRITERS, description="Runs again what failed or was cancelled in a job, and nothing else of it.")
    async def retry_job(self, info: Info, input: RetryJobInput) -> RetryJobPayload:
        async def make(session: Transaction, job_id: str) -> tables.Job:
            job = await writable(info, session, job_id)
            await jobs.retry(session, job)
            return job

        find = jobs.finder(info.context.realm, info.context.caller.member_id)
        job, replayed = await once(info, "retryJob", input, input.job_id, make, find)
        payload = RetryJobPayload.about(job)
        payload.replayed = replayed
        return payload


async def writable(info: Info, session: Transaction, job_id: str) -> tables.Job:
    """The job, locked, if the principal may change its kind; NotFound otherwise."""
    job = await jobs.locked(session, info.context.realm, job_id, info.context.caller.member_id)
    if not catalog.WRITE[job.kind] & info.context.caller.scopes:
        raise NotFound
    return job
