"""Tests and their items: create, change, add, move, remove, generate."""

import strawberry

from schema.context import Info
from schema.mutations import KEY, idempotency_key, mutation, once
from schema.mutations.parts import Parts
from schema.mutations.questions import CORRECT_ANSWERS, EXPLANATION, OPTIONS, QUESTION, QuestionInput
from schema.mutations.reading import checked, in_order
from schema.mutations.resources import (
    AddedPayload,
    CreateInput,
    CreateResourcePayload,
    DeletedPayload,
    ResourcePayload,
    UpdateInput,
    create,
    generation,
    held,
    update,
)
from schema.mutations.rules import Values, at_most, known_ids, position, question
from schema.types.assessments import Assessment, TestItem
from schema.types.generations import GenerationJob
from schema.types.questions import QuestionType
from storage import children, ids, jobs, tables
from storage.database import Transaction
from storage.errors import Checks
from storage.tables import ResourceKind, Scope
from storage.tables.jobs import GenerationParameters

SCORE = "Points for a right answer, 0 to 1000."


@strawberry.input
class CreateTestInput(CreateInput):
    item_count: int | None = strawberry.field(default=None, description="1 to 200; default 10; needs a prompt.")
    time_limit: int | None = strawberry.field(default=None, description="Minutes, 1 to 10080.")


@strawberry.type
class CreateTestPayload(CreateResourcePayload):
    test: Assessment | None = None


@strawberry.input(description="One item of a list that replaces the stored list.")
class TestItemInput(QuestionInput):
    __test__ = False

    id: strawberry.ID | None = strawberry.field(
        default=None, description="Of an existing item, which keeps its identity; omitted for a new one."
    )
    sequence: int | None = strawberry.field(
        default=None, description="Default: the position in the list.", metadata={"rule": position}
    )
    score: float = strawberry.field(default=1.0, description=SCORE)


@strawberry.input
class UpdateTestInput(UpdateInput):
    time_limit: int | None = strawberry.field(default=strawberry.UNSET, description="Minutes, 1 to 10080.")
    items: list[TestItemInput] | None = strawberry.field(
        default=strawberry.UNSET, description="All items; at most 500."
    )


@strawberry.type
class TestPayload(ResourcePayload):
    test: Assessment | None = None


@strawberry.type
class UpdateTestPayload(TestPayload):
    pass


@strawberry.type
class ItemPayload(TestPayload):
    item: TestItem | None = None


@strawberry.input
class AddTestItemInput(QuestionInput):
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    test_id: strawberry.ID
    sequence: int | None = strawberry.field(
        default=None,
        description="Later items move down. Default: at the end. A place behind the end is the end.",
        metadata={"rule": position},
    )
    score: float = strawberry.field(default=1.0, description=SCORE)


@strawberry.type
class AddTestItemPayload(AddedPayload, ItemPayload):
    pass


@strawberry.input
class UpdateTestItemInput:
    id: strawberry.ID
    base_version: int | None = strawberry.field(default=None, description="Test.version.")
    sequence: int | None = strawberry.field(
        default=strawberry.UNSET, description="Moves the item; the others close up."
    )
    question: str | None = strawberry.field(default=strawberry.UNSET, description=QUESTION)
    type: QuestionType | None = strawberry.UNSET
    options: list[str] | None = strawberry.field(default=strawberry.UNSET, description=OPTIONS)
    correct_answers: list[str] | None = strawberry.field(default=strawberry.UNSET, description=CORRECT_ANSWERS)
    explanation: str | None = strawberry.field(default=strawberry.UNSET, description=EXPLANATION)
    score: float | None = strawberry.field(default=strawberry.UNSET, description=SCORE)


@strawberry.type
class UpdateTestItemPayload(ItemPayload):
    pass


@strawberry.input
class DeleteTestItemInput:
    id: strawberry.ID


@strawberry.type
class DeleteTestItemPayload(DeletedPayload, TestPayload):
    pass


@strawberry.input
class ReorderTestItemsInput:
    test_id: strawberry.ID
    base_version: int | None = None
    item_ids: list[strawberry.ID] = strawberry.field(description="A permutation of all item ids.")


@strawberry.type
class ReorderTestItemsPayload(TestPayload):
    pass


@strawberry.input
class GenerateTestItemsInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    test_id: strawberry.ID
    count: int = strawberry.field(default=5, description="1 to 50.")
    prompt: str | None = strawberry.field(
        default=None, description="Default: the test's own prompt, else its title. At most 20000 characters."
    )


@strawberry.type
class GenerateTestItemsPayload(AddedPayload, TestPayload):
    job: GenerationJob | None = None


ITEMS = Parts(tables.Item, ids.Prefix.ITEM, ResourceKind.test, "items", check=question)


@strawberry.type
class TestMutations:
    __test__ = False

    @mutation(Scope.RESOURCES_WRITE)
    async def create_test(self, info: Info, input: CreateTestInput) -> CreateTestPayload:
        return await create(info, ResourceKind.test, input, CreateTestPayload)

    @mutation(Scope.RESOURCES_WRITE, description="Metadata or the full test with its items, all or nothing.")
    async def update_test(self, info: Info, input: UpdateTestInput) -> UpdateTestPayload:
        return await update(info, ResourceKind.test, input, UpdateTestPayload, write)

    @mutation(Scope.RESOURCES_WRITE)
    async def add_test_item(self, info: Info, input: AddTestItemInput) -> AddTestItemPayload:
        return await ITEMS.add(info, "addTestItem", input, AddTestItemPayload)

    @mutation(Scope.RESOURCES_WRITE)
    async def update_test_item(self, info: Info, input: UpdateTestItemInput) -> UpdateTestItemPayload:
        return await ITEMS.change(info, input, UpdateTestItemPayload)

    @mutation(Scope.RESOURCES_WRITE)
    async def delete_test_item(self, info: Info, input: DeleteTestItemInput) -> DeleteTestItemPayload:
        return await ITEMS.remove(info, input, DeleteTestItemPayload)

    @mutation(Scope.RESOURCES_WRITE)
    async def reorder_test_items(self, info: Info, input: ReorderTestItemsInput) -> ReorderTestItemsPayload:
        return await ITEMS.reorder(info, input, ReorderTestItemsPayload)

    @mutation(Scope.RESOURCES_WRITE)
    async def generate_test_items(self, info: Info, input: GenerateTestItemsInput) -> GenerateTestItemsPayload:
        with checked(info, input) as (_, values):
            wanted = values["prompt"]

        async def make(session: Transaction, id: str) -> tables.Job:
            test = await held(session, info, input.test_id, ResourceKind.test)
            items = await children.of(session, tables.Item, test.id)
            with Checks() as checks:
                at_most(checks, "items", len(items) + input.count, "input", "count")
            prompt = wanted or test.prompt or test.title
            asked = GenerationParameters(prompt=prompt, new_item_count=input.count)
            job = generation(test, asked, idempotency_key(info, input), id)
            await jobs.add(session, job)
            return job

        finder = jobs.finder(info.context.realm)
        job, replayed = await once(info, "generateTestItems", input, jobs.new_id(), make, finder)
        payload = GenerateTestItemsPayload.showing(job)
        payload.replayed = replayed
        payload.test = await info.context.loaders.resources.load(input.test_id)
        return payload


async def write(session: Transaction, resource: tables.Resource, values: Values) -> None:
    """What only tests have as rows."""
    if "items" not in values:
        return
    known = {row.id: row for row in await children.of(session, tables.Item, resource.id)}
    with Checks() as checks:
        named = [(("input", "items", index), entry["id"]) for index, entry in enumerate(values["items"])]
        known_ids(checks, named, known)

    def identity(_: Values) -> Values:
        return {"id": ids.new(ids.Prefix.ITEM), "resource_id": resource.id}

    await children.replace(session, tables.Item, known, in_order(values["items"]), identity)
