import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.jobs.drafting.drafts import QuestionDraft
from dispatcher.jobs.drafting.expansion import draft_module, draft_video
from dispatcher.jobs.drafting.source import (
    Example,
    ItemKind,
    Lesson,
    Line,
    Source,
    SourceItem,
    Term,
    read_source,
    source_from_items,
)
from storage.errors import JobErrorCode, JobFailed
from storage.tables import QuestionType

SEEDS = Path(__file__).resolve().parents[4] / "shared" / "seeds"
HELLO = Term("hello", "a greeting", (Example("Hello, Min."),))


def level(*lessons: object, **others: object) -> dict[str, object]:
    return {"category": "Vocabulary", "level": {"id": "a1", "title": "A1", "lessons": list(lessons), **others}}


def only(lesson: dict[str, object]) -> Lesson:
    (read,) = read_source(level({"title": "L", **lesson})).lessons
    return read


def refusal(payload: object) -> str:
    with pytest.raises(JobFailed) as failed:
        read_source(payload)
    assert failed.value.code is JobErrorCode.SOURCE_INVALID
    return failed.value.message


@pytest.mark.skipif(not SEEDS.exists(), reason="the source documents are not here")
def test_the_payload_of_the_document_is_read() -> None:
    document = next(SEEDS.glob("000_*")).read_text()
    body, _ = json.JSONDecoder().raw_decode(document[document.index("{") :])

    assert read_source(body["payload"]) == Source("A1 glossary", "", "en", (Lesson("Greetings", terms=(HELLO,)),))


@pytest.mark.parametrize(
    ("lesson", "expected"),
    [
        ({"terms": [{"term": " hello ", "meaning": "a greeting", "example": "Hello, Min."}]}, Lesson("L", (HELLO,))),
        ({"terms": [{"term": "go", "examples": ["We go."]}]}, Lesson("L", (Term("go", "", (Example("We go."),)),))),
        ({"vocabulary": [{"word": 7, "definition": "seven"}]}, Lesson("L", (Term("7", "seven"),))),
        ({"examples": [{"sentence": "Hola.", "translation": "Hi."}]}, Lesson("L", examples=(Example("Hola.", "Hi."),))),
        (
            {"sentences": ["One.", {"text": "Two."}, "", "  ", None]},
            Lesson("L", examples=(Example("One."), Example("Two."))),
        ),
        ({"example": "One."}, Lesson("L", examples=(Example("One."),))),
        ({"lines": [{"speaker": "Ana", "line": "Hi"}]}, Lesson("L", lines=(Line("Hi", "Ana"),))),
        ({"turns": [{"role": "Ana", "text": "Hi", "meaning": "x"}]}, Lesson("L", lines=(Line("Hi", "Ana", "x"),))),
        (
            {"dialogue": {"title": "Shop", "lines": [{"name": "B", "text": "Yes"}]}},
            Lesson("L", lines=(Line("Yes", "B"),)),
        ),
        ({"dialogue": ["Hi", "Yes"]}, Lesson("L", lines=(Line("Hi"), Line("Yes")))),
        ({"summary": "All.", "points": ["a", {"text": "b"}]}, Lesson("L", texts=("a", "b", "All."))),
        ({"content": {"text": "All."}}, Lesson("L", texts=("All.",))),
        ({"items": [{"term": "a", "meaning": "b"}]}, Lesson("L", (Term("a", "b"),))),
        ({"type": "nonsense", "unknown": [1], "notes": "N"}, Lesson("L", texts=("N",))),
        ({"notes": "N", "points": 10, "example": True}, Lesson("L", texts=("N",))),
    ],
)
def test_a_lesson_yields_what_its_recognised_keys_hold(lesson: dict[str, object], expected: Lesson) -> None:
    assert only(lesson) == expected


def test_a_lesson_may_hold_several_kinds_whatever_its_type() -> None:
    lesson = only(
        {
            "type": "term",
            "terms": [{"term": "a", "meaning": "b"}],
            "examples": ["E."],
            "lines": ["L."],
            "notes": "N.",
            "quizzes": [{"question": "Q?", "answer": "x"}],
            "items": [{"prompt": "R?", "answer": "y"}, {"term": "c", "meaning": "d"}],
        }
    )

    assert [term.term for term in lesson.terms] == ["a", "c"]
    assert [question.question for question in lesson.questions] == ["Q?", "R?"]
    assert (lesson.examples, lesson.lines, lesson.texts) == ((Example("E."),), (Line("L."),), ("N.",))


def test_a_review_without_content_recaps_and_is_kept() -> None:
    lessons = read_source(level({"title": "One", "notes": "N"}, {"type": "Review", "title": "Recap"})).lessons

    assert lessons[1] == Lesson("Recap")


@pytest.mark.parametrize(
    ("payload", "language"),
    [
        ({**level({"notes": "N"}), "language": "de-CH"}, "de-CH"),
        (level({"notes": "N"}, language="pt_BR"), "pt-BR"),
        (level({"notes": "N"}, language="Portuguese"), "en"),
        (level({"notes": "N"}, language=["de"]), "en"),
        (level({"notes": "N"}), "en"),
    ],
)
def test_the_language_is_a_plausible_tag(payload: object, language: str) -> None:
    assert read_source(payload).language == language


@pytest.mark.parametrize(
    ("outer", "inner", "title"),
    [
        ({"category": "C"}, {"id": "i", "title": "T"}, "T"),
        ({"category": "C"}, {"id": "i"}, "C"),
        ({}, {"id": 12}, "12"),
        ({}, {}, "Lesson 1"),
    ],
)
def test_a_level_is_named_by_title_category_id_or_its_first_lesson(
    outer: dict[str, object], inner: dict[str, object], title: str
) -> None:
    assert read_source({**outer, "level": {**inner, "lessons": [{"notes": "N"}]}}).title == title


def test_a_lesson_without_a_title_is_counted_in_the_language_of_the_source() -> None:
    source = read_source(level({"notes": "N"}, {"id": "l2", "notes": "N"}, language="fr"))

    assert [lesson.title for lesson in source.lessons] == ["Leçon 1", "Leçon 2"]


NOTHING = "it holds nothing that can be read; give it terms, examples, a dialogue, questions or a text."


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (None, 'The payload is empty; send an object with "category" and "level".'),
        ([1], 'The payload is a list; send an object with "category" and "level".'),
        ({"category": "C"}, '"level" is empty; send an object with "title" and "lessons".'),
        ({"level": "A1"}, '"level" is a text; send an object with "title" and "lessons".'),
        ({"level": {}}, '"level" is empty; send an object with "title" and "lessons".'),
        ({"level": {"title": "T"}}, '"lessons" of the level is empty; send a list of at least one lesson.'),
        ({"level": {"lessons": []}}, '"lessons" of the level is empty; send a list of at least one lesson.'),
        (level(), '"lessons" of the level is empty; send a list of at least one lesson.'),
        ({"level": {"lessons": {"a": 1}}}, '"lessons" of the level is an object; send a list of at least one lesson.'),
        ({"level": {"title": ["T"], "lessons": [{"notes": "N"}]}}, '"title" is a list; send text.'),
        (
            {"level": {"title": "T" * 401, "lessons": [{"notes": "N"}]}},
            "The level's title has more than 400 characters; shorten it.",
        ),
        (level(*[{"notes": "N"}] * 501), "The level has more than 500 lessons; split it."),
        (level({"points": ["x"] * 5001}), "The level holds more than 5000 terms, sentences and questions; split it."),
        (level({"title": "Greetings"}), f"Lesson “Greetings”: {NOTHING}"),
        (level({"title": " ", "id": "l-0", "notes": " ", "examples": [" "]}), f"Lesson “l-0”: {NOTHING}"),
        (level({"id": "l-1"}), f"Lesson “l-1”: {NOTHING}"),
        (level({"notes": "N"}, {"type": "term", "terms": []}), f"Lesson 2: {NOTHING}"),
        (level({"type": "review", "title": "R"}), f"Lesson “R”: {NOTHING}"),
        (level({"notes": "N"}, "hello"), 'Lesson 2: it is a text; send an object with "title" and "terms".'),
        (level(None), 'Lesson 1: it is empty; send an object with "title" and "terms".'),
    ],
)
def test_a_wrong_level_is_refused_and_says_what_to_change(payload: object, message: str) -> None:
    assert refusal(payload) == message


@pytest.mark.parametrize(
    ("lesson", "message"),
    [
        ({"terms": "hello"}, '"terms" is a text; send a list of objects with "term" and "meaning"'),
        ({"terms": {"hello": "hi"}}, '"terms" is an object; send a list of objects with "term" and "meaning"'),
        ({"terms": ["hello"]}, 'term 1 is a text; send an object with "term" and "meaning"'),
        ({"terms": [{"term": "a", "meaning": "b"}, {"meaning": "c"}]}, 'term 2 has no text; give it a "term"'),
        ({"terms": [{"term": "  "}]}, 'term 1 has no text; give it a "term"'),
        ({"terms": [{"term": "hello"}]}, "the term “hello” has neither a meaning nor an example; give it one of them"),
        ({"terms": [{"term": "a", "meaning": ["b"]}]}, '"meaning" is a list; send text'),
        ({"terms": [{"term": "a", "meaning": True}]}, '"meaning" is true or false; send text'),
        (
            {"terms": [{"term": "a", "meaning": "b\x00"}]},
            '"meaning" holds the character U+0000, which is no text; remove it',
        ),
        ({"terms": [{"term": "a", "example": {"x": 1}}]}, 'the example of term 1 has no text; give it a "sentence"'),
        ({"examples": [{"translation": "x"}]}, 'example 1 has no text; give it a "sentence"'),
        ({"examples": [["x"]]}, '"example 1" is a list; send text'),
        ({"lines": [{"speaker": "A"}]}, 'line 1 has no text; give it a "text"'),
        ({"items": [{"x": 1}]}, 'item 1 has no text; give it a "term"'),
        ({"notes": [["x"]]}, '"notes 1" is a list; send text'),
        ({"notes": {"x": 1}}, 'notes has no text; give it a "text"'),
        ({"notes": "\ud800"}, '"notes" holds the character U+D800, which is no text; remove it'),
        ({"questions": ["Why?"]}, 'question 1 is a text; send an object with "question", "options" and "answer"'),
        ({"questions": [{"answer": "x"}]}, 'question 1 has no text; give it a "question"'),
    ],
)
def test_a_wrong_shape_is_refused_and_named_by_its_lesson(lesson: dict[str, object], message: str) -> None:
    assert refusal(level({"title": "Greetings", **lesson})) == f"Lesson “Greetings”: {message}."


def test_absurd_depth_is_refused_without_recursion() -> None:
    deep: object = "bottom"
    for _ in range(100_000):
        deep = [deep]

    assert (
        refusal({"level": {"lessons": [{"notes": deep}]}}) == "The payload is nested deeper than 32 levels; flatten it."
    )


WORDS = """
    level title id language category lessons type terms term meaning example examples sentence translation dialogue
    lines speaker text notes points content items questions question options answer correct answers explanation
"""
KEYS = st.sampled_from(WORDS.split())
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["A", " ", "review"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


def outcome(payload: object) -> Source | JobFailed:
    try:
        return read_source(payload)
    except JobFailed as failed:
        return failed


@settings(max_examples=250)
@given(st.dictionaries(KEYS, ANYTHING, max_size=5) | ANYTHING, ANYTHING)
def test_any_payload_is_read_or_refused_with_a_message(lesson: object, other: object) -> None:
    for payload in (other, level(lesson), level({"notes": "N"}, lesson)):
        match outcome(payload):
            case Source() as source:
                assert draft_module(source).quizzes
                assert len(draft_video(source).scenes) > 2
            case JobFailed() as failed:
                assert failed.code is JobErrorCode.SOURCE_INVALID
                assert 20 < len(failed.message) < 600


def test_a_message_quotes_a_long_title_shortly() -> None:
    assert len(refusal(level({"title": "x" * 10_000}))) < 300


def test_a_source_can_be_made_from_ingested_items() -> None:
    question = QuestionDraft("Q", "2 + 2?", QuestionType.short_answer, (), ("4",), None)
    source = source_from_items(
        [
            SourceItem(
                "Water",
                ItemKind.ARTICLE,
                "<h1>Water</h1><p>It <b>rains</b> &amp; snows.<script>no</script></p><p>Often.</p>",
            ),
            SourceItem("Sum", ItemKind.QUESTION, "<p>2 + 2?</p>", (question,)),
        ],
        language="de",
    )

    assert source == Source(
        "Water",
        "",
        "de",
        (Lesson("Water", texts=("Water", "It rains & snows.", "Often.")), Lesson("Sum", questions=(question,))),
    )


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "There are no items; name at least one."),
        (
            [SourceItem("Clip", ItemKind.VIDEO, "<p> </p>")],
            "The item “Clip” holds no text and no question; leave it out.",
        ),
    ],
)
def test_items_without_content_are_refused(items: list[SourceItem], message: str) -> None:
    with pytest.raises(JobFailed) as failed:
        source_from_items(items)
    assert (failed.value.code, failed.value.message) == (JobErrorCode.SOURCE_INVALID, message)
