"""What a document asks for, found in one pass over its syntax before anything validates or runs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)

from gateway.lists import longest_literal
from gateway.refusals import UNPROCESSABLE, Refused

LEVELS = 200
"""Nested selections of any kind, fragments included, after which the pass and everything behind it gives up."""

ENOUGH = 10**9
"""Sums stop here; a document can ask for more than 64 bits hold."""

INTROSPECTED = {"types": 300, "fields": 10, "inputFields": 10, "enumValues": 10, "possibleTypes": 10, "args": 3}
"""How long the lists of the introspection are taken to be."""


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What one document may ask for. Everything is counted after fragments have been spread out.

    `list_size` is what a list without pages is taken to be: where it is much longer, `objects` and `answer`, its
    characters, end a query that gets out of hand.
    """

    depth: int = 12
    list_depth: int = 4
    introspection_depth: int = 15
    introspection_list_depth: int = 3
    fields: int = 5_000
    aliases: int = 100
    root_fields: int = 50
    directives: int = 5
    tokens: int = 5_000
    characters: int = 100_000
    operations: int = 10
    fragments: int = 100
    cost: int = 10_000
    page_size: int = 20
    largest_page: int = 100
    list_size: int = 3
    list_length: int = 500
    objects: int = 50_000
    answer: int = 32_000_000


class LimitExceeded(Refused):
    """The document asks for more than one request may have; says for what, how much, and what is allowed."""

    def __init__(self, name: str, limit: int, value: int) -> None:
        message = f"Limit of {name} exceeded: {value} where at most {limit} is allowed."
        super().__init__(UNPROCESSABLE, "LIMIT_EXCEEDED", message, name=name, limit=limit, value=value)


class Weight(NamedTuple):
    """What a selection asks for; `each` is asked for once per row of the connection that it selects from."""

    depth: int = 0
    lists: int = 0
    levels: int = 0
    fields: int = 0
    aliases: int = 0
    once: int = 0
    each: int = 0
    meta_depth: int = 0
    meta_lists: int = 0
    meta_cost: int = 0


NOTHING = Weight()
LEAF = Weight(depth=1, fields=1)


class Price(NamedTuple):
    """What an operation asks for, and whether its cost depends on variables."""

    weight: Weight
    varies: bool

    @property
    def cost(self) -> int:
        """How many objects it is expected to answer with."""
        return self.weight.once


def price(
    schema: GraphQLSchema,
    operations: Sequence[OperationDefinitionNode],
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, Any],
    limits: Limits,
) -> list[Price]:
    """
    Price operations of one document; each fragment is weighed once, so the work is linear in the document.

    Cost: a scalar nothing, an object one, a connection its page size times what is asked of a row, another list
    `limits.list_size` times. Fields that do not exist weigh nothing, since validation will refuse them.
    """
    scale = _Scale(schema, fragments, {**_defaults(operations), **variables}, limits)
    for definition in (it for operation in operations for it in operation.variable_definitions or ()):
        if definition.default_value:
            require("listLength", limits.list_length, longest_literal(definition.default_value))
    weights = [scale.selections(it.selection_set, schema.get_root_type(it.operation), 1) for it in operations]
    return [Price(weight, scale.varies) for weight in weights]


def check(weight: Weight, limits: Limits, introspection_cost: int) -> None:
    """Refuse a shape that goes beyond a limit; names the first one."""
    for name, limit, value in (
        ("depth", limits.depth, weight.depth),
        ("listDepth", limits.list_depth, weight.lists),
        ("nesting", LEVELS, weight.levels),
        ("introspectionDepth", limits.introspection_depth, weight.meta_depth),
        ("introspectionListDepth", limits.introspection_list_depth, weight.meta_lists),
        ("introspectionCost", introspection_cost, weight.meta_cost),
        ("fields", limits.fields, weight.fields),
        ("aliases", limits.aliases, weight.aliases),
    ):
        require(name, limit, value)


def require(name: str, limit: int, value: int) -> None:
    """Refuse a value beyond its limit."""
    if value > limit:
        raise LimitExceeded(name, limit, value)


class _Scale:
    """One pass; remembers the weight of every fragment."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, Any],
        limits: Limits,
    ) -> None:
        self.schema = schema
        self.fragments = fragments
        self.variables = variables
        self.limits = limits
        self.known: dict[str, Weight] = {}
        self.varies = False

    def selections(self, selected: SelectionSetNode, parent: GraphQLNamedType | None, level: int) -> Weight:
        """The weight of a selection set on a type, unknown types included."""
        require("nesting", LEVELS, level)
        depth = lists = levels = fields = aliases = once = each = meta_depth = meta_lists = meta_cost = 0
        for node in selected.selections:
            require("directives", self.limits.directives, len(node.directives or ()))
            weight = self.selection(node, parent, level)
            depth = max(depth, weight.depth)
            lists = max(lists, weight.lists)
            levels = max(levels, weight.levels)
            fields += weight.fields
            aliases += weight.aliases
            once += weight.once
            each += weight.each
            meta_depth = max(meta_depth, weight.meta_depth)
            meta_lists = max(meta_lists, weight.meta_lists)
            meta_cost += weight.meta_cost
        fields, aliases, once, each, meta_cost = (
            min(total, ENOUGH) for total in (fields, aliases, once, each, meta_cost)
        )
        return Weight(depth, lists, levels + 1, fields, aliases, once, each, meta_depth, meta_lists, meta_cost)

    def selection(self, node: SelectionNode, parent: GraphQLNamedType | None, level: int) -> Weight:
        """The weight of a field, an inline fragment or a spread."""
        match node:
            case FieldNode():
                for argument in node.arguments or ():
                    require("listLength", self.limits.list_length, longest_literal(argument.value))
                weight = self.field(node, parent, level)
                return weight._replace(aliases=weight.aliases + 1) if node.alias else weight
            case InlineFragmentNode():
                return self.selections(node.selection_set, self.condition(node, parent), level + 1)
            case FragmentSpreadNode():
                return self.spread(node.name.value, level)
        return NOTHING

    def spread(self, name: str, level: int) -> Weight:
        """The weight of a fragment: nothing while it is being weighed (a cycle) or when there is none."""
        if name not in self.known:
            self.known[name] = NOTHING
            if fragment := self.fragments.get(name):
                self.known[name] = self.selections(fragment.selection_set, self.condition(fragment, None), level + 1)
        return self.known[name]

    def field(self, node: FieldNode, parent: GraphQLNamedType | None, level: int) -> Weight:
        """The weight of a field without its alias."""
        if not node.selection_set:
            return LEAF
        definition = self.definition(node.name.value, parent)
        named = get_named_type(definition.type) if definition else None
        inner = self.selections(node.selection_set, named, level + 1)
        inner = inner._replace(depth=inner.depth + 1, fields=inner.fields + 1)
        if definition is None or not is_composite_type(named):
            return inner
        if node.name.value in ("__schema", "__type"):
            return _introspection(inner)
        return self.counted(node, parent, definition, inner)

    def counted(
        self, node: FieldNode, parent: GraphQLNamedType | None, definition: GraphQLField, inner: Weight
    ) -> Weight:
        """The weight of a field with the objects it answers with: one, a page of them, or a list of usual length."""
        cost = 1 + inner.once + self.page(node) * inner.each if inner.each else 1 + inner.once
        if not is_list_type(get_nullable_type(definition.type)):
            return inner._replace(once=cost, each=0)
        lists = inner.lists + 1
        if _is_connection(parent):
            return inner._replace(lists=lists, once=0, each=cost)
        size = self.page(node) if "first" in definition.args else self.size(node.name.value, parent)
        return inner._replace(lists=lists, once=size * cost, each=0)

    def page(self, node: FieldNode) -> int:
        """The page size that a field asks for; the field itself refuses what is none, so that costs nothing more."""
        for argument in node.arguments or ():
            if argument.name.value == "first":
                match argument.value:
                    case VariableNode(name=name):
                        self.varies = True
                        asked = self.variables.get(name.value)
                    case IntValueNode() as literal:
                        asked = _integer(literal)
                    case _:
                        asked = self.limits.largest_page
                if isinstance(asked, int | float):  # 50.0 is an Int, too
                    return int(min(max(asked, 0), self.limits.largest_page))
        return self.limits.page_size

    def size(self, name: str, parent: GraphQLNamedType | None) -> int:
        """How long a list without pages is taken to be."""
        if parent and parent.name.startswith("__"):
            return INTROSPECTED.get(name, self.limits.list_size)
        return self.limits.list_size

    def definition(self, name: str, parent: GraphQLNamedType | None) -> GraphQLField | None:
        """The field of this name, if there is one."""
        if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            return self.schema.get_field(parent, name)
        return None

    def condition(
        self, node: InlineFragmentNode | FragmentDefinitionNode, parent: GraphQLNamedType | None
    ) -> GraphQLNamedType | None:
        """The type that a fragment is about."""
        return self.schema.get_type(node.type_condition.name.value) if node.type_condition else parent


def _introspection(inner: Weight) -> Weight:
    """Introspection has limits of its own, and is one field for all others."""
    cost = 1 + inner.once
    return Weight(1, 0, inner.levels, inner.fields, inner.aliases, 0, 0, inner.depth, inner.lists, cost)


def _is_connection(parent: GraphQLNamedType | None) -> bool:
    return isinstance(parent, GraphQLObjectType) and "pageInfo" in parent.fields


def _defaults(operations: Sequence[OperationDefinitionNode]) -> dict[str, int]:
    """The default values of variables, as far as they can be page sizes; of several the largest."""
    sizes: dict[str, int] = {}
    for operation in operations:
        for definition in operation.variable_definitions or ():
            if isinstance(definition.default_value, IntValueNode):
                name = definition.variable.name.value
                sizes[name] = max(sizes.get(name, 0), _integer(definition.default_value))
    return sizes


def _integer(node: IntValueNode) -> int:
    """The value of an integer literal, which may have any number of digits."""
    return int(node.value) if len(node.value) < 10 else ENOUGH
