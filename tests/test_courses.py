"""Courses, chapters and lessons through the front door: R-CRS-*."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.authoring import HAZARD, call, create, done, problems, rules, show
from tests.world import World

STRUCTURE = "version chapters { id sequence title lessons { id sequence title type } }"
CANONICAL = "title version chapters { id title lessons { id title type } }"
LESSON = "id version sequence title description type lecture quizzes { id question } practice { id question }"


async def a_course(lectern: World, *chapters: list[str]) -> dict[str, Any]:
    """A course with these lessons in chapters A, B and so on; answers its id and structure."""
    id = (await create(lectern, "course"))["id"]
    wanted = [
        {"title": name, "lessons": [{"title": title} for title in titles]}
        for name, titles in zip("ABCDEFGH", chapters, strict=False)
    ]
    return {"id": id, **(await canonical(lectern, id, 1, wanted))["course"]}


async def canonical(
    lectern: World, id: str, version: int, chapters: list[dict[str, Any]], **more: Any
) -> dict[str, Any]:
    return await done(
        lectern,
        "updateCourseCanonical",
        f"course {{ {STRUCTURE} }}",
        courseId=id,
        baseVersion=version,
        chapters=chapters,
        **more,
    )


async def titles(lectern: World, id: str) -> list[list[str]]:
    """The lessons by chapter; their numbers go through the whole course."""
    read = await show(lectern, "course", id, f"lessonCount lessons {{ title sequence }} {STRUCTURE}")
    chapters = read["chapters"]
    assert [chapter["sequence"] for chapter in chapters] == list(range(1, len(chapters) + 1))
    lessons = [lesson for chapter in chapters for lesson in chapter["lessons"]]
    assert [lesson["sequence"] for lesson in lessons] == list(range(1, len(lessons) + 1))
    assert [lesson["title"] for lesson in lessons] == [lesson["title"] for lesson in read["lessons"]]
    assert read["lessonCount"] == len(lessons)
    return [[lesson["title"] for lesson in chapter["lessons"]] for chapter in chapters]


async def test_the_structure_sent_back_unchanged_changes_nothing(lectern: World) -> None:
    """R-CRS-3, D5."""
    course = await a_course(lectern, ["1", "2"], ["3"])
    read = await show(lectern, "course", course["id"], CANONICAL)
    again = await canonical(lectern, course["id"], read["version"], read["chapters"])
    assert again["course"] == {"version": course["version"], "chapters": course["chapters"]}


async def test_a_lesson_moves_to_another_chapter_with_all_it_holds(lectern: World) -> None:
    """R-CRS-4, R-CRS-9: the sample operation MoveLesson."""
    course = await a_course(lectern, ["1"], [])
    first, second = course["chapters"]
    lesson = first["lessons"][0]["id"]
    await done(
        lectern, "updateLesson", "lesson { id }", id=lesson, lecture="<p>Kept</p>", quizzes=[HAZARD], practice=[HAZARD]
    )
    wanted = [
        {"id": first["id"], "title": "Start", "lessons": [{"title": "Welcome"}]},
        {"id": second["id"], "title": "Next steps", "lessons": [{"id": lesson, "title": "First call"}]},
    ]
    written = (await canonical(lectern, course["id"], 3, wanted))["course"]
    assert written["version"] == 4
    assert [chapter["title"] for chapter in written["chapters"]] == ["Start", "Next steps"]
    moved = written["chapters"][1]["lessons"][0]
    assert moved == {"id": lesson, "sequence": 2, "title": "First call", "type": "markdown"}
    full = await show(lectern, "lesson", lesson, f"{LESSON} chapter {{ id }} course {{ id }}")
    assert (full["lecture"], full["version"]) == ("<p>Kept</p>", 3)
    assert len(full["quizzes"]) == len(full["practice"]) == 1
    assert (full["chapter"], full["course"]) == ({"id": second["id"]}, {"id": course["id"]})


async def test_nothing_is_lost_silently(lectern: World) -> None:
    """R-CRS-4."""
    course = await a_course(lectern, ["1", "2"], ["3"])
    first, second = course["chapters"]
    kept = {"id": first["id"], "title": "A", "lessons": first["lessons"][:1]}
    kept["lessons"] = [{"id": kept["lessons"][0]["id"], "title": "1"}]
    input = {"courseId": course["id"], "baseVersion": course["version"], "chapters": [kept]}
    refused = await call(lectern, "updateCourseCanonical", "course { id }", **input)
    assert rules(refused) == ["chapter_missing", "lesson_missing", "lesson_missing"]
    assert await titles(lectern, course["id"]) == [["1", "2"], ["3"]]
    removed = await done(lectern, "updateCourseCanonical", "course { lessonCount }", removeMissing=True, **input)
    assert removed["course"] == {"lessonCount": 1}
    assert await titles(lectern, course["id"]) == [["1"]]
    assert await show(lectern, "lesson", first["lessons"][1]["id"], "id") is None
    node = await lectern.graph("query ($id: ID!) { node(id: $id) { id } }", id=second["id"])
    assert node["node"] is None


async def test_a_lesson_survives_the_chapter_it_was_in(lectern: World) -> None:
    course = await a_course(lectern, ["1"], ["2"])
    first, second = course["chapters"]
    lessons = [{"id": row["lessons"][0]["id"], "title": row["lessons"][0]["title"]} for row in (first, second)]
    wanted = [{"id": second["id"], "title": "B", "lessons": lessons}]
    await canonical(lectern, course["id"], course["version"], wanted, removeMissing=True)
    assert await titles(lectern, course["id"]) == [["1", "2"]]


async def test_what_the_structure_cannot_be_is_refused(lectern: World) -> None:
    """R-CRS-4."""
    course, other = await a_course(lectern, ["1"]), await a_course(lectern, ["1"])
    chapter = course["chapters"][0]
    lesson = {"id": chapter["lessons"][0]["id"], "title": "1"}
    foreign = other["chapters"][0]
    place = ["input", "chapters", "0"]

    async def refused(*chapters: dict[str, Any]) -> list[Any]:
        payload = await call(
            lectern, "updateCourseCanonical", "course { id }", courseId=course["id"], baseVersion=2, chapters=chapters
        )
        return [(error["rule"], error["path"]) for error in payload["errors"]]

    twice = {"id": chapter["id"], "title": "A", "lessons": [lesson, lesson]}
    assert await refused(twice) == [("duplicate_id", [*place, "lessons", "1", "id"])]
    same = {"id": chapter["id"], "title": "A", "lessons": []}
    assert ("duplicate_id", ["input", "chapters", "1", "id"]) in await refused(same, same)
    strange = {"id": foreign["id"], "title": "A", "lessons": [{"id": foreign["lessons"][0]["id"], "title": "1"}]}
    found = await refused(strange)
    assert ("unknown_id", [*place, "id"]) in found
    assert ("unknown_id", [*place, "lessons", "0", "id"]) in found
    assert await refused({"id": chapter["id"], "title": " ", "lessons": [lesson]}) == [("required", [*place, "title"])]
    assert await titles(lectern, course["id"]) == [["1"]]


async def test_a_stale_structure_is_refused_with_the_current_course(lectern: World) -> None:
    """R-CRS-4, R-IMP-6."""
    course = await a_course(lectern, ["1"])
    await done(lectern, "updateCourse", "course { id }", id=course["id"], title="Newer")
    refused = await call(
        lectern,
        "updateCourseCanonical",
        "course { title version }",
        courseId=course["id"],
        baseVersion=course["version"],
        chapters=[],
        removeMissing=True,
    )
    assert problems(refused) == [("VERSION_CONFLICT", None, [])]
    assert refused["course"] == {"title": "Newer", "version": course["version"] + 1}


async def test_metadata_changes_and_the_structure_does_not(lectern: World) -> None:
    """R-CRS-5."""
    course = await a_course(lectern, ["1"])
    await done(lectern, "updateCourse", "course { id }", id=course["id"], description="For new customers.")
    read = await show(lectern, "course", course["id"], f"description {STRUCTURE}")
    assert read == {"description": "For new customers.", "version": 3, "chapters": course["chapters"]}


async def test_a_chapter_changes_and_nothing_else(lectern: World) -> None:
    """R-CRS-6."""
    course = await a_course(lectern, ["1"], ["2"])
    first, second = course["chapters"]
    changed = await done(
        lectern,
        "updateChapter",
        "chapter { id title description course { version } }",
        id=first["id"],
        title="Start here",
    )
    assert changed["chapter"] == {
        "id": first["id"],
        "title": "Start here",
        "description": None,
        "course": {"version": 3},
    }
    read = await show(lectern, "course", course["id"], STRUCTURE)
    assert read["chapters"] == [{**first, "title": "Start here"}, second]
    stale = await call(lectern, "updateChapter", "chapter { title }", id=first["id"], baseVersion=2, title="Other")
    assert problems(stale) == [("VERSION_CONFLICT", None, [])]
    assert stale["chapter"] == {"title": "Start here"}
    for key, id in ((lectern.keys.stranger, first["id"]), (None, "chapter_" + "0" * 26)):
        refused = await call(lectern, "updateChapter", "chapter { id }", key=key, id=id, title="Mine")
        assert problems(refused) == [("NOT_FOUND", None, [])]


@pytest.mark.parametrize(
    ("chapter", "sequence", "expected"),
    [
        (None, None, [["1", "2"], ["3", "new"]]),
        (None, 1, [["new", "1", "2"], ["3"]]),
        (None, 2, [["1", "new", "2"], ["3"]]),
        (None, 3, [["1", "2"], ["new", "3"]]),
        (None, 4, [["1", "2"], ["3", "new"]]),
        (None, 99, [["1", "2"], ["3", "new"]]),
        (0, None, [["1", "2", "new"], ["3"]]),
        (0, 3, [["1", "2", "new"], ["3"]]),
        (0, 1, [["new", "1", "2"], ["3"]]),
        (1, 3, [["1", "2"], ["new", "3"]]),
        (1, None, [["1", "2"], ["3", "new"]]),
    ],
)
async def test_a_lesson_is_added_where_it_is_wanted_and_later_ones_shift(
    lectern: World, chapter: int | None, sequence: int | None, expected: list[list[str]]
) -> None:
    """R-CRS-7."""
    course = await a_course(lectern, ["1", "2"], ["3"])
    chapter_id = None if chapter is None else course["chapters"][chapter]["id"]
    added = await done(
        lectern,
        "addLesson",
        "lesson { sequence } course { lessonCount version } job { id }",
        courseId=course["id"],
        chapterId=chapter_id,
        sequence=sequence,
        title="new",
    )
    assert await titles(lectern, course["id"]) == expected
    assert added["course"] == {"lessonCount": 4, "version": 3}
    assert added["job"] is None


async def test_a_lesson_cannot_be_added_outside_of_its_chapter_or_to_a_foreign_one(lectern: World) -> None:
    """R-CRS-7."""
    course, other = await a_course(lectern, ["1", "2"], ["3"]), await a_course(lectern, ["1"])
    first, second = course["chapters"]
    for chapter, sequence in ((first, 4), (second, 2)):
        refused = await call(
            lectern,
            "addLesson",
            "lesson { id }",
            courseId=course["id"],
            chapterId=chapter["id"],
            sequence=sequence,
            title="x",
        )
        assert problems(refused) == [("VALIDATION_FAILED", "sequence_outside_chapter", ["input", "sequence"])]
    refused = await call(
        lectern, "addLesson", "lesson { id }", courseId=course["id"], chapterId=other["chapters"][0]["id"], title="x"
    )
    assert problems(refused) == [("NOT_FOUND", None, [])]
    refused = await call(
        lectern, "addLesson", "lesson { id }", courseId=course["id"], title="x", prompt="y", lecture="z"
    )
    assert rules(refused) == ["prompt_or_lecture"]


async def test_the_first_lesson_of_a_course_brings_its_chapter(lectern: World) -> None:
    """R-CRS-7."""
    course = await create(lectern, "course")
    await done(lectern, "addLesson", "lesson { id }", courseId=course["id"], sequence=3, title="1", lecture="<p>x</p>")
    assert await titles(lectern, course["id"]) == [["1"]]
    read = await show(lectern, "course", course["id"], "chapters { title } lesson(sequence: 1) { lecture }")
    assert read == {"chapters": [{"title": "A course"}], "lesson": {"lecture": "<p>x</p>"}}


async def test_a_lesson_is_named_by_its_position_or_by_its_id(lectern: World) -> None:
    """R-CRS-8."""
    course = await a_course(lectern, ["1", "2"])
    named = {"courseId": course["id"], "sequence": 2}
    changed = await done(lectern, "updateLesson", "lesson { id title version }", title="Your first week", **named)
    lesson = course["chapters"][0]["lessons"][1]["id"]
    assert changed["lesson"] == {"id": lesson, "title": "Your first week", "version": 2}
    for sequence in (0, 3, -1):
        refused = await call(
            lectern, "updateLesson", "lesson { id }", courseId=course["id"], sequence=sequence, title="x"
        )
        assert problems(refused) == [("NOT_FOUND", None, [])]
        read = await show(lectern, "course", course["id"], f"lesson(sequence: {sequence}) {{ id }}")
        assert read["lesson"] is None
    for key in (
        {},
        {"courseId": course["id"]},
        {"sequence": 1},
        {"id": lesson, **named},
        {"id": lesson, "sequence": 1},
    ):
        refused = await call(lectern, "updateLesson", "lesson { id }", title="x", **key)
        assert problems(refused) == [("VALIDATION_FAILED", "lesson_key", ["input"])]


async def test_the_full_content_of_a_lesson_is_written_and_read_in_one_piece(lectern: World) -> None:
    """R-CRS-9, R-CRS-10."""
    course = await a_course(lectern, ["1"])
    lesson = course["chapters"][0]["lessons"][0]["id"]
    quiz = {"question": "Who helps you first?", "options": ["Your buddy", "Nobody"], "correctAnswers": ["Your buddy"]}
    content = {"title": "Your first week", "lecture": "<p>Meet the team.</p>", "quizzes": [quiz], "practice": []}
    written = await done(lectern, "updateLesson", f"lesson {{ {LESSON} }}", id=lesson, baseVersion=1, **content)
    full = await show(lectern, "lesson", lesson, LESSON)
    assert full == written["lesson"]
    assert (full["version"], full["title"], full["lecture"]) == (2, "Your first week", "<p>Meet the team.</p>")
    assert [row["question"] for row in full["quizzes"]] == ["Who helps you first?"]
    assert (await show(lectern, "course", course["id"], "version"))["version"] == 3

    broken = {**quiz, "correctAnswers": ["Everybody"]}
    refused = await call(
        lectern, "updateLesson", "lesson { id }", id=lesson, title="New", lecture="<p>New</p>", practice=[quiz, broken]
    )
    assert problems(refused) == [
        ("VALIDATION_FAILED", "answer_not_in_options", ["input", "practice", "1", "correctAnswers"])
    ]
    assert await show(lectern, "lesson", lesson, LESSON) == full
    stale = await call(lectern, "updateLesson", "lesson { version }", id=lesson, baseVersion=1, title="New")
    assert problems(stale) == [("VERSION_CONFLICT", None, [])]
    assert stale["lesson"] == {"version": 2}


async def test_a_quiz_may_become_practice_and_keeps_its_id(lectern: World) -> None:
    course = await a_course(lectern, ["1"])
    lesson = course["chapters"][0]["lessons"][0]["id"]
    selection = "lesson { quizzes { id sequence } practice { id sequence } }"
    await done(lectern, "updateLesson", selection, id=lesson, quizzes=[{**HAZARD, "id": "a"}, {**HAZARD, "id": "b"}])
    moved = await done(
        lectern, "updateLesson", selection, id=lesson, quizzes=[{**HAZARD, "id": "b"}], practice=[{**HAZARD, "id": "a"}]
    )
    assert moved["lesson"] == {"quizzes": [{"id": "b", "sequence": 1}], "practice": [{"id": "a", "sequence": 1}]}
    refused = await call(lectern, "updateLesson", selection, id=lesson, practice=[{**HAZARD, "id": "b"}])
    assert rules(refused) == ["duplicate_id"]


async def test_chapters_and_lessons_are_nodes_of_their_owner_only(lectern: World) -> None:
    """R-IMP-1, R-CARD-1."""
    course = await a_course(lectern, ["1"])
    chapter = course["chapters"][0]["id"]
    lesson = course["chapters"][0]["lessons"][0]["id"]
    query = """query ($id: ID!) { node(id: $id) {
      id ... on Lesson { chapter { lessons { id course { id } } } } ... on Chapter { course { lessons { id } } }
    } }"""
    seen = await lectern.graph(query, id=lesson)
    assert seen["node"] == {"id": lesson, "chapter": {"lessons": [{"id": lesson, "course": {"id": course["id"]}}]}}
    seen = await lectern.graph(query, id=chapter)
    assert seen["node"] == {"id": chapter, "course": {"lessons": [{"id": lesson}]}}
    for key in (lectern.keys.stranger, lectern.keys.test):
        for id in (chapter, lesson):
            assert (await lectern.graph(query, key=key, id=id))["node"] is None
        assert await show(lectern, "lesson", lesson, "id", key=key) is None
        for mutation, input in (
            ("updateLesson", {"id": lesson, "title": "x"}),
            ("updateLesson", {"courseId": course["id"], "sequence": 1, "title": "x"}),
            ("addLesson", {"courseId": course["id"], "title": "x"}),
            ("updateCourseCanonical", {"courseId": course["id"], "baseVersion": 1, "chapters": []}),
        ):
            assert problems(await call(lectern, mutation, "__typename", key=key, **input)) == [("NOT_FOUND", None, [])]


async def test_a_repeated_lesson_is_added_once(lectern: World) -> None:
    """R-IDM-1, R-IDM-2."""
    course = await create(lectern, "course")
    input = {"courseId": course["id"], "title": "1", "idempotencyKey": "lesson:hard-questions:v1"}
    selection = "lesson { id } course { lessonCount } replayed"
    first = await done(lectern, "addLesson", selection, **input)
    again = await done(lectern, "addLesson", selection, **input)
    assert again == {**first, "replayed": True}
    assert again["course"] == {"lessonCount": 1}


STEP = st.tuples(st.sampled_from(["add", "shuffle", "drop", "found", "close"]), st.integers(1, 6), st.randoms())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=2, max_size=8))
async def test_any_sequence_of_changes_leaves_chapters_and_lessons_dense_and_themselves(
    lectern: World, steps: list[tuple[str, int, Any]]
) -> None:
    """Issue line 2: chapters are 1 to n, lessons are so through all of them, and ids keep their titles."""
    course = await a_course(lectern, ["a", "b"], ["c"])
    id, version = course["id"], course["version"]
    model = [(row["id"], [(it["id"], it["title"]) for it in row["lessons"]]) for row in course["chapters"]]
    for number, (verb, place, random) in enumerate(steps):
        if verb == "add" and model:
            at = random.randrange(len(model))
            added = await done(
                lectern,
                "addLesson",
                "lesson { id } course { version }",
                courseId=id,
                chapterId=model[at][0],
                title=str(number),
            )
            model[at][1].append((added["lesson"]["id"], str(number)))
            version = added["course"]["version"]
        else:
            lessons = [lesson for _, group in model for lesson in group]
            random.shuffle(lessons)
            keys: list[str | None] = [key for key, _ in model]
            random.shuffle(keys)
            keys = keys[1:] if verb == "close" else [*keys, None] if verb == "found" else keys
            lessons = lessons[: place if verb == "drop" else None if keys else 0]
            cuts = [0, *sorted(random.randint(0, len(lessons)) for _ in keys[1:]), len(lessons)]
            groups = [lessons[start:end] for start, end in pairwise(cuts)][: len(keys)]
            wanted = [
                {"id": key, "title": "x", "lessons": [{"id": it, "title": title} for it, title in group]}
                for key, group in zip(keys, groups, strict=True)
            ]
            written = (await canonical(lectern, id, version, wanted, removeMissing=True))["course"]
            version, now = written["version"], [row["id"] for row in written["chapters"]]
            assert [one for one, key in zip(now, keys, strict=True) if key] == [key for key in keys if key]
            model = list(zip(now, groups, strict=True))
        assert await titles(lectern, id) == [[title for _, title in group] for _, group in model]
        read = await show(lectern, "course", id, "lessons { id title }")
        assert [(it["id"], it["title"]) for it in read["lessons"]] == [it for _, group in model for it in group]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.randoms(), min_size=2, max_size=5))
async def test_any_sequence_of_lists_leaves_quizzes_and_practice_dense_and_themselves(
    lectern: World, steps: list[Any]
) -> None:
    """Issue line 2: each list is 1 to n in the order asked for, and a quiz keeps its id, its list changes or not."""
    course = await a_course(lectern, ["1"])
    lesson = course["chapters"][0]["lessons"][0]["id"]
    selection = "lesson { quizzes { id sequence question } practice { id sequence question } }"
    known: list[tuple[str, str]] = []
    for number, random in enumerate(steps):
        lists: dict[str, list[dict[str, Any]]] = {"quizzes": [], "practice": []}
        for id, question in random.sample(known, random.randint(0, len(known))):
            lists[random.choice(["quizzes", "practice"])].append({**HAZARD, "id": id, "question": question})
        lists["quizzes"].append({**HAZARD, "question": f"New {number}?"})
        lists["practice"].append({**HAZARD, "question": f"Chosen {number}?", "id": f"practice-{number}"})
        for entries in lists.values():
            for entry, place in zip(entries, random.sample(range(1, 100), len(entries)), strict=True):
                entry["sequence"] = place
        written = (await done(lectern, "updateLesson", selection, id=lesson, **lists))["lesson"]
        for name, entries in lists.items():
            wanted = sorted(entries, key=lambda entry: int(entry["sequence"]))
            assert [row["sequence"] for row in written[name]] == list(range(1, len(wanted) + 1))
            assert [row["question"] for row in written[name]] == [entry["question"] for entry in wanted]
            assert all(
                row["id"] == entry.get("id", row["id"]) for row, entry in zip(written[name], wanted, strict=True)
            )
        known = [(row["id"], row["question"]) for name in lists for row in written[name]]
        assert (
            await show(lectern, "lesson", lesson, selection.removeprefix("lesson { ").removesuffix(" }"))
        ) == written
