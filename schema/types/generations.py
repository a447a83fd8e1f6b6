"""Generations: jobs that write from a prompt."""

from typing import Any, Self

import strawberry

from schema.context import Info
from schema.types.assessments import TestItem
from schema.types.jobs import Job
from schema.types.resources import ContentResource
from storage import generations, tables


@strawberry.type(
    description="What a model took for a job, all its attempts together, as the model's service counts it."
)
class ModelUsage:
    model: str
    requests: int
    input_tokens: int
    output_tokens: int

    @classmethod
    def from_spending(cls, spending: tables.Spending | None) -> Self | None:
        """Null where no model was asked."""
        return cls(**spending.model_dump()) if spending else None


@strawberry.type(description="Fills a resource or a lesson, or adds items to a test, from a prompt.")
class GenerationJob(Job):
    prompt: str | None
    model_usage: ModelUsage | None = strawberry.field(description="Null when the built-in author wrote.")

    @strawberry.field(description="Null once the resource is deleted.")
    async def resource(self, info: Info) -> ContentResource | None:
        return await info.context.loaders.resources.load(self.row.resource_id or "")

    @strawberry.field(description="Items added by generateTestItems; empty otherwise.")
    async def generated_items(self, info: Info) -> list[TestItem]:
        return [TestItem.from_row(row) for row in await info.context.loaders.items_of_job.load(self.id)]

    @classmethod
    def of_kind(cls, row: tables.Job) -> dict[str, Any]:
        return {"prompt": generations.asked(row).prompt, "model_usage": ModelUsage.from_spending(row.spending)}
