"""Handing in answers, by whoever has the address of a share page."""

from datetime import datetime
from typing import Any

import strawberry

from schema.context import Info
from schema.mutations import KEY, CreatedPayload, idempotency_key, mutation
from schema.types.scalars import URL
from storage import submissions, tables
from storage.errors import NotFound


@strawberry.input
class SubmitAnswerInput:
    item_id: strawberry.ID
    answers: list[str] = strawberry.field(
        description="Texts of the chosen options, or the free text; at most 50, each of at most 5000 characters."
    )


@strawberry.input
class SubmitTestInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    public_url: URL = strawberry.field(description="Active share page of the test.")
    learner_ref: str | None = strawberry.field(default=None, description="1 to 255 characters.")
    started_at: datetime | None = strawberry.field(
        default=None, description="When the learner began; needed to notice a late submission."
    )
    answers: list[SubmitAnswerInput] = strawberry.field(
        description="At most one per item, with at most 50 texts of at most 5000 characters, together 200000."
    )


@strawberry.type(description="Plain values only: the caller has no credential, so no edge leads into the graph.")
class SubmitTestPayload(CreatedPayload):
    score: float | None = None
    max_score: float | None = None
    late: bool | None = None
    submitted_at: datetime | None = None

    @classmethod
    def about(cls, row: Any) -> "SubmitTestPayload":  # noqa: ARG003
        """Nothing: whoever guesses another learner's key must not see how that one has done."""
        return cls()

    @classmethod
    def of(cls, row: tables.Submission, *, replayed: bool) -> "SubmitTestPayload":
        """What the learner who handed in may know."""
        return cls(
            score=row.score, max_score=row.max_score, late=row.late, submitted_at=row.created_at, replayed=replayed
        )


@strawberry.type
class SubmissionMutations:
    @mutation(description="A learner hands in answers; the share page is the permission.")
    async def submit_test(self, info: Info, input: SubmitTestInput) -> SubmitTestPayload:
        key = idempotency_key(info, input)
        answers = [submissions.Answer(answer.item_id, answer.answers) for answer in input.answers]
        handed = submissions.HandIn(answers, input.learner_ref, input.started_at)
        code = _code(input.public_url, info.context.settings.public_url)
        async with info.context.database.transaction() as session:
            test, items = await submissions.open_test(session, code)
            submission, replayed = await submissions.hand_in(session, test, items, handed, key)
        return SubmitTestPayload.of(submission, replayed=replayed)


def _code(url: str, public_url: str) -> str:
    """The code in the address of a test's share page on this gateway."""
    begin = f"{public_url}/share/{tables.ResourceKind.test}/"
    if not url.startswith(begin):
        raise NotFound(path=("input", "publicUrl"))
    return url.removeprefix(begin)
