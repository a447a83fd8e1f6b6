"""What learners handed in."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from schema.context import Info
from schema.pagination import Below, Order
from schema.types.resources import Node
from storage import tables

if TYPE_CHECKING:
    from schema.types.assessments import Assessment

SUBMISSIONS = Below(
    tables.Submission.resource_id,  # type: ignore[arg-type]
    Order("submission", tables.Submission.id),  # type: ignore[arg-type]
)


@strawberry.type(description="One answered item and its grading.")
class SubmissionAnswer:
    item_id: strawberry.ID = strawberry.field(description="Kept when the item is deleted later.")
    answers: list[str]
    correct: bool
    score: float


@strawberry.type(
    description="What a learner handed in through the share page, graded against the version of that moment."
)
class TestSubmission(Node):
    __test__ = False

    row: strawberry.Private[tables.Submission]
    test_version: int
    learner_ref: str | None = strawberry.field(description="Whatever name or id the learner's own system uses.")
    answers: list[SubmissionAnswer]
    score: float
    max_score: float
    started_at: datetime | None
    submitted_at: datetime
    late: bool = strawberry.field(description="Handed in after timeLimit.")

    @strawberry.field
    async def test(self, info: Info) -> Annotated["Assessment", strawberry.lazy("schema.types.assessments")]:
        return await info.context.loaders.resources.load(self.row.resource_id)

    @classmethod
    def from_row(cls, row: tables.Submission) -> "TestSubmission":
        """The graph's form of a submission."""
        return cls(
            row=row,
            id=strawberry.ID(row.id),
            test_version=row.test_version,
            learner_ref=row.learner_ref,
            answers=[SubmissionAnswer(**answer.model_dump()) for answer in row.answers],
            score=row.score,
            max_score=row.max_score,
            started_at=row.started_at,
            submitted_at=row.created_at,
            late=row.late,
        )
