"""QTI 1.2 of cartridges."""

import pytest

from storage.errors import JobFailed
from storage.packages import qti12
from storage.packages.questions import Feedback, FeedbackKind, InteractionKind, MapEntry, Mapping, Question
from storage.packages.questions import ResponseCardinality as Cardinality
from storage.packages.xml import parse
from tests.packages.builders import assessment, bank, question

Kind = InteractionKind


def read(presentation: str = "", processing: str = "", after: str = "", **fields: str) -> Question:
    written = "".join(
        f"<qtimetadatafield><fieldlabel>{label}</fieldlabel><fieldentry>{entry}</fieldentry></qtimetadatafield>"
        for label, entry in fields.items()
    )
    document = (
        f"<item ident='i' title='T'><itemmetadata><qtimetadata>{written}</qtimetadata></itemmetadata>"
        f"<presentation>{presentation}</presentation>"
        f"<resprocessing>{processing}</resprocessing>{after}</item>"
    )
    return qti12.read_item(parse(document.encode()))


def material(text: str, type: str = "text/plain") -> str:
    return f'<material><mattext texttype="{type}">{text}</mattext></material>'


def choices(identifier: str = "r", cardinality: str = "Single", names: str = "ab", inner: str = "") -> str:
    labels = "".join(f'<response_label ident="{name}">{material(name.upper())}</response_label>' for name in names)
    return (
        f'<response_lid ident="{identifier}" rcardinality="{cardinality}">{inner}'
        f'<render_choice shuffle="Yes">{labels}</render_choice></response_lid>'
    )


def when(condition: str, score: str = "100", response: str = "r") -> str:
    return (
        f"<respcondition><conditionvar>{condition.replace('@', f'respident={response!r}')}</conditionvar>"
        f"<setvar varname='SCORE'>{score}</setvar></respcondition>"
    )


def test_a_multiple_choice_question_is_read() -> None:
    [item] = qti12.read(parse(assessment(question()).encode())).items
    read_question = qti12.read_item(item)
    [interaction] = read_question.interactions
    assert (read_question.identifier, read_question.title, read_question.max_score) == ("i1", "Q", 100.0)
    assert read_question.body == ('<p>Which?</p><span class="interaction" data-kind="CHOICE" data-response="r"></span>')
    assert read_question.text == "Which? A B"
    assert (interaction.kind, interaction.cardinality, interaction.max_choices) == (Kind.CHOICE, Cardinality.SINGLE, 1)
    assert [(choice.id, choice.text) for choice in interaction.choices] == [("a", "A"), ("b", "B")]
    assert interaction.correct_responses == ("b",)


FIB = '<response_str ident="r"><render_fib><response_label ident="x"/></render_fib></response_str>'


@pytest.mark.parametrize(
    ("presentation", "profile", "kinds"),
    [
        (choices(), "cc.multiple_choice.v0p1", [Kind.CHOICE]),
        (choices(cardinality="Multiple"), "cc.multiple_response.v0p1", [Kind.CHOICE]),
        (choices(), "cc.true_false.v0p1", [Kind.CHOICE]),
        (FIB, "cc.fib.v0p1", [Kind.TEXT_ENTRY]),
        (FIB, "cc.pattern_match.v0p1", [Kind.TEXT_ENTRY]),
        (FIB, "cc.essay.v0p1", [Kind.EXTENDED_TEXT]),
        (FIB.replace("<render_fib", '<render_fib rows="5"'), "", [Kind.EXTENDED_TEXT]),
        (choices("a") + choices("b"), "matching_question", [Kind.INLINE_CHOICE] * 2),
        (choices("a") + choices("b"), "multiple_dropdowns_question", [Kind.INLINE_CHOICE] * 2),
        (choices("a") + choices("b"), "fill_in_multiple_blanks_question", [Kind.TEXT_ENTRY] * 2),
        (FIB, "essay_question", [Kind.EXTENDED_TEXT]),
        ('<response_num ident="r" numtype="Integer"><render_fib/></response_num>', "", [Kind.TEXT_ENTRY]),
        ("<response_xy ident='r'/>", "", [Kind.CUSTOM]),
        ("", "text_only_question", []),
        (f"<flow>{material('x')}<flow>{choices()}</flow></flow>", "", [Kind.CHOICE]),
    ],
)
def test_kinds_follow_from_the_response_and_the_profile(presentation: str, profile: str, kinds: list[Kind]) -> None:
    found = [interaction.kind for interaction in read(presentation, cc_profile=profile).interactions]
    assert found == kinds


def test_the_choices_of_a_blank_are_the_words_that_it_accepts() -> None:
    processing = when("<varequal @>a</varequal>") + when("<varequal @>b</varequal>")
    question = read(choices(), processing, question_type="fill_in_multiple_blanks_question")
    [blank] = question.interactions
    assert (blank.choices, blank.base_type, blank.correct_responses) == ((), "string", ("A", "B"))
    assert blank.mapping == Mapping((MapEntry("A", 100.0), MapEntry("B", 100.0)))


def test_several_answers_are_unlimited_and_shuffled() -> None:
    [interaction] = read(choices(cardinality="Multiple")).interactions
    assert (interaction.cardinality, interaction.max_choices) == (Cardinality.MULTIPLE, 0)
    assert (interaction.shuffle, interaction.base_type) == (True, "identifier")


@pytest.mark.parametrize(
    ("processing", "correct"),
    [
        (when("<varequal @>b</varequal>"), ("b",)),
        (when("<varequal @>a</varequal>", "0") + when("<varequal @>b</varequal>"), ("b",)),
        (when("<and><varequal @>a</varequal><not><varequal @>b</varequal></not></and>"), ("a",)),
        (when("<varequal @> New  York </varequal><varsubstring @>NY</varsubstring>"), ("New York", "NY")),
        (when("<varequal @>a</varequal>", "50") + when("<varequal @>b</varequal>", "50"), ("a", "b")),
        (when("<varequal @>a</varequal>", "25") + when("<varequal @>b</varequal>", "100"), ("b",)),
        (when("<varequal @>a</varequal>", response="other"), ()),
        ("<respcondition><conditionvar><varequal respident='r'>a</varequal></conditionvar></respcondition>", ()),
    ],
)
def test_right_answers_are_those_that_score(processing: str, correct: tuple[str, ...]) -> None:
    assert read(choices(), processing).interactions[0].correct_responses == correct


def test_of_several_answers_each_that_scores_is_right() -> None:
    processing = when("<varequal @>a</varequal>", "25") + when("<varequal @>b</varequal>", "75")
    assert read(choices(cardinality="Multiple"), processing).interactions[0].correct_responses == ("a", "b")


def test_scores_are_kept_for_each_answer() -> None:
    processing = when("<varequal @ case='Yes'>a</varequal>", "60") + when("<varequal @>b</varequal>", "40")
    expected = Mapping((MapEntry("a", 60.0, True), MapEntry("b", 40.0)))
    assert read(FIB, processing).interactions[0].mapping == expected


@pytest.mark.parametrize(
    "condition",
    [
        "<and><varequal @>a</varequal><varequal @>b</varequal></and>",
        "<varequal @>a</varequal><not><varequal @>b</varequal></not>",
    ],
)
def test_answers_that_are_right_only_together_have_no_score_of_their_own(condition: str) -> None:
    [interaction] = read(choices(cardinality="Multiple"), when(condition)).interactions
    assert (interaction.correct_responses[0], interaction.mapping) == ("a", None)


def test_the_best_score_is_stated_in_the_metadata_or_declared() -> None:
    declared = "<outcomes><decvar varname='SCORE' maxvalue='100'/></outcomes>"
    assert read(processing=declared).max_score == 100.0
    assert read(processing=declared, points_possible="2.5").max_score == 2.5
    assert read(processing=declared, cc_weighting="0").max_score == 0.0


def test_texts_are_html_only_where_they_say_so() -> None:
    shown = read(
        material("1 &lt; 2") + material("&lt;b&gt;x&lt;/b&gt;&lt;script&gt;y&lt;/script&gt;", "text/html")
    ).body
    assert shown == "1 &lt; 2 <b>x</b>"


def test_an_open_tag_does_not_swallow_the_marks_behind_it() -> None:
    assert 'data-response="r"' in read(material("&lt;textarea&gt;&lt;div title='", "text/html") + choices()).body


def test_markup_and_images_inside_texts_are_read() -> None:
    presentation = "<material><mattext><p>a<i>b</i></p></mattext><matbreak/><matimage uri='a.png'/></material>"
    assert read(presentation).body == '<p>a<i>b</i></p><br><img src="a.png" alt="">'


def test_file_tokens_are_replaced_everywhere() -> None:
    image = material("&lt;img src='$IMS-CC-FILEBASE$/a.png'&gt;", "text/html")
    document = f"<item><presentation>{image}{choices(inner=image)}</presentation></item>"
    read_question = qti12.read_item(parse(document.encode()), lambda text: text.replace("$IMS-CC-FILEBASE$", ".."))
    assert read_question.body.startswith('<img src="../a.png">')
    assert read_question.interactions[0].prompt == '<img src="../a.png">'


def test_feedback_is_read() -> None:
    inner = f"<itemfeedback ident='ok'><flow_mat>{material('Yes')}</flow_mat></itemfeedback>"
    assert read(after=inner).feedback == (Feedback(FeedbackKind.MODAL, "", "ok", "Yes"),)


def test_an_assessment_has_a_title_and_a_bank_none() -> None:
    read_assessment = qti12.read(parse(assessment(question("a"), question("b"), title=" Quiz ").encode()))
    assert (read_assessment.title, read_assessment.is_bank, len(read_assessment.items)) == ("Quiz", False, 2)
    read_bank = qti12.read(parse(bank(question()).encode()))
    assert (read_bank.title, read_bank.is_bank, len(read_bank.items)) == (None, True, 1)


@pytest.mark.parametrize("document", [assessment(), bank(), "<questestinterop/>", "<quiz/>", "<assessment/>"])
def test_a_file_without_questions_is_refused(document: str) -> None:
    with pytest.raises(JobFailed):
        qti12.read(parse(document.encode()))


def test_a_choice_that_holds_a_response_is_no_choice_of_it() -> None:
    inner = choices("inner", names="x")
    outer, within = choices("outer", names="a").split("</material>")
    found = {each.response_id: each.choices for each in read(f"{outer}</material>{inner}{within}").interactions}
    assert {name: [choice.id for choice in of] for name, of in found.items()} == {"outer": ["a"], "inner": ["x"]}


def test_what_is_taken_off_or_kept_for_feedback_is_no_right_answer() -> None:
    condition = "<respcondition><conditionvar><varequal respident='r'>{}</varequal></conditionvar>{}</respcondition>"
    processing = "".join(
        condition.format(*each)
        for each in (
            ("a", "<setvar action='Add' varname='SCORE'>50</setvar>"),
            ("b", "<setvar action='Subtract' varname='SCORE'>50</setvar>"),
            ("c", "<setvar action='Set' varname='WRONG'>1</setvar>"),
        )
    )
    [interaction] = read(choices(cardinality="Multiple", names="abc"), processing).interactions
    assert (interaction.correct_responses, interaction.mapping) == (("a",), Mapping((MapEntry("a", 50.0),)))
    renamed = when("<varequal @>b</varequal>").replace("SCORE", "que_score")
    [interaction] = read(choices(), renamed).interactions
    assert interaction.correct_responses == ("b",)


FLOWS = f"<flow><flow>{material('Look at the map')}</flow><flow>{material('What is it?')}</flow></flow>"
BLANK = f"{material('Roses are ')}{FIB}{material(' and red.')}"
WITHIN = FIB.replace("<response_label", f"{material('The ')}<response_label").replace(
    "</render", f"{material('jumps')}</render"
)
SPOKEN = choices().replace("</material>", "<altmaterial><mattext>spoken</mattext></altmaterial></material>")


@pytest.mark.parametrize(
    ("presentation", "words"),
    [
        (FLOWS, "Look at the map What is it?"),
        (material("First sentence.") + material("Second one."), "First sentence. Second one."),
        (BLANK, "Roses are and red."),
        (WITHIN, "The jumps"),
        (choices(inner=material("Stem?")), "Stem? A B"),
        (choices().replace("<response_label", f"{material('Stem?')}<response_label", 1), "Stem? A B"),
        (SPOKEN, "A B"),
    ],
)
def test_all_words_are_found_and_none_are_glued_together(presentation: str, words: str) -> None:
    assert read(presentation).text == words


@pytest.mark.parametrize(
    "inner",
    [
        "<response_lid>" * 200 + "<response_label/>" * 20_000 + "</response_lid>" * 200,
        "<response_lid><render_choice>" * 100 + "<response_label/>" * 20_000 + "</render_choice></response_lid>" * 100,
        "<flow>" * 200 + material("x") * 5_000 + "</flow>" * 200,
        "<response_lid><render_choice><response_label>" * 80 + "</response_label></render_choice></response_lid>" * 80,
    ],
)
def test_nesting_does_not_take_longer_than_its_size(inner: str) -> None:
    assert read(inner).identifier == "i"
