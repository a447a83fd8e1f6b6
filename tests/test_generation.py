"""Generation from a prompt through the front door: R-MOD-1, R-CRS-1, R-VID-1, R-SLD-1, R-TST-1, 9, R-IMP-7, R-CHK-3."""

from typing import Any

import pytest
from sqlalchemy import func, select, update

from storage import tables
from storage.tables import JobState
from storage.tables.columns import now
from tests.authoring import HAZARD, KINDS, SEED, call, create, done, generated, problems, show, title_case
from tests.world import World, eventually

QUESTION = "question type options correctAnswers"
GENERATOR = "generator { name version model needsReview }"
JOB = """query ($id: ID!) { job(id: $id) {
  kind state attempt cancelable retryable error { code message } progress { percent completedUnits totalUnits }
  events(first: 100) { nodes { sequence type payload jobEvent { state progress { percent } } } }
  ... on GenerationJob { prompt resource { id status } generatedItems { id question } }
} }"""


async def start(lectern: World, kind: str, **changes: Any) -> tuple[str, str]:
    """A resource that is being generated, and its job; no background process is running yet."""
    name, selection = f"create{title_case(kind)}", f"{kind} {{ id status version }} job {{ id state }}"
    made = await done(lectern, name, selection, **{**SEED[kind], **changes})
    assert made[kind]["status"] == "GENERATING"
    assert made["job"]["state"] == "QUEUED"
    return made[kind]["id"], made["job"]["id"]


async def finished(lectern: World, id: str) -> dict[str, Any]:
    """The job once it has ended."""

    async def ended() -> Any:
        job = (await lectern.graph(JOB, id=id))["job"]
        return job if not job["cancelable"] and job["state"] not in ("RUNNING", "CANCELING") else None

    job: dict[str, Any] = await eventually(ended)
    return job


async def used(lectern: World) -> dict[str, int]:
    """What the meters say, without those at zero."""
    async with lectern.database.snapshot() as session:
        query = select(tables.Usage.meter, func.count()).group_by(tables.Usage.meter)  # type: ignore[call-overload]
        return {str(meter): count for meter, count in await session.execute(query)}


def sound(questions: list[dict[str, Any]]) -> bool:
    """Whether every right answer is among its options."""
    return all(
        question["correctAnswers"]
        and (question["type"] == "short_answer" or set(question["correctAnswers"]) <= set(question["options"]))
        for question in questions
    )


async def test_a_read_right_after_the_create_finds_it_generating(lectern: World) -> None:
    """R-CHK-3, D2."""
    for kind in KINDS:
        id, _ = await start(lectern, kind)
        read = await show(lectern, kind, id, "status version prompt job { kind } generator { name }")
        assert read == {
            "status": "GENERATING",
            "version": 1,
            "prompt": SEED[kind]["prompt"],
            "job": {"kind": "GENERATION"},
            "generator": None,
        }


async def test_the_module_of_the_document_gets_a_lecture_and_quizzes(lectern: World) -> None:
    """R-MOD-1."""
    with_quiz, _ = await start(lectern, "module")
    without, _ = await start(lectern, "module", hasQuiz=False)
    selection = f"status version title description hasQuiz lecture quizzes {{ id sequence {QUESTION} }} {GENERATOR}"
    async with lectern.background():
        module = await generated(lectern, "module", with_quiz, selection)
        plain = await generated(lectern, "module", without, selection)
    assert (module["status"], module["version"], module["title"]) == ("READY", 2, SEED["module"]["title"])
    assert "workplace safety" in module["lecture"]
    assert module["quizzes"][0]["id"] == "quiz-1"
    assert sound(module["quizzes"])
    assert module["generator"] == {
        "name": "deterministic-outline",
        "version": "1",
        "model": None,
        "needsReview": True,
    }
    assert plain["lecture"]
    assert (plain["hasQuiz"], plain["quizzes"]) == (False, [])


async def test_the_course_of_the_document_has_five_lessons_each_with_quiz_and_practice(lectern: World) -> None:
    """R-CRS-1."""
    full, _ = await start(lectern, "course")
    bare, _ = await start(lectern, "course", hasQuiz=False, hasPractice=False, lessonCount=50)
    selection = f"""status lessonCount chapters {{ sequence title lessons {{ sequence }} }}
      lessons {{ sequence lecture quizzes {{ {QUESTION} }} practice {{ {QUESTION} }} }}"""
    async with lectern.background():
        course = await generated(lectern, "course", full, selection)
        long = await generated(lectern, "course", bare, selection)
    assert (course["status"], course["lessonCount"]) == ("READY", 5)
    assert [lesson["sequence"] for chapter in course["chapters"] for lesson in chapter["lessons"]] == [1, 2, 3, 4, 5]
    for lesson in course["lessons"]:
        assert lesson["lecture"]
        assert lesson["quizzes"]
        assert lesson["practice"]
        assert sound(lesson["quizzes"] + lesson["practice"])
    assert long["lessonCount"] == 50
    assert not any(lesson["quizzes"] or lesson["practice"] for lesson in long["lessons"])


async def test_the_video_of_the_document_has_five_scenes_that_last_a_minute(lectern: World) -> None:
    """R-VID-1."""
    id, _ = await start(lectern, "video")
    async with lectern.background():
        video = await generated(
            lectern, "video", id, "status sceneCount totalDurationSeconds aspectRatio scenes { order script } editable"
        )
    assert (video["status"], video["sceneCount"], video["totalDurationSeconds"]) == ("READY", 5, 60)
    assert [scene["order"] for scene in video["scenes"]] == [1, 2, 3, 4, 5]
    assert all(scene["script"] for scene in video["scenes"])
    assert video["editable"] is True


async def test_the_deck_of_the_document_has_ten_pages(lectern: World) -> None:
    """R-SLD-1; without the field, the number in the prompt counts."""
    id, _ = await start(lectern, "slide")
    told, _ = await start(lectern, "slide", slideCount=None)
    async with lectern.background():
        for deck in (id, told):
            slide = await generated(lectern, "slide", deck, "status slideCount content pages { index heading html }")
            assert (slide["status"], slide["slideCount"]) == ("READY", 10)
            assert all(page["heading"] and page["html"] for page in slide["pages"])
            assert slide["content"].count("<slide>") == 10


async def test_the_test_of_the_document_has_ten_sound_items(lectern: World) -> None:
    """R-TST-1."""
    id, _ = await start(lectern, "test")
    async with lectern.background():
        test = await generated(lectern, "test", id, f"status itemCount timeLimit items {{ sequence {QUESTION} }}")
    assert (test["status"], test["itemCount"], test["timeLimit"]) == ("READY", 10, 20)
    assert [item["sequence"] for item in test["items"]] == list(range(1, 11))
    assert sound(test["items"])


async def test_the_job_tells_its_story_and_ends_with_generation_completed(lectern: World) -> None:
    """R-CARD-3, R-IMP-8, table 1."""
    module, id = await start(lectern, "module")
    async with lectern.background():
        job = await finished(lectern, id)
    assert (job["kind"], job["state"], job["attempt"], job["retryable"]) == ("GENERATION", "COMPLETED", 1, False)
    assert job["progress"] == {"percent": 100, "completedUnits": 1, "totalUnits": 1}
    assert (job["prompt"], job["resource"]) == (SEED["module"]["prompt"], {"id": module, "status": "READY"})
    events = job["events"]["nodes"]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert list(dict.fromkeys(event["jobEvent"]["state"] for event in events)) == ["QUEUED", "RUNNING", "COMPLETED"]
    percents = [event["jobEvent"]["progress"]["percent"] for event in events]
    assert percents == sorted(percents)
    last = events[-1]
    assert last["type"] == "GENERATION_COMPLETED"
    envelope = {"id", "type", "timestamp", "environment", "subjectId", "sequence"}
    assert last["payload"].keys() - envelope == {"jobId", "resourceType", "resourceId", "state", "completedAt"}
    assert {key: last["payload"][key] for key in ("jobId", "resourceType", "resourceId", "state")} == {
        "jobId": id,
        "resourceType": "module",
        "resourceId": module,
        "state": "COMPLETED",
    }
    listed = (await lectern.graph("{ jobs(kinds: [GENERATION]) { nodes { id } } }"))["jobs"]["nodes"]
    assert listed == [{"id": id}]
    unseen = await lectern.graph("{ jobs(kinds: [GENERATION]) { nodes { id } } }", key=lectern.keys.workspace)
    assert unseen["jobs"]["nodes"] == []


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_generated_needs_review_until_the_first_edit(lectern: World, kind: str) -> None:
    """R-CHK-3."""
    id, _ = await start(lectern, kind)
    async with lectern.background():
        made = await generated(lectern, kind, id, f"title {GENERATOR}")
    assert made["generator"]["needsReview"] is True
    name = f"update{title_case(kind)}"
    seen = await done(lectern, name, f"{kind} {{ version {GENERATOR} }}", id=id, title=made["title"])
    assert seen[kind]["generator"]["needsReview"] is False
    assert seen[kind]["version"] == 3, "the review itself is a change"


async def test_each_thing_is_counted_once_and_parts_are_not(lectern: World) -> None:
    """R-BILL-1, D26."""
    made = {kind: await start(lectern, kind) for kind in KINDS}
    await done(lectern, "createModule", "module { id }", **{**SEED["module"], "idempotencyKey": "k"})
    await done(lectern, "createModule", "module { id }", **{**SEED["module"], "idempotencyKey": "k"})
    await create(lectern, "course")
    async with lectern.background():
        for _, job in made.values():
            await finished(lectern, job)
        course = made["course"][0]
        lesson = await done(lectern, "addLesson", "job { id }", courseId=course, title="More", prompt="About more.")
        items = await done(lectern, "generateTestItems", "job { id }", testId=made["test"][0])
        for payload in (lesson, items):
            assert (await finished(lectern, payload["job"]["id"]))["state"] == "COMPLETED"
    assert await used(lectern) == {
        "interactive_module": 2,
        "course_generation": 1,
        "summary_video": 1,
        "slide_generation": 1,
        "expanded_quiz": 1,
    }


async def test_a_lesson_is_generated_into_a_course_that_stays_ready(lectern: World) -> None:
    """R-CRS-7: the sample operation AddLesson."""
    course = await create(lectern, "course", hasQuiz=True, hasPractice=False)
    added = await done(
        lectern,
        "addLesson",
        "lesson { id sequence lecture } course { lessonCount } job { id }",
        courseId=course["id"],
        sequence=3,
        title="Handling hard questions",
        prompt="How to answer what you do not know.",
        idempotencyKey="lesson:hard-questions:v1",
    )
    assert added["lesson"]["lecture"] is None
    assert added["course"] == {"lessonCount": 1}
    assert (await show(lectern, "course", course["id"], "status"))["status"] == "READY"
    async with lectern.background():
        job = await finished(lectern, added["job"]["id"])
    assert (job["state"], job["resource"]) == ("COMPLETED", {"id": course["id"], "status": "READY"})
    lesson = await show(
        lectern, "lesson", added["lesson"]["id"], f"title version lecture quizzes {{ {QUESTION} }} practice {{ id }}"
    )
    assert (lesson["title"], lesson["version"], lesson["practice"]) == ("Handling hard questions", 2, [])
    assert lesson["lecture"]
    assert sound(lesson["quizzes"])
    read = await show(lectern, "course", course["id"], f"version {GENERATOR}")
    assert (read["version"], read["generator"]["needsReview"]) == (3, True)


async def test_three_more_items_repeat_no_question(lectern: World) -> None:
    """R-TST-9."""
    id, job = await start(lectern, "test", itemCount=20)
    async with lectern.background():
        await finished(lectern, job)
        before = await show(lectern, "test", id, "items { id question }")
        selection = "job { id } test { itemCount } replayed"
        asked = await done(
            lectern, "generateTestItems", selection, testId=id, count=3, prompt="Fire safety.", idempotencyKey="k"
        )
        assert asked["test"] == {"itemCount": 20}
        ended = await finished(lectern, asked["job"]["id"])
        again = await done(
            lectern, "generateTestItems", selection, testId=id, count=3, prompt="Fire safety.", idempotencyKey="k"
        )
        more = await done(lectern, "generateTestItems", selection, testId=id, count=50)
        await finished(lectern, more["job"]["id"])
    assert (again["replayed"], again["job"], again["test"]) == (True, asked["job"], {"itemCount": 23})
    after = await show(lectern, "test", id, "status itemCount items { id question sequence }")
    assert (after["status"], after["itemCount"]) == ("READY", 73)
    assert [item["sequence"] for item in after["items"]] == list(range(1, 74))
    assert [{"id": item["id"], "question": item["question"]} for item in after["items"][:20]] == before["items"]
    assert ended["generatedItems"] == [
        {"id": item["id"], "question": item["question"]} for item in after["items"][20:23]
    ]
    assert len({item["question"] for item in after["items"]}) == 73
    assert ended["prompt"] == "Fire safety."
    assert (await lectern.graph(JOB, id=more["job"]["id"]))["job"]["prompt"] == SEED["test"]["prompt"]


@pytest.mark.parametrize("count", [0, 51])
async def test_the_number_of_more_items_is_limited(lectern: World, count: int) -> None:
    """R-TST-9."""
    id = (await create(lectern, "test"))["id"]
    refused = await call(lectern, "generateTestItems", "job { id }", testId=id, count=count)
    assert problems(refused) == [("VALIDATION_FAILED", "count_range", ["input", "count"])]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_items_that_there_is_no_room_for_any_more_are_not_written(lectern: World) -> None:
    """A test holds 500, also when callers add some while the author is at work."""
    id = (await create(lectern, "test"))["id"]
    full = [{**HAZARD, "question": f"Question {number}?"} for number in range(500)]
    await done(lectern, "updateTest", "test { id }", id=id, items=full[:450])
    job = await done(lectern, "generateTestItems", "job { id }", testId=id, count=50)
    await done(lectern, "addTestItem", "item { id }", testId=id, **full[450])
    async with lectern.background():
        failed = await finished(lectern, job["job"]["id"])
    message = "There are 451 items now; with 50 more there would be more than 500."
    assert failed["error"] == {"code": "GENERATION_FAILED", "message": message}
    assert (await show(lectern, "test", id, "itemCount version"))["itemCount"] == 451
    refused = await call(lectern, "generateTestItems", "job { id }", testId=id, count=50)
    assert problems(refused) == [("VALIDATION_FAILED", "too_many", ["input", "count"])]


async def test_what_callers_write_meanwhile_stays(lectern: World) -> None:
    module, module_job = await start(lectern, "module")
    test, test_job = await start(lectern, "test")
    course, course_job = await start(lectern, "course")
    video, video_job = await start(lectern, "video")
    ours = {**HAZARD, "id": "quiz-1"}
    await done(lectern, "updateModule", "module { id }", id=module, title="Ours", lecture="<p>Ours</p>", quizzes=[ours])
    item = (await done(lectern, "addTestItem", "item { id }", testId=test, **HAZARD))["item"]["id"]
    lesson = (await done(lectern, "addLesson", "lesson { id }", courseId=course, title="Ours"))["lesson"]["id"]
    scene = (await done(lectern, "addScene", "scene { id }", videoId=video, script="Ours."))["scene"]["id"]
    async with lectern.background():
        for job in (module_job, test_job, course_job, video_job):
            assert (await finished(lectern, job))["state"] == "COMPLETED"
    read = await show(lectern, "module", module, "title lecture description quizzes { question }")
    assert (read["title"], read["lecture"], read["quizzes"]) == (
        "Ours",
        "<p>Ours</p>",
        [{"question": HAZARD["question"]}],
    )
    assert read["description"]
    items = (await show(lectern, "test", test, "items { id sequence }"))["items"]
    assert (items[0]["id"], [row["sequence"] for row in items]) == (item, list(range(1, 12)))
    lessons = (await show(lectern, "course", course, "lessons { id sequence }"))["lessons"]
    assert (lessons[0]["id"], [row["sequence"] for row in lessons]) == (lesson, [1, 2, 3, 4, 5, 6])
    scenes = (await show(lectern, "video", video, "scenes { id order }"))["scenes"]
    assert (scenes[0]["id"], [row["order"] for row in scenes]) == (scene, [1, 2, 3, 4, 5, 6])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_cancelled_generation_fails_its_resource_and_can_be_retried(lectern: World, kind: str) -> None:
    """R-IMP-7."""
    id, job = await start(lectern, kind)
    cancelled = await done(lectern, "cancelJob", "job { state error { code } }", jobId=job)
    assert cancelled["job"] == {"state": "CANCELED", "error": {"code": "CANCELED"}}
    assert (await show(lectern, kind, id, "status"))["status"] == "FAILED"
    ended = (await lectern.graph(JOB, id=job))["job"]
    last = ended["events"]["nodes"][-1]
    assert last["type"] == "GENERATION_FAILED"
    assert (last["payload"]["state"], last["payload"]["error"]["code"]) == ("CANCELED", "CANCELED")
    again = await call(lectern, "cancelJob", "job { id }", jobId=job)
    assert problems(again) == [("JOB_STATE_INVALID", None, [])]

    retried = await done(lectern, "retryJob", "job { state attempt }", jobId=job)
    assert retried["job"] == {"state": "QUEUED", "attempt": 2}
    assert (await show(lectern, kind, id, "status"))["status"] == "GENERATING"
    async with lectern.background():
        assert (await finished(lectern, job))["state"] == "COMPLETED"
    assert (await show(lectern, kind, id, "status"))["status"] == "READY"
    assert sum((await used(lectern)).values()) == 1


async def test_a_job_of_a_deleted_resource_ends_and_is_not_run_again(lectern: World) -> None:
    id, job = await start(lectern, "module")
    async with lectern.database.transaction() as session:  # deleted between its claim and its writing
        await session.execute(update(tables.Resource).values(deleted_at=now()))
    async with lectern.background():
        ended = await finished(lectern, job)
    assert (ended["state"], ended["error"]["code"]) == ("FAILED", "GENERATION_FAILED")
    assert "deleted" in ended["error"]["message"]
    assert ended["resource"] is None
    refused = await call(lectern, "retryJob", "job { id }", jobId=job)
    assert problems(refused) == [("JOB_STATE_INVALID", None, [])]
    assert await used(lectern) == {}
    assert await show(lectern, "module", id, "id") is None


async def test_a_lesson_that_was_removed_fails_its_job_and_nothing_else(lectern: World) -> None:
    course = (await create(lectern, "course"))["id"]
    added = await done(lectern, "addLesson", "job { id } course { version }", courseId=course, title="x", prompt="y")
    version = added["course"]["version"]
    await done(
        lectern,
        "updateCourseCanonical",
        "course { id }",
        courseId=course,
        baseVersion=version,
        chapters=[],
        removeMissing=True,
    )
    async with lectern.background():
        ended = await finished(lectern, added["job"]["id"])
    assert (ended["state"], ended["resource"]) == ("FAILED", {"id": course, "status": "READY"})


@pytest.mark.parametrize("kind", KINDS)
async def test_a_worker_that_is_lost_after_it_wrote_leaves_nothing_twice(lectern: World, kind: str) -> None:
    """R-CARD-4: no output and no meter twice."""
    id, job = await start(lectern, kind)
    parts = {
        "module": "quizzes { id }",
        "course": "lessons { id quizzes { id } practice { id } }",
        "video": "scenes { id }",
        "slide": "pages { html }",
        "test": "items { id }",
    }[kind]
    async with lectern.background():
        await finished(lectern, job)
        before = await show(lectern, kind, id, f"version {parts}")
        await run_again(lectern, job)
        ended = await finished(lectern, job)
    assert (ended["state"], ended["attempt"]) == ("COMPLETED", 2)
    assert await show(lectern, kind, id, f"version {parts}") == before
    assert sum((await used(lectern)).values()) == 1


async def test_a_part_that_was_written_is_not_written_again(lectern: World) -> None:
    """R-CARD-4."""
    test, course = (await create(lectern, "test"))["id"], (await create(lectern, "course", hasQuiz=True))["id"]
    items = (await done(lectern, "generateTestItems", "job { id }", testId=test, count=3))["job"]["id"]
    lesson = await done(lectern, "addLesson", "lesson { id } job { id }", courseId=course, title="x", prompt="y")
    full = "version lecture quizzes { id }"
    async with lectern.background():
        for job in (items, lesson["job"]["id"]):
            await finished(lectern, job)
        before = await show(lectern, "lesson", lesson["lesson"]["id"], full)
        for job in (items, lesson["job"]["id"]):
            await run_again(lectern, job)
            assert (await finished(lectern, job))["state"] == "COMPLETED"
    assert (await show(lectern, "test", test, "itemCount version")) == {"itemCount": 3, "version": 2}
    assert await show(lectern, "lesson", lesson["lesson"]["id"], full) == before


async def run_again(lectern: World, id: str) -> None:
    """As if the worker had been lost between writing and finishing."""
    async with lectern.database.transaction() as session:
        job = await session.get_one(tables.Job, id)
        job.state, job.attempt, job.due_at = JobState.QUEUED, job.attempt + 1, now()
        job.completed_at = None


async def test_the_language_of_the_resource_is_written(lectern: World) -> None:
    id, job = await start(lectern, "module", language="de", prompt="Erstelle eine Lektion über Arbeitsschutz.")
    async with lectern.background():
        await finished(lectern, job)
    assert "Arbeitsschutz" in (await show(lectern, "module", id, "lecture"))["lecture"]
