"""What learners hand in through the share page of a test: checked, graded, kept once."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import idempotency, ids, resources, scoring
from storage.database import Transaction
from storage.errors import Checks, NotFound
from storage.tables import Item, Realm, Resource, ResourceKind, Submission
from storage.tables.columns import now

LONGEST_REFERENCE = 255
MOST_ANSWERS = 50
"""To one item."""
LONGEST_ANSWER = 5_000
LONGEST_TOGETHER = 200_000
CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to one item: texts of the chosen options, or the free text."""

    item_id: str
    answers: list[str]


@dataclass(frozen=True, slots=True)
class HandIn:
    """What a learner sends."""

    answers: list[Answer]
    learner_ref: str | None = None
    started_at: datetime | None = None


async def open_test(session: Transaction, code: str) -> tuple[Resource, Sequence[Item]]:
    """
    The test whose share page has this code, with its items; NotFound when no active page has it.

    Held until the commit, so that nobody changes the test while it is graded; others may hand in at the same time.
    """
    test = await resources.shared(session, ResourceKind.test, code, hold=True)
    if test is None:
        raise NotFound(path=("input", "publicUrl"))
    return test, await resources.children_of(Item)(session, [test.id])


async def hand_in(
    session: Transaction, test: Resource, items: Sequence[Item], handed: HandIn, key: str | None
) -> tuple[Submission, bool]:
    """
    Grade and keep what was handed in; tells whether the same key had done it before.

    A key counts for one test. Problems has all that is wrong with the answers, by their place in an input.
    """
    check(handed, items)

    async def make(session: Transaction, submission_id: str) -> Submission:
        submission = graded(submission_id, test, items, handed)
        session.add(submission)
        return submission

    async def find(session: AsyncSession, submission_id: str) -> Submission | None:
        return await session.get(Submission, submission_id)

    new_id = ids.new(ids.Prefix.SUBMISSION)
    return await idempotency.once(session, test.realm, f"submitTest:{test.id}", key, asdict(handed), new_id, make, find)


def graded(id: str, test: Resource, items: Sequence[Item], handed: HandIn) -> Submission:
    """The row of a hand-in at this moment."""
    submitted_at = now()
    answers = scoring.grade(items, {answer.item_id: answer.answers for answer in handed.answers})
    return Submission(
        id=id,
        resource_id=test.id,
        test_version=test.version,
        learner_ref=handed.learner_ref,
        answers=answers,
        score=scoring.total([answer.score for answer in answers]),
        max_score=scoring.total([item.score for item in items]),
        started_at=handed.started_at,
        created_at=submitted_at,
        late=scoring.is_late(handed.started_at, submitted_at, getattr(test.details, "time_limit", None)),
    )


def check(handed: HandIn, items: Sequence[Item]) -> None:
    """What is wrong with a hand-in, all of it at once."""
    known = {item.id for item in items}
    seen: set[str] = set()
    together = sum(len(text) for answer in handed.answers for text in answer.answers)
    with Checks() as checks:
        checks.require(
            handed.learner_ref is None or 1 <= len(handed.learner_ref) <= LONGEST_REFERENCE,
            "learner_ref_length",
            f"learnerRef has 1 to {LONGEST_REFERENCE} characters.",
            "input",
            "learnerRef",
        )
        checks.require(
            handed.started_at is None or handed.started_at <= now() + CLOCKS_DIFFER,
            "started_in_future",
            "startedAt has not come yet.",
            "input",
            "startedAt",
        )
        checks.require(
            together <= LONGEST_TOGETHER,
            "answers_size",
            f"All answers together have at most {LONGEST_TOGETHER} characters.",
            "input",
            "answers",
        )
        for index, answer in enumerate(handed.answers):
            path = ("input", "answers", index)
            checks.require(answer.item_id in known, "item_unknown", "The test has no such item.", *path, "itemId")
            checks.require(answer.item_id not in seen, "item_repeated", "The item is named twice.", *path, "itemId")
            checks.require(
                len(answer.answers) <= MOST_ANSWERS,
                "answers_number",
                f"An item takes at most {MOST_ANSWERS} answers.",
                *path,
                "answers",
            )
            checks.require(
                all(len(text) <= LONGEST_ANSWER for text in answer.answers),
                "answer_length",
                f"An answer has at most {LONGEST_ANSWER} characters.",
                *path,
                "answers",
            )
            seen.add(answer.item_id)


async def find(session: AsyncSession, realm: Realm, found_ids: Sequence[str]) -> Sequence[Submission]:
    """The submissions of a realm among some ids; those of a deleted test are gone with it."""
    query = select(Submission, Resource).join(Resource, col(Resource.id) == col(Submission.resource_id))
    rows = await session.execute(query.where(col(Submission.id).in_(found_ids), col(Resource.deleted_at).is_(None)))
    return [submission for submission, test in rows if test.realm == realm]
