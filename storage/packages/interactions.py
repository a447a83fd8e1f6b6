"""The 22 interactions of QTI 3, read into one shape."""

from collections.abc import Iterator, Set
from collections.abc import Mapping as Lookup

from lxml import etree

from storage.packages import html
from storage.packages.bodies import find_interactions, hide, kind_of, mark_all, render
from storage.packages.numbers import count, number
from storage.packages.questions import ChoiceSide, InteractionKind, QuestionChoice, QuestionInteraction, Response
from storage.packages.xml import flag, local

_UNDECLARED = Response()
_CHOICES = tuple(
    f"{{*}}qti-{name}"
    for name in (
        *("simple-choice", "inline-choice", "simple-associable-choice", "hottext"),
        *("gap-text", "gap-img", "gap", "hotspot-choice", "associable-hotspot"),
    )
)
_COUNTED = ("choices", "associations", "strings")
_SIDES = {
    "qti-gap-text": ChoiceSide.SOURCE,
    "qti-gap-img": ChoiceSide.SOURCE,
    "qti-gap": ChoiceSide.TARGET,
}
# What the schema says about an attribute that is not there; elsewhere it is unlimited.
_ONE = frozenset({"CHOICE", "INLINE_CHOICE", "HOTTEXT", "HOTSPOT", "POSITION_OBJECT", "TEXT_ENTRY", "EXTENDED_TEXT"})
_ONE_PAIR = frozenset({"MATCH", "ASSOCIATE", "GAP_MATCH", "GRAPHIC_GAP_MATCH", "GRAPHIC_ASSOCIATE"})
_WITHOUT_CHOICES = frozenset({"TEXT_ENTRY", "EXTENDED_TEXT", "UPLOAD", "DRAWING", "MEDIA", "SLIDER", "END_ATTEMPT"})


def read_interactions(
    body: etree._Element,
    interactions: list[etree._Element],
    holders: Set[etree._Element],
    responses: Lookup[str, Response],
) -> tuple[QuestionInteraction, ...]:
    """Every interaction of a body in document order, each with its response, declared or not.

    `interactions` are those of the item, `holders` what holds them; one that holds others, which QTI forbids, is
    passed over. Leaves marks in the body where the interactions were, and nothing that is not for learners.
    """
    remaining = find_interactions(body) if hide(body, holders) else interactions
    innermost = [element for element in remaining if element not in holders]
    read = tuple(
        _read(element, kind_of(element), responses.get(element.get("response-identifier", "").strip(), _UNDECLARED))
        for element in innermost
    )
    mark_all(body, innermost)
    return read


def _read(element: etree._Element, kind: InteractionKind, response: Response) -> QuestionInteraction:
    attribute = element.get
    return QuestionInteraction(
        response_id=attribute("response-identifier", "").strip(),
        kind=kind,
        prompt=_read_prompt(element, kind),
        choices=() if kind in _WITHOUT_CHOICES else tuple(_read_choices(element, kind)),
        shuffle=flag(element, "shuffle"),
        min_choices=_limit(element, "min") or 0,
        max_choices=_max_choices(element, kind),
        cardinality=response.cardinality,
        base_type=response.base_type,
        correct_responses=response.correct,
        mapping=response.mapping,
        area_mapping=response.area_mapping,
        orientation=attribute("orientation"),
        expected_length=count(attribute("expected-length")),
        pattern_mask=attribute("pattern-mask"),
        lower_bound=number(attribute("lower-bound")),
        upper_bound=number(attribute("upper-bound")),
        step=number(attribute("step")),
        file_types=tuple((attribute("type") or "").split()) if kind is InteractionKind.UPLOAD else (),
        module=attribute("module"),
        type_identifier=attribute("custom-interaction-type-identifier"),
    )


def _read_prompt(element: etree._Element, kind: InteractionKind) -> str | None:
    prompt = element.find("{*}qti-prompt")
    if prompt is not None:
        return render(prompt)
    title = element.get("title")
    return html.escape(title) if title and kind is InteractionKind.END_ATTEMPT else None


def _read_choices(element: etree._Element, kind: InteractionKind) -> Iterator[QuestionChoice]:
    seen: set[str] = set()
    last: etree._Element | None = None
    for position, choice in enumerate(element.iter(*_CHOICES), start=1):
        identifier = choice.get("identifier", "").strip() or f"choice_{position}"
        is_inside = last is not None and last in choice.iterancestors()
        if identifier in seen or is_inside:
            continue
        seen.add(identifier)
        last = choice
        shown = render(choice) or html.escape(choice.get("hotspot-label", ""))
        yield QuestionChoice(
            id=identifier,
            text=html.plain(shown),
            html=shown,
            side=_side(choice, kind),
            fixed=flag(choice, "fixed"),
            match_max=count(choice.get("match-max")),
            shape=choice.get("shape"),
            coords=choice.get("coords"),
        )


def _side(choice: etree._Element, kind: InteractionKind) -> ChoiceSide | None:
    parent = choice.getparent()
    if kind is InteractionKind.MATCH and parent is not None:
        before = parent.getprevious()
        is_first = before is None or local(before) != local(parent)
        return ChoiceSide.SOURCE if is_first else ChoiceSide.TARGET
    if kind is InteractionKind.GRAPHIC_GAP_MATCH and local(choice) == "qti-associable-hotspot":
        return ChoiceSide.TARGET
    return _SIDES.get(local(choice))


def _limit(element: etree._Element, bound: str) -> int | None:
    for what in _COUNTED:
        limit = count(element.get(f"{bound}-{what}"))
        if limit is not None:
            return limit
    return None


def _max_choices(element: etree._Element, kind: InteractionKind) -> int:
    stated = _limit(element, "max")
    return int(kind in _ONE or kind in _ONE_PAIR) if stated is None else stated
