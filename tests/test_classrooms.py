"""Classrooms, and lessons that are handed out as integration results: R-CLX-1 to R-CLX-4, R-AUT-4, D25, D26."""

from typing import Any

import orjson
import pytest

from storage import events
from storage.tables import EventType
from tests.exporting import ask, change, made
from tests.world import World

RESULT = """id kind state status sourceType requestedOutputs classroomId lessonId idempotencyKey sequence completedAt
  progress { percent } cancelable retryable
  outputs { outputType status }
  result { job { id sourceType status } outputs {
    outputType resourceType resourceId manifest { title urls { publicUrl } } resource { id title }
  } }"""
LESSON = (
    "lesson { id title origin status lecture description language hasQuiz quizzes { id question } share { active } }"
)
EXPORT = f"""mutation ($input: ExportClassroomLessonInput!) {{
  exportClassroomLesson(input: $input) {{ job {{ {RESULT} }} replayed errors {{ code path }} }}
}}"""


@pytest.fixture
async def room(lectern: World) -> str:
    """A classroom; an administrator is signed in."""
    await lectern.login(lectern.keys.admin)
    return str((await made(lectern, "createClassroom", "classroom { id }", title="Room 4"))["classroom"]["id"])


async def a_lesson(lectern: World, room: str, **more: Any) -> dict[str, Any]:
    """A lesson written in a classroom."""
    about = {"classroomId": room, "title": "Greetings", "lecture": "<p>Hello, Min.</p>", **more}
    lesson: dict[str, Any] = (await made(lectern, "createClassroomLesson", LESSON, **about))["lesson"]
    return lesson


async def handed_out(lectern: World, room: str, lesson: str, **more: Any) -> dict[str, Any]:
    """The payload of an export that is expected to succeed."""
    input = {"classroomId": room, "lessonId": lesson, **more}
    payload: dict[str, Any] = await ask(lectern, EXPORT, input=input)
    assert payload["errors"] == []
    return payload


async def test_a_lesson_is_handed_out_in_the_same_answer(lectern: World, room: str) -> None:
    """R-CLX-2, R-INT-2, R-INT-9, R-INT-10: completed, with the result that expansions have; no worker runs here."""
    lesson = await a_lesson(lectern, room)
    job = (await handed_out(lectern, room, lesson["id"]))["job"]
    assert (job["kind"], job["state"], job["status"]) == ("CLASSROOM_EXPORT", "COMPLETED", "completed")
    assert (job["classroomId"], job["lessonId"]) == (room, lesson["id"])
    assert (job["progress"]["percent"], job["cancelable"], job["retryable"]) == (100, False, False)
    assert job["result"]["job"] == {"id": job["id"], "sourceType": "classroom", "status": "completed"}
    (output,) = job["result"]["outputs"]
    url = output["manifest"]["urls"].pop("publicUrl")
    assert output == {
        "outputType": "interactive_module",
        "resourceType": "module",
        "resourceId": lesson["id"],
        "manifest": {"title": "Greetings", "urls": {}},
        "resource": {"id": lesson["id"], "title": "Greetings"},
    }
    page = await lectern.client.get(url)
    assert page.status_code == 200
    assert "Hello, Min." in page.text
    query = "query ($id: ID!) { expansionResult(jobId: $id) { outputs { resourceId } } }"
    for key in (lectern.keys.workspace, lectern.keys.content):
        read = (await lectern.graph(query, key=key, id=job["id"]))["expansionResult"]
        assert read == {"outputs": [{"resourceId": lesson["id"]}]}
    listed = await lectern.graph("{ jobs(kinds: [CLASSROOM_EXPORT]) { nodes { id } } }", key=lectern.keys.workspace)
    assert listed["jobs"]["nodes"] == [{"id": job["id"]}]


async def test_the_same_key_is_the_same_job(lectern: World, room: str) -> None:
    """R-CLX-3."""
    lesson = (await a_lesson(lectern, room))["id"]
    key = f"standalone-lesson:{lesson}"
    first, again = [await handed_out(lectern, room, lesson, idempotencyKey=key) for _ in range(2)]
    assert again["job"] == first["job"]
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert first["job"]["idempotencyKey"] == key
    other = (await a_lesson(lectern, room))["id"]
    payload = await ask(lectern, EXPORT, input={"classroomId": room, "lessonId": other, "idempotencyKey": key})
    assert [error["code"] for error in payload["errors"]] == ["IDEMPOTENCY_CONFLICT"]
    assert payload["job"]["id"] == first["job"]["id"]


async def test_one_event_says_that_it_is_completed(lectern: World, room: str) -> None:
    """D25, decisions table 1: content.completed, once and alone."""
    lesson = (await a_lesson(lectern, room))["id"]
    job = (await handed_out(lectern, room, lesson, idempotencyKey="x"))["job"]
    await handed_out(lectern, room, lesson, idempotencyKey="x")
    async with lectern.database.snapshot() as session:
        (event,) = await events.of_subject(session, job["id"])
    body = orjson.loads(event.body)
    assert (event.type, event.sequence) == (EventType.CONTENT_COMPLETED, job["sequence"])
    assert {name: body[name] for name in ("jobId", "status", "sourceType", "requestedOutputs", "completedAt")} == {
        "jobId": job["id"],
        "status": "completed",
        "sourceType": "classroom",
        "requestedOutputs": ["interactive_module"],
        "completedAt": job["completedAt"],
    }
    assert body["outputs"] == [
        {
            "outputType": "interactive_module",
            "status": "completed",
            "resourceType": "module",
            "resourceId": lesson,
        }
    ]


async def test_handing_out_is_not_counted(lectern: World, room: str) -> None:
    """D26: nothing was generated."""
    await handed_out(lectern, room, (await a_lesson(lectern, room))["id"])
    usage = await ask(lectern, "{ usage { meter quantity } }")
    assert {reading["quantity"] for reading in usage} == {0}


async def test_only_lessons_of_that_classroom_are_handed_out(lectern: World, room: str) -> None:
    """R-CLX-1, R-CLX-4: not one of another room or workspace, nor a module that was made through the API."""
    lesson = (await a_lesson(lectern, room))["id"]
    other = (await made(lectern, "createClassroom", "classroom { id }", title="Room 5"))["classroom"]["id"]
    create = 'mutation { createModule(input: {title: "x"}) { module { id } } }'
    by_key = (await lectern.graph(create))["createModule"]["module"]["id"]
    by_session = (await ask(lectern, create))["module"]["id"]
    deleted = (await a_lesson(lectern, room))["id"]
    await made(lectern, "deleteResource", "deletedId", id=deleted)
    refused = [(other, lesson), (room, by_key), (room, by_session), (room, deleted), (room, room), (lesson, lesson)]
    for classroom, id in refused:
        payload = await ask(lectern, EXPORT, input={"classroomId": classroom, "lessonId": id})
        assert [error["code"] for error in payload["errors"]] == ["NOT_FOUND"]
        assert payload["job"] is None
    test = {"X-Lectern-CSRF": "1", "X-Environment": "test"}
    elsewhere = await lectern.graph(EXPORT, key="", headers=test, input={"classroomId": room, "lessonId": lesson})
    assert [error["code"] for error in elsewhere["exportClassroomLesson"]["errors"]] == ["NOT_FOUND"]


async def test_only_a_signed_in_administrator_hands_out(lectern: World, room: str) -> None:
    """R-AUT-4: no key, no member; after logout nobody."""
    input = {"classroomId": room, "lessonId": (await a_lesson(lectern, room))["id"]}
    keys = lectern.keys
    for key in (keys.content, keys.workspace, keys.test):
        answer = await lectern.post(EXPORT, key=key, input=input)
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")
    assert (await handed_out(lectern, room, input["lessonId"]))["job"]["status"] == "completed"
    csrf = {"X-Lectern-CSRF": "1"}
    await lectern.as_user("mutation { logout { errors { code } } }")
    assert (await lectern.post(EXPORT, key="", headers=csrf, input=input)).status_code == 401
    await lectern.login(keys.member)
    assert (await lectern.post(EXPORT, key="", headers=csrf, input=input)).status_code == 403


async def test_lessons_are_listed_by_classroom(lectern: World, room: str) -> None:
    """R-CLX-1, R-CLX-4: newest first, origin UI; modules of the API are in none."""
    other = (await made(lectern, "createClassroom", "classroom { id }", title="Room 5"))["classroom"]["id"]
    lessons = [await a_lesson(lectern, room, title=f"{number}") for number in range(3)]
    await lectern.graph('mutation { createModule(input: {title: "x"}) { module { id } } }')
    query = """{ classrooms { nodes { id title lessons(first: 2) { totalCount nodes { id origin } } } } }"""
    rooms = {each["id"]: each for each in (await ask(lectern, query))["nodes"]}
    assert [each["title"] for each in rooms.values()] == ["Room 5", "Room 4"]
    assert rooms[room]["lessons"]["totalCount"] == 3
    assert rooms[room]["lessons"]["nodes"] == [{"id": lesson["id"], "origin": "UI"} for lesson in lessons[:0:-1]]
    assert rooms[other]["lessons"]["nodes"] == []
    one = "query ($id: ID!) { classroom(id: $id) { title } node(id: $id) { id } }"
    assert await lectern.as_user(one, id=room) == {"classroom": {"title": "Room 4"}, "node": {"id": room}}
    assert (await lectern.graph("query ($id: ID!) { node(id: $id) { id } }", id=room))["node"] is None


async def test_a_lesson_is_written_by_hand(lectern: World, room: str) -> None:
    """R-CLX-4: a READY module of origin UI, sanitised, with its quizzes."""
    quiz = {"id": "q", "question": "2 + 2?", "options": ["3", "4"], "correctAnswers": ["4"]}
    lecture = '<p onclick="x">Hi<script>alert(1)</script></p>'
    lesson = await a_lesson(lectern, room, lecture=lecture, description="d", language="de", quizzes=[quiz])
    assert (lesson["origin"], lesson["status"], lesson["language"], lesson["hasQuiz"]) == ("UI", "READY", "de", True)
    assert (lesson["lecture"], lesson["description"]) == ("<p>Hi</p>", "d")
    assert lesson["quizzes"] == [{"id": "q", "question": "2 + 2?"}]
    assert lesson["share"] is None
    read = await lectern.graph("query ($id: ID!) { module(id: $id) { title } }", id=lesson["id"])
    assert read["module"] == {"title": "Greetings"}


async def test_what_is_wrong_with_a_lesson_is_told_with_its_place(lectern: World, room: str) -> None:
    quiz = {"question": "2 + 2?", "options": ["3"], "correctAnswers": ["4"]}
    wrong = {"title": " ", "lecture": "x" * 500_001, "language": "no language", "quizzes": [quiz]}
    payload = await change(lectern, "createClassroomLesson", "lesson { id }", classroomId=room, **wrong)
    assert {(error["rule"], ".".join(error["path"])) for error in payload["errors"]} == {
        ("required", "input.title"),
        ("too_long", "input.lecture"),
        ("language", "input.language"),
        ("options_too_few", "input.quizzes.0.options"),
        ("answer_not_in_options", "input.quizzes.0.correctAnswers"),
    }
    payload = await change(lectern, "createClassroomLesson", "lesson { id }", classroomId="x", title="x", lecture="x")
    assert [(error["code"], error["path"]) for error in payload["errors"]] == [("NOT_FOUND", ["input", "classroomId"])]
    payload = await change(lectern, "createClassroom", "classroom { id }", title="")
    assert [error["rule"] for error in payload["errors"]] == ["required"]


async def test_the_same_request_makes_one_room_and_one_lesson(lectern: World, room: str) -> None:
    """R-IDM-1, R-IDM-2."""
    rooms = [
        await made(lectern, "createClassroom", "classroom { id } replayed", title="x", idempotencyKey="room")
        for _ in range(2)
    ]
    assert rooms[0]["classroom"] == rooms[1]["classroom"]
    about = {"classroomId": room, "title": "x", "lecture": "x", "idempotencyKey": "lesson"}
    lessons = [await made(lectern, "createClassroomLesson", "lesson { id } replayed", **about) for _ in range(2)]
    assert lessons[0]["lesson"] == lessons[1]["lesson"]
    assert [each["replayed"] for each in (*rooms, *lessons)] == [False, True, False, True]
