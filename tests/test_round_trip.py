"""Whatever our own API lets a client write becomes valid packages, and comes back from them: R-CEX-13, R-CEX-14."""

import io
import re
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from schema.mutations.rules import QUIZ_ID
from storage.packages import html
from storage.packages.outcomes import Association, Content, ContentType, Outcome
from storage.packages.writing import qti12
from storage.packages.writing.course import Course, Lesson, Question, legible, line
from tests.exporting import QUESTIONS, a_course, fetched, finished, made, start
from tests.ingesting import client
from tests.packages.builders import CASE
from tests.packages.courses import SHARED, courses, validator
from tests.packages.returned import asked, expected, failed, markup, outcomes, told
from tests.world import World

FORMATS = ("common_cartridge", "qti")


@pytest.fixture
async def working(lectern: World) -> AsyncIterator[World]:
    """A background process is there, and an administrator is signed in."""
    await lectern.login(lectern.keys.admin)
    async with lectern.background():
        yield lectern


@pytest.mark.skipif(not SHARED.exists(), reason="the schemas are not beside the project")
@settings(max_examples=5, suppress_health_check=list(HealthCheck), phases=set(Phase) - {Phase.shrink})
@given(said=courses())
async def test_whatever_a_client_writes_comes_back_from_valid_packages(
    working: World, tmp_path: Path, said: tuple[Course, list[Lesson]]
) -> None:
    """Odd titles, text from right to left, empty lists, long options, HTML, every type of question."""
    course, lessons = said
    context = {"courseId": await written(working, course, lessons)}
    started = [await start(working, context, type) for type in FORMATS]
    cartridge, qti = [await finished(working, context, export["id"]) for export in started]

    questions = [question for lesson in lessons for question in (*lesson.quizzes, *lesson.practice)]
    if not questions:
        assert qti["error"]["code"] == "EXPORT_EMPTY"
    elif found := await read(working, qti, tmp_path, course):
        assert list(map(told, asked(found))) == [expected(question, course) for question in questions]

    if not lessons:
        assert cartridge["error"]["code"] == "EXPORT_EMPTY"
    elif found := await read(working, cartridge, tmp_path, course):
        articles = [each for each in found if isinstance(each, Content) and each.type is ContentType.ARTICLE]
        assert [each.title for each in articles] == [line(legible(lesson.title)) for lesson in lessons]
        assert [markup(each.body or "") for each in articles] == [markup(lesson.lecture or "") for lesson in lessons]
        assert chapters(found) == [line(legible(chapter.title)) for chapter in course.chapters]
        sayable = [question for question in questions if qti12.profile_of(question)]
        # In QTI 1.2 a question has the title of its assessment.
        wanted = [expected(question, course) | {"title": ""} for question in sayable]
        assert [told(each) | {"title": ""} for each in asked(found)] == wanted
    unsayable = [question for question in questions if not qti12.profile_of(question)]
    warned = [each["code"] for each in cartridge["warnings"]].count("question_without_answer")
    assert warned == len(unsayable)


ASKED = """query ($id: ID!) { ingestionJob(jobId: $id) { itemStatuses(first: 100) { nodes { contentItem {
  __typename title curriculumItemIds
  ... on QuestionItem { body interactions { kind prompt choices { id text } correctResponses } }
} } } } }"""


async def test_the_gateway_ingests_its_own_packages(working: World) -> None:
    """Equal questions, pages and standards, in their order; the cartridge says of each question what it is."""
    context, author = {"courseId": await a_course(working)}, await client(working)
    wanted = [*QUESTIONS, QUESTIONS[0]]
    for type in FORMATS:
        started = await start(working, context, type)
        export = await finished(working, context, started["id"])
        data = (await fetched(working, export["attachment"]["url"])).content
        job = await author.finished(await author.upload(data))
        assert job["status"] == "COMPLETED"
        nodes = (await author.graph(ASKED, id=job["id"]))["ingestionJob"]["itemStatuses"]["nodes"]
        items = [node["contentItem"] for node in nodes]
        assert {tuple(item["curriculumItemIds"]) for item in items} == {(CASE,)}
        assert [shown(item) for item in items if item["__typename"] == "QuestionItem"] == list(map(sent, wanted))
        pages = [item["title"] for item in items if item["__typename"] == "ArticleItem"]
        assert pages == ([] if type == "qti" else ["Hazards", "Reports", "Exits"])
        if type == "common_cartridge":
            with zipfile.ZipFile(io.BytesIO(data)) as package:
                assessment = package.read("lessons/000001/quiz.xml").decode()
            profiles = re.findall(r"cc\.(\w+)\.v0p1", assessment)
            assert profiles == ["exam", "multiple_choice", "multiple_response", "true_false", "fib", "essay"]


def shown(item: dict[str, Any]) -> tuple[str, list[str], list[str]]:
    """A question that was ingested: its text, its options, and the right ones or the first that is accepted."""
    (interaction,) = item["interactions"]
    texts = {choice["id"]: choice["text"] for choice in interaction["choices"]}
    right = [texts[id] for id in interaction["correctResponses"]] if texts else interaction["correctResponses"][:1]
    return html.plain(interaction["prompt"] or item["body"]), list(texts.values()), right


def sent(question: dict[str, Any]) -> tuple[str, list[str], list[str]]:
    """The same of a question as it was sent."""
    options, right = question.get("options", []), question.get("correctAnswers", [])
    return question["question"], options, right if options else right[:1]


def chapters(found: list[Outcome]) -> list[str]:
    """The titles of what is in the container that is in no other, in order."""
    titles = {each.key: each.title for each in found if isinstance(each, Content)}
    placed = [each for each in found if isinstance(each, Association) and each.sort_order is not None]
    (root,) = {each.target for each in placed} - {each.source for each in placed}
    inside = sorted((each.sort_order, each.source) for each in placed if each.target == root)
    return [titles[key] for _, key in inside]


async def read(lectern: World, export: dict[str, Any], folder: Path, course: Course) -> list[Outcome]:
    """What our reader makes of an export, which is valid; nothing of a course that is aligned to nothing."""
    path = folder / "package.zip"
    path.write_bytes((await fetched(lectern, export["attachment"]["url"])).content)
    errors, warnings, _ = validator().check(str(path))
    assert (errors, warnings) == ([], [])
    found = outcomes(path.read_bytes()) if course.standards else []
    assert not failed(found)
    return found


async def written(lectern: World, course: Course, lessons: list[Lesson]) -> str:
    """The course, as a client writes it; answers its id."""
    about = {"title": course.title, "language": course.language, "curriculumItemIds": list(course.standards)}
    payload = await made(lectern, "createCourse", "course { id }", **about)
    id = payload["course"]["id"]
    structure = [
        {
            "title": chapter.title,
            "lessons": [{"title": lesson.title} for lesson in lessons if lesson.chapter_id == chapter.id],
        }
        for chapter in course.chapters
    ]
    wanted = {"courseId": id, "baseVersion": 1, "chapters": structure}
    payload = await made(lectern, "updateCourseCanonical", "course { chapters { id } }", **wanted)
    edits: dict[str, Any] = {"updateCourse": {"id": id, "description": course.description}}
    for number, (row, chapter) in enumerate(zip(payload["course"]["chapters"], course.chapters, strict=True)):
        edits[f"updateChapter{number}"] = {"id": row["id"], "description": chapter.description}
    for lesson in lessons:
        edits[f"updateLesson{lesson.number}"] = {
            "courseId": id,
            "sequence": lesson.number,
            "description": lesson.description,
            "lecture": lesson.lecture,
            **quizzes(lesson),
        }
    await at_once(lectern, edits)
    return str(id)


async def at_once(lectern: World, edits: dict[str, Any]) -> None:
    """Several mutations in one document, each named by its number behind its name."""
    names = {alias: alias.rstrip("0123456789") for alias in edits}
    variables = ", ".join(f"${alias}: {name[0].upper()}{name[1:]}Input!" for alias, name in names.items())
    fields = " ".join(f"{alias}: {name}(input: ${alias}) {{ errors {{ path rule }} }}" for alias, name in names.items())
    answer = await lectern.as_user(f"mutation ({variables}) {{ {fields} }}", **edits)
    assert [payload for payload in answer.values() if payload["errors"]] == []


def quizzes(lesson: Lesson) -> dict[str, Any]:
    """Both lists; an id of theirs is sent where it can be one."""
    seen: set[str] = set()

    def quiz(question: Question) -> dict[str, Any]:
        key = question.key or ""
        named = {"id": key} if QUIZ_ID.fullmatch(key) and key not in seen else {}
        seen.add(key)
        return named | {
            "question": question.text,
            "type": question.kind.replace("-", "_"),
            "options": list(question.options),
            "correctAnswers": list(question.answers),
            "title": question.title,
            "explanation": question.explanation,
            "showFeedback": question.show_feedback,
        }

    return {name: [quiz(question) for question in getattr(lesson, name)] for name in ("quizzes", "practice")}
