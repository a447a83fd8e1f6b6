"""Tests and their items; in Python a test is an Assessment, because pytest collects Test*."""

from typing import Annotated

import strawberry

from schema.context import Info
from schema.pagination import Connection, page_below
from schema.types.questions import QuestionType
from schema.types.resources import ContentResource, Node
from schema.types.submissions import SUBMISSIONS, TestSubmission
from storage import tables


@strawberry.type(description="One question of a test with its answers and points.")
class TestItem(Node):
    __test__ = False

    row: strawberry.Private[tables.Item]
    sequence: int = strawberry.field(description="Counted from 1, without gaps.")
    question: str
    type: QuestionType
    options: list[str]
    correct_answers: list[str]
    explanation: str | None
    score: float = strawberry.field(description="Points for a right answer.")

    @strawberry.field
    async def test(self, info: Info) -> Annotated["Assessment", strawberry.lazy("schema.types.assessments")]:
        return await info.context.loaders.resources.load(self.row.resource_id)

    @classmethod
    def from_row(cls, row: tables.Item) -> "TestItem":
        """The graph's form of a test item."""
        return cls(
            row=row,
            id=strawberry.ID(row.id),
            sequence=row.sequence,
            question=row.question,
            type=row.type,
            options=row.options,
            correct_answers=row.correct_answers,
            explanation=row.explanation,
            score=row.score,
        )


@strawberry.type(name="Test", description="Assessment metadata, items, answers, scoring, and submissions.")
class Assessment(ContentResource):
    time_limit: int | None = strawberry.field(description="Minutes; null means untimed.")

    @strawberry.field
    async def item_count(self, info: Info) -> int:
        return (await info.context.loaders.item_totals.load(self.id))[0]

    @strawberry.field
    async def total_score(self, info: Info) -> float:
        return (await info.context.loaders.item_totals.load(self.id))[1]

    @strawberry.field(description="All items with answers and scoring.")
    async def items(self, info: Info) -> list[TestItem]:
        return [TestItem.from_row(row) for row in await info.context.loaders.items.load(self.id)]

    @strawberry.field
    async def submissions(
        self, info: Info, first: int | None = 20, after: str | None = None, offset: int | None = None
    ) -> Connection[TestSubmission]:
        loaders, node = info.context.loaders, TestSubmission.from_row
        return await page_below(loaders, SUBMISSIONS, self.id, node, first=first, after=after, offset=offset)
