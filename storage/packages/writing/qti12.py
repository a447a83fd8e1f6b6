"""Write questions as a QTI 1.2.1 assessment of the cartridge profile, as far as that can say them."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from lxml import etree
from lxml.builder import ElementMaker

from storage.packages.writing.course import Question, QuestionKind
from storage.packages.writing.metadata import XML_LANG
from storage.packages.writing.qti3 import choice_id, document

NAMESPACE = "http://www.imsglobal.org/xsd/ims_qtiasiv1p2"

_MAKE = ElementMaker(namespace=NAMESPACE, nsmap={None: NAMESPACE})
_RESPONSE = "RESPONSE"
_SHOWN, _HIDDEN = "general_fb", "solution"


class Profile(StrEnum):
    """The question kinds of the cartridge profile that our questions become."""

    MULTIPLE_CHOICE = "cc.multiple_choice.v0p1"
    MULTIPLE_RESPONSE = "cc.multiple_response.v0p1"
    TRUE_FALSE = "cc.true_false.v0p1"
    FILL_IN = "cc.fib.v0p1"
    ESSAY = "cc.essay.v0p1"


def profile_of(question: Question) -> Profile | None:
    """
    What a question is in a cartridge; None for what no profile can say, a choice without a right answer.

    By the rules that the profile's schema carries: a true-false question has two options, whatever they are called, a
    multiple-choice question at least three; each names a right one. Without an answer a text is an essay.
    """
    if question.kind is QuestionKind.SHORT_ANSWER:
        return Profile.FILL_IN if question.answers else Profile.ESSAY
    if len(question.options) < 2 or not question.right:
        return None
    if question.kind is QuestionKind.MULTIPLE_RESPONSE:
        return Profile.MULTIPLE_RESPONSE
    return Profile.TRUE_FALSE if len(question.options) == 2 else Profile.MULTIPLE_CHOICE


def write_assessment(identifier: str, title: str, language: str, questions: Sequence[Question]) -> bytes:
    """An assessment of questions that have a profile, at least one of them."""
    shows = any(question.show_feedback for question in questions)
    fields = {
        "cc_profile": "cc.exam.v0p1",
        "qmd_assessmenttype": "Examination",
        "qmd_scoretype": "Percentage",
        "qmd_feedbackpermitted": "Yes" if shows else "No",
    }
    section = _MAKE.section(*map(_item, questions), ident="section")
    attributes = {"ident": identifier, "title": title, XML_LANG: language}
    return document(_MAKE.questestinterop(_MAKE.assessment(attributes, _fields(fields), section)))


def _item(question: Question) -> etree._Element:
    profile = profile_of(question)
    fields = {"cc_profile": str(profile)} | ({"qmd_computerscored": "No"} if profile is Profile.ESSAY else {})
    presentation = _MAKE.presentation(_material(question.text), _response(question, profile))
    item = _MAKE.item(_MAKE.itemmetadata(_fields(fields)), presentation, ident=question.id, title=question.heading)
    item.extend(_processing(question, profile))
    item.extend(_feedback(question))
    return item


def _fields(fields: dict[str, str]) -> etree._Element:
    return _MAKE.qtimetadata(
        *(_MAKE.qtimetadatafield(_MAKE.fieldlabel(name), _MAKE.fieldentry(value)) for name, value in fields.items())
    )


def _material(text: str) -> etree._Element:
    return _MAKE.material(_MAKE.mattext(text, texttype="text/plain"))


def _response(question: Question, profile: Profile | None) -> etree._Element:
    match profile:
        case Profile.FILL_IN:
            return _MAKE.response_str(_MAKE.render_fib(prompt="Box"), ident=_RESPONSE, rcardinality="Single")
        case Profile.ESSAY:
            return _MAKE.response_str(_MAKE.render_fib(rows="10"), ident=_RESPONSE, rcardinality="Single")
    labels = [
        _MAKE.response_label(_material(option), ident=choice_id(index)) for index, option in enumerate(question.options)
    ]
    cardinality = "Multiple" if profile is Profile.MULTIPLE_RESPONSE else "Single"
    return _MAKE.response_lid(_MAKE.render_choice(*labels, shuffle="No"), ident=_RESPONSE, rcardinality=cardinality)


def _processing(question: Question, profile: Profile | None) -> Iterator[etree._Element]:
    conditions = list(_tell(question))
    if right := list(_conditions(question, profile)):
        conditions.append(_earn(right))
    if conditions:
        score = _MAKE.decvar(varname="SCORE", vartype="Decimal", minvalue="0", maxvalue="100")
        yield _MAKE.resprocessing(_MAKE.outcomes(score), *conditions)


def _conditions(question: Question, profile: Profile | None) -> Iterator[etree._Element]:
    """What a right answer fulfils; of several at one place any is enough."""
    match profile:
        case Profile.FILL_IN:
            yield from map(_equal, question.answers)
        case Profile.MULTIPLE_RESPONSE:
            chosen = [_equal(choice_id(index)) for index in question.right]
            others = [index for index in range(len(question.options)) if index not in question.right]
            yield _MAKE("and", *chosen, *(_MAKE("not", _equal(choice_id(index))) for index in others))
        case Profile.MULTIPLE_CHOICE | Profile.TRUE_FALSE:
            yield _equal(choice_id(question.right[0]))


def _equal(value: str) -> etree._Element:
    return _MAKE.varequal(value, respident=_RESPONSE)


def _earn(conditions: Iterable[etree._Element]) -> etree._Element:
    full = _MAKE.setvar("100", action="Set", varname="SCORE")
    return _MAKE.respcondition({"continue": "No"}, _MAKE.conditionvar(*conditions), full)


def _tell(question: Question) -> Iterator[etree._Element]:
    """Whatever the answer, the explanation is shown."""
    if question.explanation and question.show_feedback:
        shown = _MAKE.displayfeedback(feedbacktype="Response", linkrefid=_SHOWN)
        yield _MAKE.respcondition({"continue": "Yes"}, _MAKE.conditionvar(_MAKE.other()), shown)


def _feedback(question: Question) -> Iterator[etree._Element]:
    if not question.explanation:
        return
    material = _material(question.explanation)
    if question.show_feedback:
        yield _MAKE.itemfeedback(_MAKE.flow_mat(material), ident=_SHOWN)
    else:
        yield _MAKE.itemfeedback(_MAKE.solution(_MAKE.solutionmaterial(material)), ident=_HIDDEN)
