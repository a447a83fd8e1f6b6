"""What ingested questions ask: interactions, choices and right answers."""

from typing import Self

import strawberry

from schema.types.scalars import HTML, described
from storage.packages.questions import ChoiceSide, InteractionKind, ResponseCardinality
from storage.packages.questions import QuestionChoice as ReadChoice
from storage.packages.questions import QuestionInteraction as ReadInteraction

described(ChoiceSide, "ChoiceSide", "The two sets of a matching: sources are put onto targets (rows, gaps, hotspots).")
described(ResponseCardinality, "ResponseCardinality")
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

    @classmethod
    def from_read(cls, read: ReadChoice) -> Self:
        """The graph's form of a choice as it was read."""
        return cls(id=read.id, text=read.text, html=HTML(read.html), side=read.side)


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
        )
