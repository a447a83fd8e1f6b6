"""Operations made by schemathesis from our SDL: whatever the contract allows somebody to send."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.graphql import nodes

from schema import schema
from tests.operations import LEFT_OUT, STRINGS, TIMES, URLS

texts = st.sampled_from(STRINGS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
schemathesis.graphql.scalar("DateTime", st.sampled_from(TIMES).map(nodes.String))
schemathesis.graphql.scalar("URL", st.sampled_from(URLS).map(nodes.String))
schemathesis.graphql.scalar("HTML", texts.map(nodes.String))
schemathesis.graphql.scalar("BigInt", st.integers(-(2**63), 2**63).map(nodes.Int))
schemathesis.graphql.scalar("JSON", (st.just(nodes.Null) | texts.map(nodes.String) | st.integers().map(nodes.Int)))


def documents(each: int) -> Iterator[str]:
    """So many documents for every root field but those that would end the session, and those that never end."""
    loaded: Any = schemathesis.graphql.from_file(StringIO(schema.as_str()))
    for result in loaded.get_all_operations():
        operation = result.ok()
        if operation.definition.field_name not in LEFT_OUT and operation.definition.type_.name != "Subscription":
            yield from _some(operation, each)


def _some(operation: Any, count: int) -> list[str]:
    found: list[str] = []

    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy())
    def collect(case: Any) -> None:
        found.append(case.body)

    collect()
    return found
