"""Handing in: R-TST-7, R-TST-10, D30."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from storage.tables.columns import now, wire
from tests.test_share import change, create, parsed, share
from tests.world import World, world

SUBMIT = """mutation ($i: SubmitTestInput!) {
  submitTest(input: $i) { score maxScore late submittedAt replayed errors { code path rule } }
}"""
SUBMISSIONS = """query ($id: ID!) {
  test(id: $id) {
    version
    submissions {
      totalCount
      nodes {
        id testVersion learnerRef score maxScore startedAt submittedAt late test { id }
        answers { itemId answers correct score }
      }
    }
  }
}"""
ITEMS: list[dict[str, Any]] = [
    {"question": "Ice is", "options": ["solid", "liquid"], "correctAnswers": ["solid"], "score": 10},
    {
        "question": "Precipitation",
        "type": "multiple_response",
        "options": ["rain", "snow", "wind"],
        "correctAnswers": ["rain", "snow"],
        "score": 2.5,
    },
    {"question": "Water is wet", "type": "true_false", "options": ["True", "False"], "correctAnswers": ["True"]},
    {"question": "It falls", "type": "short_answer", "correctAnswers": ["Rain"]},
]
HTML = {"Accept": "text/html"}


class Shared:
    """A shared test with four items, worth 14.5 points."""

    def __init__(self, lectern: World, id: str, url: str, items: list[str]) -> None:
        self.lectern, self.id, self.url, self.items = lectern, id, url, items

    def answers(self, *given: list[str] | None) -> list[dict[str, Any]]:
        """Answers to the items in their order; None for no answer."""
        pairs = zip(self.items, given, strict=False)
        return [{"itemId": item, "answers": texts} for item, texts in pairs if texts is not None]

    async def submit(self, **input: Any) -> dict[str, Any]:
        """What the mutation answers."""
        input = {"publicUrl": self.url, "answers": [], **input}
        payload: dict[str, Any] = (await self.lectern.graph(SUBMIT, key="", i=input))["submitTest"]
        return payload

    async def submitted(self) -> list[dict[str, Any]]:
        """What the author sees."""
        test = (await self.lectern.graph(SUBMISSIONS, id=self.id))["test"]
        nodes: list[dict[str, Any]] = test["submissions"]["nodes"]
        assert len(nodes) == test["submissions"]["totalCount"]
        return nodes

    async def post(self, *fields: tuple[str, str], headers: dict[str, str] = HTML) -> httpx.Response:
        """Send the form of the page."""
        data: dict[str, list[str]] = {}
        for name, value in fields:
            data.setdefault(name, []).append(value)
        return await self.lectern.client.post(self.url, data=data, headers=headers)


async def make(lectern: World, **input: Any) -> Shared:
    id = await create(lectern, "test", **input)
    await change(lectern, "UpdateTest", id=id, items=ITEMS)
    items = (await lectern.graph("query ($id: ID!) { test(id: $id) { items { id } } }", id=id))["test"]["items"]
    return Shared(lectern, id, (await share(lectern, id, active=True))["publicUrl"], [item["id"] for item in items])


@pytest.fixture
async def shared(lectern: World) -> Shared:
    return await make(lectern)


async def test_a_hand_in_is_scored_and_listed(shared: Shared) -> None:
    """R-TST-10: without a credential."""
    answers = shared.answers(["solid"], ["snow", "rain"], ["False"], [" rAIN "])
    payload = await shared.submit(answers=answers, learnerRef="ada")
    assert {key: payload[key] for key in ("score", "maxScore", "late", "replayed", "errors")} == {
        "score": 13.5,
        "maxScore": 14.5,
        "late": False,
        "replayed": False,
        "errors": [],
    }
    (submission,) = await shared.submitted()
    assert submission["submittedAt"] == payload["submittedAt"]
    assert submission["test"] == {"id": shared.id}
    assert submission["testVersion"] == 2
    assert (submission["learnerRef"], submission["startedAt"], submission["late"]) == ("ada", None, False)
    graded = [(answer["itemId"], answer["correct"], answer["score"]) for answer in submission["answers"]]
    assert graded == list(zip(shared.items, [True, True, False, True], [10, 2.5, 0, 1], strict=True))
    assert submission["answers"][3]["answers"] == [" rAIN "]


async def test_what_was_not_answered_scores_nothing(shared: Shared) -> None:
    payload = await shared.submit(answers=shared.answers(None, ["rain"]))
    assert (payload["score"], payload["maxScore"]) == (0, 14.5)
    (submission,) = await shared.submitted()
    assert [answer["itemId"] for answer in submission["answers"]] == shared.items[1:2]
    assert (await shared.submit())["score"] == 0


async def test_submissions_are_listed_newest_first_and_paged(shared: Shared) -> None:
    for name in ("ada", "ben", "cyd"):
        await shared.submit(learnerRef=name)
    assert [submission["learnerRef"] for submission in await shared.submitted()] == ["cyd", "ben", "ada"]
    query = """query ($id: ID!, $after: String) {
      test(id: $id) { submissions(first: 2, after: $after) { nodes { learnerRef } pageInfo { endCursor hasNextPage } } }
    }"""
    first = (await shared.lectern.graph(query, id=shared.id))["test"]["submissions"]
    after = first["pageInfo"]["endCursor"]
    second = (await shared.lectern.graph(query, id=shared.id, after=after))["test"]["submissions"]
    assert [node["learnerRef"] for node in first["nodes"] + second["nodes"]] == ["cyd", "ben", "ada"]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)


@pytest.mark.parametrize(("minutes", "late"), [(19, False), (21, True)])
async def test_after_the_time_limit_a_hand_in_is_late(lectern: World, minutes: int, late: bool) -> None:
    """R-TST-10: late answers are kept and scored all the same."""
    shared = await make(lectern, timeLimit=20)
    started = wire(now() - timedelta(minutes=minutes))
    payload = await shared.submit(answers=shared.answers(["solid"]), startedAt=started)
    assert (payload["late"], payload["score"]) == (late, 10)
    (submission,) = await shared.submitted()
    assert (submission["late"], submission["startedAt"]) == (late, started)


async def test_without_a_beginning_nothing_is_late(lectern: World) -> None:
    shared = await make(lectern, timeLimit=1)
    assert (await shared.submit())["late"] is False


async def test_the_same_key_hands_in_once(shared: Shared) -> None:
    """R-IDM-1, also when it comes twice at once."""
    input = {"answers": shared.answers(["solid"]), "idempotencyKey": "ada-1"}
    payloads = await asyncio.gather(*(shared.submit(**input) for _ in range(4)))
    assert sorted(payload["replayed"] for payload in payloads) == [False, True, True, True]
    assert len({payload["submittedAt"] for payload in payloads}) == 1
    assert len(await shared.submitted()) == 1


async def test_another_learners_key_reveals_nothing(shared: Shared) -> None:
    """The original is not in the payload: keys can be guessed, and nobody has a credential here."""
    await shared.submit(answers=shared.answers(["solid"]), idempotencyKey="ada")
    payload = await shared.submit(answers=shared.answers(["liquid"]), idempotencyKey="ada")
    assert [error["code"] for error in payload["errors"]] == ["IDEMPOTENCY_CONFLICT"]
    assert {payload[key] for key in ("score", "maxScore", "late", "submittedAt")} == {None}


async def test_a_key_counts_for_one_test(lectern: World) -> None:
    for shared in (await make(lectern), await make(lectern)):
        payload = await shared.submit(idempotencyKey="ada", answers=shared.answers(["solid"]))
        assert (payload["errors"], payload["replayed"]) == ([], False)


async def test_later_edits_change_no_submission(shared: Shared) -> None:
    """R-TST-7, D30: the answer to a deleted item stays too."""
    await shared.submit(answers=shared.answers(["solid"], None, ["True"]))
    before = await shared.submitted()
    await change(shared.lectern, "UpdateTestItem", id=shared.items[0], correctAnswers=["liquid"], score=1)
    await change(shared.lectern, "DeleteTestItem", id=shared.items[2])
    assert await shared.submitted() == before
    payload = await shared.submit(answers=shared.answers(["solid"]))
    assert (payload["score"], payload["maxScore"]) == (0, 4.5)
    assert [submission["testVersion"] for submission in await shared.submitted()] == [4, 2]


@pytest.mark.parametrize(
    ("changes", "rule", "path"),
    [
        ({"learnerRef": ""}, "learner_ref_length", ["input", "learnerRef"]),
        ({"learnerRef": "x" * 256}, "learner_ref_length", ["input", "learnerRef"]),
        ({"startedAt": "2999-01-01T00:00:00Z"}, "started_in_future", ["input", "startedAt"]),
        ({"idempotencyKey": ""}, "idempotency_key_format", ["input", "idempotencyKey"]),
        ({"answers": [["x"] * 51]}, "answers_number", ["input", "answers", "0", "answers"]),
        ({"answers": [["x" * 5001]]}, "answer_length", ["input", "answers", "0", "answers"]),
        ({"answers": [["x" * 5000] * 41]}, "answers_size", ["input", "answers"]),
        ({"answers": [["a\0"]]}, "text_nul", ["input", "answers", "0", "answers", "0"]),
    ],
)
async def test_a_wrong_hand_in_names_its_rule_and_place(
    shared: Shared, changes: dict[str, Any], rule: str, path: list[str]
) -> None:
    if "answers" in changes:
        changes = {"answers": shared.answers(*changes["answers"])}
    payload = await shared.submit(**changes)
    assert [(error["rule"], error["path"]) for error in payload["errors"]] == [(rule, path)]
    assert payload["score"] is None
    assert await shared.submitted() == []


async def test_unknown_and_repeated_items_are_refused(shared: Shared) -> None:
    other = await make(shared.lectern)
    answers = [*shared.answers(["solid"]), *shared.answers(["liquid"]), *other.answers(["solid"])]
    answers.append({"itemId": "item_x", "answers": []})
    payload = await shared.submit(answers=answers)
    assert [(error["rule"], error["path"][2]) for error in payload["errors"]] == [
        ("item_repeated", "1"),
        ("item_unknown", "2"),
        ("item_unknown", "3"),
    ]


async def test_only_the_address_of_an_active_page_is_a_permission(shared: Shared) -> None:
    """R-IMP-1: everything else looks alike."""
    old = shared.url
    new = (await share(shared.lectern, shared.id, rotate=True))["publicUrl"]
    module = await create(shared.lectern, "module")
    foreign = (await share(shared.lectern, module, active=True))["publicUrl"]
    wrong = [
        old,
        foreign,
        new + "0",
        new.replace("gateway.test", "other.test"),
        f"{new}?",
        "https://x.test/",
        new + "/",
    ]
    told = []
    for url in wrong:
        payload = await shared.submit(publicUrl=url)
        told.append(payload["errors"])
    assert told == [[{"code": "NOT_FOUND", "path": ["input", "publicUrl"], "rule": None}]] * len(wrong)
    assert (await shared.submit(publicUrl=new))["errors"] == []
    await share(shared.lectern, shared.id, active=False)
    assert (await shared.submit(publicUrl=new))["errors"] == told[0]


async def test_the_form_works_without_scripts(shared: Shared) -> None:
    """HTTP.md: what a browser would send comes back as a score."""
    page = parsed((await shared.lectern.client.get(shared.url)).text)
    form = page.forms[0]
    form.fields[f"answers.{shared.items[0]}"] = "solid"
    form.fields[f"answers.{shared.items[3]}"] = "rain"
    for box in form.inputs[f"answers.{shared.items[1]}"]:
        box.checked = box.get("value") in ("rain", "snow")
    form.fields["learnerRef"] = "Ada <Lovelace>"
    answer = await shared.post(*form.form_values())
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-robots-tag"] == "noindex"
    text = re.sub(r"\s+", " ", parsed(answer.text).text_content())
    assert "13.5 of 14.5 points" in text
    assert "Ada <Lovelace>" in text
    assert "late" not in text
    (submission,) = await shared.submitted()
    assert (submission["score"], submission["learnerRef"]) == (13.5, "Ada <Lovelace>")
    assert submission["startedAt"] == form.fields["startedAt"]


async def test_a_form_sent_twice_is_handed_in_once(shared: Shared) -> None:
    """A double click, or a reload of the page that shows the score."""
    fields = [("startedAt", wire(now())), (f"answers.{shared.items[0]}", "solid")]
    first, second = [await shared.post(*fields) for _ in range(2)]
    assert first.text == second.text
    assert len(await shared.submitted()) == 1
    await shared.post(*fields, ("learnerRef", "ben"))
    assert len(await shared.submitted()) == 2


async def test_empty_fields_are_no_answers_and_foreign_ones_are_passed_over(shared: Shared) -> None:
    fields = [(f"answers.{shared.items[3]}", "  "), ("answers.item_gone", "x"), ("learnerRef", " "), ("other", "y")]
    assert (await shared.post(*fields)).status_code == 200
    (submission,) = await shared.submitted()
    assert (submission["answers"], submission["learnerRef"]) == ([], None)


async def test_the_answer_is_a_page_for_people_and_a_problem_for_programs(shared: Shared) -> None:
    wrong = ("startedAt", "yesterday")
    page = await shared.post(wrong)
    assert (page.status_code, page.headers["content-type"]) == (422, "text/html; charset=utf-8")
    assert "startedAt is an RFC 3339 instant" in page.text
    problem = await shared.post(wrong, headers={"Accept": "*/*"})
    assert (problem.status_code, problem.headers["content-type"]) == (422, "application/problem+json")
    assert problem.json()["code"] == "invalid"
    (error,) = problem.json()["errors"]
    assert (error["code"], error["rule"]) == ("VALIDATION_FAILED", "started_at_format")


@pytest.mark.parametrize(
    ("content", "media", "status"),
    [
        (b"{}", "application/json", 415),
        (b"", "multipart/form-data; boundary=x", 415),
        (b"learnerRef=%ff", "application/x-www-form-urlencoded", 400),
        (b"learnerRef=%00", "application/x-www-form-urlencoded", 400),
        (b"learnerRef=" + b"x" * 300, "application/x-www-form-urlencoded", 422),
        (b"&".join([b"a=b"] * 1001), "application/x-www-form-urlencoded", 400),
        (b"a=" + b"x" * 2_000_000, "application/x-www-form-urlencoded", 413),
    ],
)
async def test_what_is_no_form_is_refused(shared: Shared, content: bytes, media: str, status: int) -> None:
    answer = await shared.lectern.client.post(shared.url, content=content, headers={"Content-Type": media})
    assert answer.status_code == status
    assert await shared.submitted() == []


async def test_only_tests_take_answers(lectern: World) -> None:
    module = await create(lectern, "module")
    url = (await share(lectern, module, active=True))["publicUrl"]
    assert (await lectern.client.post(url, data={})).status_code == 405
    assert (await lectern.client.post(url.replace("/module/", "/test/"), data={"a": "b"})).status_code == 404


async def test_an_address_may_hand_in_only_so_often_on_one_page(settings: dict[str, Any]) -> None:
    """LECTERN_LOGIN_PER_MINUTE: by form or mutation, aliases included; another page is untouched."""
    async with world(settings, login_per_minute=4) as lectern:
        shared, other = await make(lectern), await make(lectern)
        assert (await shared.post(("a", "b"))).status_code == 200
        twice = SUBMIT.replace("submitTest", "a: submitTest").replace(
            "} }\n}", "} }\n  b: submitTest(input: $i) { score } }"
        )
        assert (await lectern.post(twice, key="", i={"publicUrl": shared.url, "answers": []})).status_code == 200
        literal = 'mutation { submitTest(input: {publicUrl: "%s", answers: []}) { score } }'
        assert (await lectern.post(literal % shared.url, key="")).status_code == 200
        assert (await lectern.post(literal % shared.url, key="")).status_code == 429
        page = await shared.post(("a", "b"))
        assert page.status_code == 429
        assert int(page.headers["retry-after"]) > 0
        assert (await other.post(("a", "b"))).status_code == 200
        assert len(await shared.submitted()) == 4


async def test_submissions_are_nodes_for_those_who_read_resources(shared: Shared) -> None:
    """Decisions table 3, R-IMP-1."""
    await shared.submit()
    (submission,) = await shared.submitted()
    query = "query ($id: ID!) { node(id: $id) { id ... on TestSubmission { score test { title } } } }"
    keys = shared.lectern.keys
    found = (await shared.lectern.graph(query, id=submission["id"]))["node"]
    assert found == {"id": submission["id"], "score": 0, "test": {"title": "A test about rain"}}
    for key in (keys.workspace, keys.test, keys.stranger):
        assert (await shared.lectern.graph(query, key=key, id=submission["id"]))["node"] is None
