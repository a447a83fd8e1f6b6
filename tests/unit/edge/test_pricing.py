"""What documents cost, and that finding it out costs next to nothing."""

import time
from contextlib import suppress

import pytest
from graphql import (
    FragmentDefinitionNode,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    get_introspection_query,
    parse,
    specified_rules,
)
from hypothesis import given
from hypothesis import strategies as st

from gateway.documents import Documents
from gateway.pricing import LimitExceeded, Limits, Price, price
from gateway.refusals import Refused

SCHEMA: GraphQLSchema = build_schema(
    """
    type Query { me: Person  people(first: Int = 20): People!  find: Being  top(first: Int = 3): [Person!] }
    type Mutation { rename: Person }
    type People { nodes: [Person!]!  edges: [Edge!]!  pageInfo: Info!  totalCount: Int! }
    type Edge { node: Person }
    type Info { next: Boolean }
    interface Being { name: String }
    type Person implements Being {
      name: String  names: [String!]!  friend: Person  friends: [Person!]!  circle(first: Int = 20): People!
    }
    """
)


def priced(text: str, **variables: object) -> Price:
    """The price of a document's only operation."""
    document = parse(text)
    operations = [it for it in document.definitions if isinstance(it, OperationDefinitionNode)]
    fragments = {it.name.value: it for it in document.definitions if isinstance(it, FragmentDefinitionNode)}
    return price(SCHEMA, operations, fragments, variables, Limits())[0]


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("{ __typename }", 0),
        ("{ me { name names } }", 1),
        ("{ me { friend { friend { name } } } }", 3),
        ("{ a: me { name } b: me { name } }", 2),
        ("{ me { friends { name } } }", 1 + 3),
        ("{ me { friends { friends { name } } } }", 1 + 3 * (1 + 3)),
        ("{ people { totalCount } }", 1),
        ("{ people { pageInfo { next } } }", 2),
        ("{ people { nodes { name } } }", 1 + 20),
        ("{ people(first: 5) { nodes { name } pageInfo { next } } }", 1 + 1 + 5),
        ("{ people(first: 5) { edges { node { name } } } }", 1 + 5 * 2),
        ("{ people(first: 5) { ...P } } fragment P on People { nodes { name } }", 1 + 5),
        ("{ people(first: 5) { ... { nodes { name } } } }", 1 + 5),
        ("{ people(first: 5) { nodes { circle(first: 4) { nodes { name } } } } }", 1 + 5 * (1 + 1 + 4)),
        ("{ people(first: 100000) { nodes { name } } }", 1 + 100),
        ("{ people(first: -3) { nodes { name } } }", 1),
        ("{ top(first: 7) { name } }", 7),
        ("{ find { ... on Person { friend { name } } } }", 2),
        ("mutation { rename { name } }", 1),
        ("{ nothing { at { all } } }", 0),
        ("{ ...Nobody }", 0),
        ("{ __schema { types { name } } }", 0),
    ],
)
def test_objects_cost_and_scalars_do_not(text: str, cost: int) -> None:
    assert priced(text).cost == cost


@pytest.mark.parametrize(
    ("variables", "cost"),
    [({}, 8), ({"n": 2}, 3), ({"n": 50.0}, 51), ({"n": 1000}, 101), ({"n": None}, 21), ({"n": "many"}, 21)],
)
def test_a_page_size_may_be_a_variable(variables: dict[str, object], cost: int) -> None:
    found = priced("query ($n: Int = 7) { people(first: $n) { nodes { name } } }", **variables)
    assert found.varies
    assert found.cost == cost


def test_depth_counts_fields_and_not_fragments() -> None:
    weight = priced("{ ...A } fragment A on Query { me { ... { friend { name } } } }").weight
    assert (weight.depth, weight.fields, weight.levels) == (3, 3, 5)


def test_lists_inside_lists_are_counted() -> None:
    assert priced("{ people { nodes { friends { names } } } }").weight.lists == 2


def test_introspection_is_counted_for_itself() -> None:
    weight = priced("{ __schema { types { fields { args { name } } } } me { name } }").weight
    assert (weight.depth, weight.lists, weight.meta_depth, weight.meta_lists) == (2, 0, 5, 3)


@given(st.data())
def test_what_is_remembered_is_what_would_be_counted(data: st.DataObject) -> None:
    """Fragments that spread later ones: the pass agrees with writing everything out."""
    spreads = [data.draw(st.lists(st.integers(number + 1, 6), max_size=3)) if number < 6 else [] for number in range(7)]

    def expanded(number: int) -> int:
        return 1 + sum(expanded(other) for other in spreads[number])

    fragments = " ".join(
        f"fragment F{number} on Person {{ x: name {' '.join(f'...F{other}' for other in others)} }}"
        for number, others in enumerate(spreads)
    )
    weight = priced("{ me { ...F0 } } " + fragments).weight
    assert (weight.fields, weight.aliases) == (1 + expanded(0), expanded(0))


def bomb(fragments: int, spreads: int) -> str:
    """Fragments that spread the next one several times: spreads ** fragments fields."""
    chain = "".join(f"fragment F{n} on Query{{{f'...F{n + 1} ' * spreads}}}" for n in range(fragments))
    return "{...F0}" + chain + f"fragment F{fragments} on Query{{me{{name}}}}"


def repeated(field: str, times: int) -> str:
    """A field under so many aliases."""
    return "{" + " ".join(f"a{n}:{field}" for n in range(times)) + "}"


HOSTILE = {
    "the bomb of 669 bytes": bomb(20, 2),
    "10 kB of fragment bombs": bomb(99, 11),
    "a wide bomb": bomb(5, 200),
    "wide lists": repeated("people(first:100){nodes{circle(first:100){nodes{name}}}}", 45),
    "deep nesting": "{" + "me{" * 150 + "name" + "}" * 151,
    "nesting that the parser refuses": "{" + "me{" * 300 + "name" + "}" * 301,
    "deep fragments": "{...F0}" + "".join(f"fragment F{n} on Query{{...{{...{{...F{n + 1}}}}}}}" for n in range(99)),
    "aliases": "{me" + repeated("name", 900) + "}",
    "directives": "{me{name" + "@skip(if:false)" * 600 + "}}",
    "one field again and again": "{me{" + "friend{name}" * 600 + "}}",
    "root fields": "{" + "me{name} " * 1_000 + "}",
    "tokens": "{" + "a " * 6_000 + "}",
    "comments": "#\n" * 6_000 + "{me{name}}",
    "a long text": "{me{name}}" + " " * 200_000,
    "introspection in introspection": "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}",
    "introspection many times": repeated("__schema{types{fields{type{fields{name}}}}}", 20),
}


ORDINARY = "{" + " ".join(f"a{n}: me {{ name friend {{ name }} }}" for n in range(250)) + "}"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_document_is_refused_in_no_time(text: str) -> None:
    """Within eight times what parsing an ordinary one of 8 kB takes; the benchmark has the milliseconds."""
    documents = Documents(SCHEMA, specified_rules, Limits())
    refusals, parses = [], []
    for _ in range(5):
        started = time.process_time()
        with pytest.raises(LimitExceeded) as refused:
            documents.load(text)
        refusals.append(time.process_time() - started)
        started = time.process_time()
        parse(ORDINARY)
        parses.append(time.process_time() - started)
    assert min(refusals) < 8 * min(parses)
    assert refused.value.entries[0]["extensions"].keys() == {"code", "name", "limit", "value"}


@pytest.mark.parametrize(
    ("limits", "text", "name", "limit", "value"),
    [
        (Limits(depth=2), "{ me { friend { name } } }", "depth", 2, 3),
        (Limits(list_depth=1), "{ me { friends { friends { name } } } }", "listDepth", 1, 2),
        (Limits(introspection_depth=2), "{ __schema { queryType { name } } }", "introspectionDepth", 2, 3),
        (Limits(introspection_list_depth=0), "{ __schema { types { name } } }", "introspectionListDepth", 0, 1),
        (Limits(fields=2), "{ me { name names } }", "fields", 2, 3),
        (Limits(aliases=1), "{ a: me { b: name } }", "aliases", 1, 2),
        (Limits(root_fields=1), "{ me { name } ...A } fragment A on Query { find { name } }", "rootFields", 1, 2),
        (Limits(directives=1), "{ me { name @skip(if: false) @include(if: true) } }", "directives", 1, 2),
        (Limits(tokens=3), "{ me { name } }", "tokens", 3, 4),
        (Limits(characters=5), "{ me }", "characters", 5, 6),
        (Limits(operations=1), "query A { me { name } } query B { me { name } }", "operations", 1, 2),
        (Limits(fragments=0), "{ ...A } fragment A on Query { me { name } }", "fragments", 0, 1),
        (Limits(cost=20), "{ people { nodes { name } } }", "cost", 20, 21),
    ],
)
def test_a_limit_is_named_with_what_was_asked_for(limits: Limits, text: str, name: str, limit: int, value: int) -> None:
    with pytest.raises(LimitExceeded) as refused:
        Documents(SCHEMA, specified_rules, limits).load(text)
    assert refused.value.entries[0]["extensions"] == {
        "code": "LIMIT_EXCEEDED",
        "name": name,
        "limit": limit,
        "value": value,
    }


def test_the_introspection_query_of_every_tool_passes() -> None:
    text = get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
    )
    assert Documents(SCHEMA, specified_rules, Limits()).load(text).select("IntrospectionQuery").cost == 0


WORDS = [
    *("{", "}", "(", ")", "[", "]", ":", "!", "$", "@", "...", "query", "mutation", "fragment", "on"),
    *("me", "people", "friends", "name", "first", "A", "B", "1", '"x"'),
]


@given(st.lists(st.sampled_from(WORDS)))
def test_any_document_is_loaded_or_refused(words: list[str]) -> None:
    with suppress(Refused):
        Documents(SCHEMA, specified_rules, Limits()).load(" ".join(words))
