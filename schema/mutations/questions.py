"""Questions as they are sent: the quizzes of modules and lessons, and what test items share with them."""

import strawberry

from schema.mutations.reading import in_order
from schema.mutations.rules import Values, position, quiz_id, text
from schema.types.questions import QuestionType
from storage import children, ids, tables
from storage.database import Transaction
from storage.errors import ValidationFailed

LISTS = {"quizzes": False, "practice": True}
"""The two lists of quizzes that a lesson has, by the name of the field, and whether they are for practice."""


QUESTION = "1 to 5000 characters."
OPTIONS = "At most 50, each of 1 to 1000 characters."
CORRECT_ANSWERS = "Among the options; for short_answer every accepted answer, at most 50, each of 1 to 1000 characters."
EXPLANATION = "At most 5000 characters."


@strawberry.input
class QuestionInput:
    question: str = strawberry.field(description=QUESTION)
    type: QuestionType = QuestionType.multiple_choice
    options: list[str] = strawberry.field(default_factory=list, description=OPTIONS)
    correct_answers: list[str] = strawberry.field(default_factory=list, description=CORRECT_ANSWERS)
    explanation: str | None = strawberry.field(default=None, description=EXPLANATION)


@strawberry.input(description="One quiz of a list that replaces the stored list; a known id keeps its identity.")
class QuizInput(QuestionInput):
    id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Omitted: a new id is made. 1 to 255 printable characters.",
        metadata={"rule": quiz_id},
    )
    sequence: int | None = strawberry.field(
        default=None, description="Default: the position in the list.", metadata={"rule": position}
    )
    title: str | None = strawberry.field(
        default=None, description="At most 500 characters.", metadata={"rule": text("title")}
    )
    show_feedback: bool = True


async def write_quizzes(session: Transaction, resource_id: str, owner_id: str, values: Values) -> None:
    """Replace those lists of an owner's quizzes that are named; an id is unique among both."""
    lists = {name: practice for name, practice in LISTS.items() if name in values}
    if not lists:
        return
    rows = await children.of(session, tables.Quiz, owner_id, parent="owner_id")
    known = {row.key: row for row in rows if row.practice in lists.values()}
    wanted = [{**entry, "practice": practice} for name, practice in lists.items() for entry in in_order(values[name])]
    keys = [row.key for row in rows if row.key not in known] + [entry["id"] for entry in wanted if entry["id"]]
    if len(set(keys)) < len(keys):
        message = "An id is unique among the quizzes and the practice of a lesson."
        raise ValidationFailed("duplicate_id", message, "input", *lists)

    def identity(entry: Values) -> Values:
        id = ids.new(ids.Prefix.QUIZ)
        return {"id": id, "resource_id": resource_id, "owner_id": owner_id, "key": entry["id"] or id}

    written = await children.replace(session, tables.Quiz, known, wanted, identity)
    for practice in lists.values():
        children.number([row for row in written if row.practice is practice])
