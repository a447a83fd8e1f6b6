"""Tests and their items through the front door: R-TST-1 to 9."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.authoring import HAZARD, call, create, done, problems, show
from tests.world import World

ITEM = "id sequence question type options correctAnswers explanation score"
SEED_ITEM: dict[str, Any] = {
    "question": "What should you do when you see a hazard?",
    "type": "multiple_choice",
    "options": ["Report it", "Ignore it", "Hide it"],
    "correctAnswers": ["Report it"],
    "explanation": "Reporting hazards helps the team respond quickly.",
    "score": 10,
    "sequence": 1,
}


def numbered(*numbers: int) -> list[dict[str, Any]]:
    return [{**HAZARD, "question": f"Question {number}?"} for number in numbers]


async def a_test(lectern: World, *numbers: int) -> tuple[str, list[str]]:
    """A test with some items; answers its id and theirs."""
    id = (await create(lectern, "test"))["id"]
    made = await done(lectern, "updateTest", "test { items { id } }", id=id, items=numbered(*numbers))
    return id, [item["id"] for item in made["test"]["items"]]


async def items(lectern: World, id: str) -> list[tuple[int, str, str]]:
    read = await show(lectern, "test", id, "items { sequence id question }")
    return [(item["sequence"], item["id"], item["question"]) for item in read["items"]]


async def test_the_item_of_the_document_is_read_back_and_moved_first(lectern: World) -> None:
    """R-TST-6."""
    test, (first, second) = await a_test(lectern, 1, 2)
    updated = await done(
        lectern,
        "updateTestItem",
        f"item {{ {ITEM} }} test {{ version items {{ id sequence }} }}",
        id=second,
        **SEED_ITEM,
    )
    assert updated["item"] == {"id": second, **SEED_ITEM}
    assert updated["test"] == {
        "version": 3,
        "items": [{"id": second, "sequence": 1}, {"id": first, "sequence": 2}],
    }
    read = await show(lectern, "test", test, f"items {{ {ITEM} }}")
    assert read["items"][0] == {"id": second, **SEED_ITEM}


async def test_an_item_is_added_where_it_is_wanted(lectern: World) -> None:
    """R-TST-5."""
    test, _ = await a_test(lectern, 1, 2)
    for sequence, expected in ((None, 3), (2, 2), (99, 5)):
        added = await done(
            lectern,
            "addTestItem",
            "item { id sequence score } test { itemCount totalScore }",
            testId=test,
            sequence=sequence,
            **HAZARD,
        )
        assert added["item"]["sequence"] == expected
    assert added["test"] == {"itemCount": 5, "totalScore": 5.0}
    assert [item[0] for item in await items(lectern, test)] == [1, 2, 3, 4, 5]


async def test_the_true_false_item_of_the_sample_operation_is_accepted(lectern: World) -> None:
    """R-TST-5."""
    test, _ = await a_test(lectern)
    question = {"question": "Who may report a hazard?", "type": "true_false", "options": ["True", "False"]}
    added = await done(lectern, "addTestItem", "item { sequence }", testId=test, correctAnswers=["True"], **question)
    assert added["item"] == {"sequence": 1}


async def test_a_deleted_item_leaves_no_gap(lectern: World) -> None:
    """R-TST-7."""
    test, ids = await a_test(lectern, 1, 2, 3)
    deleted = await done(lectern, "deleteTestItem", "deletedId test { itemCount version }", id=ids[1])
    assert deleted == {"deletedId": ids[1], "test": {"itemCount": 2, "version": 3}, "errors": []}
    assert [(sequence, id) for sequence, id, _ in await items(lectern, test)] == [(1, ids[0]), (2, ids[2])]
    again = await call(lectern, "deleteTestItem", "deletedId test { id }", id=ids[1])
    assert problems(again) == [("NOT_FOUND", None, [])]


async def test_items_are_reordered_by_a_permutation_and_by_nothing_else(lectern: World) -> None:
    """R-TST-8."""
    test, ids = await a_test(lectern, 1, 2, 3)
    wanted = [ids[2], ids[0], ids[1]]
    moved = await done(lectern, "reorderTestItems", "test { items { id sequence } }", testId=test, itemIds=wanted)
    assert moved["test"]["items"] == [{"id": id, "sequence": place} for place, id in enumerate(wanted, start=1)]
    for wrong in ([], ids[:2], [*ids, ids[0]], [ids[0], ids[0], ids[1]], [*ids[:2], "item_" + "0" * 26]):
        refused = await call(lectern, "reorderTestItems", "test { id }", testId=test, itemIds=wrong)
        assert problems(refused) == [("VALIDATION_FAILED", "not_a_permutation", ["input", "itemIds"])]
    assert [id for _, id, _ in await items(lectern, test)] == wanted


async def test_a_full_write_is_all_or_nothing_and_keeps_known_items(lectern: World) -> None:
    """R-TST-4, D6."""
    test, ids = await a_test(lectern, 1, 2)
    wanted = [{**HAZARD, "question": "New?"}, {**HAZARD, "id": ids[0], "question": "Kept?"}]
    written = await done(lectern, "updateTest", "test { version items { id } }", id=test, timeLimit=30, items=wanted)
    assert written["test"]["version"] == 3
    assert written["test"]["items"][1]["id"] == ids[0]
    assert [question for _, _, question in await items(lectern, test)] == ["New?", "Kept?"]
    for broken, problem in (
        ({**HAZARD, "options": ["One"]}, ("VALIDATION_FAILED", "answer_not_in_options", "correctAnswers")),
        ({**HAZARD, "id": ids[1]}, ("VALIDATION_FAILED", "unknown_id", "id")),
        ({**HAZARD, "id": "nonsense"}, ("VALIDATION_FAILED", "unknown_id", "id")),
        ({**HAZARD, "score": -1}, ("VALIDATION_FAILED", "score_range", "score")),
    ):
        refused = await call(lectern, "updateTest", "test { id }", id=test, title="New", items=[*wanted, broken])
        code, rule, field = problem
        assert (code, rule, ["input", "items", "2", field]) in problems(refused)
    reversed_ = [{**HAZARD, "id": "nonsense", "sequence": 2}, {**HAZARD, "sequence": 1}]
    refused = await call(lectern, "updateTest", "test { id }", id=test, items=reversed_)
    assert problems(refused) == [("VALIDATION_FAILED", "unknown_id", ["input", "items", "0", "id"])]
    assert (await show(lectern, "test", test, "title version timeLimit")) == {
        "title": "A test",
        "version": 3,
        "timeLimit": 30,
    }


async def test_metadata_alone_leaves_the_items_alone(lectern: World) -> None:
    """R-TST-4, R-TST-3."""
    test, ids = await a_test(lectern, 1, 2)
    await done(lectern, "updateTest", "test { id }", id=test, title="Check", timeLimit=None)
    read = await show(lectern, "test", test, f"title timeLimit totalScore itemCount items {{ {ITEM} }}")
    assert (read["title"], read["timeLimit"], read["totalScore"], read["itemCount"]) == ("Check", None, 2.0, 2)
    assert [item["id"] for item in read["items"]] == ids
    assert read["items"][0]["correctAnswers"] == ["Report it"]


@pytest.mark.parametrize(
    ("change", "rule", "field"),
    [
        ({"options": ["Ignore it", "Hide it"]}, "answer_not_in_options", "correctAnswers"),
        ({"correctAnswers": ["Run"]}, "answer_not_in_options", "correctAnswers"),
        ({"options": None}, "options_too_few", "options"),
        ({"question": None}, "required", "question"),
        ({"score": None}, "required", "score"),
        ({"sequence": 0}, "positive", "sequence"),
        ({"score": 1001}, "score_range", "score"),
    ],
)
async def test_a_change_must_fit_what_the_item_already_is(
    lectern: World, change: dict[str, Any], rule: str, field: str
) -> None:
    """R-IMP-5."""
    test, (id,) = await a_test(lectern, 1)
    refused = await call(lectern, "updateTestItem", "item { id }", id=id, **change)
    assert ("VALIDATION_FAILED", rule, ["input", field]) in problems(refused)
    assert (await show(lectern, "test", test, "version"))["version"] == 2


async def test_the_second_of_two_editors_gets_the_current_test(lectern: World) -> None:
    """R-IMP-6."""
    test, ids = await a_test(lectern, 1, 2)
    await done(lectern, "updateTestItem", "item { id }", id=ids[0], baseVersion=2, explanation="First.")
    refused = await call(
        lectern, "updateTestItem", "item { id } test { version }", id=ids[0], baseVersion=2, explanation="Second."
    )
    assert problems(refused) == [("VERSION_CONFLICT", None, [])]
    assert refused["test"] == {"version": 3}
    for mutation, input in (
        ("reorderTestItems", {"testId": test, "itemIds": ids[::-1]}),
        ("updateTest", {"id": test, "title": "New"}),
    ):
        refused = await call(lectern, mutation, "test { version }", baseVersion=2, **input)
        assert problems(refused) == [("VERSION_CONFLICT", None, [])]
        assert refused["test"] == {"version": 3}


async def test_a_repeated_add_adds_once(lectern: World) -> None:
    """R-IDM-1, R-IDM-2."""
    test, _ = await a_test(lectern)
    selection = "item { id sequence } test { itemCount } replayed"
    first = await done(lectern, "addTestItem", selection, testId=test, idempotencyKey="one", **HAZARD)
    again = await done(lectern, "addTestItem", selection, testId=test, idempotencyKey="one", **HAZARD)
    assert again == {**first, "replayed": True}
    other = await call(
        lectern, "addTestItem", selection, testId=test, idempotencyKey="one", **{**HAZARD, "question": "Other?"}
    )
    assert problems(other) == [("IDEMPOTENCY_CONFLICT", None, [])]
    assert other["item"]["id"] == first["item"]["id"]
    await done(lectern, "deleteTestItem", "deletedId", id=first["item"]["id"])
    gone = await call(lectern, "addTestItem", selection, testId=test, idempotencyKey="one", **HAZARD)
    assert problems(gone) == [("IDEMPOTENCY_ORIGINAL_DELETED", None, [])]


async def test_items_of_somebody_else_are_none(lectern: World) -> None:
    """R-IMP-1."""
    test, (id,) = await a_test(lectern, 1)
    for key in (lectern.keys.stranger, lectern.keys.test):
        for mutation, input in (
            ("addTestItem", {"testId": test, **HAZARD}),
            ("updateTestItem", {"id": id, "score": 2}),
            ("deleteTestItem", {"id": id}),
            ("reorderTestItems", {"testId": test, "itemIds": [id]}),
            ("generateTestItems", {"testId": test}),
        ):
            assert problems(await call(lectern, mutation, "test { id }", key=key, **input)) == [("NOT_FOUND", None, [])]
        node = await lectern.graph("query ($id: ID!) { node(id: $id) { id } }", key=key, id=id)
        assert node["node"] is None
    node = await lectern.graph("query ($id: ID!) { node(id: $id) { id ... on TestItem { test { id } } } }", id=id)
    assert node["node"] == {"id": id, "test": {"id": test}}


STEP = st.tuples(st.sampled_from(["add", "move", "delete", "reorder", "write"]), st.integers(1, 9), st.randoms())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=3, max_size=10))
async def test_any_sequence_of_changes_leaves_items_dense_and_themselves(
    lectern: World, steps: list[tuple[str, int, Any]]
) -> None:
    """Issue line 2: items are 1 to n after any operation, and an id keeps its question."""
    test, ids = await a_test(lectern, 0)
    model = [(ids[0], "Question 0?")]
    for number, (verb, place, random) in enumerate(steps, start=1):
        model = await apply(lectern, test, model, verb, place, random, f"Question {number}?")
        assert await items(lectern, test) == [(at, *row) for at, row in enumerate(model, start=1)]


async def apply(
    lectern: World, test: str, model: list[tuple[str, str]], verb: str, place: int, random: Any, question: str
) -> list[tuple[str, str]]:
    """One operation on the graph, and the same on a list."""
    if verb == "add" or not model:
        added = await done(
            lectern, "addTestItem", "item { id }", testId=test, sequence=place, **{**HAZARD, "question": question}
        )
        model.insert(place - 1, (added["item"]["id"], question))
        return model
    chosen = random.choice(model)
    if verb == "move":
        await done(lectern, "updateTestItem", "item { id }", id=chosen[0], sequence=place)
        model.remove(chosen)
        model.insert(place - 1, chosen)
    elif verb == "delete":
        await done(lectern, "deleteTestItem", "deletedId", id=chosen[0])
        model.remove(chosen)
    elif verb == "reorder":
        random.shuffle(model)
        await done(lectern, "reorderTestItems", "test { id }", testId=test, itemIds=[id for id, _ in model])
    else:
        random.shuffle(model)
        model = model[: place + 1]
        wanted = [{**HAZARD, "id": id, "question": asked} for id, asked in model] + [{**HAZARD, "question": question}]
        written = await done(lectern, "updateTest", "test { items { id } }", id=test, items=wanted)
        model.append((written["test"]["items"][-1]["id"], question))
    return model
