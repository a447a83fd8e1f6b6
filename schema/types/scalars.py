"""Scalars of the contract, and enums with their words."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NewType, TypeVar
from urllib.parse import urlsplit

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from storage.tables.columns import wire

JSON = NewType("JSON", object)
URL = NewType("URL", str)
HTML = NewType("HTML", str)
BigInt = NewType("BigInt", int)

INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


def _instant(value: Any) -> datetime:
    if not isinstance(value, str) or not INSTANT.fullmatch(value):
        raise GraphQLError("DateTime is an RFC 3339 instant with an offset, e.g. 2026-02-19T14:00:00.000Z.")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise GraphQLError("There is no such instant.") from None


def _url(value: Any) -> str:
    if not isinstance(value, str) or not re.match(r"https?://[^\s/]", value, re.IGNORECASE):
        raise GraphQLError("URL is an absolute http or https URL.")
    try:
        urlsplit(value)
    except ValueError:
        raise GraphQLError("URL is an absolute http or https URL.") from None
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise GraphQLError("HTML is a string.")
    return value


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise GraphQLError("BigInt is a 64-bit integer.")
    return value


def _same(value: Any) -> Any:
    return value


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="RFC 3339 instant, always UTC with milliseconds, e.g. 2026-02-19T14:00:00.000Z.",
        serialize=wire,
        parse_value=_instant,
    ),
    JSON: strawberry.scalar(name="JSON", description="Any JSON value.", serialize=_same, parse_value=_same),
    URL: strawberry.scalar(name="URL", description="Absolute http or https URL.", serialize=str, parse_value=_url),
    HTML: strawberry.scalar(
        name="HTML",
        description="HTML that is sanitized with an allow-list when it is written; safe to insert into a page.",
        serialize=str,
        parse_value=_text,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="64-bit integer, used for sizes in bytes.",
        serialize=int,
        parse_value=_integer,
    ),
}

E = TypeVar("E", bound=type[StrEnum])


def described(enum: E, name: str, description: str | None = None, **values: str) -> E:
    """Bring an enum of the tables into the graph, with a sentence for each member that needs one."""
    strawberry.enum(enum, name=name, description=description)
    definition = enum.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values.get(value.name)
    return enum
