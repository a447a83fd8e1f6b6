"""The contract for people and for tools: an HTML reference made from the schema, its SDL, and the events."""

import json
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from typing import Any

import strawberry
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLUnionType,
    Undefined,
    ast_from_value,
    get_named_type,
    is_specified_scalar_type,
    print_ast,
)
from starlette.requests import Request
from starlette.responses import Response

from gateway.graphql import public_fields
from gateway.pages import PAGES
from schema.permissions import required_scopes
from storage import catalog
from storage.tables import EventType, Scope

HEADERS = {"Cache-Control": "public, max-age=300"}

ROOTS = ("Queries", "Mutations", "Subscriptions")

GROUPS: dict[str, type[GraphQLNamedType]] = {
    "Objects": GraphQLObjectType,
    "Interfaces": GraphQLInterfaceType,
    "Unions": GraphQLUnionType,
    "Inputs": GraphQLInputObjectType,
    "Enums": GraphQLEnumType,
    "Scalars": GraphQLScalarType,
}


class Reference:
    """What stands behind /docs, /docs/events and /schema.graphql; each is made when somebody asks for it first."""

    def __init__(self, schema: strawberry.Schema, links: Mapping[str, str]) -> None:
        """The links are the pages that there are, by their paths."""
        self._schema = schema
        self._links = links
        self._graph = schema._schema

    async def show(self, request: Request) -> Response:
        """The reference."""
        return self._page.answer(request)

    async def sdl(self, request: Request) -> Response:
        """The schema in its own language."""
        return self._sdl.answer(request)

    async def events(self, request: Request) -> Response:
        """The catalogue of events."""
        return self._events.answer(request)

    @cached_property
    def _events(self) -> "_Text":
        entries = [
            {
                "name": type.value,
                "meaning": catalog.CATALOG[type].meaning,
                "example": json.dumps(catalog.example(type), indent=2),
                "schema": json.dumps(catalog.schema(type), indent=2),
            }
            for type in EventType
        ]
        return _Text(PAGES.get_template("events.html").render(entries=entries, links=self._links), "text/html")

    @cached_property
    def _sdl(self) -> "_Text":
        return _Text(self._schema.as_str(), "text/plain")

    @cached_property
    def _page(self) -> "_Text":
        page = PAGES.get_template("docs.html")
        shown = {"description": self._graph.description, "groups": self._groups(), "links": self._links}
        return _Text(page.render(shown), "text/html")

    @cached_property
    def _scopes(self) -> Mapping[tuple[str, str], frozenset[Scope]]:
        return required_scopes(self._schema)

    @cached_property
    def _public(self) -> frozenset[tuple[str, str]]:
        return public_fields(self._schema)

    def _groups(self) -> list[dict[str, Any]]:
        graph = self._graph
        roots = {
            "Queries": graph.query_type,
            "Mutations": graph.mutation_type,
            "Subscriptions": graph.subscription_type,
        }
        named: dict[str, list[GraphQLNamedType]] = {title: [root] for title, root in roots.items() if root}
        types = [type_ for name, type_ in sorted(graph.type_map.items()) if not name.startswith("__")]
        others = [it for it in types if it not in roots.values() and not is_specified_scalar_type(it)]
        for title, kind in GROUPS.items():
            named[title] = [type_ for type_ in others if isinstance(type_, kind)]
        return [{"title": title, "types": [*map(self._type, types)]} for title, types in named.items() if types]

    def _type(self, type_: GraphQLNamedType) -> dict[str, Any]:
        shown: dict[str, Any] = {"name": type_.name, "description": type_.description}
        shown |= {"fields": [], "members": [], "links": []}
        match type_:
            case GraphQLObjectType() | GraphQLInterfaceType():
                fields = [self._field(type_.name, name, field) for name, field in type_.fields.items()]
                return shown | {"fields": fields, "links": [_link(it) for it in type_.interfaces], "says": "implements"}
            case GraphQLInputObjectType():
                return shown | {"fields": [_input(name, field) for name, field in type_.fields.items()]}
            case GraphQLUnionType():
                return shown | {"links": [_link(it) for it in type_.types], "says": "is one of"}
            case GraphQLEnumType():
                values = [{"name": name, "description": value.description} for name, value in type_.values.items()]
                return shown | {"members": values}
        return shown

    def _field(self, parent: str, name: str, field: GraphQLField) -> dict[str, Any]:
        return {
            "name": name,
            "type": _link(field.type),
            "description": field.description,
            "deprecated": field.deprecation_reason,
            "arguments": [_input(name, argument) for name, argument in field.args.items()],
            "default": None,
            "scopes": sorted(self._scopes.get((parent, name), ())),
            "public": (parent, name) in self._public,
        }


class _Text:
    """A text that does not change while the process runs."""

    def __init__(self, text: str, media: str) -> None:
        self._text = text
        self._media = media
        self._tag = f'"{sha256(text.encode()).hexdigest()[:32]}"'

    def answer(self, request: Request) -> Response:
        """The text, or 304 for who has it."""
        headers = {**HEADERS, "ETag": self._tag}
        known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
        if known & {self._tag, "*"}:
            return Response(status_code=304, headers=headers)
        return Response(self._text, headers=headers, media_type=self._media)


def _link(type_: Any) -> dict[str, str]:
    """A type as it is written, and the one it is made of, if it has a section."""
    named = get_named_type(type_)
    return {"text": str(type_), "name": "" if is_specified_scalar_type(named) else named.name}


def _input(name: str, part: GraphQLArgument | GraphQLInputField) -> Mapping[str, Any]:
    """An argument or a field of an input."""
    return {
        "name": name,
        "type": _link(part.type),
        "description": part.description,
        "deprecated": part.deprecation_reason,
        "default": _default(part),
        "arguments": [],
        "scopes": [],
        "public": False,
    }


def _default(part: GraphQLArgument | GraphQLInputField) -> str | None:
    value = part.default.value if part.default else Undefined
    node = None if value in (Undefined, None) else ast_from_value(value, part.type)
    return print_ast(node) if node else None
