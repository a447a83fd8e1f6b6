"""How long the lists are that a client sends, in the document itself and in the variables."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLSchema,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    ValueNode,
    get_nullable_type,
    is_input_type,
    type_from_ast,
)


def longest_literal(value: ValueNode) -> int:
    """The length of the longest list in a literal; 0 where there is none."""
    match value:
        case ListValueNode(values=values):
            return max(len(values), *map(longest_literal, values), 0)
        case ObjectValueNode(fields=fields):
            return max((longest_literal(field.value) for field in fields), default=0)
    return 0


def longest_variable(schema: GraphQLSchema, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> int:
    """The length of the longest list in the variables; what a JSON scalar holds is content, whatever its length."""
    lengths = [0]
    for definition in operation.variable_definitions or ():
        type_ = type_from_ast(schema, definition.type)
        value = variables.get(definition.variable.name.value)
        if is_input_type(type_) and value is not None:
            lengths.append(_longest(type_, value))
    return max(lengths)


def _longest(type_: GraphQLInputType, value: object) -> int:
    match get_nullable_type(type_), value:
        case GraphQLList() as listed, list():
            return max(len(value), *(_longest(listed.of_type, item) for item in value), 0)
        case GraphQLInputObjectType(fields=fields), dict():
            return max((_longest(fields[name].type, value[name]) for name in fields.keys() & value.keys()), default=0)
    return 0
