"""Read the QTI 1.2 of cartridges: assessments and question banks, in the cartridge profiles and Canvas's dialect."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape

from lxml import etree

from storage.packages import bodies, html
from storage.packages.numbers import count, number
from storage.packages.qti3 import language, words
from storage.packages.questions import (
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
from storage.packages.refusals import unreadable
from storage.packages.xml import local, text

_HTML_TYPES = frozenset({"text/html", "text/xhtml"})
_RESPONSES = frozenset({"response_lid", "response_str", "response_num", "response_xy", "response_grp"})
_DROPDOWNS = frozenset({"matching_question", "multiple_dropdowns_question"})
_BLANKS = "fill_in_multiple_blanks_question"
_ESSAYS = frozenset({"cc.essay.v0p1", "essay_question"})
_CARDINALITIES = {
    "multiple": ResponseCardinality.MULTIPLE,
    "ordered": ResponseCardinality.ORDERED,
}
_PARAGRAPHS = frozenset({"flow", "flow_mat"})
_TEXTS = ("{*}mattext", "{*}matimage", "{*}matbreak")
_GIVING = frozenset({"", "set", "add"})
_POINTS = ("points_possible", "cc_weighting", "qmd_weighting")


@dataclass(frozen=True, slots=True)
class Assessment:
    """The questions of a file in document order; a bank has no title and is no container."""

    title: str | None
    is_bank: bool
    items: tuple[etree._Element, ...]


def read(root: etree._Element) -> Assessment:
    """What a questestinterop holds. Raises JobFailed(RESOURCE_INVALID) for any other root, and when it has no item."""
    if local(root) != "questestinterop":
        raise unreadable(f"The root element of the file is {local(root)[:100]!r}; expected is 'questestinterop'.")
    items = tuple(item for item in root.iter("{*}item") if next(item.iterancestors("{*}item"), None) is None)
    if not items:
        raise unreadable("The assessment has no questions; give it an <item>, or remove the resource.")
    assessment = root.find(".//{*}assessment")
    title = None if assessment is None else (assessment.get("title") or "").strip() or None
    return Assessment(title, assessment is None, items)


def read_item(item: etree._Element, relocate: Callable[[str], str] = str) -> Question:
    """One question; `relocate` replaces the cartridge's file tokens in its HTML."""
    fields = dict(_fields(item))
    presentation = item.find("{*}presentation")
    reading = _Reading(fields, _Scores.of(item), relocate)
    shown = "" if presentation is None else reading.content(presentation)
    outcomes = tuple(map(_read_outcome, item.iterfind("{*}resprocessing/{*}outcomes/{*}decvar")))
    return Question(
        identifier=item.get("ident", ""),
        title=item.get("title"),
        language=language(item),
        body=shown,
        text=words(shown, reading.interactions),
        interactions=tuple(reading.interactions),
        outcomes=outcomes,
        feedback=tuple(reading.feedback(item)),
        max_score=_max_score(fields, outcomes),
        scoring="none" if item.find("{*}resprocessing") is None else "custom",
    )


def _fields(item: etree._Element) -> Iterator[tuple[str, str]]:
    for field in item.iterfind("{*}itemmetadata/{*}qtimetadata/{*}qtimetadatafield"):
        yield text(field.find("{*}fieldlabel")), text(field.find("{*}fieldentry"))


def _read_outcome(decvar: etree._Element) -> Outcome:
    return Outcome(
        id=decvar.get("varname", "SCORE"),
        base_type=decvar.get("vartype"),
        default=decvar.get("defaultval"),
        normal_minimum=number(decvar.get("minvalue")),
        normal_maximum=number(decvar.get("maxvalue")),
    )


def _max_score(fields: dict[str, str], outcomes: tuple[Outcome, ...]) -> float | None:
    points = (number(fields.get(name)) for name in _POINTS)
    return next((value for value in points if value is not None), outcomes[0].normal_maximum if outcomes else None)


@dataclass(frozen=True, slots=True)
class _Scores:
    """What each answer earns, by response and value, from the conditions that set a positive score.

    `whole` names the responses of which several answers are judged at once: there no answer earns anything by itself.
    """

    entries: dict[str, tuple[MapEntry, ...]]
    whole: frozenset[str]

    @classmethod
    def of(cls, item: etree._Element) -> "_Scores":
        entries: dict[str, dict[str, MapEntry]] = {}
        whole: set[str] = set()
        score = _score(item)
        for condition in item.iterfind("{*}resprocessing/{*}respcondition"):
            given = (
                number(text(found)) or 0.0
                for found in condition.iterchildren("{*}setvar")
                if _variable(found) == score and found.get("action", "").lower() in _GIVING
            )
            points = max(given, default=0.0)
            together: Counter[str] = Counter()
            for value in condition.iter("{*}varequal", "{*}varsubstring") if points > 0 else ():
                response, around = value.get("respident", ""), {local(ancestor) for ancestor in value.iterancestors()}
                together[response] += "or" not in around
                answers = entries.setdefault(response, {})
                if "not" not in around:
                    entry = MapEntry(" ".join(text(value).split()), points, value.get("case", "").lower() == "yes")
                    answers.setdefault(entry.key, entry)
            whole.update(response for response, times in together.items() if times > 1)
        return cls({response: tuple(answers.values()) for response, answers in entries.items()}, frozenset(whole))


def _score(item: etree._Element) -> str:
    """The variable that holds the score: SCORE, else the first one; others count what feedback depends on."""
    named = [_variable(found) for found in item.iterfind("{*}resprocessing//{*}decvar")]
    named += [_variable(found) for found in item.iterfind("{*}resprocessing/{*}respcondition/{*}setvar")]
    return "score" if "score" in named or not named else named[0]


def _variable(element: etree._Element) -> str:
    return element.get("varname", "SCORE").lower()


class _Reading:
    """One walk over a presentation: its text with marks, and the interactions in their order."""

    def __init__(self, fields: dict[str, str], scores: _Scores, relocate: Callable[[str], str]) -> None:
        self.profile = fields.get("cc_profile") or fields.get("question_type") or ""
        self.scores = scores
        self.relocate = relocate
        self.interactions: list[QuestionInteraction] = []

    def content(self, element: etree._Element) -> str:
        """The sanitised HTML of everything below, materials and marks alike."""
        return self._pieces(element).strip()

    def feedback(self, item: etree._Element) -> Iterator[Feedback]:
        for element in item.iterchildren("{*}itemfeedback"):
            yield Feedback(FeedbackKind.MODAL, "", element.get("ident", ""), self.content(element))

    def _pieces(self, elements: Iterable[etree._Element]) -> str:
        shown = before = ""
        for child in elements:
            name, piece = local(child), self._piece(child)
            if shown and piece:
                shown += "<br>" if name in _PARAGRAPHS else " " if name == before == "material" else ""
            shown += piece
            before = name
        return shown

    def _piece(self, element: etree._Element) -> str:
        name = local(element)
        match name:
            case "mattext":
                return self._text(element)
            case "matimage":
                return html.clean(self.relocate(f'<img src="{escape(element.get("uri", ""))}" alt="">'))
            case "matbreak":
                return "<br>"
            case "response_label" | "altmaterial" | "qticomment":
                return ""
            case "render_choice" | "render_fib":  # the words beside choices and blanks, and nothing else
                return "".join(
                    self._pieces(found.iterchildren(*_TEXTS)) for found in element.iterchildren("{*}material")
                )
            case _ if name in _RESPONSES:
                interaction = self._interaction(element, name)
                self.interactions.append(interaction)
                return bodies.mark(interaction.kind, interaction.response_id)
            case _:
                return self._pieces(element)

    def _text(self, mattext: etree._Element) -> str:
        # Each piece is cleaned by itself, so that an open tag in one cannot swallow the marks behind it.
        if len(mattext):
            return self.relocate(bodies.render(mattext))
        written = mattext.text or ""
        inner = written.strip()
        is_html = mattext.get("texttype", "").lower() in _HTML_TYPES
        shown = html.clean(self.relocate(inner)) if is_html else html.escape(inner)
        return f"{' ' * written[:1].isspace()}{shown}{' ' * written[-1:].isspace()}" if shown else ""

    def _interaction(self, element: etree._Element, name: str) -> QuestionInteraction:
        identifier = element.get("ident", "")
        kind = self._kind(element, name)
        entries = self.scores.entries.get(identifier, ())
        choices = tuple(self._choices(element)) if name == "response_lid" else ()
        if kind is InteractionKind.TEXT_ENTRY and choices:
            # What Canvas writes as the choices of a blank are the words that it accepts, which nobody is shown.
            accepted = {choice.id: choice.text for choice in choices}
            entries = tuple(replace(entry, key=accepted.get(entry.key, entry.key)) for entry in entries)
            name, choices = "response_str", ()
        cardinality = _CARDINALITIES.get(element.get("rcardinality", "").lower(), ResponseCardinality.SINGLE)
        render = element.find("{*}render_choice")
        several = cardinality is not ResponseCardinality.SINGLE
        unlimited = kind is InteractionKind.CHOICE and several
        by_answer = bool(entries) and not (several and identifier in self.scores.whole)
        return QuestionInteraction(
            response_id=identifier,
            kind=kind,
            prompt=self.content(element) or None,
            choices=choices,
            shuffle=render is not None and render.get("shuffle", "").lower() == "yes",
            min_choices=0 if render is None else count(render.get("minnumber")) or 0,
            max_choices=_stated_maximum(render, default=0 if unlimited else 1),
            cardinality=cardinality,
            base_type=_base_type(element, name),
            correct_responses=tuple(_right(entries, cardinality)),
            mapping=Mapping(entries) if by_answer else None,
        )

    def _kind(self, element: etree._Element, name: str) -> InteractionKind:
        if name == "response_lid" and self.profile == _BLANKS:
            return InteractionKind.TEXT_ENTRY
        if name == "response_lid":
            return InteractionKind.INLINE_CHOICE if self.profile in _DROPDOWNS else InteractionKind.CHOICE
        if name in ("response_xy", "response_grp"):
            return InteractionKind.CUSTOM
        blank = element.find("{*}render_fib")
        rows = None if blank is None else count(blank.get("rows"))
        is_essay = self.profile in _ESSAYS or (rows or 1) > 1
        return InteractionKind.EXTENDED_TEXT if is_essay else InteractionKind.TEXT_ENTRY

    def _choices(self, response: etree._Element) -> Iterator[QuestionChoice]:
        seen: set[str] = set()
        for position, label in enumerate(_labels(response), start=1):
            identifier = label.get("ident") or f"choice_{position}"
            if identifier not in seen:
                seen.add(identifier)
                shown = self.content(label)
                fixed = label.get("rshuffle", "").lower() == "no"
                yield QuestionChoice(identifier, html.plain(shown), shown, fixed=fixed)


def _right(entries: Sequence[MapEntry], cardinality: ResponseCardinality) -> Iterator[str]:
    """What earns points; where one answer is to be given, what earns the most."""
    best = max((entry.value for entry in entries), default=0.0)
    for entry in entries:
        if entry.value == best or cardinality is not ResponseCardinality.SINGLE:
            yield entry.key


def _labels(response: etree._Element) -> Iterator[etree._Element]:
    """The choices of a response; what is in one of them, be it another response, is its own."""
    for render in response.iterchildren("{*}render_choice"):
        walk = etree.iterwalk(render, events=("start",))
        for _, element in walk:
            name = local(element)
            if name == "response_label":
                yield element
            if name == "response_label" or name in _RESPONSES:
                walk.skip_subtree()


def _base_type(element: etree._Element, name: str) -> str | None:
    match name:
        case "response_lid":
            return "identifier"
        case "response_num":
            return "integer" if element.get("numtype", "").lower() == "integer" else "float"
        case "response_str":
            return "string"
        case _:
            return None


def _stated_maximum(render: etree._Element | None, default: int) -> int:
    stated = None if render is None else count(render.get("maxnumber"))
    return default if stated is None else stated
