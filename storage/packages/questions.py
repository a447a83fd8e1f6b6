"""Questions, whatever format they come from; everything here is JSON: strings, numbers, tuples and named fields."""

from dataclasses import dataclass
from enum import StrEnum


class InteractionKind(StrEnum):
    """The interactions of QTI 3; CHOICE is qti-choice-interaction, and so on."""

    CHOICE = "CHOICE"
    TEXT_ENTRY = "TEXT_ENTRY"
    EXTENDED_TEXT = "EXTENDED_TEXT"
    INLINE_CHOICE = "INLINE_CHOICE"
    MATCH = "MATCH"
    ORDER = "ORDER"
    ASSOCIATE = "ASSOCIATE"
    GAP_MATCH = "GAP_MATCH"
    HOTTEXT = "HOTTEXT"
    HOTSPOT = "HOTSPOT"
    SELECT_POINT = "SELECT_POINT"
    SLIDER = "SLIDER"
    UPLOAD = "UPLOAD"
    MEDIA = "MEDIA"
    DRAWING = "DRAWING"
    GRAPHIC_ORDER = "GRAPHIC_ORDER"
    GRAPHIC_ASSOCIATE = "GRAPHIC_ASSOCIATE"
    GRAPHIC_GAP_MATCH = "GRAPHIC_GAP_MATCH"
    POSITION_OBJECT = "POSITION_OBJECT"
    END_ATTEMPT = "END_ATTEMPT"
    CUSTOM = "CUSTOM"
    PORTABLE_CUSTOM = "PORTABLE_CUSTOM"


class ResponseCardinality(StrEnum):
    """How many values a response has, and whether their order counts."""

    SINGLE = "SINGLE"
    MULTIPLE = "MULTIPLE"
    ORDERED = "ORDERED"
    RECORD = "RECORD"


class ChoiceSide(StrEnum):
    """The two sets of a matching: sources are put onto targets (rows, gaps, hotspots)."""

    SOURCE = "SOURCE"
    TARGET = "TARGET"


class FeedbackKind(StrEnum):
    """Where feedback appears."""

    MODAL = "MODAL"
    INLINE = "INLINE"
    BLOCK = "BLOCK"


@dataclass(frozen=True, slots=True)
class QuestionChoice:
    """One option, row, gap or hotspot; `match_max` 0 means unlimited."""

    id: str
    text: str
    html: str
    side: ChoiceSide | None = None
    fixed: bool = False
    match_max: int | None = None
    shape: str | None = None
    coords: str | None = None


@dataclass(frozen=True, slots=True)
class MapEntry:
    """What one value is worth."""

    key: str
    value: float
    case_sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Mapping:
    """Partial credit: the sum of the entries that were given, within bounds."""

    entries: tuple[MapEntry, ...]
    default: float = 0.0
    lower_bound: float | None = None
    upper_bound: float | None = None


@dataclass(frozen=True, slots=True)
class AreaEntry:
    """What hitting one area is worth."""

    shape: str
    coords: str
    value: float


@dataclass(frozen=True, slots=True)
class AreaMapping:
    """Partial credit for points: the sum of the areas that were hit, each once."""

    entries: tuple[AreaEntry, ...]
    default: float = 0.0
    lower_bound: float | None = None
    upper_bound: float | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """What a response declaration says; a pair is two choice ids with a space between them."""

    cardinality: ResponseCardinality = ResponseCardinality.SINGLE
    base_type: str | None = None
    correct: tuple[str, ...] = ()
    mapping: Mapping | None = None
    area_mapping: AreaMapping | None = None


@dataclass(frozen=True, slots=True)
class QuestionInteraction:
    """One place where the learner answers, together with its response declaration.

    `max_choices` 0 means unlimited; minimum and maximum also stand for associations and strings.
    """

    response_id: str
    kind: InteractionKind
    prompt: str | None = None
    choices: tuple[QuestionChoice, ...] = ()
    shuffle: bool = False
    min_choices: int = 0
    max_choices: int = 0
    cardinality: ResponseCardinality = ResponseCardinality.SINGLE
    base_type: str | None = None
    correct_responses: tuple[str, ...] = ()
    mapping: Mapping | None = None
    area_mapping: AreaMapping | None = None
    orientation: str | None = None
    expected_length: int | None = None
    pattern_mask: str | None = None
    lower_bound: float | None = None
    upper_bound: float | None = None
    step: float | None = None
    file_types: tuple[str, ...] = ()
    module: str | None = None
    type_identifier: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A variable that response processing sets, such as SCORE."""

    id: str
    base_type: str | None = None
    default: str | None = None
    normal_minimum: float | None = None
    normal_maximum: float | None = None
    external_scored: str | None = None


@dataclass(frozen=True, slots=True)
class Feedback:
    """Shown (or hidden) when the outcome has the value of `identifier`."""

    kind: FeedbackKind
    outcome_id: str
    identifier: str
    html: str
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """A question without its response processing and templates, which stay in its XML.

    `body` is sanitised HTML in which each interaction is an inert mark; `scoring` names the response processing:
    a template such as match_correct, custom, or none; `stimulus_refs` are hrefs relative to the question's file.
    """

    identifier: str
    title: str | None
    language: str | None
    body: str
    text: str
    interactions: tuple[QuestionInteraction, ...]
    outcomes: tuple[Outcome, ...] = ()
    feedback: tuple[Feedback, ...] = ()
    max_score: float | None = None
    scoring: str = "none"
    adaptive: bool = False
    time_dependent: bool = False
    stimulus_refs: tuple[str, ...] = ()
