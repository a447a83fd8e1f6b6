"""Expansions through the front door: R-INT-*, R-BILL-1 and 2."""

import hashlib
import hmac
from typing import Any

import pytest
import standardwebhooks
import svix

from gateway.pricing import Limits
from storage.limits import MOST
from tests.authoring import HAZARD, call, done, rules
from tests.receivers import Receiver
from tests.world import GLOSSARY, World, eventually

CREATE = """mutation ($input: CreateExpansionInput!) {
  createExpansion(input: $input) {
    job {
      id kind status sourceType requestedOutputs payload
      outputs { outputType status resourceId manifest { title } }
    }
    replayed
    errors { code message path rule }
  }
}"""
STATUS = "query ($id: ID!) { expansion(jobId: $id) { status state error { code message } progress { percent } } }"
RESULT = """query ($id: ID!) {
  expansionResult(jobId: $id) {
    job { id sourceType status }
    outputs { outputType resourceType resourceId manifest { title urls { publicUrl } } }
  }
}"""
ALL = ["interactive_module", "summary_video", "expanded_quiz"]


def asked(**changes: Any) -> dict[str, Any]:
    return {"sourceType": "floco", "requestedOutputs": ALL, "payload": GLOSSARY, **changes}


async def create(lectern: World, **changes: Any) -> dict[str, Any]:
    """A new expansion's job, as the answer shows it."""
    made = (await lectern.graph(CREATE, key=lectern.keys.workspace, input=asked(**changes)))["createExpansion"]
    assert made["errors"] == []
    job: dict[str, Any] = made["job"]
    return job


async def finished(lectern: World, id: str) -> dict[str, Any]:
    """The job once it is neither queued nor processing."""

    async def ended() -> Any:
        job = (await lectern.graph(STATUS, key=lectern.keys.workspace, id=id))["expansion"]
        return job if job["status"] not in ("queued", "processing") else None

    job: dict[str, Any] = await eventually(ended)
    return job


async def test_the_seeds_glossary_becomes_a_module_a_video_plan_and_a_quiz(lectern: World) -> None:
    """R-INT-1, 3 to 11."""
    job = await create(lectern)
    assert job["status"] == "queued"
    assert job["payload"] == GLOSSARY
    assert [output["status"] for output in job["outputs"]] == ["queued"] * 3

    async with lectern.background():
        assert (await finished(lectern, job["id"]))["status"] == "completed"

    result = (await lectern.graph(RESULT, key=lectern.keys.workspace, id=job["id"]))["expansionResult"]
    assert result["job"] == {"id": job["id"], "sourceType": "floco", "status": "completed"}
    assert [output["outputType"] for output in result["outputs"]] == ALL
    assert [output["resourceType"] for output in result["outputs"]] == ["module", "video", "test"]
    assert result["outputs"][0]["manifest"]["title"] == "A1 glossary module"

    module, video, test = (output["resourceId"] for output in result["outputs"])
    query = """query ($m: ID!, $v: ID!, $t: ID!) {
      module(id: $m) { status origin lecture quizzes { question options correctAnswers } share { active } version }
      video(id: $v) { renderStatus editable sceneCount totalDurationSeconds scenes { order script duration } }
      test(id: $t) { itemCount totalScore items { sequence question type options correctAnswers } }
    }"""
    made = await lectern.graph(query, m=module, v=video, t=test)
    assert made["module"]["status"] == "READY"
    assert made["module"]["origin"] == "EXPANSION"
    for text in ("hello", "a greeting", "Hello, Min."):
        assert text in made["module"]["lecture"]
    assert made["module"]["quizzes"]
    assert made["video"]["renderStatus"] == "NOT_RENDERED"
    assert [scene["order"] for scene in made["video"]["scenes"]] == list(range(1, made["video"]["sceneCount"] + 1))
    assert made["test"]["itemCount"] == len(made["test"]["items"]) > 0


def large() -> dict[str, Any]:
    """A source with more of everything than a module, a video and a test can hold."""
    asked = {"options": ["yes", "no"], "answer": "yes"}
    lessons = [
        {"title": f"Lesson {n}", "terms": [{"term": f"word {n}", "meaning": f"the {n}th thing", "example": f"A {n}."}]}
        for n in range(310)
    ]
    first = {"title": "Asked", "questions": [{"question": f"Is {n} a number?", **asked} for n in range(110)]}
    return {"level": {"title": "All", "description": "<b>Every</b> word. " * 500, "lessons": [first, *lessons]}}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_expansion_holds_no_more_than_can_be_written_back(lectern: World) -> None:
    """What there is no room for is left out evenly, given questions last, and the job says so."""
    job = await create(lectern, payload=large())
    async with lectern.background():
        assert (await finished(lectern, job["id"]))["status"] == "completed"
    outputs = (await lectern.graph(RESULT, id=job["id"]))["expansionResult"]["outputs"]
    module, video, test = (output["resourceId"] for output in outputs)
    question = "id question type options correctAnswers explanation"
    query = f"""query ($j: ID!, $m: ID!, $v: ID!, $t: ID!) {{
      job(id: $j) {{ warnings {{ code message subject }} }}
      module(id: $m) {{ version description lecture quizzes {{ {question} title showFeedback }} }}
      video(id: $v) {{ version sceneCount scenes {{ id displayText }} }}
      test(id: $t) {{ version itemCount items {{ {question} score }} }}
    }}"""
    made = await lectern.graph(query, j=job["id"], m=module, v=video, t=test)
    items, scenes, quizzes = made["test"]["items"], made["video"]["scenes"], made["module"]["quizzes"]
    assert (len(items), len(scenes), len(quizzes)) == (500, 300, 100)
    assert [item["question"] for item in items[:110]] == [f"Is {n} a number?" for n in range(110)]
    assert {"word 0", "word 309"} <= {part for item in items for part in (*item["options"], *item["correctAnswers"])}
    assert (scenes[0]["displayText"], scenes[-1]["displayText"][:5]) == ("All", "Asked")
    assert [(warning["code"], warning["subject"]) for warning in made["job"]["warnings"]] == [
        ("questions_left_out", "interactive_module"),
        ("scenes_left_out", "summary_video"),
        ("questions_left_out", "expanded_quiz"),
    ]
    assert made["job"]["warnings"][1]["message"] == "13 scenes were left out: a video has no room for more."

    text = {name: made["module"][name] for name in ("description", "lecture")}
    for _ in ("reviewed", "and changed in nothing"):
        same = await done(lectern, "updateModule", "module { version }", id=module, quizzes=quizzes, **text)
        assert same["module"]["version"] == made["module"]["version"] + 1
        same = await done(lectern, "updateTest", "test { version }", id=test, items=items)
        assert same["test"]["version"] == made["test"]["version"] + 1
    ids = [scene["id"] for scene in reversed(scenes)]
    moved = await done(lectern, "reorderScenes", "video { scenes { id } }", videoId=video, sceneIds=ids)
    assert [scene["id"] for scene in moved["video"]["scenes"]] == ids
    ids = [item["id"] for item in reversed(items)]
    moved = await done(lectern, "reorderTestItems", "test { items { id } }", testId=test, itemIds=ids)
    assert [item["id"] for item in moved["test"]["items"]] == ids
    assert rules(await call(lectern, "addTestItem", "__typename", testId=test, **HAZARD)) == ["too_many"]
    assert rules(await call(lectern, "addScene", "__typename", videoId=video, script="x")) == ["too_many"]


def test_every_list_that_a_resource_holds_can_be_sent() -> None:
    assert max(MOST.values()) <= Limits().list_length


async def test_every_share_page_answers_without_a_credential_and_without_answers(lectern: World) -> None:
    """R-INT-10, R-IMP-14."""
    job = await create(lectern)
    async with lectern.background():
        await finished(lectern, job["id"])
    outputs = (await lectern.graph(RESULT, key=lectern.keys.workspace, id=job["id"]))["expansionResult"]["outputs"]
    for output in outputs:
        url = output["manifest"]["urls"]["publicUrl"]
        page = await lectern.client.get(url, headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert output["manifest"]["title"] in page.text
        assert "script-src 'self'" in page.headers["content-security-policy"]
        content = (await lectern.client.get(url, headers={"Accept": "application/json"})).json()
        for question in content.get("items", []) + content.get("quizzes", []):
            assert set(question) <= {"id", "sequence", "question", "type", "options"}
        other = url.replace("/module/", "/test/") if "/module/" in url else url[:-1] + ("0" if url[-1] != "0" else "1")
        assert (await lectern.client.get(other)).status_code == 404


async def test_the_events_of_a_job_tell_its_story_in_order(lectern: World) -> None:
    """R-INT-7, R-CARD-3."""
    job = await create(lectern)
    async with lectern.background():
        await finished(lectern, job["id"])
    query = """query ($id: ID!) {
      job(id: $id) {
        sequence
        events(first: 100) { totalCount nodes { sequence type jobEvent { state progress { percent } } } }
      }
    }"""
    told = (await lectern.graph(query, id=job["id"]))["job"]
    events = told["events"]["nodes"]
    assert [event["sequence"] for event in events] == list(range(1, told["sequence"] + 1))
    states = [event["jobEvent"]["state"] for event in events]
    assert list(dict.fromkeys(states)) == ["QUEUED", "RUNNING", "COMPLETED"]
    percents = [event["jobEvent"]["progress"]["percent"] for event in events]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert [event["type"] for event in events].count("CONTENT_COMPLETED") == 1
    assert events[-1]["type"] == "CONTENT_COMPLETED"


async def test_outputs_come_in_the_order_of_the_request_and_duplicates_collapse(lectern: World) -> None:
    """R-INT-4."""
    job = await create(lectern, requestedOutputs=["expanded_quiz", "interactive_module", "expanded_quiz"])
    assert job["requestedOutputs"] == ["expanded_quiz", "interactive_module"]
    assert [output["outputType"] for output in job["outputs"]] == ["expanded_quiz", "interactive_module"]


@pytest.mark.parametrize(
    ("changes", "rule", "path"),
    [
        ({"requestedOutputs": []}, "outputs_empty", ["input", "requestedOutputs"]),
        ({"sourceType": ""}, "source_type_invalid", ["input", "sourceType"]),
        ({"sourceType": "x" * 65}, "source_type_invalid", ["input", "sourceType"]),
        ({"payload": {"category": "x"}}, "payload_level_missing", ["input", "payload"]),
        ({"payload": {"level": {"lessons": []}}}, "payload_level_missing", ["input", "payload"]),
        ({"payload": {"level": {"title": "x"}}}, "payload_level_missing", ["input", "payload"]),
        ({"payload": None}, "payload_level_missing", ["input", "payload"]),
        ({"sourceType": "a\0b"}, "text_nul", ["input", "sourceType"]),
    ],
)
async def test_a_wrong_input_is_a_precise_problem_and_no_job(
    lectern: World, changes: dict[str, Any], rule: str, path: list[str]
) -> None:
    """R-INT-3, 4, 5."""
    refused = (await lectern.graph(CREATE, input=asked(**changes)))["createExpansion"]
    assert [(error["code"], error["rule"], error["path"]) for error in refused["errors"]] == [
        ("VALIDATION_FAILED", rule, path)
    ]
    assert refused["job"] is None
    assert (await lectern.graph("{ jobs { totalCount } }"))["jobs"]["totalCount"] == 0


async def test_several_problems_are_reported_at_once(lectern: World) -> None:
    """R-IMP-5."""
    changes = {"sourceType": "", "requestedOutputs": [], "payload": {}}
    refused = (await lectern.graph(CREATE, input=asked(**changes)))["createExpansion"]
    assert [error["rule"] for error in refused["errors"]] == [
        "source_type_invalid",
        "outputs_empty",
        "payload_level_missing",
    ]


async def test_an_unknown_output_is_refused_before_anything_runs(lectern: World) -> None:
    """R-INT-4."""
    answer = await lectern.post(CREATE, input=asked(requestedOutputs=["hologram"]))
    assert answer.status_code == 400
    assert (await lectern.graph("{ jobs { totalCount } }"))["jobs"]["totalCount"] == 0


async def test_a_lesson_that_cannot_be_read_fails_the_job_and_is_named(lectern: World) -> None:
    """R-INT-13, R-WH-1."""
    lessons = [*GLOSSARY["level"]["lessons"], {"id": "lesson-2", "type": "term", "title": "Farewells", "terms": "bye"}]
    job = await create(lectern, payload={**GLOSSARY, "level": {**GLOSSARY["level"], "lessons": lessons}})
    async with lectern.background():
        failed = await finished(lectern, job["id"])
    assert failed["status"] == "failed"
    assert failed["error"]["code"] == "SOURCE_INVALID"
    assert "Farewells" in failed["error"]["message"]
    assert (await lectern.graph(RESULT, id=job["id"]))["expansionResult"] is None
    query = "query ($id: ID!) { job(id: $id) { events(first: 50) { nodes { type } } } }"
    types = [event["type"] for event in (await lectern.graph(query, id=job["id"]))["job"]["events"]["nodes"]]
    assert types[-1] == "CONTENT_FAILED"
    assert "CONTENT_COMPLETED" not in types


async def test_a_result_is_null_while_there_is_none_and_for_strangers(lectern: World) -> None:
    """R-INT-12, R-IMP-1."""
    job = await create(lectern)
    assert (await lectern.graph(RESULT, id=job["id"]))["expansionResult"] is None
    async with lectern.background():
        await finished(lectern, job["id"])
    for key in (lectern.keys.stranger, lectern.keys.test):
        assert (await lectern.graph(RESULT, key=key, id=job["id"]))["expansionResult"] is None
        assert (await lectern.graph(STATUS, key=key, id=job["id"]))["expansion"] is None


async def test_a_workspace_key_sees_the_result_but_not_the_resources_behind_it(lectern: World) -> None:
    """R-INT-10, D13."""
    job = await create(lectern, requestedOutputs=["interactive_module"])
    async with lectern.background():
        await finished(lectern, job["id"])
    query = "query ($id: ID!) { expansionResult(jobId: $id) { outputs { resourceId resource { id } } } }"
    answer = (await lectern.post(query, key=lectern.keys.workspace, id=job["id"])).json()
    output = answer["data"]["expansionResult"]["outputs"][0]
    assert output["resourceId"] is not None
    assert output["resource"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
    assert answer["errors"][0]["extensions"]["requiredScopes"] == ["resources.read"]
    seen = (await lectern.graph(query, id=job["id"]))["expansionResult"]["outputs"][0]
    assert seen["resource"]["id"] == seen["resourceId"]


async def test_each_output_is_counted_once_and_never_for_replays_failures_or_tests(lectern: World) -> None:
    """R-BILL-1, R-BILL-2."""
    job = await create(lectern, idempotencyKey="a")
    broken = {"level": {"lessons": [{"title": "Nothing"}]}}
    failing = await create(lectern, payload=broken)
    await create(lectern, idempotencyKey="a")
    in_test = (await lectern.graph(CREATE, key=lectern.keys.test, input=asked()))["createExpansion"]["job"]
    async with lectern.background():
        await finished(lectern, job["id"])
        await finished(lectern, failing["id"])

        async def ended() -> bool:
            state = (await lectern.graph(STATUS, key=lectern.keys.test, id=in_test["id"]))["expansion"]["status"]
            return bool(state == "completed")

        await eventually(ended)
    await lectern.login(lectern.keys.admin)
    query = "{ usage { meter quantity billableQuantity } }"
    production = {row["meter"]: row for row in (await lectern.as_user(query))["usage"]}
    for meter in ALL:
        assert production[meter] == {"meter": meter, "quantity": 1, "billableQuantity": 1}
    assert production["video_render"]["quantity"] == 0
    tried = await lectern.graph(query, key="", headers={"X-Lectern-CSRF": "1", "X-Environment": "test"})
    assert all(row["billableQuantity"] == 0 for row in tried["usage"])
    assert {row["meter"]: row["quantity"] for row in tried["usage"]}["summary_video"] == 1


async def test_the_completed_job_is_announced_and_third_party_verifiers_accept_the_signature(lectern: World) -> None:
    """R-WH-1, R-WH-4, R-CARD-5: exactly one of the two content events, signed with both families of headers."""
    create_endpoint = """mutation ($url: URL!) {
      createWebhookEndpoint(input: { url: $url }) { endpoint { id events } secret warnings { code } errors { message } }
    }"""
    async with Receiver() as receiver:
        made = (await lectern.graph(create_endpoint, url=receiver.url))["createWebhookEndpoint"]
        assert made["endpoint"]["events"] == ["CONTENT_COMPLETED", "CONTENT_FAILED"]
        assert [warning["code"] for warning in made["warnings"]] == ["polling_not_verified"]
        job = await create(lectern)
        async with lectern.background():
            await finished(lectern, job["id"])
            await receiver.wait(1)
        (received,) = receiver.requests
    secret = made["secret"]
    body = standardwebhooks.Webhook(secret).verify(received.body, dict(received.headers))
    svix.Webhook(secret).verify(received.body, dict(received.headers))
    expected = hmac.new(secret.encode(), received.body, hashlib.sha256).hexdigest()
    assert received.headers["x-content-integration-signature"] == expected
    assert received.headers["x-content-integration-event"] == body["type"] == "content.completed"
    assert {name: body[name] for name in ("jobId", "status", "sourceType", "requestedOutputs")} == {
        "jobId": job["id"],
        "status": "completed",
        "sourceType": "floco",
        "requestedOutputs": ALL,
    }
    assert [output["status"] for output in body["outputs"]] == ["completed"] * 3
    assert "hello" not in received.body.decode(), "no body carries content"
    event = (await lectern.graph("query ($id: ID!) { node(id: $id) { ... on Event { payload } } }", id=body["id"]))[
        "node"
    ]
    assert event["payload"] == body
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(secret).verify(received.body.replace(b"floco", b"flocO"), dict(received.headers))


async def test_polling_is_verified_by_reading_a_finished_result(lectern: World) -> None:
    """R-WH-3."""
    job = await create(lectern)
    async with lectern.background():
        await finished(lectern, job["id"])
    query = "{ viewer { pollingVerified } }"
    assert not (await lectern.graph(query))["viewer"]["pollingVerified"]
    await lectern.graph(RESULT, id=job["id"])
    assert (await lectern.graph(query))["viewer"]["pollingVerified"]


async def test_the_same_key_and_input_is_the_same_job(lectern: World) -> None:
    """R-AUT-3, R-IDM-2."""
    header = {"Idempotency-Key": "floco-glossary-a1-2026-07-02"}
    first = (await lectern.graph(CREATE, headers=header, input=asked()))["createExpansion"]
    second = (await lectern.graph(CREATE, headers=header, input=asked()))["createExpansion"]
    third = (await lectern.graph(CREATE, input=asked(idempotencyKey=header["Idempotency-Key"])))["createExpansion"]
    assert (first["replayed"], second["replayed"], third["replayed"]) == (False, True, True)
    assert first["job"]["id"] == second["job"]["id"] == third["job"]["id"]
    assert (await lectern.graph("{ jobs(kinds: [EXPANSION]) { totalCount } }"))["jobs"]["totalCount"] == 1


async def test_the_same_key_with_another_input_is_a_conflict_that_shows_the_original(lectern: World) -> None:
    """R-IDM-2."""
    first = await create(lectern, idempotencyKey="a")
    refused = (await lectern.graph(CREATE, input=asked(idempotencyKey="a", sourceType="other")))["createExpansion"]
    assert [error["code"] for error in refused["errors"]] == ["IDEMPOTENCY_CONFLICT"]
    assert refused["job"]["id"] == first["id"]


async def test_the_same_key_elsewhere_is_another_key(lectern: World) -> None:
    """R-IDM-2: workspace, environment."""
    jobs = [
        (await lectern.graph(CREATE, key=key, input=asked(idempotencyKey="a")))["createExpansion"]
        for key in (lectern.keys.content, lectern.keys.test, lectern.keys.stranger)
    ]
    assert len({made["job"]["id"] for made in jobs}) == 3
    assert not any(made["replayed"] for made in jobs)


async def test_a_refused_request_does_not_use_up_its_key(lectern: World) -> None:
    """D12."""
    refused = (await lectern.graph(CREATE, input=asked(idempotencyKey="a", sourceType="")))["createExpansion"]
    assert refused["errors"]
    assert (await create(lectern, idempotencyKey="a"))["id"]


@pytest.mark.parametrize(
    ("field", "header", "rule"),
    [
        ("a", "b", "idempotency_key_mismatch"),
        ("x" * 256, None, "idempotency_key_format"),
        ("", None, "idempotency_key_format"),
        ("a\nb", None, "idempotency_key_format"),
    ],
)
async def test_a_wrong_key_is_named(lectern: World, field: str, header: str | None, rule: str) -> None:
    """R-IDM-1, R-IDM-3."""
    headers = {"Idempotency-Key": header} if header else {}
    refused = await lectern.graph(CREATE, headers=headers, input=asked(idempotencyKey=field))
    assert [error["rule"] for error in refused["createExpansion"]["errors"]] == [rule]


async def test_the_header_serves_one_mutation_only(lectern: World) -> None:
    """R-AUT-3."""
    query = """mutation ($i: CreateExpansionInput!) {
      a: createExpansion(input: $i) { replayed }
      b: createExpansion(input: $i) { replayed }
    }"""
    answer = await lectern.post(query, headers={"Idempotency-Key": "a"}, i=asked())
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (b"not json", "application/json", 400, "BAD_REQUEST"),
        (b"{}", "application/json", 400, "BAD_REQUEST"),
        (b'{"query": "{"}', "application/json", 400, "GRAPHQL_PARSE_FAILED"),
        (b'{"query": "{ nothing }"}', "application/json", 400, "GRAPHQL_VALIDATION_FAILED"),
        (b'{"query": "{ jobs { totalCount } }"}', "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"),
    ],
)
async def test_a_request_that_is_none_is_told_why(
    lectern: World, content: bytes, content_type: str, status: int, code: str
) -> None:
    """R-AUT-2; HTTP.md 2.1."""
    headers = {"Authorization": f"Bearer {lectern.keys.content}", "Content-Type": content_type}
    answer = await lectern.client.post("/graphql", content=content, headers=headers)
    assert answer.status_code == status
    assert answer.json()["errors"][0]["extensions"]["code"] == code
    assert "data" not in answer.json()


@pytest.mark.parametrize("key", ["", "tf_workspace_unknown", "tf_content_" + "x" * 32])
async def test_without_a_good_key_nothing_happens(lectern: World, key: str) -> None:
    """R-AUT-1, D13."""
    answer = await lectern.post(CREATE, key=key, input=asked())
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_member_may_not_start_an_expansion(lectern: World) -> None:
    """R-AUT-1."""
    await lectern.login(lectern.keys.member)
    answer = await lectern.post(CREATE, key="", headers={"X-Lectern-CSRF": "1"}, input=asked())
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["extensions"]["requiredScopes"] == ["integrations.write"]


async def test_a_queued_job_is_cancelled_at_once_and_can_be_retried(lectern: World) -> None:
    """R-IMP-7."""
    job = await create(lectern)
    cancel = "mutation ($id: ID!) { cancelJob(input: { jobId: $id }) { job { state error { code } } errors { code } } }"
    cancelled = (await lectern.graph(cancel, id=job["id"]))["cancelJob"]
    assert cancelled["job"] == {"state": "CANCELED", "error": {"code": "CANCELED"}}
    again = (await lectern.graph(cancel, id=job["id"]))["cancelJob"]
    assert [error["code"] for error in again["errors"]] == ["JOB_STATE_INVALID"]
    retry = """mutation ($id: ID!) {
      retryJob(input: { jobId: $id, idempotencyKey: "again" }) { job { state attempt } replayed errors { code } }
    }"""
    retried = (await lectern.graph(retry, id=job["id"]))["retryJob"]
    assert (retried["job"]["state"], retried["job"]["attempt"], retried["replayed"]) == ("QUEUED", 2, False)
    assert (await lectern.graph(retry, id=job["id"]))["retryJob"]["replayed"] is True
    async with lectern.background():
        assert (await finished(lectern, job["id"]))["status"] == "completed"


async def test_a_foreign_job_cannot_be_cancelled(lectern: World) -> None:
    """R-IMP-1."""
    job = await create(lectern)
    cancel = "mutation ($id: ID!) { cancelJob(input: { jobId: $id }) { job { id } errors { code message path rule } } }"
    foreign = await lectern.graph(cancel, key=lectern.keys.stranger, id=job["id"])
    unknown = await lectern.graph(cancel, key=lectern.keys.stranger, id="job_00000000000000000000000000")
    assert foreign == unknown
    assert foreign["cancelJob"]["errors"][0]["code"] == "NOT_FOUND"
