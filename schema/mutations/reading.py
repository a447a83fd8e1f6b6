"""Reading inputs: what they say, checked, by field name. Which rule a field has is here, in one table."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import strawberry

from schema.context import Info
from schema.mutations import idempotency_key
from schema.mutations.rules import (
    COUNTS,
    HIGHEST_SCORE,
    LONGEST_MINUTES,
    LONGEST_SCENE_SECONDS,
    LONGEST_SECONDS,
    Rule,
    Values,
    aspect_ratio,
    at_most,
    between,
    choices,
    content,
    curriculum_item_ids,
    description,
    duration,
    external_ref,
    language,
    lecture,
    position,
    prompt,
    question,
    required,
    text,
    unlike,
    words,
)
from schema.texts import camel
from storage.errors import Checks, ValidationFailed
from storage.limits import MOST

CLEARED = frozenset(
    {
        *("description", "lecture", "content", "explanation", "display_text", "time_limit", "target_duration_seconds"),
        *("quizzes", "practice", "items", "options", "correct_answers", "curriculum_item_ids"),
    }
)
"""What null clears; null for anything else that an update names breaks the rule "required"."""


@contextlib.contextmanager
def checked(info: Info, input: Any) -> Iterator[tuple[Checks, Values]]:
    """What a creating input says; a wrong idempotency key is reported with everything else."""
    with Checks() as checks:
        try:
            idempotency_key(info, input)
        except ValidationFailed as wrong:
            checks.problems.append(wrong)
        yield checks, read(checks, input, "input")


def read(checks: Checks, input: Any, *path: str | int) -> Values:
    """What an input says; every broken rule is noted at its place. A field may bring a rule of its own as metadata."""
    values: Values = {}
    for field in input.__strawberry_definition__.fields:
        name, value = field.python_name, getattr(input, field.python_name)
        place = (*path, camel(name))
        if value is None:
            absent = field.default is not strawberry.UNSET
            checks.require(absent or name in CLEARED, "required", f"{camel(name)} cannot be null.", *place)
            values[name] = [] if name in MOST or name == "correct_answers" else None
        elif value is not strawberry.UNSET:
            rule: Rule | None = field.metadata.get("rule", RULES.get(name))
            values[name] = rule(checks, value, *place) if rule else value
    return values


def entries(name: str) -> Rule:
    """A list of inputs, each with its own rules."""

    def rule(checks: Checks, value: Sequence[Any], *path: str | int) -> list[Values]:
        at_most(checks, name, len(value), *path)
        return [read(checks, entry, *path, index) for index, entry in enumerate(value)]

    return rule


def questions(name: str) -> Rule:
    """A list that replaces the stored one: what each entry says fits together, and no id comes twice."""

    def rule(checks: Checks, value: Sequence[Any], *path: str | int) -> list[Values]:
        found: list[Values] = entries(name)(checks, value, *path)
        for index, values in enumerate(found):
            question(checks, values, *path, index)
        unlike(checks, [((*path, index), values["id"]) for index, values in enumerate(found)])
        return found

    return rule


def in_order(entries: Sequence[Values]) -> list[Values]:
    """A list in the order that its entries ask for; who does not ask has the place it stands at."""
    places = [entry["sequence"] or index for index, entry in enumerate(entries, start=1)]
    return [entries[index] for index in sorted(range(len(entries)), key=places.__getitem__)]


RULES: dict[str, Rule] = {
    "title": required("title"),
    "description": description,
    "prompt": prompt,
    "language": language,
    "external_ref": external_ref,
    "curriculum_item_ids": curriculum_item_ids,
    "lecture": lecture,
    "content": content,
    "quizzes": questions("quizzes"),
    "practice": questions("practice"),
    "items": questions("items"),
    "chapters": entries("chapters"),
    "lessons": entries("lessons"),
    "question": required("question"),
    "options": choices,
    "correct_answers": choices,
    "explanation": text("explanation"),
    "score": between("score_range", 0, HIGHEST_SCORE),
    "sequence": position,
    "order": position,
    "text": words,
    "script": text("script"),
    "display_text": text("display_text"),
    "duration": duration(LONGEST_SCENE_SECONDS),
    "target_duration_seconds": duration(LONGEST_SECONDS),
    "aspect_ratio": aspect_ratio,
    "time_limit": between("time_limit_range", 1, LONGEST_MINUTES),
    **{name: between(f"{name}_range", 1, most) for name, most in COUNTS.items()},
}
