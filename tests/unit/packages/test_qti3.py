"""QTI 3 items and stimuli, read into questions and HTML."""

import time
from dataclasses import asdict

import orjson
import pytest

from storage.errors import JobErrorCode, JobFailed
from storage.packages import qti3
from storage.packages.questions import (
    AreaEntry,
    AreaMapping,
    ChoiceSide,
    Feedback,
    FeedbackKind,
    InteractionKind,
    MapEntry,
    Mapping,
    Outcome,
    Question,
    QuestionChoice,
    QuestionInteraction,
    ResponseCardinality,
)
from storage.packages.xml import parse
from tests.packages.builders import CHOICE, declaration, item, stimulus

Kind = InteractionKind
TEMPLATES = "https://purl.imsglobal.org/spec/qti/v3p0/rptemplates"


def read(
    body: str = CHOICE, before: str = declaration(correct=["B"]), after: str = "", attributes: str = ""
) -> Question:
    return qti3.read_item(parse(item(body, before, after, attributes).encode()))


def answer(name: str, inner: str = "", attributes: str = "") -> QuestionInteraction:
    """The only interaction of a body, of this name."""
    start = f'<qti-{name}-interaction response-identifier="RESPONSE" {attributes}>'
    [only] = read(f"{start}{inner}</qti-{name}-interaction>").interactions
    return only


def test_a_choice_item_becomes_a_question() -> None:
    assert read(after=f'<qti-response-processing template="{TEMPLATES}/match_correct.xml"/>') == Question(
        identifier="q1",
        title="Question 1",
        language=None,
        body='<span class="interaction" data-response="RESPONSE" data-kind="CHOICE"></span>',
        text="2 + 2? 3 4",
        interactions=(
            QuestionInteraction(
                response_id="RESPONSE",
                kind=Kind.CHOICE,
                prompt="2 + 2?",
                choices=(QuestionChoice("A", "3", "3"), QuestionChoice("B", "4", "4")),
                max_choices=1,
                base_type="identifier",
                correct_responses=("B",),
            ),
        ),
        outcomes=(Outcome("SCORE", "float"),),
        max_score=1.0,
        scoring="match_correct",
    )


def test_a_question_is_json() -> None:
    question = read()
    assert orjson.loads(orjson.dumps(question)) == orjson.loads(orjson.dumps(asdict(question)))


def two(name: str, attributes: str = "") -> str:
    return "".join(f'<qti-{name} identifier="{letter}" {attributes}>{letter.lower()}</qti-{name}>' for letter in "AB")


SETS = "".join(
    f'<qti-simple-match-set><qti-simple-associable-choice identifier="{letter}" match-max="1">{letter}'
    "</qti-simple-associable-choice></qti-simple-match-set>"
    for letter in "AB"
)
IMAGE = '<img src="map.png" alt="Map"/>'
SPOTS = '<qti-{} identifier="A" shape="circle" coords="1,2,3"/><qti-{} identifier="B" shape="rect" coords="0,0,9,9"/>'


@pytest.mark.parametrize(
    ("name", "inner", "kind", "sides"),
    [
        ("choice", two("simple-choice"), Kind.CHOICE, [None, None]),
        ("order", two("simple-choice"), Kind.ORDER, [None, None]),
        ("inline-choice", two("inline-choice"), Kind.INLINE_CHOICE, [None, None]),
        ("match", SETS, Kind.MATCH, [ChoiceSide.SOURCE, ChoiceSide.TARGET]),
        ("associate", two("simple-associable-choice"), Kind.ASSOCIATE, [None, None]),
        ("hottext", f"<p>x {two('hottext')}</p>", Kind.HOTTEXT, [None, None]),
        (
            "gap-match",
            f"{two('gap-text')}<p>x <qti-gap identifier='G'/></p>",
            Kind.GAP_MATCH,
            [ChoiceSide.SOURCE, ChoiceSide.SOURCE, ChoiceSide.TARGET],
        ),
        ("hotspot", IMAGE + SPOTS.replace("{}", "hotspot-choice"), Kind.HOTSPOT, [None, None]),
        ("graphic-order", IMAGE + SPOTS.replace("{}", "hotspot-choice"), Kind.GRAPHIC_ORDER, [None, None]),
        ("graphic-associate", IMAGE + SPOTS.replace("{}", "associable-hotspot"), Kind.GRAPHIC_ASSOCIATE, [None, None]),
        (
            "graphic-gap-match",
            f"{IMAGE}<qti-gap-img identifier='I'>{IMAGE}</qti-gap-img><qti-associable-hotspot identifier='H'/>",
            Kind.GRAPHIC_GAP_MATCH,
            [ChoiceSide.SOURCE, ChoiceSide.TARGET],
        ),
        ("text-entry", "", Kind.TEXT_ENTRY, []),
        ("extended-text", "", Kind.EXTENDED_TEXT, []),
        ("select-point", IMAGE, Kind.SELECT_POINT, []),
        ("position-object", IMAGE, Kind.POSITION_OBJECT, []),
        ("drawing", IMAGE, Kind.DRAWING, []),
        ("slider", "", Kind.SLIDER, []),
        ("upload", "", Kind.UPLOAD, []),
        ("media", "<video src='a.mp4'/>", Kind.MEDIA, []),
        ("end-attempt", "", Kind.END_ATTEMPT, []),
        ("portable-custom", "<qti-interaction-markup>x</qti-interaction-markup>", Kind.PORTABLE_CUSTOM, []),
        ("custom", "<x/>", Kind.CUSTOM, []),
        ("unheard-of", "", Kind.CUSTOM, []),
    ],
)
def test_every_interaction_is_read(name: str, inner: str, kind: Kind, sides: list[ChoiceSide | None]) -> None:
    interaction = answer(name, inner)
    assert interaction.kind is kind
    assert [choice.side for choice in interaction.choices] == sides


def test_the_particulars_of_interactions_are_read() -> None:
    slider = answer("slider", attributes='lower-bound="-1" upper-bound="9.5" step="0.5" orientation="horizontal"')
    assert (slider.lower_bound, slider.upper_bound, slider.step, slider.orientation) == (-1.0, 9.5, 0.5, "horizontal")
    entry = answer("text-entry", attributes='expected-length="12" pattern-mask="[a-z]+"')
    assert (entry.expected_length, entry.pattern_mask, entry.max_choices) == (12, "[a-z]+", 1)
    upload = answer("upload", attributes='type="image/png image/gif"')
    assert upload.file_types == ("image/png", "image/gif")
    custom = answer("portable-custom", attributes='module="m" custom-interaction-type-identifier="urn:x"')
    assert (custom.module, custom.type_identifier) == ("m", "urn:x")
    assert answer("end-attempt", attributes='title="Show &lt;hint&gt;"').prompt == "Show &lt;hint&gt;"
    [circle, _] = answer("hotspot", SPOTS.replace("{}", "hotspot-choice")).choices
    assert (circle.shape, circle.coords) == ("circle", "1,2,3")


def test_an_image_to_choose_is_told_by_its_alternative() -> None:
    [map_, _] = answer(
        "choice", f'<qti-simple-choice identifier="A">{IMAGE}</qti-simple-choice>{two("simple-choice")}'
    ).choices
    assert (map_.text, map_.html) == ("Map", '<img src="map.png" alt="Map">')


@pytest.mark.parametrize(
    ("name", "attributes", "limits"),
    [
        ("choice", "", (0, 1)),
        ("choice", 'min-choices="2" max-choices="0"', (2, 0)),
        ("order", "", (0, 0)),
        ("associate", "", (0, 1)),
        ("associate", 'max-associations="3"', (0, 3)),
        ("extended-text", 'min-strings="1" max-strings="4"', (1, 4)),
        ("select-point", "", (0, 0)),
        ("choice", 'max-choices="many"', (0, 1)),
        ("choice", f'max-choices="{"9" * 5000}"', (0, 1)),
    ],
)
def test_limits_are_stated_or_those_of_the_schema(name: str, attributes: str, limits: tuple[int, int]) -> None:
    interaction = answer(name, attributes=attributes)
    assert (interaction.min_choices, interaction.max_choices) == limits


def test_a_response_is_read_with_its_credit() -> None:
    mapping = (
        '<qti-mapping default-value="-1" lower-bound="0" upper-bound="2.5">'
        '<qti-map-entry map-key="A B" mapped-value="1.5" case-sensitive="true"/></qti-mapping>'
    )
    before = declaration("directedPair", "multiple", ["A  B", " C\n D "], mapping)
    [interaction] = read(before=before).interactions
    assert interaction.cardinality is ResponseCardinality.MULTIPLE
    assert interaction.correct_responses == ("A B", "C D")
    assert interaction.mapping == Mapping((MapEntry("A B", 1.5, True),), -1.0, 0.0, 2.5)


@pytest.mark.parametrize(
    ("stated", "meant"), [("true", True), ("1", True), (" 1 ", True), ("false", False), ("0", False)]
)
def test_a_boolean_has_two_spellings(stated: str, meant: bool) -> None:
    choice = f'<qti-simple-choice identifier="A" fixed="{stated}">1</qti-simple-choice>'
    interaction = answer("choice", choice, f'shuffle="{stated}"')
    entry = f'<qti-map-entry map-key="A" mapped-value="1" case-sensitive="{stated}"/>'
    question = read(
        before=declaration(more=f"<qti-mapping>{entry}</qti-mapping>"),
        attributes=f'adaptive="{stated}" time-dependent="{stated}"',
    )
    assert (interaction.shuffle, interaction.choices[0].fixed) == (meant, meant)
    assert (question.adaptive, question.time_dependent) == (meant, meant)
    assert question.interactions[0].mapping == Mapping((MapEntry("A", 1.0, meant),))


def test_areas_are_read() -> None:
    areas = '<qti-area-mapping><qti-area-map-entry shape="circle" coords="1,2,3" mapped-value="1"/></qti-area-mapping>'
    [interaction] = read(before=declaration("point", more=areas)).interactions
    assert interaction.area_mapping == AreaMapping((AreaEntry("circle", "1,2,3", 1.0),))


def test_a_response_may_be_undeclared_and_a_number_nonsense() -> None:
    [interaction] = read(before="").interactions
    assert (interaction.cardinality, interaction.correct_responses) == (ResponseCardinality.SINGLE, ())
    mapping = '<qti-mapping default-value="NaN"><qti-map-entry map-key="B" mapped-value="1e999"/></qti-mapping>'
    [interaction] = read(before=declaration(more=mapping)).interactions
    assert interaction.mapping == Mapping((MapEntry("B", 0.0),))


def test_several_interactions_keep_their_order() -> None:
    gap = '<qti-text-entry-interaction response-identifier="R{}"/>'
    question = read(f"<p>a {gap.format(1)} b {gap.format(2)}</p>{CHOICE}")
    assert [interaction.response_id for interaction in question.interactions] == ["R1", "R2", "RESPONSE"]
    assert question.text.startswith("a b ")
    assert question.body.index('"R1"') < question.body.index("b") < question.body.index('"R2"')


def test_space_around_a_name_is_none_of_it() -> None:
    spaced = CHOICE.replace('"B"', '" B "').replace('"RESPONSE"', '"RESPONSE\n"')
    [interaction] = read(spaced).interactions
    assert (interaction.response_id, interaction.correct_responses) == ("RESPONSE", ("B",))
    assert [choice.id for choice in interaction.choices] == ["A", "B"]


def test_choices_are_unique_and_named() -> None:
    inner = "<qti-simple-choice identifier='A'>1</qti-simple-choice>" * 2 + "<qti-simple-choice>2</qti-simple-choice>"
    assert [choice.id for choice in answer("choice", inner).choices] == ["A", "choice_3"]


def test_choices_keep_their_markup_without_feedback() -> None:
    inner = (
        '<qti-simple-choice identifier="A" fixed="true"><p>x<sup>2</sup></p>'
        "<qti-feedback-inline>wrong</qti-feedback-inline></qti-simple-choice>"
    )
    assert answer("choice", inner).choices == (QuestionChoice("A", "x2", "<p>x<sup>2</sup></p>", fixed=True),)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("<p>a<br/>b</p>", "<p>a<br>b</p>"),
        ("a<script>x</script>b", "ab"),
        ("<p>a <qti-printed-variable identifier='V'/></p>", '<p>a <span class="variable" data-choice="V"></span></p>'),
        ("<m:math xmlns:m='http://www.w3.org/1998/Math/MathML'><m:mi>x</m:mi></m:math>", "<math><mi>x</mi></math>"),
        (
            "<math xmlns='http://www.w3.org/1998/Math/MathML'><mn>3</mn><mtext>cm &lt;b></mtext></math>",
            "<math><mn>3</mn><mi>cm &lt;b&gt;</mi></math>",
        ),
        (
            "<math xmlns='http://www.w3.org/1998/Math/MathML'><mn>3</mn><mtext><b>cm</b></mtext></math>",
            "<math><mn>3</mn></math>",
        ),
        ("<object data='a.png' type='image/png'>A <b>cat</b></object>", '<img src="a.png" alt="A cat">'),
        ("<object data='a.mp3' type='audio/mpeg'/>", '<audio src="a.mp3" controls=""></audio>'),
        ("<p xml:lang='fr'>a</p>", '<p lang="fr">a</p>'),
        (
            "<object data='b.png' type='image/png'><object data='a.png' type='image/png'/></object>",
            '<img src="b.png" alt="">',
        ),
        ("<object data='b' type='a/b'><object data='a.png' type='image/png'/></object>", '<img src="a.png" alt="">'),
        ("<object data='a.swf' type='application/x-flash'><p>none</p></object>", "<p>none</p>"),
        ("<qti-rubric-block view='scorer'>a</qti-rubric-block>b", "b"),
        ("<qti-rubric-block view='scorer candidate'><qti-content-body>a</qti-content-body></qti-rubric-block>", "a"),
        ("<qti-template-block><p>a</p></qti-template-block>", "<p>a</p>"),
        ("<p>a</p><!-- b --><?c d?>", "<p>a</p>"),
    ],
)
def test_a_body_becomes_html(body: str, shown: str) -> None:
    assert read(body).body == shown


def test_a_mark_keeps_the_text_that_is_nowhere_else() -> None:
    passage = "<qti-prompt>Which?</qti-prompt><p>One <qti-hottext identifier='A'>word</qti-hottext></p>"
    question = read(f'<qti-hottext-interaction response-identifier="R">{passage}</qti-hottext-interaction>')
    assert question.body == (
        '<div class="interaction" data-response="R" data-kind="HOTTEXT">'
        '<p>One <span class="choice" data-choice="A">word</span></p></div>'
    )
    assert question.interactions[0].prompt == "Which?"


def test_feedback_is_apart_from_the_body_unless_it_asks() -> None:
    modal = (
        '<qti-modal-feedback outcome-identifier="F" identifier="ok" show-hide="hide"><p>Yes</p></qti-modal-feedback>'
    )
    block = '<qti-feedback-block outcome-identifier="F" identifier="{}">{}</qti-feedback-block>'
    question = read(block.format("part1", f"<p>Next</p>{CHOICE}") + block.format("wrong", "<p>No</p>"), after=modal)
    assert question.feedback == (
        Feedback(FeedbackKind.BLOCK, "F", "wrong", "<p>No</p>"),
        Feedback(FeedbackKind.MODAL, "F", "ok", "<p>Yes</p>", shown=False),
    )
    assert "Next" in question.body
    assert "No" not in question.body


SCORE = '<qti-outcome-declaration identifier="{}" {}>{}</qti-outcome-declaration>'
MAXIMUM = SCORE.format("MAXSCORE", "", "<qti-default-value><qti-value>3</qti-value></qti-default-value>")
MAPPED = declaration(
    cardinality="{}",
    more='<qti-mapping {}><qti-map-entry map-key="A" mapped-value="2"/><qti-map-entry map-key="B" mapped-value="3"/>'
    '<qti-map-entry map-key="C" mapped-value="-4"/></qti-mapping>',
)
AREAS = declaration(
    "point",
    "{}",
    more='<qti-area-mapping {}><qti-area-map-entry shape="circle" coords="1,1,2" mapped-value="2"/>'
    '<qti-area-map-entry shape="circle" coords="9,9,2" mapped-value="1"/></qti-area-mapping>',
)


@pytest.mark.parametrize(
    ("before", "template", "score"),
    [
        (MAXIMUM, "match_correct", 3.0),
        (SCORE.format("SCORE", 'normal-maximum="4"', ""), "match_correct.xml", 4.0),
        (SCORE.format("SCORE", 'normal-maximum="4_0"', ""), "match_correct.xml", 1.0),
        ("", "match_correct.xml", 1.0),
        ("", "CC2_match", 1.0),
        (MAPPED.format("single", ""), "map_response", 3.0),
        (MAPPED.format("multiple", ""), "map_response.xml", 5.0),
        (MAPPED.format("multiple", 'upper-bound="4"'), "map_response", 4.0),
        ("", "map_response", None),
        (AREAS.format("single", ""), "map_response_point", 2.0),
        (AREAS.format("multiple", ""), "CC2_map_response_point.xml", 3.0),
        (AREAS.format("multiple", 'upper-bound="2.5"'), "map_response_point", 2.5),
        (AREAS.format("single", ""), "map_response", None),
        ("", "own", None),
    ],
)
def test_the_best_score_is_declared_or_follows_from_the_template(
    before: str, template: str, score: float | None
) -> None:
    assert read(before=before, after=f'<qti-response-processing template="{TEMPLATES}/{template}"/>').max_score == score


@pytest.mark.parametrize(
    ("processing", "scoring"),
    [
        ("", "none"),
        ("<qti-response-processing/>", "none"),
        ("<qti-response-processing><qti-response-condition/></qti-response-processing>", "custom"),
        ('<qti-response-processing template="http://other.example/rp/match_correct"/>', "match_correct"),
        ('<qti-response-processing template-location="../rp/map_response.xml"/>', "map_response"),
        ('<qti-response-processing template-location=" ..\\rp\\map_response.xml?v=1#x "/>', "map_response"),
    ],
)
def test_response_processing_is_named(processing: str, scoring: str) -> None:
    assert read(after=processing).scoring == scoring


def test_an_item_tells_what_it_needs_and_is() -> None:
    reference = '<qti-assessment-stimulus-ref identifier="s" href="../s1.xml"/>'
    question = read(before=reference, attributes='adaptive="true" time-dependent="true" xml:lang="nl"')
    assert (question.stimulus_refs, question.language) == (("../s1.xml",), "nl")
    assert (question.adaptive, question.time_dependent) == (True, True)


def test_an_item_without_interactions_only_informs() -> None:
    assert read("<p>Read this.</p>").interactions == ()
    assert qti3.read_item(parse(b"<qti-assessment-item/>")).body == ""


@pytest.mark.parametrize("root", ["assessmentItem", "qti-assessment-test", "qti-assessment-stimulus"])
def test_another_root_is_refused(root: str) -> None:
    with pytest.raises(JobFailed, match="qti-assessment-item") as failure:
        qti3.read_item(parse(f"<{root}/>".encode()))
    assert failure.value.code is JobErrorCode.RESOURCE_INVALID


@pytest.mark.parametrize(
    ("document", "shown"),
    [
        (stimulus("<p>A <i>passage</i></p>"), "<p>A <i>passage</i></p>"),
        ("<html><head><title>T</title></head><body><p>x</p></body></html>", "<p>x</p>"),
        ("<qti-assessment-stimulus/>", ""),
    ],
)
def test_a_stimulus_becomes_html(document: str, shown: str) -> None:
    assert qti3.read_stimulus(parse(document.encode())) == shown


NESTED = "<qti-{0}>" * 200 + "<p>x</p>" * 20_000 + "</qti-{0}>" * 200


@pytest.mark.parametrize(
    "body",
    [
        NESTED.replace("{0}", "feedback-block"),
        NESTED.replace("{0}", "choice-interaction"),
        NESTED.replace("{0}", "rubric-block"),
        f"<qti-choice-interaction>{NESTED.replace('{0}', 'simple-choice')}</qti-choice-interaction>",
        f"<qti-hottext-interaction>{NESTED.replace('{0}', 'hottext')}</qti-hottext-interaction>",
        f"<qti-hottext-interaction>{NESTED.replace('{0}', 'prompt')}</qti-hottext-interaction>",
        "<qti-text-entry-interaction/>" * 20_000,
    ],
    ids=["feedback", "interactions", "rubrics", "choices", "hottexts", "prompts", "many"],
)
def test_nesting_does_not_take_longer_than_its_size(body: str) -> None:
    # Each of these took from ten seconds to minutes when every level read all that is below it.
    assert read(body).identifier == "q1"


def test_choices_inside_a_choice_take_no_longer_than_their_number() -> None:
    def seconds(count: int) -> float:
        gaps = "<qti-gap>x</qti-gap>" * count
        began = time.process_time()
        read(f"<qti-gap-match-interaction><qti-hottext>{gaps}</qti-hottext></qti-gap-match-interaction>")
        return time.process_time() - began

    assert seconds(40_000) < 30 * min(seconds(4_000) for _ in range(5))
