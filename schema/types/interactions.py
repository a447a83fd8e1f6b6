"""What ingested questions ask, and what is said to the answers: interactions, choices, credit and feedback."""

from typing import Self

import strawberry

from schema.types.scalars import HTML, described
from storage.packages.questions import AreaMapping as ReadAreaMapping
from storage.packages.questions import ChoiceSide, FeedbackKind, InteractionKind, ResponseCardinality
from storage.packages.questions import Feedback as ReadFeedback
from storage.packages.questions import Mapping as ReadMapping
from storage.packages.questions import QuestionChoice as ReadChoice
from storage.packages.questions import QuestionInteraction as ReadInteraction

described(ChoiceSide, "ChoiceSide", "The two sets of a matching: sources are put onto targets (rows, gaps, hotspots).")
described(ResponseCardinality, "ResponseCardinality")
described(FeedbackKind, "FeedbackKind", "Where feedback appears.")
described(
    InteractionKind,
    "InteractionKind",
    "The interactions of QTI 3; CHOICE is qti-choice-interaction, and so on.",
)


@strawberry.type(description="One option, row, gap or hotspot of an interaction.")
class QuestionChoice:
    id: str = strawberry.field(description="Unique within the interaction.")
    text: str
    html: HTML
    side: ChoiceSide | None = strawberry.field(description="Null when the interaction has only one set of choices.")
    fixed: bool = strawberry.field(description="Keeps its place when the others are shuffled.")
    match_max: int | None = strawberry.field(description="How often it may be matched; 0 means as often as one likes.")
    shape: str | None = strawberry.field(description="Of a hotspot: circle, rect, poly, ellipse or default.")
    coords: str | None = strawberry.field(description="Of a hotspot, in pixels of its image.")

    @classmethod
    def from_read(cls, read: ReadChoice) -> Self:
        """The graph's form of a choice as it was read."""
        return cls(
            id=read.id,
            text=read.text,
            html=HTML(read.html),
            side=read.side,
            fixed=read.fixed,
            match_max=read.match_max,
            shape=read.shape,
            coords=read.coords,
        )


@strawberry.type(description="What one value is worth.")
class MapEntry:
    key: str = strawberry.field(description="The value; a pair is two choice ids with a space between them.")
    value: float
    case_sensitive: bool


@strawberry.type(description="Partial credit: the sum of the values that were given, within bounds.")
class ResponseMapping:
    entries: list[MapEntry]
    default: float = strawberry.field(description="What any other value is worth.")
    lower_bound: float | None
    upper_bound: float | None

    @classmethod
    def from_read(cls, read: ReadMapping) -> Self:
        """The graph's form of a mapping as it was read."""
        entries = [
            MapEntry(key=each.key, value=each.value, case_sensitive=each.case_sensitive) for each in read.entries
        ]
        return cls(entries=entries, default=read.default, lower_bound=read.lower_bound, upper_bound=read.upper_bound)


@strawberry.type(description="What hitting one area is worth.")
class AreaMapEntry:
    shape: str
    coords: str
    value: float


@strawberry.type(description="Partial credit for points: the sum of the areas that were hit, each once, within bounds.")
class AreaMapping:
    entries: list[AreaMapEntry]
    default: float = strawberry.field(description="What a point outside all areas is worth.")
    lower_bound: float | None
    upper_bound: float | None

    @classmethod
    def from_read(cls, read: ReadAreaMapping) -> Self:
        """The graph's form of an area mapping as it was read."""
        entries = [AreaMapEntry(shape=each.shape, coords=each.coords, value=each.value) for each in read.entries]
        return cls(entries=entries, default=read.default, lower_bound=read.lower_bound, upper_bound=read.upper_bound)


@strawberry.type(description="Said when an outcome has a value.")
class QuestionFeedback:
    kind: FeedbackKind
    outcome_id: str
    identifier: str = strawberry.field(description="The value that the outcome has to have.")
    html: HTML
    shown: bool = strawberry.field(description="False: it is hidden when the outcome has the value, and shown else.")

    @classmethod
    def from_read(cls, read: ReadFeedback) -> Self:
        """The graph's form of feedback as it was read."""
        return cls(
            kind=read.kind,
            outcome_id=read.outcome_id,
            identifier=read.identifier,
            html=HTML(read.html),
            shown=read.shown,
        )


@strawberry.type(description="One place where the learner answers, together with its response declaration.")
class QuestionInteraction:
    response_id: str = strawberry.field(description="Response identifier of the item.")
    kind: InteractionKind
    prompt: HTML | None
    choices: list[QuestionChoice] = strawberry.field(description="Empty for free text, uploads and drawings.")
    shuffle: bool
    min_choices: int = strawberry.field(description="0 when not stated.")
    max_choices: int = strawberry.field(description="0 means unlimited.")
    cardinality: ResponseCardinality
    base_type: str | None = strawberry.field(
        description="QTI base type, e.g. identifier, string, float, directedPair; null for a record."
    )
    correct_responses: list[str] = strawberry.field(
        description="Right values in declared order; a pair is two choice ids with a space between them."
    )
    mapping: ResponseMapping | None
    area_mapping: AreaMapping | None
    orientation: str | None = strawberry.field(description="horizontal or vertical.")
    expected_length: int | None = strawberry.field(description="Of a text, in characters.")
    pattern_mask: str | None = strawberry.field(description="A regular expression that a text has to match.")
    lower_bound: float | None = strawberry.field(description="Of a slider.")
    upper_bound: float | None = strawberry.field(description="Of a slider.")
    step: float | None = strawberry.field(description="Of a slider.")
    file_types: list[str] = strawberry.field(description="Media types that an upload takes; empty for all.")
    module: str | None = strawberry.field(description="Of a portable custom interaction.")
    type_identifier: str | None = strawberry.field(description="Of a portable custom interaction.")

    @classmethod
    def from_read(cls, read: ReadInteraction) -> Self:
        """The graph's form of an interaction as it was read."""
        return cls(
            response_id=read.response_id,
            kind=read.kind,
            prompt=HTML(read.prompt) if read.prompt is not None else None,
            choices=[QuestionChoice.from_read(choice) for choice in read.choices],
            shuffle=read.shuffle,
            min_choices=read.min_choices,
            max_choices=read.max_choices,
            cardinality=read.cardinality,
            base_type=read.base_type,
            correct_responses=list(read.correct_responses),
            mapping=ResponseMapping.from_read(read.mapping) if read.mapping else None,
            area_mapping=AreaMapping.from_read(read.area_mapping) if read.area_mapping else None,
            orientation=read.orientation,
            expected_length=read.expected_length,
            pattern_mask=read.pattern_mask,
            lower_bound=read.lower_bound,
            upper_bound=read.upper_bound,
            step=read.step,
            file_types=list(read.file_types),
            module=read.module,
            type_identifier=read.type_identifier,
        )
