"""Modules and their quizzes."""

import strawberry

from schema.context import Info
from schema.types.questions import QuestionType
from schema.types.resources import ContentResource
from schema.types.scalars import HTML, described
from storage import tables
from storage.tables.resources import ModuleType

described(
    ModuleType,
    "ModuleType",
    "Form of a module or lesson.",
    markdown="A lecture with headings and text, followed by quizzes.",
)


@strawberry.type(description="Knowledge check inside a module or a lesson.")
class Quiz:
    id: strawberry.ID = strawberry.field(
        description="Kept as the client sent it, e.g. quiz-1; unique within its module or lesson."
    )
    sequence: int
    title: str | None
    question: str
    type: QuestionType
    options: list[str]
    correct_answers: list[str]
    explanation: str | None
    show_feedback: bool = strawberry.field(description="Whether the learner sees at once if an answer was right.")

    @classmethod
    def from_row(cls, row: tables.Quiz) -> "Quiz":
        """The graph's form of a quiz; its id is the key that its author chose."""
        return cls(
            id=strawberry.ID(row.key),
            sequence=row.sequence,
            title=row.title,
            question=row.question,
            type=row.type,
            options=row.options,
            correct_answers=row.correct_answers,
            explanation=row.explanation,
            show_feedback=row.show_feedback,
        )


@strawberry.type(description="One interactive lesson or learning module.")
class Module(ContentResource):
    type: ModuleType
    has_quiz: bool = strawberry.field(description="Whether a quiz was asked for at creation.")
    lecture: HTML | None

    @strawberry.field
    async def quizzes(self, info: Info) -> list[Quiz]:
        return [Quiz.from_row(row) for row in await info.context.loaders.quizzes.load(self.id)]
