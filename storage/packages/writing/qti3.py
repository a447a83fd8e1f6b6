"""Write questions as QTI 3 items, without any loss."""

from collections.abc import Iterator, Sequence

from lxml import etree
from lxml.builder import ElementMaker

from storage.packages.writing.course import Question, QuestionKind
from storage.packages.writing.metadata import XML_LANG

NAMESPACE = "http://www.imsglobal.org/xsd/imsqtiasi_v3p0"
TEMPLATES = "https://purl.imsglobal.org/spec/qti/v3p0/rptemplates"

_MAKE = ElementMaker(namespace=NAMESPACE, nsmap={None: NAMESPACE})
_RESPONSE = "RESPONSE"
_EXPLANATION = "EXPLANATION"


def choice_id(index: int) -> str:
    """What an option is called in packages; counted from 0."""
    return f"choice_{index + 1}"


def write_item(question: Question, language: str) -> bytes:
    """An assessment item as an XML document."""
    attributes = {"identifier": question.id, "title": question.heading, XML_LANG: language}
    item = _MAKE("qti-assessment-item", attributes, adaptive="false")
    item.set("time-dependent", "false")
    if question.key:
        item.set("label", question.key)
    item.extend(_declarations(question))
    item.append(_MAKE("qti-item-body", *_body(question)))
    item.extend(_processing(question))
    if question.explanation and question.show_feedback:
        shown = {"outcome-identifier": _EXPLANATION, "identifier": "shown", "show-hide": "show"}
        content = _MAKE("qti-content-body", _MAKE.p(*_lines(question.explanation)))
        item.append(_MAKE("qti-modal-feedback", shown, content))
    return document(item)


def write_test(identifier: str, title: str, items: Sequence[tuple[str, str]]) -> bytes:
    """An assessment test that keeps questions together: identifiers and hrefs in their order."""
    references = [_MAKE("qti-assessment-item-ref", identifier=name, href=href) for name, href in items]
    section = _MAKE("qti-assessment-section", *references, identifier="section", title=title, visible="true")
    modes = {"navigation-mode": "nonlinear", "submission-mode": "individual"}
    part = _MAKE("qti-test-part", modes, section, identifier="part")
    return document(_MAKE("qti-assessment-test", part, identifier=identifier, title=title))


def document(root: etree._Element) -> bytes:
    """An XML file."""
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _declarations(question: Question) -> Iterator[etree._Element]:
    match question.kind:
        case QuestionKind.SHORT_ANSWER:
            yield _declare("single", "string", question.answers[:1], question.answers)
        case QuestionKind.MULTIPLE_RESPONSE:
            yield _declare("multiple", "identifier", [choice_id(index) for index in question.right])
        case _:
            yield _declare("single", "identifier", [choice_id(index) for index in question.right[:1]])
    score = _MAKE("qti-outcome-declaration", identifier="SCORE", cardinality="single")
    score.set("base-type", "float")
    score.set("normal-maximum", "1")
    if not question.answers:
        score.set("external-scored", "human")
    yield score
    if question.explanation and question.show_feedback:
        default = _MAKE("qti-default-value", _MAKE("qti-value", "shown"))
        shown = {"identifier": _EXPLANATION, "cardinality": "single", "base-type": "identifier"}
        yield _MAKE("qti-outcome-declaration", shown, default)


def _declare(cardinality: str, base_type: str, correct: Sequence[str], accepted: Sequence[str] = ()) -> etree._Element:
    declaration = _MAKE("qti-response-declaration", identifier=_RESPONSE, cardinality=cardinality)
    declaration.set("base-type", base_type)
    if correct:
        declaration.append(_MAKE("qti-correct-response", *(_MAKE("qti-value", value) for value in correct)))
    if accepted:
        entries = [{"map-key": text, "mapped-value": "1", "case-sensitive": "false"} for text in accepted]
        mapping = _MAKE("qti-mapping", *(_MAKE("qti-map-entry", entry) for entry in entries))
        mapping.set("default-value", "0")
        declaration.append(mapping)
    return declaration


def _body(question: Question) -> Iterator[etree._Element]:
    response = {"response-identifier": _RESPONSE}
    prompt = _lines(question.text)
    if question.kind is not QuestionKind.SHORT_ANSWER:
        limits = {"max-choices": "0" if question.kind is QuestionKind.MULTIPLE_RESPONSE else "1", "shuffle": "false"}
        choices = [
            _MAKE("qti-simple-choice", *_lines(option), identifier=choice_id(index))
            for index, option in enumerate(question.options)
        ]
        yield _MAKE("qti-choice-interaction", response | limits, _MAKE("qti-prompt", *prompt), *choices)
    elif question.answers:
        yield _MAKE.p(*prompt)
        yield _MAKE.p(_MAKE("qti-text-entry-interaction", response))
    else:
        yield _MAKE("qti-extended-text-interaction", response, _MAKE("qti-prompt", *prompt))
    if question.explanation and not question.show_feedback:
        hidden = {"use": "ext:explanation", "view": "author scorer tutor"}
        content = _MAKE("qti-content-body", _MAKE.p(*_lines(question.explanation)))
        yield _MAKE("qti-rubric-block", hidden, content)


def _processing(question: Question) -> Iterator[etree._Element]:
    if question.answers:
        template = "map_response" if question.kind is QuestionKind.SHORT_ANSWER else "match_correct"
        yield _MAKE("qti-response-processing", template=f"{TEMPLATES}/{template}.xml")


def _lines(text: str) -> Iterator[str | etree._Element]:
    """Plain text; its line breaks stay visible."""
    first, *others = text.splitlines() or [""]
    yield first
    for other in others:
        yield _MAKE.br()
        yield other
