"""Starting expansions."""

from collections.abc import Sequence
from typing import Any

import strawberry

from schema.context import Info
from schema.mutations import KEY, CreatedPayload, mutation, once
from schema.types.jobs import ExpansionJob
from schema.types.scalars import JSON
from storage import content, integrations, jobs, tables
from storage.database import Transaction
from storage.errors import Checks, NotFound, Problems
from storage.tables import JobKind, JobState, OutputType, Realm, Scope
from storage.tables.jobs import ExpansionParameters

MOST_ITEMS = 200


@strawberry.input(description="Exactly one of payload and contentItemIds.")
class CreateExpansionInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    source_type: str = strawberry.field(description="Name of the source system or format, 1 to 64 characters.")
    requested_outputs: list[OutputType] = strawberry.field(description="At least one; duplicates collapse.")
    payload: JSON | None = strawberry.field(
        default=None, description="The source as it is: category, level, lessons; unknown keys are kept."
    )
    content_item_ids: list[strawberry.ID] | None = strawberry.field(
        default=None,
        description="Ingested items of this workspace and environment as the source, at most 200; their CASE ids go to "
        "the outputs.",
    )


@strawberry.type
class CreateExpansionPayload(CreatedPayload):
    job: ExpansionJob | None = strawberry.field(
        default=None, description="Always queued in this answer, unless replayed."
    )

    @classmethod
    def about(cls, row: Any) -> "CreateExpansionPayload":
        return cls(job=ExpansionJob.from_row(row))


@strawberry.type
class IntegrationMutations:
    @mutation(Scope.INTEGRATIONS_WRITE)
    async def create_expansion(self, info: Info, input: CreateExpansionInput) -> CreateExpansionPayload:
        check(input)
        realm = info.context.realm

        async def make(session: Transaction, job_id: str) -> tables.Job:
            item_ids = await _known(session, realm, input.content_item_ids or [])
            job = tables.Job(
                id=job_id,
                workspace_id=realm.workspace_id,
                environment=realm.environment,
                kind=JobKind.EXPANSION,
                state=JobState.QUEUED,
                idempotency_key=input.idempotency_key or info.context.idempotency_key,
                parameters=ExpansionParameters(
                    source_type=input.source_type,
                    requested_outputs=list(dict.fromkeys(input.requested_outputs)),
                    payload=input.payload,
                    content_item_ids=item_ids,
                ),
            )
            await jobs.add(session, job)
            integrations.plan(session, job)
            return job

        job, replayed = await once(info, "createExpansion", input, jobs.new_id(), make, jobs.finder(realm))
        payload = CreateExpansionPayload.about(job)
        payload.replayed = replayed
        return payload


def check(input: CreateExpansionInput) -> None:
    """What can be said about an expansion before its source is read."""
    with Checks() as checks:
        checks.require(
            1 <= len(input.source_type) <= 64 and input.source_type.strip(),
            "source_type_invalid",
            "sourceType has 1 to 64 characters.",
            "input",
            "sourceType",
        )
        checks.require(
            input.requested_outputs,
            "outputs_empty",
            f"Ask for at least one output: {', '.join(OutputType)}.",
            "input",
            "requestedOutputs",
        )
        if input.content_item_ids is None:
            checks.require(
                _has_lessons(input.payload),
                "payload_level_missing",
                'The payload needs a level with at least one lesson: {"level": {"lessons": [...]}}.',
                "input",
                "payload",
            )
            return
        message = "Send payload or contentItemIds, not both."
        checks.require(input.payload is None, "source_ambiguous", message, "input")
        place = ("input", "contentItemIds")
        checks.require(input.content_item_ids, "content_items_empty", "Name at least one ingested item.", *place)
        fits = len(input.content_item_ids) <= MOST_ITEMS
        checks.require(fits, "too_many", f"There can be at most {MOST_ITEMS} contentItemIds.", *place)


async def _known(session: Transaction, realm: Realm, item_ids: Sequence[str]) -> list[str]:
    """Each id once; NotFound for every one that is not of this realm."""
    found = {item.id for item in await content.find(session, realm, item_ids)}
    missing = [index for index, id in enumerate(item_ids) if id not in found]
    if missing:
        message = "There is no such content item."
        raise Problems(NotFound(message, path=("input", "contentItemIds", index)) for index in missing)
    return list(dict.fromkeys(item_ids))


def _has_lessons(payload: object) -> bool:
    level = payload.get("level") if isinstance(payload, dict) else None
    lessons = level.get("lessons") if isinstance(level, dict) else None
    return isinstance(lessons, list) and bool(lessons)
