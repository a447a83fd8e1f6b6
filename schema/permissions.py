"""Which scopes a field needs, as directives that clients can read in the SDL."""

from collections.abc import Iterable, Mapping
from inspect import isawaitable
from typing import Any

import strawberry
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)
from strawberry.extensions import FieldExtension
from strawberry.schema_directive import Location

from schema.texts import camel, check
from schema.types.scalars import described
from storage.tables import Scope

described(
    Scope,
    "Scope",
    "What a credential may do. Each description starts with the wire name used by OAuth, the command line and error "
    "extensions.",
    INTEGRATIONS_READ="integrations.read: expansions, classroom exports and their results.",
    INTEGRATIONS_WRITE="integrations.write: start, cancel and retry expansions.",
    RESOURCES_READ="resources.read: modules, courses, videos, slides, tests and their jobs.",
    RESOURCES_WRITE="resources.write: change them, generate, render.",
    CONTENT_READ="content.read: ingested items, content sessions, ingestion jobs.",
    CONTENT_WRITE="content.write: ingest packages.",
    EXPORTS="exports: content exports and stored files; held by user sessions only.",
    WEBHOOKS="webhooks: endpoints, deliveries and the whole event log.",
    ADMIN="admin: people, classrooms, credentials and usage; held by ADMIN sessions only.",
)


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="The credential must hold at least one of these scopes.",
)
class Requires:
    """Names the scopes of a field; one of them is enough."""

    scopes: list[Scope]


@strawberry.schema_directive(locations=[Location.FIELD_DEFINITION], description="No credential is needed.")
class Public:
    """Marks a root field that anyone may use."""


class Forbidden(Exception):  # noqa: N818
    """This credential may not do that."""

    def __init__(self, scopes: Iterable[Scope]) -> None:
        self.scopes = frozenset(scopes)
        super().__init__(self.__doc__)


class Guard(FieldExtension):
    """Refuses a field below the root to who lacks its scopes; at the root the edge does it, before anything runs."""

    def __init__(self, scopes: frozenset[Scope]) -> None:
        self.scopes = scopes

    async def resolve_async(self, next_: Any, source: Any, info: strawberry.Info[Any, None], **kwargs: Any) -> Any:
        if not self.scopes & info.context.caller.scopes:
            raise Forbidden(self.scopes)
        resolved = next_(source, info, **kwargs)
        return await resolved if isawaitable(resolved) else resolved


class Text(FieldExtension):
    """Refuses what no text may hold; in mutations that is a problem of the payload."""

    async def resolve_async(self, next_: Any, source: Any, info: strawberry.Info[Any, None], **kwargs: Any) -> Any:
        for name, value in kwargs.items():
            check(value, camel(name))
        resolved = next_(source, info, **kwargs)
        return await resolved if isawaitable(resolved) else resolved


def guarded(*scopes: Scope, description: str | None = None) -> Any:
    """A field below the root that needs one of the scopes."""
    return strawberry.field(
        description=description, directives=[Requires(scopes=list(scopes))], extensions=[Guard(frozenset(scopes))]
    )


def query(*scopes: Scope, description: str | None = None) -> Any:
    """A root field of Query; without scopes it is public."""
    return strawberry.field(description=description, directives=_directives(scopes), extensions=[Text()])


def subscription(*scopes: Scope, description: str | None = None) -> Any:
    """A root field of Subscription."""
    return strawberry.subscription(description=description, directives=_directives(scopes), extensions=[Text()])


def _directives(scopes: tuple[Scope, ...]) -> list[object]:
    return [Requires(scopes=list(scopes))] if scopes else [Public()]


def required_scopes(schema: strawberry.Schema) -> Mapping[tuple[str, str], frozenset[Scope]]:
    """For (type name, field name) of every guarded field, the scopes of which one is needed."""
    scopes: dict[tuple[str, str], frozenset[Scope]] = {}
    for name, type_ in schema._schema.type_map.items():
        definition = (type_.extensions or {}).get("strawberry-definition")
        for field in getattr(definition, "fields", ()):
            for directive in field.directives:
                if isinstance(directive, Requires):
                    scopes[name, schema.config.name_converter.from_field(field)] = frozenset(directive.scopes)
    return scopes


def root_fields(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> list[FieldNode]:
    """The root fields of an operation in document order, those inside fragments too; cycles end."""
    found: list[FieldNode] = []
    seen: set[str] = set()

    def collect(selections: SelectionSetNode) -> None:
        for node in selections.selections:
            match node:
                case FieldNode():
                    found.append(node)
                case InlineFragmentNode():
                    collect(node.selection_set)
                case FragmentSpreadNode() if (name := node.name.value) in fragments and name not in seen:
                    seen.add(name)
                    collect(fragments[name].selection_set)

    collect(operation.selection_set)
    return found
