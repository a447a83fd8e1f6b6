"""What we write is valid, reproducible, and comes back: R-CEX-13, R-CEX-14."""

import functools
import io
import json
import zipfile
from dataclasses import replace
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from lxml import etree, isoschematron

from storage.packages import html
from storage.packages.outcomes import Association, Content, ContentType
from storage.packages.questions import FeedbackKind
from storage.packages.writing import qti12
from storage.packages.writing.cartridge import CartridgeWriter
from storage.packages.writing.course import Chapter, Course, Lesson, Question, QuestionKind, legible, line
from storage.packages.writing.folders import FolderWriter
from storage.packages.writing.package import MOST_LOSSES, PackageWriter
from storage.packages.writing.qti_package import QtiWriter
from tests.packages.builders import CASE
from tests.packages.courses import FILES, SHARED, courses, validator, written
from tests.packages.returned import asked, expected, failed, outcomes, told

ROUNDS = settings(max_examples=15, suppress_health_check=list(HealthCheck))
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
beside = pytest.mark.skipif(not SHARED.exists(), reason="the schemas are not beside the project")

COURSE = Course("course_1", "Safety", "At work", "en", (CASE,), (Chapter("chapter_1", "Basics", "First things"),))
CHOICE = Question("quiz_1", QuestionKind.MULTIPLE_CHOICE, "2 + 2?", ("3", "4", "5"), ("4",), "Sums", "Count.")
QUESTIONS = (
    CHOICE,
    Question("quiz_2", QuestionKind.MULTIPLE_RESPONSE, "Which?", ("a", "b", "c"), ("a", "c")),
    Question("quiz_3", QuestionKind.TRUE_FALSE, "So?", ("true", "false"), ("false",), None, "No.", show_feedback=False),
    Question("quiz_4", QuestionKind.SHORT_ANSWER, "Capital?", (), ("Paris", "Lutetia")),
    Question("quiz_5", QuestionKind.SHORT_ANSWER, "Say why.", (), ()),
)
LESSON = Lesson("lesson_1", "chapter_1", 1, "Greetings", "Hello", "<p>Hello, Min.</p>", QUESTIONS)


def aligned(course: Course) -> Course:
    """The same course with a standard, without which our own reader takes nothing."""
    return replace(course, standards=course.standards or (CASE,))


@beside
@pytest.mark.parametrize("kind", [CartridgeWriter, QtiWriter])
@given(made=courses())
@ROUNDS
def test_whatever_a_client_says_becomes_a_valid_package(
    kind: type[PackageWriter], made: tuple[Course, list[Lesson]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    course, lessons = made
    files = FILES if kind is CartridgeWriter else ()
    path = tmp_path_factory.getbasetemp() / "package.zip"
    path.write_bytes(written(kind(course, files), lessons, files))  # type: ignore[call-arg]
    errors, warnings, _ = validator().check(str(path))
    assert (errors, warnings) == ([], [])


@given(made=courses())
@ROUNDS
def test_questions_come_back_from_a_qti_package_as_they_were(made: tuple[Course, list[Lesson]]) -> None:
    course, lessons = aligned(made[0]), made[1]
    asked_for = [question for lesson in lessons for question in (*lesson.quizzes, *lesson.practice)]
    if asked_for:
        found = outcomes(written(QtiWriter(course, ()), lessons))
        assert not failed(found)
        assert [each.source_identifier for each in asked(found)] == [question.id for question in asked_for]
        assert list(map(told, asked(found))) == [expected(question, course) for question in asked_for]


@given(made=courses())
@ROUNDS
def test_lessons_and_questions_come_back_from_a_cartridge_as_they_were(made: tuple[Course, list[Lesson]]) -> None:
    course, lessons = aligned(made[0]), made[1]
    if not lessons:
        return
    found = outcomes(written(CartridgeWriter(course, FILES), lessons, FILES))
    assert not failed(found)
    pages = [each for each in found if isinstance(each, Content) and each.type is ContentType.ARTICLE]
    assert [page.source_identifier for page in pages] == [lesson.id for lesson in lessons]
    assert [page.title for page in pages] == [line(legible(lesson.title)) for lesson in lessons]
    assert [page.text for page in pages] == [html.plain(legible(lesson.lecture or "")) for lesson in lessons]
    described = [legible(lesson.description or "").strip() for lesson in lessons]
    assert [page.description or "" for page in pages] == described
    sayable = [
        question for lesson in lessons for question in (*lesson.quizzes, *lesson.practice) if qti12.profile_of(question)
    ]
    # In QTI 1.2 a question has the title of its assessment.
    wanted = [expected(question, course) | {"title": ""} for question in sayable]
    assert [told(each) | {"title": ""} for each in asked(found)] == wanted


def test_the_organization_is_the_chapters_and_lessons() -> None:
    """R-CEX-13: a lesson that is only a page stands for itself, one with more is a folder that begins with the page."""
    video = '<p><a href="https://vimeo.com/76979871">The talk</a></p>'
    lessons = [replace(LESSON, lecture=video), replace(LESSON, id="lesson_2", number=2, title="Later", quizzes=())]
    found = outcomes(written(CartridgeWriter(COURSE, ()), lessons))
    contents = {each.key: each for each in found if isinstance(each, Content)}
    below: dict[str, list[str]] = {}
    for each in found:
        if isinstance(each, Association) and each.sort_order is not None:
            below.setdefault(contents[each.target].title, []).append(contents[each.source].title)
    assert below["Safety"] == ["Basics"]
    assert below["Basics"] == ["Greetings", "Later"]
    assert below["Greetings"] == ["Greetings", "The talk", "Greetings: quiz"]
    assert len(below["Greetings: quiz"]) == len(QUESTIONS)
    videos = [each for each in contents.values() if each.type is ContentType.VIDEO]
    assert [(each.video_url, each.provider) for each in videos] == [("https://vimeo.com/76979871", "vimeo")]


@pytest.mark.parametrize(
    ("kind", "options", "answers", "profile"),
    [
        (QuestionKind.MULTIPLE_CHOICE, "abc", "b", qti12.Profile.MULTIPLE_CHOICE),
        (QuestionKind.MULTIPLE_CHOICE, "ab", "b", qti12.Profile.TRUE_FALSE),
        (QuestionKind.MULTIPLE_CHOICE, "abc", "", None),
        (QuestionKind.TRUE_FALSE, "ab", "a", qti12.Profile.TRUE_FALSE),
        (QuestionKind.TRUE_FALSE, "abc", "a", qti12.Profile.MULTIPLE_CHOICE),
        (QuestionKind.MULTIPLE_RESPONSE, "ab", "ab", qti12.Profile.MULTIPLE_RESPONSE),
        (QuestionKind.MULTIPLE_RESPONSE, "ab", "", None),
        (QuestionKind.SHORT_ANSWER, "", "x", qti12.Profile.FILL_IN),
        (QuestionKind.SHORT_ANSWER, "", "", qti12.Profile.ESSAY),
    ],
)
def test_each_question_takes_the_profile_that_can_say_it(
    kind: QuestionKind, options: str, answers: str, profile: qti12.Profile | None
) -> None:
    assert qti12.profile_of(Question("quiz_1", kind, "?", tuple(options), tuple(answers))) is profile


@beside
@given(made=courses())
@ROUNDS
def test_assessments_keep_the_rules_that_no_schema_can_say(made: tuple[Course, list[Lesson]]) -> None:
    """The Schematron rules of the cartridge profile, which stand in its schema."""
    for lesson in made[1]:
        for path, data in CartridgeWriter(made[0], FILES).entries(lesson):
            if path.endswith(("/quiz.xml", "/practice.xml")):
                assert profile_rules().validate(etree.fromstring(data)), profile_rules().error_log


@beside
def test_those_rules_are_heeded() -> None:
    """A multiple-choice question of two options is refused: the rules do something."""
    wrong = qti12.write_assessment("a", "A", "en", [replace(CHOICE, options=("3", "4"))])
    wrong = wrong.replace(b"cc.true_false", b"cc.multiple_choice")
    assert not profile_rules().validate(etree.fromstring(wrong))


@functools.cache
def profile_rules() -> isoschematron.Schematron:
    schema = etree.parse(SHARED / "xsd" / "cc11" / "ccv1p1_qtiasiv1p2p1_v1p0.xsd")
    rules = etree.Element(f"{{{isoschematron.SCHEMATRON_NS}}}schema", queryBinding="xslt")
    for found in schema.iter(f"{{{isoschematron.SCHEMATRON_NS}}}ns", f"{{{isoschematron.SCHEMATRON_NS}}}pattern"):
        found.attrib.pop("name", None)
        rules.append(found)
    return isoschematron.Schematron(rules, store_report=True)


@pytest.mark.parametrize("kind", [CartridgeWriter, QtiWriter])
def test_an_explanation_comes_back_as_feedback_unless_it_is_hidden(kind: Any) -> None:
    """A quiz without feedback keeps its explanation where graders find it."""
    found = asked(outcomes(written(kind(COURSE, ()), [LESSON])))
    feedback = [[each.html for each in content.question.feedback] for content in found if content.question]
    hidden = [] if kind is QtiWriter else ["No."]  # QTI 1.2 knows it as a solution, which readers may show on request
    assert feedback == [["Count."] if kind is CartridgeWriter else ["<p>Count.</p>"], [], hidden, [], []]
    kinds = {each.kind for content in found if content.question for each in content.question.feedback}
    assert kinds == {FeedbackKind.MODAL}


@pytest.mark.parametrize("kind", [CartridgeWriter, QtiWriter, FolderWriter])
def test_the_same_content_is_the_same_bytes(kind: Any) -> None:
    """The manifest comes first, the rest is sorted; names are UTF-8, times are fixed, there are no directories."""
    files = () if kind is QtiWriter else FILES
    lessons = [replace(LESSON, practice=QUESTIONS[:1]), replace(LESSON, id="lesson_2", number=2)]
    data = written(kind(COURSE, files), lessons, files)
    assert data == written(kind(COURSE, files), lessons, files)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        assert archive.testzip() is None
    assert entries[0].filename == kind.manifest_path
    names = [entry.filename for entry in entries[1:]]
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert all(entry.flag_bits & 0x800 and not entry.is_dir() for entry in entries)


@pytest.mark.parametrize("kind", [CartridgeWriter, QtiWriter])
def test_every_file_is_in_the_manifest_and_every_reference_resolves(kind: Any) -> None:
    files = () if kind is QtiWriter else FILES
    data = written(kind(COURSE, files), [replace(LESSON, lecture='<img src="notes.XML">')], files)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        manifest = etree.fromstring(archive.read("imsmanifest.xml"))
        names = set(archive.namelist()) - {"imsmanifest.xml"}
    assert {unquote(file.get("href", "")) for file in manifest.iter("{*}file")} == names
    ids = [element.get("identifier") for element in manifest.iter() if element.get("identifier")]
    assert len(set(ids)) == len(ids)
    references = {element.get("identifierref") for element in manifest.iter() if element.get("identifierref")}
    assert references <= set(ids)
    assert all(resource.find("{*}metadata//{*}GUID") is not None for resource in manifest.iter("{*}resource"))


def test_links_lead_to_the_files_of_the_course() -> None:
    lecture = '<img src="images/map%20of%20%C3%A9.png"><a href="notes.XML#here">n</a><a href="//x.org/a">x</a> src="a"'
    writer = CartridgeWriter(COURSE, FILES)
    data = written(writer, [replace(LESSON, lecture=lecture, quizzes=())], FILES)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        page = archive.read("lessons/000001/page.html").decode()
        assert "web_resources/images/map of é.png" in archive.namelist()
        assert "web_resources/notes.XML.txt" in archive.namelist()
    assert 'src="../../web_resources/images/map%20of%20%C3%A9.png"' in page
    assert 'href="../../web_resources/notes.XML.txt#here"' in page
    assert 'href="//x.org/a">x</a> src="a"' in page
    assert [loss.code for loss in writer.losses.listed()] == ["file_renamed"]


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({"lecture": '<a href="gone.pdf">x</a>'}, ["file_unknown"]),
        ({"title": "A\x01B"}, ["characters_replaced"]),
        ({"quizzes": (replace(CHOICE, answers=()),)}, ["question_without_answer"]),
        ({"quizzes": (replace(CHOICE, options=(), answers=()),)}, ["question_without_options"]),
        ({"quizzes": (replace(QUESTIONS[3], options=("a",)),)}, ["options_left_out"]),
        ({}, []),
    ],
)
def test_what_a_cartridge_cannot_hold_is_told(change: dict[str, Any], codes: list[str]) -> None:
    writer = CartridgeWriter(COURSE, ())
    assert not failed(outcomes(written(writer, [replace(LESSON, **change)])))
    assert [loss.code for loss in writer.losses.listed()] == codes
    assert all((loss.subject or "").startswith("lesson_1") for loss in writer.losses.listed())


def test_a_course_without_standards_says_so() -> None:
    writer = QtiWriter(replace(COURSE, standards=()), ())
    assert [loss.code for loss in writer.losses.listed()] == ["not_aligned"]


def test_a_long_list_of_losses_ends_with_how_many_there_are() -> None:
    writer = QtiWriter(COURSE, ())
    for number in range(MOST_LOSSES + 7):
        writer.take(replace(LESSON, id=f"lesson_{number}", title="\x02", quizzes=()))
    *_, last = writer.losses.listed()
    assert (last.code, last.message[:8]) == ("further_losses", "7 more w")


@pytest.mark.parametrize("kind", [CartridgeWriter, QtiWriter, FolderWriter])
def test_nothing_is_empty(kind: Any) -> None:
    writer = kind(COURSE, ())
    assert writer.is_empty
    writer.take(LESSON)
    assert not writer.is_empty


def test_a_zip_has_a_manifest_of_checksums() -> None:
    """R-CEX-15: whatever is in it is in its manifest, with its size and hash."""
    contents = {file.path: file.path.encode() * 100 for file in FILES}
    files = [replace(file, size=len(contents[file.path]), sha256=digest(contents[file.path])) for file in FILES]
    lesson = replace(LESSON, lecture='<img src="notes.XML">', practice=QUESTIONS[:1])
    data = written(FolderWriter(COURSE, files), [lesson], files, contents)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        manifest = json.loads(archive.read("manifest.json"))["files"]
        assert [entry["path"] for entry in manifest] == archive.namelist()[1:]
        for entry in manifest:
            found = archive.read(entry["path"])
            assert (entry["size"], entry["sha256"]) == (len(found), digest(found))
        course = json.loads(archive.read("content/course.json"))
        questions = json.loads(archive.read("content/lessons/000001/questions.json"))
        page = archive.read("content/lessons/000001/page.html").decode()
        assert archive.read("files/notes.XML") == contents["notes.XML"]
    assert {entry["id"] for entry in manifest} == {"course_1", "lesson_1", *(file.id for file in FILES)}
    assert [lesson["folder"] for lesson in course["chapters"][0]["lessons"]] == ["content/lessons/000001"]
    assert questions["quizzes"][0]["type"] == "multiple-choice"
    assert questions["practice"][0]["correctAnswers"] == ["4"]
    assert 'src="../../../files/notes.XML"' in page


def test_a_group_has_only_files() -> None:
    data = written(FolderWriter(None, FILES), [], FILES)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["manifest.json", *sorted(f"files/{file.path}" for file in FILES)]


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()
