import re
from dataclasses import fields, is_dataclass
from itertools import chain
from string import Formatter

import nh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from dispatcher.jobs.drafting.commissions import (
    AssessmentCommission,
    CourseCommission,
    DeckCommission,
    ItemsCommission,
    LessonCommission,
    ModuleCommission,
    Request,
    VideoCommission,
)
from dispatcher.jobs.drafting.drafts import QuestionDraft
from dispatcher.jobs.drafting.languages import PATTERNS, PHRASES
from dispatcher.jobs.drafting.parts import lasting
from dispatcher.jobs.drafting.scaffold import (
    draft_assessment,
    draft_course,
    draft_deck,
    draft_items,
    draft_lesson,
    draft_module,
    draft_video,
)
from storage.tables import QuestionType, VisualType

SAFETY = Request("Create an interactive lesson about workplace safety basics.", "Introduction to safety")
COVERING = "Create a course about safety covering fire, falls and noise."
MARK = re.compile(r"\[(?:Add|Ergänzen|À compléter|Completar) ?: [^\]]+\]")

REQUESTS = st.builds(
    Request,
    st.text(max_size=80) | st.sampled_from([SAFETY.prompt, COVERING, "about <b>&, {x} and %s", "1. a\n2. b\n3. a", ""]),
    st.text(min_size=1, max_size=40),
    st.sampled_from([*PATTERNS, "de-CH", "ja", "xx"]),
)


def assert_sound(questions: tuple[QuestionDraft, ...]) -> None:
    assert len({question.question.casefold() for question in questions}) == len(questions)
    for question in questions:
        assert question.correct_answers
        assert question.explanation
        assert len(set(question.options)) == len(question.options)
        if question.type is not QuestionType.short_answer:
            assert set(question.correct_answers) <= set(question.options)
            assert len(question.options) >= 2


def test_the_module_of_the_document_has_a_lecture_and_a_quiz() -> None:
    module = draft_module(ModuleCommission(SAFETY, has_quiz=True))

    assert module.title == "Introduction to safety"
    assert module.description == "An outline on “workplace safety basics”."
    assert re.findall("<h2>(.*?)</h2>", module.lecture) == [
        "Goals",
        "What it is about",
        "Why it matters",
        "Key terms",
        "Step by step",
        "An example",
        "Common mistakes",
        "In short",
    ]
    assert "[Add: a concrete example from your workplace]" in module.lecture
    assert len(module.quizzes) == 3
    assert draft_module(ModuleCommission(SAFETY, has_quiz=False)).quizzes == ()


def test_the_topics_of_a_prompt_become_sections() -> None:
    module = draft_module(ModuleCommission(Request(COVERING, "T"), has_quiz=False))

    assert re.findall("<h2>(.*?)</h2>", module.lecture)[4:7] == ["fire", "falls", "noise"]


@pytest.mark.parametrize("language", PATTERNS)
def test_quizzes_ask_only_what_the_lecture_says(language: str) -> None:
    module = draft_module(ModuleCommission(Request("Make 20 questions about rain", "Rain", language), has_quiz=True))
    said = nh3.clean_text(module.lecture)
    choices = [quiz for quiz in module.quizzes if quiz.type is QuestionType.multiple_choice]

    assert len(module.quizzes) == 20
    assert choices
    for option in chain.from_iterable(quiz.options for quiz in choices):
        assert nh3.clean_text(option) in said
    assert not any(MARK.search(quiz.question) for quiz in module.quizzes)


def test_true_and_false_follow_the_order_of_the_sections() -> None:
    module = draft_module(ModuleCommission(Request("Make 20 questions about rain", "Rain"), has_quiz=True))
    headings = re.findall("<h2>(.*?)</h2>", module.lecture)
    verdicts = [quiz for quiz in module.quizzes if quiz.type is QuestionType.true_false]

    assert {quiz.correct_answers[0] for quiz in verdicts} == {"True", "False"}
    for quiz in verdicts:
        first, second = re.findall("“(.*?)”", quiz.question)
        assert quiz.correct_answers == ("True" if headings.index(first) < headings.index(second) else "False",)


def test_the_course_of_the_document_has_five_lessons_with_quiz_and_practice() -> None:
    prompt = "Create a 5 lesson onboarding course for customer success teams."
    course = draft_course(
        CourseCommission(Request(prompt, "Customer onboarding"), lesson_count=5, has_quiz=True, has_practice=True)
    )
    lessons = [lesson for chapter in course.chapters for lesson in chapter.lessons]

    assert [chapter.title for chapter in course.chapters] == ["Basics", "Practice"]
    assert [lesson.title for lesson in lessons] == [
        "What it is about",
        "Key terms",
        "Step by step",
        "An example from practice",
        "Common mistakes",
    ]
    assert all(lesson.quizzes and lesson.practice for lesson in lessons)
    assert all("For: customer success teams." in lesson.lecture for lesson in lessons)


def test_quiz_and_practice_come_only_when_asked_for() -> None:
    course = draft_course(CourseCommission(SAFETY, lesson_count=3, has_quiz=False, has_practice=False))

    assert not any(lesson.quizzes or lesson.practice for chapter in course.chapters for lesson in chapter.lessons)


@pytest.mark.parametrize(
    ("count", "chapters"),
    [
        (1, {"safety": ["fire, falls, noise"]}),
        (2, {"safety": ["fire", "falls, noise"]}),
        (3, {"safety": ["fire", "falls", "noise"]}),
        (
            5,
            {
                "fire": ["fire"],
                "falls": ["falls: introduction", "falls: key points"],
                "noise": ["noise: introduction", "noise: key points"],
            },
        ),
    ],
)
def test_no_topic_of_the_prompt_is_lost(count: int, chapters: dict[str, list[str]]) -> None:
    course = draft_course(
        CourseCommission(Request(COVERING, "T"), lesson_count=count, has_quiz=False, has_practice=False)
    )

    assert {chapter.title: [lesson.title for lesson in chapter.lessons] for chapter in course.chapters} == chapters


def test_an_explicit_count_wins_over_the_prompt_which_wins_over_the_default() -> None:
    def slides(prompt: str, count: int | None) -> int:
        return draft_deck(DeckCommission(Request(prompt, "T"), slide_count=count)).content.count("<slide>")

    assert slides("Create a 12 slide deck", 7) == 7
    assert slides("Create a 12 slide deck", None) == 12
    assert slides("Create a deck", None) == 10
    assert slides("Create a 5000 slide deck", None) == 100


def test_the_video_of_the_document_has_five_scenes_of_sixty_seconds_together() -> None:
    request = Request("Create a 60 second summary video for workplace safety.", "Safety summary")
    video = draft_video(VideoCommission(request, scene_count=5, target_duration_seconds=60, aspect_ratio="9:16"))

    assert [scene.visual_type for scene in video.scenes] == [
        VisualType.title,
        *[VisualType.text] * 3,
        VisualType.bullets,
    ]
    assert sum(scene.duration for scene in video.scenes) == 60
    assert video.aspect_ratio == "9:16"
    assert (
        sum(
            s.duration
            for s in draft_video(VideoCommission(request, scene_count=None, target_duration_seconds=None)).scenes
        )
        == 60
    )


def test_the_deck_is_a_sequence_of_balanced_slides() -> None:
    deck = draft_deck(
        DeckCommission(Request("Create a 10 slide workplace safety training deck.", "Safety & <more>"), slide_count=10)
    )
    root = etree.fromstring(f"<deck>{deck.content}</deck>")

    assert [child.tag for child in root] == ["slide"] * 10
    assert [child[0].text for child in root][:3] == ["Safety & <more>", "Overview", "What it is about"]
    assert root[-1][0].text == "Summary"


def test_the_test_of_the_document_has_ten_questions_to_fill_in() -> None:
    test = draft_assessment(
        AssessmentCommission(Request("Create a 10 question safety assessment.", "Safety check"), item_count=10)
    )

    assert len(test.items) == 10
    assert_sound(test.items)
    assert all(MARK.search(item.question) for item in test.items)
    assert {item.type for item in test.items} == set(QuestionType)


def test_more_items_repeat_no_existing_question() -> None:
    existing = [item.question.upper() for item in draft_items(ItemsCommission(SAFETY, count=30))]
    more = draft_items(ItemsCommission(SAFETY, count=30, known=existing))

    assert len(more) == 30
    assert not {item.question.upper() for item in more} & set(existing)


def test_an_empty_prompt_falls_back_to_the_title() -> None:
    assert (
        "“Fractions”"
        in draft_lesson(LessonCommission(Request("", "Fractions"), has_quiz=False, has_practice=True)).lecture
    )


@pytest.mark.parametrize("table", [PATTERNS, PHRASES])
def test_all_languages_have_the_same_places_for_the_same_names(table: dict[str, object]) -> None:
    def shape(said: object) -> object:
        match said:
            case str():
                return sorted(name for _, name, _, _ in Formatter().parse(said) if name)
            case tuple():
                return [shape(part) for part in said]
            case _ if is_dataclass(said):
                return {field.name: shape(getattr(said, field.name)) for field in fields(said)}
        return said

    assert all(shape(said) == shape(table["en"]) for said in table.values())


@settings(max_examples=60)
@given(REQUESTS, st.integers(1, 50), st.booleans(), st.booleans())
def test_a_course_has_exactly_the_lessons_asked_for(
    request: Request, count: int, has_quiz: bool, has_practice: bool
) -> None:
    course = draft_course(CourseCommission(request, lesson_count=count, has_quiz=has_quiz, has_practice=has_practice))
    lessons = [lesson for chapter in course.chapters for lesson in chapter.lessons]

    assert len(lessons) == count
    assert all(chapter.lessons and chapter.title for chapter in course.chapters)
    for lesson in lessons:
        assert (len(lesson.quizzes) > 0, len(lesson.practice) > 0) == (has_quiz, has_practice)
        assert_sound((*lesson.quizzes, *lesson.practice))
        assert MARK.search(lesson.lecture)


@settings(max_examples=100)
@given(REQUESTS, st.integers(1, 60), st.integers(1, 4000))
def test_scenes_are_exact_in_number_and_time(request: Request, count: int, target: int) -> None:
    scenes = draft_video(VideoCommission(request, scene_count=count, target_duration_seconds=target)).scenes

    assert len(scenes) == count
    assert sum(scene.duration for scene in scenes) == target
    assert all(scene.duration > 0 and scene.script.strip() for scene in scenes)
    assert all(len(scene.display_text.splitlines()) <= 5 for scene in scenes)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=60), st.integers(1, 100_000))
def test_durations_follow_the_weights_and_add_up(weights: list[int], seconds: int) -> None:
    durations = lasting(weights, seconds)

    assert sum(durations) == seconds
    assert min(durations) > 0


@settings(max_examples=100)
@given(REQUESTS, st.integers(1, 100))
def test_a_deck_has_exactly_the_slides_asked_for(request: Request, count: int) -> None:
    content = draft_deck(DeckCommission(request, slide_count=count)).content

    assert (
        re.sub(r"<slide><h[12]>[^<]*</h[12]>(?:<p>[^<]*</p>|<ul>(?:<li>[^<]*</li>)+</ul>)</slide>", "", content) == ""
    )
    assert content.count("<slide>") == count


@settings(max_examples=60)
@given(REQUESTS, st.integers(1, 200), st.data())
def test_a_test_has_exactly_the_items_asked_for(request: Request, count: int, data: st.DataObject) -> None:
    items = draft_assessment(AssessmentCommission(request, item_count=count)).items
    existing = data.draw(st.lists(st.sampled_from(items), max_size=20))
    more = draft_items(ItemsCommission(request, count=5, known=[item.question for item in existing]))

    assert len(items) == count
    assert len(more) == 5
    assert_sound(items)
    assert_sound(more)
    assert not {item.question for item in more} & {item.question for item in existing}


@settings(max_examples=100)
@given(REQUESTS, st.booleans())
def test_a_module_is_sound_and_the_same_every_time(request: Request, has_quiz: bool) -> None:
    module = draft_module(ModuleCommission(request, has_quiz=has_quiz))

    assert module == draft_module(ModuleCommission(request, has_quiz=has_quiz))
    assert (len(module.quizzes) > 0) is has_quiz
    assert_sound(module.quizzes)
    assert set(re.findall("<([a-z0-9]+)", module.lecture)) <= {"p", "h2", "ul", "li"}
