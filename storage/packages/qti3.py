"""Read QTI 3 items and stimuli."""

import re
from collections.abc import Iterable, Iterator, Set

from lxml import etree

from storage.packages import html
from storage.packages.bodies import find_holders, find_interactions, render
from storage.packages.interactions import read_interactions
from storage.packages.numbers import number
from storage.packages.questions import (
    AreaEntry,
    AreaMapping,
    Feedback,
    FeedbackKind,
    MapEntry,
    Mapping,
    Outcome,
    Question,
    QuestionInteraction,
    Response,
    ResponseCardinality,
)
from storage.packages.refusals import unreadable
from storage.packages.xml import flag, local, text

_LANGUAGE = ("{http://www.w3.org/XML/1998/namespace}lang", "lang")
_CARDINALITIES = {cardinality.lower(): cardinality for cardinality in ResponseCardinality}
_FEEDBACK = {
    "qti-modal-feedback": FeedbackKind.MODAL,
    "qti-feedback-inline": FeedbackKind.INLINE,
    "qti-feedback-block": FeedbackKind.BLOCK,
}
_FEEDBACK_TAGS = tuple(f"{{*}}{name}" for name in _FEEDBACK)
_MAX_SCORE = 1e9


def read_item(root: etree._Element) -> Question:
    """The question in a qti-assessment-item. Raises JobFailed(RESOURCE_INVALID) for any other root element."""
    _require(root, "qti-assessment-item")
    responses: dict[str, Response] = {}
    outcomes: list[Outcome] = []
    references: list[str] = []
    body: etree._Element | None = None
    scoring = "none"
    for child in root:
        match local(child):
            case "qti-response-declaration":
                responses.setdefault(child.get("identifier", "").strip(), _read_response(child))
            case "qti-outcome-declaration":
                outcomes.append(_read_outcome(child))
            case "qti-assessment-stimulus-ref":
                references.append(child.get("href", ""))
            case "qti-item-body":
                body = child
            case "qti-response-processing":
                scoring = _read_scoring(child)
    found = [] if body is None else find_interactions(body)
    holders = find_holders(found)
    # In this order: reading a body ends with marks where its interactions were.
    feedback = tuple(_read_feedback(root, holders))
    interactions = () if body is None else read_interactions(body, found, holders, responses)
    shown = "" if body is None else render(body)
    return Question(
        identifier=root.get("identifier", "").strip(),
        title=root.get("title"),
        language=language(root),
        body=shown,
        text=words(shown, interactions),
        interactions=interactions,
        outcomes=tuple(outcomes),
        feedback=feedback,
        max_score=_max_score(outcomes, interactions, scoring),
        scoring=scoring,
        adaptive=flag(root, "adaptive"),
        time_dependent=flag(root, "time-dependent"),
        stimulus_refs=tuple(filter(None, references)),
    )


def read_stimulus(root: etree._Element) -> str:
    """The body of a qti-assessment-stimulus as sanitised HTML; an XHTML document is taken for one."""
    if local(root) == "html":
        body = root.find("{*}body")
        return "" if body is None else render(body)
    _require(root, "qti-assessment-stimulus")
    body = root.find("{*}qti-stimulus-body")
    return "" if body is None else render(body)


def language(root: etree._Element) -> str | None:
    """The language that a document states for itself."""
    return next(filter(None, map(root.get, _LANGUAGE)), None)


def words(body: str, interactions: Iterable[QuestionInteraction]) -> str:
    """What a search finds: the text, the prompts and the choices."""
    parts = [html.plain(body)]
    for interaction in interactions:
        parts.append(html.plain(interaction.prompt or ""))
        parts.extend(choice.text for choice in interaction.choices)
    return " ".join(filter(None, parts))[: html.MAX_TEXT]


def _require(root: etree._Element, name: str) -> None:
    if local(root) != name:
        older = " Convert the item from QTI 2 to QTI 3." if local(root) == "assessmentItem" else ""
        raise unreadable(f"The root element of the file is {local(root)[:100]!r}; expected is {name!r}.{older}")


def _read_response(declaration: etree._Element) -> Response:
    correct: tuple[str, ...] = ()
    mapping: Mapping | None = None
    areas: AreaMapping | None = None
    for child in declaration:
        match local(child):
            case "qti-correct-response":
                correct = tuple(" ".join(text(value).split()) for value in child.iterchildren("{*}qti-value"))
            case "qti-mapping":
                mapping = _read_mapping(child)
            case "qti-area-mapping":
                areas = _read_areas(child)
    cardinality = _CARDINALITIES.get(declaration.get("cardinality", ""), ResponseCardinality.SINGLE)
    return Response(cardinality, declaration.get("base-type"), correct, mapping, areas)


def _read_mapping(element: etree._Element) -> Mapping:
    return Mapping(
        entries=tuple(
            MapEntry(
                key=entry.get("map-key", ""),
                value=number(entry.get("mapped-value")) or 0.0,
                case_sensitive=flag(entry, "case-sensitive"),
            )
            for entry in element.iterchildren("{*}qti-map-entry")
        ),
        default=number(element.get("default-value")) or 0.0,
        lower_bound=number(element.get("lower-bound")),
        upper_bound=number(element.get("upper-bound")),
    )


def _read_areas(element: etree._Element) -> AreaMapping:
    return AreaMapping(
        entries=tuple(
            AreaEntry(entry.get("shape", ""), entry.get("coords", ""), number(entry.get("mapped-value")) or 0.0)
            for entry in element.iterchildren("{*}qti-area-map-entry")
        ),
        default=number(element.get("default-value")) or 0.0,
        lower_bound=number(element.get("lower-bound")),
        upper_bound=number(element.get("upper-bound")),
    )


def _read_outcome(declaration: etree._Element) -> Outcome:
    default = declaration.find("{*}qti-default-value/{*}qti-value")
    return Outcome(
        id=declaration.get("identifier", "").strip(),
        base_type=declaration.get("base-type"),
        default=None if default is None else text(default),
        normal_minimum=number(declaration.get("normal-minimum")),
        normal_maximum=number(declaration.get("normal-maximum")),
        external_scored=declaration.get("external-scored"),
    )


def _read_feedback(root: etree._Element, holders: Set[etree._Element]) -> Iterator[Feedback]:
    """The outermost feedback, unless it is a part of the question."""
    for element in root.iter(*_FEEDBACK_TAGS):
        outer = next(element.iterancestors(*_FEEDBACK_TAGS), None)
        if element not in holders and (outer is None or outer in holders):
            yield Feedback(
                kind=_FEEDBACK[local(element)],
                outcome_id=element.get("outcome-identifier", ""),
                identifier=element.get("identifier", "").strip(),
                html=render(element),
                shown=element.get("show-hide", "show") != "hide",
            )


def _read_scoring(processing: etree._Element) -> str:
    """The template's name, whichever host and suffix it is given with."""
    template = processing.get("template") or processing.get("template-location")
    if template:
        path = re.split(r"[?#]", template.strip().replace("\\", "/"), maxsplit=1)[0]
        return path.rstrip("/").rpartition("/")[2].removesuffix(".xml")[:100]
    return "custom" if len(processing) else "none"


def _max_score(outcomes: list[Outcome], interactions: tuple[QuestionInteraction, ...], scoring: str) -> float | None:
    """What the item declares, else what its template can give."""
    for outcome in outcomes:
        if outcome.id == "MAXSCORE" and number(outcome.default) is not None:
            return number(outcome.default)
    for outcome in outcomes:
        if outcome.id == "SCORE" and outcome.normal_maximum is not None:
            return outcome.normal_maximum
    if scoring in ("match_correct", "CC2_match"):
        return 1.0
    if len(interactions) != 1:
        return None
    [only] = interactions
    credit = _credit(only, scoring)
    return None if credit is None else _best(credit, only.cardinality)


def _credit(interaction: QuestionInteraction, scoring: str) -> Mapping | AreaMapping | None:
    match scoring:
        case "map_response" | "CC2_map_response":
            return interaction.mapping
        case "map_response_point" | "CC2_map_response_point":
            return interaction.area_mapping
        case _:
            return None


def _best(credit: Mapping | AreaMapping, cardinality: ResponseCardinality) -> float | None:
    if credit.upper_bound is not None:
        return credit.upper_bound
    values = [entry.value for entry in credit.entries if entry.value > 0]
    best = max(values, default=0.0) if cardinality is ResponseCardinality.SINGLE else sum(values)
    return best if best <= _MAX_SCORE else None
