"""Documents that clients send: parsed, measured and validated once, then remembered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    get_introspection_query,
    parse,
    validate,
)
from graphql.validation.rules import overlapping_fields_can_be_merged as merging

from gateway.lists import longest_variable
from gateway.numbers import check_document
from gateway.pricing import LEVELS, LimitExceeded, Limits, Price, check, price, require
from gateway.recent import Recent
from gateway.refusals import UNPROCESSABLE, Refused, Unsuitable
from schema.permissions import root_fields

COMPARISONS = merging.MAX_COMPLEXITY_BUDGET = 5_000
"""Steps that graphql-core may take to find out whether fields can be merged; its own half a million take 0.7 s."""

ERRORS = 25
"""Validation errors that are reported."""

SUGGESTIONS = 2
"""Errors up to which graphql-core may look for what was meant: among all types that takes up to 10 ms for each."""

NESTED = "Document is nested too deeply. Parsing aborted."
ABORTED = "Parsing aborted."

INTROSPECTIONS = 2
"""How many times the full introspection query one document may cost."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a document; its cost is None where it depends on variables."""

    name: str | None
    node: OperationDefinitionNode
    root_fields: Sequence[FieldNode]
    cost: int | None

    @property
    def type(self) -> OperationType:
        """Query, mutation or subscription."""
        return self.node.operation


@dataclass(frozen=True, slots=True)
class Document:
    """A valid document within the limits."""

    ast: DocumentNode
    fragments: Mapping[str, FragmentDefinitionNode]
    operations: Mapping[str | None, Operation]

    def select(self, name: str | None) -> Operation:
        """The operation of this name; without a name, the only one there is."""
        if not name and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        if not name:
            message = "The document has several operations: operationName has to name one."
            raise Refused(UNPROCESSABLE, "BAD_REQUEST", message)
        if name not in self.operations:
            raise Refused(UNPROCESSABLE, "BAD_REQUEST", "The document has no operation of that name.")
        return self.operations[name]


class Documents:
    """The documents of one schema; keeps those used last, as many as fit."""

    def __init__(
        self,
        schema: GraphQLSchema,
        rules: Sequence[type[ASTValidationRule]],
        limits: Limits,
        *,
        entries: int = 1_000,
        characters: int = 500_000,
    ) -> None:
        """A parsed document takes about 60 bytes per character of its text, so the default keeps some 30 MB."""
        self.limits = limits
        self._schema = schema
        self._rules = tuple(rules)
        self.hide_suggestions = NoSchemaIntrospectionCustomRule in self._rules
        self._kept: Recent[Document] = Recent(entries, characters)
        self._introspection_cost = INTROSPECTIONS * self._price_of_introspection()

    def load(self, text: str) -> Document:
        """A document that may be executed; Refused says what is wrong with it."""
        document = self._kept.get(text)
        if document is None:
            document = self._read(text)
            self._validate(document)
            self._kept.keep(text, document, len(text))
        return document

    def cost(self, document: Document, operation: Operation, variables: Mapping[str, Any]) -> int:
        """What the operation costs with these variables; refused when that, or a list in them, is too much."""
        require("listLength", self.limits.list_length, longest_variable(self._schema, operation.node, variables))
        if operation.cost is not None:
            return operation.cost
        (found,) = price(self._schema, [operation.node], document.fragments, variables, self.limits)
        require("cost", self.limits.cost, found.cost)
        return found.cost

    def _read(self, text: str) -> Document:
        """Parse and measure, in time linear in the text."""
        ast = self._parse(text)
        check_document(text, ast)
        fragments = {it.name.value: it for it in ast.definitions if isinstance(it, FragmentDefinitionNode)}
        nodes = [it for it in ast.definitions if isinstance(it, OperationDefinitionNode)]
        require("operations", self.limits.operations, len(nodes))
        require("fragments", self.limits.fragments, len(fragments))
        prices = price(self._schema, nodes, fragments, {}, self.limits)
        operations = [self._measured(node, found, fragments) for node, found in zip(nodes, prices, strict=True)]
        return Document(ast, fragments, {operation.name: operation for operation in operations})

    def _parse(self, text: str) -> DocumentNode:
        limits = self.limits
        require("characters", limits.characters, len(text))
        try:
            return parse(text, max_lexical_tokens=limits.tokens, max_comments=limits.tokens)
        except GraphQLSyntaxError as error:
            if error.message.endswith(NESTED):
                raise LimitExceeded("nesting", LEVELS, LEVELS + 1) from None
            if error.message.endswith(ABORTED):
                raise LimitExceeded("tokens", limits.tokens, limits.tokens + 1) from None
            raise Unsuitable(400, "GRAPHQL_PARSE_FAILED", [error]) from None

    def _measured(
        self, node: OperationDefinitionNode, found: Price, fragments: Mapping[str, FragmentDefinitionNode]
    ) -> Operation:
        """An operation within the limits."""
        check(found.weight, self.limits, self._introspection_cost)
        fields = root_fields(node, fragments)
        require("rootFields", self.limits.root_fields, len(fields))
        if not found.varies:
            require("cost", self.limits.cost, found.cost)
        name = node.name.value if node.name else None
        return Operation(name, node, fields, None if found.varies else found.cost)

    def _validate(self, document: Document) -> None:
        errors = self._errors(document, hide_suggestions=True)
        if any(error.message == "Validation aborted." for error in errors):
            raise LimitExceeded("comparisons", COMPARISONS, COMPARISONS + 1)
        if errors and len(errors) <= SUGGESTIONS and not self.hide_suggestions:
            errors = self._errors(document, hide_suggestions=False)
        if errors:
            raise Unsuitable(UNPROCESSABLE, "GRAPHQL_VALIDATION_FAILED", errors)
        if not document.operations:
            raise Refused(UNPROCESSABLE, "BAD_REQUEST", "The document has no operation.")

    def _errors(self, document: Document, *, hide_suggestions: bool) -> list[GraphQLError]:
        return validate(self._schema, document.ast, self._rules, ERRORS, hide_suggestions=hide_suggestions)

    def _price_of_introspection(self) -> int:
        query = parse(get_introspection_query(input_value_deprecation=True))
        nodes = [it for it in query.definitions if isinstance(it, OperationDefinitionNode)]
        fragments = {it.name.value: it for it in query.definitions if isinstance(it, FragmentDefinitionNode)}
        return price(self._schema, nodes, fragments, {}, self.limits)[0].weight.meta_cost
