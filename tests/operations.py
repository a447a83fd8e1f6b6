"""Random operations, made from the SDL: valid ones with arguments that fit their types, and ones that were bent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_required_argument,
    is_required_input_field,
)

LEFT_OUT = {"logout", "login"}
"""They would end the sessions of the others, and take a tenth of a second each."""

STRINGS = [
    "",
    " ",
    "x",
    "en",
    "16:9",
    "Forklift safety",
    "floco",
    "\0",
    "\u202e reversed",
    "🙂" * 20,
    "a" * 5_000,
    "'; DROP TABLE resource; --",
    '{"$gt": ""}',
    "../../../etc/passwd",
    "<script>alert(1)</script>",
    "%s%n{0}",
    "true",
    "null",
    "2026-07-02T09:30:00.000Z",
    "ZXZlbnQ6OTk5OTk5OTk5OTk5OTk5OTk5OTk5",
    "c2Nhbg==",
]
URLS = ["https://127.0.0.1:1/hook", "http://localhost/x", "https://[::1]/", "ftp://127.0.0.1/", "no url", "https://"]
INTS = [-(2**31), -1, 0, 1, 2, 3, 20, 100, 101, 2**31 - 1]
TIMES = ["2026-07-02T09:30:00.000Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z"]


@dataclass
class Made:
    """An operation on its way."""

    declared: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)


class Operations:
    """Makes operations of one schema; ids are drawn from those given."""

    def __init__(self, schema: GraphQLSchema, ids: Sequence[str]) -> None:
        self.schema = schema
        self.ids = [*ids, "", "x", "job_00000000000000000000000000", "module_1"]

    def make(self, rng: Random) -> dict[str, Any]:
        """The body of a request."""
        made = Made()
        root = self.schema.query_type if rng.random() < 0.5 else self.schema.mutation_type
        assert root is not None
        names = [name for name in root.fields if name not in LEFT_OUT]
        fields = [
            self._field(rng, made, root, rng.choice(names), 0, f"r{n}: ") for n in range(rng.choice([1, 1, 1, 2, 3]))
        ]
        declared = ", ".join(f"${name}: {type_}" for name, type_ in made.declared.items())
        kind = "query" if root is self.schema.query_type else "mutation"
        return {
            "query": f"{kind} Fuzzed{f'({declared})' if declared else ''} {{ {' '.join(fields)} }}",
            "variables": made.values,
        }

    def bend(self, rng: Random, body: Mapping[str, Any]) -> dict[str, Any]:
        """The same, wrong somewhere."""
        query, variables = body["query"], dict(body["variables"])
        if variables and rng.random() < 0.6:
            name = rng.choice(sorted(variables))
            variables[name] = bent(rng, variables[name])
        else:
            place = rng.randrange(len(query))
            piece = rng.choice(["", "{", "}", "(", "$", "@skip(if: true)", '"', "...F", "\0", "é", "nope", "null"])
            query = query[:place] + piece + query[place + rng.randint(0, 3) :]
        return {"query": query, "variables": variables}

    def _field(
        self,
        rng: Random,
        made: Made,
        parent: GraphQLObjectType | GraphQLInterfaceType,
        name: str,
        depth: int,
        alias: str = "",
    ) -> str:
        definition = parent.fields[name]
        arguments = self._arguments(rng, made, definition)
        return f"{alias}{name}{arguments}{self._selection(rng, made, get_named_type(definition.type), depth)}"

    def _arguments(self, rng: Random, made: Made, definition: GraphQLField) -> str:
        pairs = []
        for name, argument in definition.args.items():
            if is_required_argument(argument) or rng.random() < 0.4:
                variable = f"v{len(made.values)}"
                made.declared[variable] = str(argument.type)
                made.values[variable] = self._value(rng, argument.type, name, 0)
                pairs.append(f"{name}: ${variable}")
        return f"({', '.join(pairs)})" if pairs else ""

    def _selection(self, rng: Random, made: Made, type_: GraphQLNamedType, depth: int) -> str:
        match type_:
            case GraphQLUnionType():
                inner = self._fragments(rng, made, type_, depth)
            case GraphQLInterfaceType():
                inner = [*self._fields(rng, made, type_, depth), *self._fragments(rng, made, type_, depth)]
            case GraphQLObjectType():
                inner = self._fields(rng, made, type_, depth)
            case _:
                return ""
        return f" {{ {' '.join(['__typename', *inner])} }}"

    def _fields(
        self, rng: Random, made: Made, type_: GraphQLObjectType | GraphQLInterfaceType, depth: int
    ) -> list[str]:
        chosen = []
        for number, name in enumerate(type_.fields):
            composite = bool(self._selection_needed(type_.fields[name]))
            if rng.random() < (0.35 if composite else 0.7) and not (composite and depth >= 4):
                alias = f"f{number}_{len(made.values)}: " if type_.fields[name].args else ""
                chosen.append(self._field(rng, made, type_, name, depth + 1, alias))
        return chosen

    def _fragments(
        self, rng: Random, made: Made, type_: GraphQLInterfaceType | GraphQLUnionType, depth: int
    ) -> list[str]:
        possible = self.schema.get_possible_types(type_)
        picked = [it for it in possible if rng.random() < 2 / len(possible)]
        return [f"... on {it.name} {{ __typename }}" for it in picked]

    @staticmethod
    def _selection_needed(definition: GraphQLField) -> bool:
        return isinstance(get_named_type(definition.type), GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType)

    def _value(self, rng: Random, type_: GraphQLInputType, name: str, depth: int) -> Any:
        if not isinstance(type_, GraphQLNonNull) and rng.random() < 0.1:
            return None
        match get_nullable_type(type_):
            case GraphQLList(of_type=inner):
                return [self._value(rng, inner, name, depth + 1) for _ in range(rng.choice([0, 1, 1, 2, 3]))]
            case GraphQLEnumType() as enum:
                return rng.choice(list(enum.values))
            case GraphQLInputObjectType() as input:
                return self._object(rng, input, depth)
        return self._scalar(rng, str(get_nullable_type(type_)), name)

    def _object(self, rng: Random, type_: GraphQLInputObjectType, depth: int) -> dict[str, Any]:
        likely = 0.5 if depth < 3 else 0.1
        chosen = {
            name: part.type
            for name, part in type_.fields.items()
            if is_required_input_field(part) or rng.random() < likely
        }
        if type_.is_one_of:
            name = rng.choice(list(type_.fields))
            chosen = {name: GraphQLNonNull(type_.fields[name].type)}
        return {name: self._value(rng, part, name, depth + 1) for name, part in chosen.items()}

    def _scalar(self, rng: Random, type_: str, name: str) -> Any:
        match type_:
            case "Int":
                return rng.choice(INTS)
            case "Float":
                return rng.choice([-1.5, 0, 0.1, 1, 5, 1e308])
            case "Boolean":
                return rng.random() < 0.5
            case "ID":
                return rng.choice(self.ids)
            case "DateTime":
                return rng.choice(TIMES)
            case "JSON":
                return anything(rng, 3)
            case "BigInt":
                return rng.choice([0, -1, 1, 2**53, 2**63 - 1, 1_000])
            case _ if type_ == "URL" or "url" in name.lower():
                return rng.choice(URLS)
        return rng.choice(STRINGS)


def anything(rng: Random, depth: int) -> Any:
    """Any JSON."""
    kind = rng.randrange(8 if depth else 6)
    match kind:
        case 6:
            return [anything(rng, depth - 1) for _ in range(rng.randint(0, 3))]
        case 7:
            keys = ["level", "lessons", "title", "terms", "category", "type", "payload", "$ref", "__proto__", ""]
            return {rng.choice(keys): anything(rng, depth - 1) for _ in range(rng.randint(0, 4))}
    return [None, True, rng.choice(INTS), 0.5, rng.choice(STRINGS), "term"][kind]


def bent(rng: Random, value: Any) -> Any:
    """Another value in its place, or somewhere inside it."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        name = rng.choice(sorted(value))
        return {**value, name: bent(rng, value[name])}
    if isinstance(value, list) and value and rng.random() < 0.8:
        return [bent(rng, value[0]), *value[1:]]
    return rng.choice([None, [], {}, "", "x" * 70_000, -1, 2**80, 1.5, True, [[]], {"a": 1}, [None], ["x"] * 300])
