"""The rules of single values: each notes what is wrong at its place, and answers the form in which a value is kept."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

from schema.texts import camel
from schema.types.resources import ExternalRefInput
from storage.errors import Checks, JobFailed, ValidationFailed
from storage.limits import LONGEST, MOST
from storage.packages import html, slides
from storage.tables import QuestionType
from storage.tables.resources import Page, SlideDetails

Rule = Callable[..., Any]

COUNTS = {"lesson_count": 50, "scene_count": 60, "slide_count": 100, "item_count": 200, "count": 50}
LONGEST_SECONDS = 7_200
LONGEST_SCENE_SECONDS = 3_600
LONGEST_MINUTES = 10_080
HIGHEST_SCORE = 1_000
ASPECT_RATIOS = ("16:9", "9:16", "1:1", "4:3")

LANGUAGE = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}(?:-[a-z]{4})?(?:-(?:[a-z]{2}|\d{3}))?(?:-(?:[a-z0-9]{5,8}|\d[a-z0-9]{3}))*"
    r"(?:-[0-9a-wyz](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?|[xi](?:-[a-z0-9]{1,8})+)",
    re.IGNORECASE | re.ASCII,
)
LONGEST_LANGUAGE = 35
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
QUIZ_ID = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,255}")

Place = tuple[str | int, ...]

Values = dict[str, Any]
"""What an input says: checked values by field name, without the fields that are absent."""


def required(name: str) -> Rule:
    """A text that says something, within its limit."""

    def rule(checks: Checks, value: str, *path: str | int) -> str:
        checks.require(value.strip(), "required", f"{path[-1]} cannot be blank.", *path)
        return text(name)(checks, value, *path)

    return rule


def text(name: str) -> Rule:
    """A text within its limit; what is longer is refused, and need not be read to its end."""

    def rule(checks: Checks, value: str, *path: str | int) -> str:
        most = LONGEST[name]
        checks.require(len(value) <= most, "too_long", f"{path[-1]} has at most {most} characters.", *path)
        return value[:most]

    return rule


def description(checks: Checks, value: str, *path: str | int) -> str:
    """Plain text within its limit; markup in it is taken out."""
    return html.stripped(text("description")(checks, value, *path))


def lecture(checks: Checks, value: str, *path: str | int) -> str:
    """HTML, sanitized, which makes links longer; its limit holds for what is sent and for what is kept."""
    sent = text("lecture")(checks, value, *path)
    return text("lecture")(checks, markup(checks, sent, *path), *path) if sent == value else ""


def markup(checks: Checks, value: str, *path: str | int) -> str:
    """HTML without anything active."""
    try:
        return html.clean(value)
    except JobFailed as refused:
        checks.require(False, "html_depth", refused.message, *path)
        return ""


def content(checks: Checks, value: str, *path: str | int) -> list[Page]:
    """A deck, page by page; its limit holds for what is sent and for what is kept."""
    sent = text("content")(checks, value, *path)
    if sent != value:
        return []
    try:
        pages = slides.read(sent)
    except slides.MarkupInvalid as wrong:
        checks.require(False, "slide_markup", str(wrong), *path)
        return []
    except JobFailed as refused:
        checks.require(False, "html_depth", refused.message, *path)
        return []
    at_most(checks, "pages", len(pages), *path)
    kept = [Page(heading=page.heading, html=page.html) for page in pages]
    text("content")(checks, SlideDetails(pages=kept).content or "", *path)
    return kept


def prompt(checks: Checks, value: str, *path: str | int) -> str | None:
    """A blank prompt is none."""
    return text("prompt")(checks, value, *path) if value.strip() else None


def language(checks: Checks, value: str, *path: str | int) -> str:
    """A tag that is well-formed by BCP 47."""
    plausible = len(value) <= LONGEST_LANGUAGE and LANGUAGE.fullmatch(value)
    checks.require(plausible, "language", "language is a BCP 47 tag, e.g. en or pt-BR.", *path)
    return value


def curriculum_item_ids(checks: Checks, value: Sequence[str], *path: str | int) -> list[str]:
    """CASE ids in lower case, each once."""
    at_most(checks, "curriculum_item_ids", len(value), *path)
    ids = [item_id.strip().lower() for item_id in value]
    for index, item_id in enumerate(ids):
        message = "A CASE item is named by a UUID, e.g. 5c5a1f3e-9b1d-4d0c-8a57-0f1d7d2a9d3b."
        checks.require(UUID.fullmatch(item_id), "curriculum_item_id", message, *path, index)
    return list(dict.fromkeys(ids))


def external_ref(checks: Checks, value: ExternalRefInput, *path: str | int) -> Values:
    """A pointer as the columns hold it."""
    for name in ("system", "id"):
        required("name")(checks, getattr(value, name), *path, name)
    if value.version is not None:
        text("name")(checks, value.version, *path, "version")
    return {"external_system": value.system, "external_id": value.id, "external_version": value.version}


def aspect_ratio(checks: Checks, value: str, *path: str | int) -> str:
    """One of four shapes."""
    known = value in ASPECT_RATIOS
    checks.require(known, "aspect_ratio", f"aspectRatio is one of {', '.join(ASPECT_RATIOS)}.", *path)
    return value


def duration(most: int) -> Rule:
    """Seconds above zero."""

    def rule(checks: Checks, value: float, *path: str | int) -> float:
        if checks.require(value > 0, "duration_positive", f"{path[-1]} is more than 0 seconds.", *path):
            checks.require(value <= most, "duration_range", f"{path[-1]} is at most {most} seconds.", *path)
        return value

    return rule


def position(checks: Checks, value: int, *path: str | int) -> int:
    """Counted from 1; behind the end means the end."""
    checks.require(value >= 1, "positive", f"{path[-1]} counts from 1.", *path)
    return value


def between(rule_name: str, least: float, most: float) -> Rule:
    """A number within limits."""

    def rule(checks: Checks, value: float, *path: str | int) -> float:
        fits = isfinite(value) and least <= value <= most
        checks.require(fits, rule_name, f"{path[-1]} is {least} to {most}.", *path)
        return value

    return rule


def at_most(checks: Checks, name: str, count: int, *path: str | int) -> None:
    """A list within its limit."""
    checks.require(count <= MOST[name], "too_many", f"There can be at most {MOST[name]} {camel(name)}.", *path)


def needs_prompt(checks: Checks, values: Values, *names: str) -> None:
    """What only an author can heed is refused when there is nothing to write from."""
    for name in names:
        told = values.get(name) is None or values.get("prompt") is not None
        checks.require(told, "prompt_missing", f"{camel(name)} needs a prompt.", "input", camel(name))


def unlike(checks: Checks, named: Iterable[tuple[Place, str | None]]) -> None:
    """Ids at their places, none twice; None is no id."""
    seen: set[str] = set()
    for place, id in named:
        checks.require(id not in seen, "duplicate_id", "This id stands in the list before.", *place, "id")
        seen |= {id} if id is not None else set()


def known_ids(checks: Checks, named: Iterable[tuple[Place, str | None]], known: Collection[str]) -> None:
    """Ids at their places, each of something that is there; None means something new."""
    for place, id in named:
        checks.require(id is None or id in known, "unknown_id", f"There is no {id} here.", *place, "id")


def question(checks: Checks, values: Mapping[str, Any], *path: str | int) -> None:
    """What a question says fits together."""
    options, answers, type = values["options"], values["correct_answers"], values["type"]
    if type is QuestionType.short_answer:
        return
    enough = len(options) >= 2
    checks.require(enough, "options_too_few", "A question to choose in has at least two options.", *path, "options")
    unique = len(set(options)) == len(options)
    checks.require(unique, "options_duplicate", "The options differ from each other.", *path, "options")
    known = set(answers) <= set(options)
    message = "Every right answer is one of the options, letter by letter."
    checks.require(known, "answer_not_in_options", message, *path, "correctAnswers")
    single = len(answers) <= 1 or type is QuestionType.multiple_response
    checks.require(single, "answers_too_many", f"A {type} question has one right option.", *path, "correctAnswers")


def choices(checks: Checks, value: Sequence[str], *path: str | int) -> list[str]:
    """Options or right answers, each of which says something."""
    at_most(checks, "options", len(value), *path)
    for index, option in enumerate(value):
        if checks.require(option.strip(), "required", "An option cannot be blank.", *path, index):
            text("option")(checks, option, *path, index)
    return list(value)


def permutation(wanted: Sequence[str], known: Sequence[str], *path: str | int) -> None:
    """All ids, each once; ValidationFailed (rule not_a_permutation) otherwise."""
    if sorted(wanted) != sorted(known):
        raise ValidationFailed("not_a_permutation", f"{path[-1]} names each of the {len(known)} ids once.", *path)


def quiz_id(checks: Checks, value: str, *path: str | int) -> str:
    """What its author chose."""
    checks.require(QUIZ_ID.fullmatch(value), "quiz_id", "A quiz id has 1 to 255 printable characters.", *path)
    return value


def words(checks: Checks, value: str, *path: str | int) -> list[str]:
    """What to search for, in the form in which it is searched."""
    return list(dict.fromkeys(text("text")(checks, value, *path).casefold().split()))
