"""Reading jobs of any kind, and the results of expansions."""

import strawberry
from sqlalchemy import select
from sqlmodel import col

from schema.context import Info
from schema.pagination import Connection, Order, page
from schema.permissions import query
from schema.types import catalog
from schema.types.jobs import ExpansionJob, IntegrationJob, IntegrationResult, Job
from storage import jobs, tables
from storage.tables import JobKind, JobState, Scope

JOBS = Order("job", tables.Job.id)  # type: ignore[arg-type]

READERS = (
    Scope.INTEGRATIONS_READ,
    Scope.RESOURCES_READ,
    Scope.CONTENT_READ,
    Scope.CONTENT_WRITE,
    Scope.EXPORTS,
)


@strawberry.type
class JobQueries:
    @query(Scope.INTEGRATIONS_READ)
    async def expansion(self, info: Info, job_id: strawberry.ID) -> ExpansionJob | None:
        job = await info.context.loaders.job(job_id)
        return job if isinstance(job, ExpansionJob) else None

    @query(
        Scope.INTEGRATIONS_READ,
        description="Result of an expansion or classroom export; null until it has completed.",
    )
    async def expansion_result(self, info: Info, job_id: strawberry.ID) -> IntegrationResult | None:
        job = await info.context.loaders.job(job_id)
        return await IntegrationResult.of(info, job) if isinstance(job, IntegrationJob) else None

    @query(*READERS)
    async def job(self, info: Info, id: strawberry.ID) -> Job | None:
        return await info.context.loaders.job(id)

    @query(*READERS)
    async def jobs(
        self,
        info: Info,
        kinds: list[JobKind] | None = None,
        states: list[JobState] | None = None,
        first: int | None = 20,
        after: str | None = None,
        offset: int | None = None,
    ) -> Connection[Job]:
        caller = info.context.caller
        readable = catalog.readable(caller.scopes)
        wanted = [kind for kind in readable if kinds is None or kind in kinds]
        ours = jobs.visible(caller.realm, caller.member_id)
        found = select(tables.Job).where(*ours, col(tables.Job.kind).in_(wanted))
        if states is not None:
            found = found.where(col(tables.Job.state).in_(states))
        return await page(info, found, JOBS, catalog.job, first=first, after=after, offset=offset)
