"""Modules and their quizzes through the front door: R-MOD-*."""

from typing import Any

import pytest

from tests.authoring import HAZARD, call, create, done, problems, rules, show
from tests.world import World

QUIZ = "id sequence title question type options correctAnswers explanation showFeedback"
SEED_UPDATE: dict[str, Any] = {
    "title": "Workplace safety basics",
    "description": "A concise interactive module for new employees.",
    "lecture": "<h2>Safety first</h2><p>Always report hazards.</p>",
    "quizzes": [{"id": "quiz-1", "sequence": 1, "title": "Safety check", **HAZARD, "showFeedback": True}],
}


async def test_the_update_of_the_document_is_read_back_field_by_field(lectern: World) -> None:
    """R-MOD-4, R-MOD-5, R-MOD-8."""
    module = await create(lectern, "module", "id version type", type="markdown")
    assert module["type"] == "markdown"
    selection = f"module {{ version title description lecture quizzes {{ {QUIZ} }} }}"

    updated = await done(lectern, "updateModule", selection, id=module["id"], **SEED_UPDATE)

    expected = {**SEED_UPDATE, "version": 2, "quizzes": [{**SEED_UPDATE["quizzes"][0], "explanation": None}]}
    assert updated["module"] == expected
    read = await show(lectern, "module", module["id"], f"version title description lecture quizzes {{ {QUIZ} }}")
    assert read == expected


async def test_the_same_quiz_id_in_another_module_is_another_quiz(lectern: World) -> None:
    """R-MOD-5."""
    ids = [(await create(lectern, "module"))["id"] for _ in range(2)]
    for id in ids:
        await done(lectern, "updateModule", "module { id }", id=id, **SEED_UPDATE)
    await done(lectern, "updateModule", "module { id }", id=ids[0], quizzes=[])
    assert len((await show(lectern, "module", ids[1], "quizzes { id }"))["quizzes"]) == 1


async def test_only_what_is_sent_changes_and_null_clears(lectern: World) -> None:
    """R-MOD-4."""
    module = await create(lectern, "module")
    await done(lectern, "updateModule", "module { id }", id=module["id"], **SEED_UPDATE)
    await done(lectern, "updateModule", "module { id }", id=module["id"], title="Another title")
    read = await show(lectern, "module", module["id"], "version title description lecture quizzes { id }")
    assert read == {
        "version": 3,
        "title": "Another title",
        "description": SEED_UPDATE["description"],
        "lecture": SEED_UPDATE["lecture"],
        "quizzes": [{"id": "quiz-1"}],
    }
    await done(lectern, "updateModule", "module { id }", id=module["id"], description=None, lecture=None, quizzes=None)
    read = await show(lectern, "module", module["id"], "version title description lecture quizzes { id }")
    assert read == {"version": 4, "title": "Another title", "description": None, "lecture": None, "quizzes": []}
    for name in ("title", "language"):
        refused = await call(lectern, "updateModule", "module { id }", id=module["id"], **{name: None})
        assert problems(refused) == [("VALIDATION_FAILED", "required", ["input", name])]


async def test_what_changes_nothing_is_no_change(lectern: World) -> None:
    module = await create(lectern, "module")
    await done(lectern, "updateModule", "module { id }", id=module["id"], **SEED_UPDATE)
    again = await done(lectern, "updateModule", "module { version }", id=module["id"], **SEED_UPDATE)
    assert again["module"]["version"] == 2


async def test_html_is_sanitized_when_it_is_written(lectern: World) -> None:
    """R-MOD-4: a script element is gone on reading."""
    module = await create(lectern, "module")
    lecture = '<p onclick="x()">Hello <b>you</b></p><script>alert(1)</script><a href="javascript:x()">link</a>'
    updated = await done(
        lectern,
        "updateModule",
        "module { lecture }",
        id=module["id"],
        lecture=lecture,
    )
    assert updated["module"]["lecture"].startswith("<p>Hello <b>you</b></p><a")
    for active in ("script", "onerror", "onclick"):
        assert active not in updated["module"]["lecture"]


DESCRIBED = {
    "Q&A:\n 1 < 2 > 0 &lt;b&gt; <3": "Q&A:\n 1 < 2 > 0 &lt;b&gt; <3",
    "Q&amp;A: <em>1 < 2</em>\n<img src=x onerror='x()'>": "Q&amp;A: 1 < 2\n",
    "Hello<script>alert(1)</script><style>p {}</style><!-- x -->!": "Hello!",
    "<<b>script>alert(1)": "script>alert(1)",
    "<" * 2_000 + "b>" * 1_500: "b>" * 1_499,
}


async def test_a_description_is_plain_text_and_markup_in_it_is_taken_out(lectern: World) -> None:
    """Issue line 6: of resources, chapters and lessons alike; what is read can be written back."""
    course = await create(lectern, "course")
    lesson = await done(lectern, "addLesson", "lesson { id chapter { id } }", courseId=course["id"], title="x")
    for mutation, field, id in (
        ("updateCourse", "course", course["id"]),
        ("updateChapter", "chapter", lesson["lesson"]["chapter"]["id"]),
        ("updateLesson", "lesson", lesson["lesson"]["id"]),
    ):
        for written, read in DESCRIBED.items():
            for text in (written, read):
                answer = await done(lectern, mutation, f"{field} {{ description }}", id=id, description=text)
                assert answer[field]["description"] == read


@pytest.mark.parametrize(
    ("quiz", "rule", "place"),
    [
        ({"correctAnswers": ["Run"]}, "answer_not_in_options", ["correctAnswers"]),
        ({"correctAnswers": ["report it"]}, "answer_not_in_options", ["correctAnswers"]),
        ({"options": ["Report it"]}, "options_too_few", ["options"]),
        ({"options": [], "correctAnswers": []}, "options_too_few", ["options"]),
        ({"type": "true_false", "options": ["True"], "correctAnswers": []}, "options_too_few", ["options"]),
        ({"options": ["Report it", "Report it"]}, "options_duplicate", ["options"]),
        ({"options": ["Report it", " "]}, "required", ["options", "1"]),
        ({"correctAnswers": ["Report it", "Hide it"]}, "answers_too_many", ["correctAnswers"]),
        ({"question": " "}, "required", ["question"]),
        ({"question": "x" * 5001}, "too_long", ["question"]),
        ({"sequence": 0}, "positive", ["sequence"]),
        ({"id": ""}, "quiz_id", ["id"]),
        ({"explanation": "x" * 5001}, "too_long", ["explanation"]),
    ],
)
async def test_a_quiz_that_cannot_be_is_a_precise_problem(
    lectern: World, quiz: dict[str, Any], rule: str, place: list[str]
) -> None:
    """R-MOD-6, R-IMP-5."""
    module = await create(lectern, "module")
    quizzes = [HAZARD, {**HAZARD, **quiz}]
    refused = await call(lectern, "updateModule", "module { id }", id=module["id"], title="New", quizzes=quizzes)
    assert problems(refused) == [("VALIDATION_FAILED", rule, ["input", "quizzes", "1", *place])]
    assert refused["module"] is None
    unchanged = await show(lectern, "module", module["id"], "version title quizzes { id }")
    assert unchanged == {"version": 1, "title": "A module", "quizzes": []}


async def test_several_problems_are_told_at_once_each_at_its_place(lectern: World) -> None:
    """R-IMP-5."""
    module = await create(lectern, "module")
    refused = await call(
        lectern,
        "updateModule",
        "module { id }",
        id=module["id"],
        title="",
        language="not a language",
        curriculumItemIds=["nonsense"],
        quizzes=[{**HAZARD, "correctAnswers": ["Run"]}, {**HAZARD, "id": "a"}, {**HAZARD, "id": "a", "options": []}],
    )
    assert sorted(problems(refused)) == sorted(
        [
            ("VALIDATION_FAILED", "required", ["input", "title"]),
            ("VALIDATION_FAILED", "language", ["input", "language"]),
            ("VALIDATION_FAILED", "curriculum_item_id", ["input", "curriculumItemIds", "0"]),
            ("VALIDATION_FAILED", "answer_not_in_options", ["input", "quizzes", "0", "correctAnswers"]),
            ("VALIDATION_FAILED", "options_too_few", ["input", "quizzes", "2", "options"]),
            ("VALIDATION_FAILED", "answer_not_in_options", ["input", "quizzes", "2", "correctAnswers"]),
            ("VALIDATION_FAILED", "duplicate_id", ["input", "quizzes", "2", "id"]),
        ]
    )


async def test_quizzes_are_numbered_without_gaps_and_known_ones_keep_their_identity(lectern: World) -> None:
    module = await create(lectern, "module")
    quizzes = [{**HAZARD, "id": "b", "sequence": 7}, {**HAZARD, "id": "a", "sequence": 2}, {**HAZARD, "title": "new"}]
    selection = "module { quizzes { id sequence title } }"
    made = (await done(lectern, "updateModule", selection, id=module["id"], quizzes=quizzes))["module"]["quizzes"]
    assert [(quiz["id"], quiz["sequence"]) for quiz in made[::2]] == [("a", 1), ("b", 3)]
    new = made[1]
    assert (new["title"], new["sequence"]) == ("new", 2)

    again = [{**HAZARD, "id": new["id"], "title": "moved"}, {**HAZARD, "id": "b"}]
    kept = (await done(lectern, "updateModule", selection, id=module["id"], quizzes=again))["module"]["quizzes"]
    assert kept == [
        {"id": new["id"], "sequence": 1, "title": "moved"},
        {"id": "b", "sequence": 2, "title": None},
    ]


async def test_a_multiple_response_and_a_short_answer_are_questions_too(lectern: World) -> None:
    """R-MOD-6."""
    module = await create(lectern, "module")
    quizzes = [
        {**HAZARD, "type": "multiple_response", "correctAnswers": ["Report it", "Hide it"]},
        {"question": "What do you say?", "type": "short_answer", "correctAnswers": ["Stop!"]},
        {"question": "Is it safe?", "type": "true_false", "options": ["True", "False"], "correctAnswers": ["False"]},
    ]
    selection = "module { quizzes { type correctAnswers } }"
    made = await done(lectern, "updateModule", selection, id=module["id"], quizzes=quizzes)
    assert [quiz["type"] for quiz in made["module"]["quizzes"]] == ["multiple_response", "short_answer", "true_false"]


async def test_a_module_of_somebody_else_or_of_another_kind_is_none(lectern: World) -> None:
    """R-MOD-3, R-IMP-1."""
    module, course = await create(lectern, "module"), await create(lectern, "course")
    for key in (lectern.keys.stranger, lectern.keys.test):
        assert await show(lectern, "module", module["id"], "id", key=key) is None
        refused = await call(lectern, "updateModule", "module { id }", key=key, id=module["id"], title="Mine")
        assert problems(refused) == [("NOT_FOUND", None, [])]
    assert await show(lectern, "module", course["id"], "id") is None
    refused = await call(lectern, "updateModule", "module { id }", id=course["id"], title="Mine")
    assert problems(refused) == [("NOT_FOUND", None, [])]


async def test_a_lecture_that_sanitizing_makes_too_long_is_refused(lectern: World) -> None:
    module = await create(lectern, "module")
    for lecture in ('<a href="/x">y</a> ' * 20_000, "x" * 500_001):
        refused = await call(lectern, "updateModule", "module { id }", id=module["id"], lecture=lecture)
        assert problems(refused) == [("VALIDATION_FAILED", "too_long", ["input", "lecture"])]


@pytest.mark.parametrize(("depth", "found"), [(200, []), (300, ["html_depth"])])
async def test_html_that_nests_too_deep_is_refused(lectern: World, depth: int, found: list[str]) -> None:
    module = await create(lectern, "module")
    lecture = "<div>" * depth + "x" + "</div>" * depth
    assert rules(await call(lectern, "updateModule", "module { id }", id=module["id"], lecture=lecture)) == found
