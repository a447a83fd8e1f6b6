import string
from collections import Counter
from html.parser import HTMLParser

import nh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.jobs.drafting.drafts import (
    AssessmentDraft,
    ModuleDraft,
    QuestionDraft,
    VideoDraft,
)
from dispatcher.jobs.drafting.expansion import draft_module, draft_test, draft_video
from dispatcher.jobs.drafting.languages import PHRASES
from dispatcher.jobs.drafting.source import Example, Lesson, Line, Source, Term, read_source
from dispatcher.jobs.drafting.wording import fold
from storage.tables import QuestionType, VisualType

COLOURS = ("red", "green", "blue", "white", "black")


def source(*lessons: Lesson, language: str = "en") -> Source:
    return Source("A1", "", language, lessons)


def terms(*names: str) -> tuple[Term, ...]:
    return tuple(Term(name, f"meaning of {name[::-1]}", (Example(f"It is {name} here."),)) for name in names)


def tags(html: str) -> Counter[str]:
    found: Counter[str] = Counter()
    reader = HTMLParser()
    reader.handle_starttag = lambda tag, attrs: found.update([tag])  # type: ignore[method-assign]
    reader.feed(html)
    return found


def test_the_glossary_of_the_document_becomes_a_finished_module() -> None:
    payload = {
        "category": "Vocabulary",
        "level": {
            "id": "glossary-a1",
            "title": "A1 glossary",
            "lessons": [
                {
                    "id": "lesson-1",
                    "type": "term",
                    "title": "Greetings",
                    "terms": [{"term": "hello", "meaning": "a greeting", "example": "Hello, Min."}],
                }
            ],
        },
    }
    why = "“hello” means “a greeting”. Example: “Hello, Min.”"

    assert draft_module(read_source(payload)) == ModuleDraft(
        title="A1 glossary module",
        description="Covers: Greetings.",
        lecture="<h2>Greetings</h2><dl><dt>hello</dt><dd>a greeting</dd><dd><em>Hello, Min.</em></dd></dl>",
        quizzes=(
            QuestionDraft(
                "Greetings",
                "True or false? “hello” means “a greeting”.",
                QuestionType.true_false,
                ("True", "False"),
                ("True",),
                why,
            ),
            QuestionDraft(
                "Greetings", "Which term means “a greeting”?", QuestionType.short_answer, (), ("hello",), why
            ),
        ),
    )
    assert draft_video(read_source(payload)).title == "A1 glossary summary video"
    assert draft_test(read_source(payload)).title == "A1 glossary quiz"


def test_every_term_is_asked_in_three_forms_with_three_distractors() -> None:
    items = draft_test(source(Lesson("Colours", terms(*COLOURS)))).items

    assert [item.question for item in items[:3]] == [
        "What does “red” mean?",
        "Which term means “meaning of der”?",
        "Complete the sentence: “It is ____ here.” (meaning of der)",
    ]
    assert len(items) == 3 * len(COLOURS)
    assert {len(item.options) for item in items} == {4}


def test_the_place_of_the_right_answer_varies() -> None:
    names = [f"{one}{other}" for one in string.ascii_lowercase for other in "xyz"]
    items = draft_test(source(Lesson("L", terms(*names)))).items
    places = Counter(item.options.index(item.correct_answers[0]) for item in items)

    assert min(places[place] for place in range(4)) > len(items) / 6


def test_a_term_of_equal_meaning_is_no_distractor() -> None:
    same = tuple(Term(name, "The same.", (Example(f"A {name} b"),)) for name in ("one", "two"))
    items = draft_test(source(Lesson("L", (*same, *terms(*COLOURS))))).items
    on_same = [item for item in items if "The same" in item.question or "the same" in item.question.lower()]

    assert on_same
    assert all(not {"one", "two"} <= set(item.options) for item in on_same)


def test_other_meanings_of_a_term_are_no_distractors() -> None:
    bank = (Term("bank", "edge of a river"), Term("Bank", "money house"))
    items = draft_test(source(Lesson("L", (*bank, *terms("a1", "b2", "c3"))))).items
    asked = next(item for item in items if item.question == "What does “bank” mean?")

    assert "money house" not in asked.options


def test_terms_that_fit_the_same_gap_are_told_apart_by_their_meaning() -> None:
    items = draft_test(source(Lesson("L", tuple(Term(c, f"m{c}", (Example(f"I like {c}."),)) for c in COLOURS)))).items
    gaps = [item for item in items if "____" in item.question]

    assert [gap.question for gap in gaps[:2]] == [
        "Complete the sentence: “I like ____.” (mred)",
        "Complete the sentence: “I like ____.” (mgreen)",
    ]


def test_without_meanings_all_terms_that_fit_are_right() -> None:
    alike = tuple(Term(name, "", (Example(f"I like {name}."),)) for name in COLOURS)
    (item,) = draft_test(source(Lesson("L", alike))).items

    assert (item.type, set(item.correct_answers)) == (QuestionType.short_answer, set(COLOURS))


def test_few_terms_give_statements_and_short_answers() -> None:
    items = draft_test(source(Lesson("L", terms("red", "green")))).items

    assert {item.type for item in items} == {QuestionType.true_false, QuestionType.short_answer}


def test_false_statements_are_made_with_the_meaning_of_another_term() -> None:
    pairs = [(f"t{number}", f"u{number}") for number in range(20)]
    verdicts = {
        item.correct_answers[0]
        for one, other in pairs
        for item in draft_test(source(Lesson("L", terms(one, other)))).items
        if item.type is QuestionType.true_false
    }

    assert verdicts == {"True", "False"}


def test_a_term_that_its_example_bends_is_asked_by_the_example() -> None:
    bent = Term("go", "", (Example("We went home."),))
    items = draft_test(source(Lesson("L", (bent, *terms(*COLOURS))))).items

    assert items[0].question == "Which term is this an example of: “We went home.”?"
    assert items[0].correct_answers == ("go",)


def test_given_questions_are_taken_over_as_they_are() -> None:
    asked = [
        QuestionDraft("L", f"Question {n}?", QuestionType.multiple_choice, ("x", "y"), ("y",), None) for n in range(12)
    ]
    given_source = source(Lesson("L", terms("red"), questions=(*asked, asked[0])))

    assert draft_module(given_source).quizzes == tuple(asked)
    assert draft_test(given_source).items[:12] == tuple(asked)


def test_a_given_question_is_not_asked_again_by_us() -> None:
    ours = QuestionDraft("L", "What does “red” mean?", QuestionType.short_answer, (), ("a colour",), None)
    items = draft_test(source(Lesson("L", terms(*COLOURS), questions=(ours,)))).items

    assert [item for item in items if item.question == ours.question] == [ours]


@pytest.mark.parametrize(("lessons", "count"), [(1, 2), (3, 6), (5, 10), (8, 10), (40, 10)])
def test_a_module_asks_two_questions_per_lesson_and_ten_at_most(lessons: int, count: int) -> None:
    level = source(*(Lesson(f"L{n}", terms(*(f"{colour}{n}" for colour in COLOURS))) for n in range(lessons)))

    assert len(draft_module(level).quizzes) == count


def test_the_questions_of_a_long_module_come_from_all_of_it() -> None:
    level = source(*(Lesson(f"L{n}", terms(f"a{n}", f"b{n}")) for n in range(40)))

    assert [quiz.title for quiz in draft_module(level).quizzes] == [f"L{n}" for n in range(0, 40, 4)]


def test_a_dialogue_asks_who_speaks_and_shows_speakers() -> None:
    lines = tuple(Line(f"I am {name}.", name) for name in ("Ana", "Ben", "Cem", "Dora"))
    level = source(Lesson("Names", lines=lines))

    assert draft_test(level).items[0].question == "Who says this: “I am Ana.”?"
    assert "<p><strong>Ana:</strong> I am Ana.</p>" in draft_module(level).lecture


def test_sentences_are_asked_both_ways() -> None:
    examples = tuple(Example(f"Eso es {name}.", f"This is {name}.") for name in COLOURS)
    items = draft_test(source(Lesson("L", examples=examples))).items

    assert [item.question for item in items[:2]] == [
        "What does this sentence mean: “Eso es red.”?",
        "Which sentence means “This is red.”?",
    ]


def test_a_text_alone_is_asked_by_its_words() -> None:
    level = source(
        Lesson(
            "Water",
            texts=(
                "Water evaporates from the sea. It rises.",
                "Clouds release their droplets as rain.",
                "Rivers transport everything downhill.",
                "Glaciers preserve ancient snow.",
            ),
        )
    )

    items = draft_test(level).items
    assert items[0].question == "Complete the sentence: “Water ____ from the sea.”"
    assert items[0].correct_answers == ("evaporates",)
    assert set(items[0].options) == {"evaporates", "droplets", "everything", "Glaciers"} or len(items[0].options) == 4


def test_a_lesson_with_several_kinds_has_headings_in_its_language() -> None:
    level = source(Lesson("L", terms("rot"), texts=("Notiz",)), language="de")

    assert draft_module(level).lecture.startswith("<h2>L</h2><h3>Notizen</h3><p>Notiz</p><h3>Begriffe</h3><dl>")


def test_a_review_recaps_the_lessons_before_it() -> None:
    level = source(Lesson("Colours", terms("red", "green")), Lesson("Review"), Lesson("More", terms("blue")))

    assert (
        "<h2>Review</h2><ul><li><strong>Colours</strong>: red; green</li></ul><h2>More</h2>"
        in draft_module(level).lecture
    )
    assert draft_video(level).scenes[2].script == "Review. Colours: red; green."


def test_a_video_has_a_title_a_scene_per_group_and_a_recap() -> None:
    video = draft_video(
        source(Lesson("Numbers", terms(*(f"n{n}" for n in range(12)))), Lesson("Rain", texts=("It rains.",)))
    )

    assert [scene.visual_type for scene in video.scenes] == [
        VisualType.title,
        *[VisualType.bullets] * 3,
        VisualType.text,
        VisualType.bullets,
    ]
    assert [len(scene.display_text.splitlines()) for scene in video.scenes] == [1, 4, 4, 4, 1, 2]
    assert video.scenes[0].script == "Welcome. This is a short summary of A1."
    assert video.scenes[-1].script == "To recap, this was about Numbers, Rain."


@pytest.mark.parametrize("language", PHRASES)
def test_our_own_sentences_exist_in_every_language(language: str) -> None:
    level = source(Lesson("L", terms(*COLOURS)), language=language)
    english = draft_test(source(Lesson("L", terms(*COLOURS))))

    assert (draft_test(level) == english) is (language == "en")


MARKUP = "<script>alert(1)</script><b onclick=x>&amp;"


def test_markup_in_a_source_stays_text() -> None:
    level = source(
        Lesson(MARKUP, (Term(MARKUP, MARKUP, (Example(MARKUP, MARKUP),)),), (Example(MARKUP, MARKUP),)),
        Lesson("T", lines=(Line(MARKUP, MARKUP, MARKUP),), texts=(MARKUP,)),
        Lesson("R"),
    )
    lecture = draft_module(level).lecture

    assert not {"script", "b"} & tags(lecture).keys()
    assert lecture.count("&lt;script&gt;alert(1)&lt;/script&gt;&lt;b onclick=x&gt;&amp;amp;") > 10


# Any source: words in several scripts, short enough to collide.
WORDS = st.text(st.sampled_from("abAB <&>“猫犬हिअبت👋.!-ßİ1"), min_size=1, max_size=8).filter(lambda s: s == s.strip())
MAYBE = st.one_of(st.just(""), WORDS)
EXAMPLES = st.builds(Example, WORDS, MAYBE)
SENTENCES = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)
TERMS = st.builds(Term, WORDS, WORDS, st.lists(EXAMPLES, max_size=2).map(tuple)) | st.builds(
    lambda word, before, after: Term(word, "", (Example(f"{before} {word} {after}"),)), WORDS, WORDS, WORDS
)
GIVEN = st.builds(
    lambda question, options, place: QuestionDraft(
        "given", question, QuestionType.multiple_choice, tuple(options), (options[place % len(options)],), None
    ),
    WORDS,
    st.lists(WORDS, min_size=2, max_size=4, unique=True),
    st.integers(0, 3),
)
LESSONS = st.builds(
    lambda *parts: Lesson(parts[0], *map(tuple, parts[1:])),
    WORDS,
    st.lists(TERMS, max_size=8),
    st.lists(EXAMPLES, max_size=3),
    st.lists(st.builds(Line, WORDS, MAYBE, MAYBE), max_size=4),
    st.lists(GIVEN, max_size=2),
    st.lists(SENTENCES, max_size=3),
)
SOURCES = st.builds(
    lambda first, rest, language: Source("Level", "", language, (first, *rest)),
    LESSONS.filter(lambda lesson: lesson.entries > 0),
    st.lists(LESSONS, max_size=4),
    st.sampled_from([*PHRASES, "ja"]),
)


def words_of(level: Source) -> set[str]:
    """Everything that may be an option: what the source says, its keywords, and true and false."""
    found: set[str] = {word for said in PHRASES.values() for word in (said.true, said.false)}
    for lesson in level.lessons:
        found.update(option for question in lesson.questions for option in question.options)
        for term in lesson.terms:
            found.update((term.term, term.meaning))
        for sentence in (*lesson.examples, *(example for term in lesson.terms for example in term.examples)):
            found.update((sentence.sentence, sentence.translation, *sentence.sentence.split()))
        for line in lesson.lines:
            found.update((line.text, line.speaker, line.translation, *line.text.split()))
        for text in lesson.texts:
            found.update(text.split())
    return found


@settings(max_examples=150)
@given(SOURCES)
def test_every_question_is_sound_whatever_the_source(level: Source) -> None:
    items, quizzes = draft_test(level).items, draft_module(level).quizzes
    known = {fold(word) for word in words_of(level)}
    given_ones = {question for lesson in level.lessons for question in lesson.questions}

    assert 1 <= len(quizzes) <= max(10, len(given_ones))
    assert {quiz.question.casefold() for quiz in quizzes} <= {item.question.casefold() for item in items}
    assert given_ones <= set(items)
    assert len(set(items)) == len(items)
    made = [item for item in items if item not in given_ones]
    assert len({item.question.casefold() for item in made}) == len(made)
    for item in (*items, *quizzes):
        assert item.correct_answers
        assert item.explanation or item in given_ones
        if item.type is QuestionType.short_answer:
            assert item.options == ()
            continue
        assert set(item.correct_answers) <= set(item.options)
        assert len(item.options) >= 2
        if item not in given_ones:
            assert len({fold(option) for option in item.options}) == len(item.options)
            assert {fold(option) for option in item.options} <= known


MEANT = st.lists(st.builds(Term, WORDS, WORDS), min_size=4, max_size=30)


@settings(max_examples=150)
@given(MEANT)
def test_no_wrong_answer_is_right_as_well(all_terms: list[Term]) -> None:
    meant = {(fold(term.term), fold(term.meaning)) for term in all_terms}
    asked = {(term.term, term.meaning) for term in all_terms}
    items = {item.question.casefold(): item for item in draft_test(source(Lesson("L", tuple(all_terms)))).items}

    for term, meaning in asked:
        what = items.get(f"What does “{term}” mean?".casefold())
        which = items.get(f"Which term means “{meaning}”?".casefold())
        for option in set(what.options) - set(what.correct_answers) if what else ():
            assert (fold(term), fold(option)) not in meant
        for option in set(which.options) - set(which.correct_answers) if which else ():
            assert (fold(option), fold(meaning)) not in meant


@settings(max_examples=80)
@given(SOURCES)
def test_the_lecture_is_clean_and_in_order_whatever_the_source(level: Source) -> None:
    lecture = draft_module(level).lecture

    assert tags(lecture)["h2"] == len(level.lessons)
    assert tags(lecture).keys() <= {"h2", "h3", "p", "dl", "dt", "dd", "ul", "li", "em", "strong"}
    assert tags(nh3.clean(lecture)) == tags(lecture)


@settings(max_examples=80)
@given(SOURCES)
def test_every_scene_can_be_told_and_shown_whatever_the_source(level: Source) -> None:
    scenes = draft_video(level).scenes

    assert scenes[0].visual_type is VisualType.title
    assert len(scenes) >= 3
    for scene in scenes:
        assert scene.script.strip()
        assert 1 <= len(scene.display_text.splitlines()) <= 5
        assert scene.duration >= 3
        assert (scene.duration * 2).is_integer()


@settings(max_examples=50)
@given(SOURCES)
def test_the_same_source_gives_the_same_drafts(level: Source) -> None:
    def all_three() -> tuple[ModuleDraft, VideoDraft, AssessmentDraft]:
        return draft_module(level), draft_video(level), draft_test(level)

    assert all_three() == all_three()
