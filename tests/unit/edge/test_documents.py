"""Documents are read once, and kept as long as there is room."""

import pytest
from graphql import NoSchemaIntrospectionCustomRule, build_schema, specified_rules

from gateway.documents import Documents
from gateway.pricing import LimitExceeded, Limits
from gateway.refusals import Refused, Unsuitable

SCHEMA = build_schema(
    "type Query { a: Int  list(first: Int = 20): Page! }  type Page { nodes: [Query!]!  pageInfo: Int }"
)


def test_a_document_is_read_once() -> None:
    documents = Documents(SCHEMA, specified_rules, Limits())
    assert documents.load("{ a }") is documents.load("{ a }")


def test_the_one_used_longest_ago_is_forgotten_first() -> None:
    documents = Documents(SCHEMA, specified_rules, Limits(), entries=2)
    kept, dropped = documents.load("{ a }"), documents.load("{ b: a }")
    documents.load("{ a }")
    documents.load("{ c: a }")
    assert documents.load("{ a }") is kept
    assert documents.load("{ b: a }") is not dropped


def test_long_documents_make_room_for_fewer() -> None:
    documents = Documents(SCHEMA, specified_rules, Limits(), characters=20)
    first = documents.load("{ a }")
    documents.load("{ a }" + " " * 16)
    assert documents.load("{ a }") is not first


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("", "GRAPHQL_PARSE_FAILED"),
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("type T { a: Int }", "GRAPHQL_VALIDATION_FAILED"),
        ("mutation { a }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ ...A } fragment A on Query { ...A }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
def test_what_is_wrong_is_told_and_not_kept(text: str, code: str) -> None:
    documents = Documents(SCHEMA, specified_rules, Limits())
    for _ in range(2):
        with pytest.raises(Unsuitable) as refused:
            documents.load(text)
        assert refused.value.entries[0]["extensions"] == {"code": code}


def test_a_cost_that_depends_on_variables_is_asked_for_each_time() -> None:
    documents = Documents(SCHEMA, specified_rules, Limits(cost=50))
    document = documents.load("query ($n: Int) { list(first: $n) { nodes { a } } }")
    operation = document.select(None)
    assert [documents.cost(document, operation, {"n": n}) for n in (1, 49)] == [2, 50]
    with pytest.raises(LimitExceeded):
        documents.cost(document, operation, {"n": 50})


@pytest.mark.parametrize(("name", "found"), [("A", "A"), ("B", "B"), (None, None), ("", None), ("C", None)])
def test_of_several_operations_one_has_to_be_named(name: str | None, found: str | None) -> None:
    document = Documents(SCHEMA, specified_rules, Limits()).load("query A { a } query B { a }")
    if found:
        assert document.select(name).name == found
    else:
        with pytest.raises(Refused, match="operation") as refused:
            document.select(name)
        assert refused.value.code == "BAD_REQUEST"


def test_what_was_meant_is_suggested_for_few_errors_and_not_for_many() -> None:
    documents = Documents(SCHEMA, specified_rules, Limits())
    for text, suggests in (("{ lists }", True), ("{ lists " + " ".join(f"b{n}" for n in range(9)) + " }", False)):
        with pytest.raises(Unsuitable) as typo:
            documents.load(text)
        assert ("Did you mean 'list'?" in typo.value.message) is suggests


def test_suggestions_are_kept_back_where_introspection_is_off() -> None:
    documents = Documents(SCHEMA, (*specified_rules, NoSchemaIntrospectionCustomRule), Limits())
    with pytest.raises(Unsuitable) as typo:
        documents.load("{ lists }")
    assert "list" not in typo.value.message.replace("lists", "")
    with pytest.raises(Unsuitable):
        documents.load("{ __schema { queryType { name } } }")
