"""The committed SDL is the contract as it is built, and nothing that was agreed differently."""

import re
from pathlib import Path

import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    find_breaking_changes,
    get_named_type,
    parse,
    print_ast,
    validate,
)

from schema import schema

PROJECT = Path(__file__).parents[1]
USE_IT_FOR = {
    "Module": "One interactive lesson or learning module.",
    "Course": "Multi-lesson curriculum with chapters and lesson content.",
    "Video": "Editable video plan, scenes, narration, and rendering control.",
    "Slide": "Editable slide presentation content.",
    "Test": "Assessment metadata, items, answers, scoring, and submissions.",
}
LOOKED_FOR = {
    *("ResourceFilter.idempotencyKey", "ResourceFilter.curriculumItemIds"),
    *("ContentItemFilter.curriculumItemIds", "ContentItemFilter.difficulty"),
}
"""Texts that are only compared with what is there."""

COMMITTED = (PROJECT / "schema/schema.graphql").read_text()
DESIGN = PROJECT.parent / "shared/design"


def test_the_committed_sdl_is_current() -> None:
    """Run `make sdl` after a change that is meant."""
    assert schema.as_str() + "\n" == COMMITTED


def test_every_root_field_shows_what_it_needs() -> None:
    built = build_schema(COMMITTED)
    for root in (built.query_type, built.mutation_type, built.subscription_type):
        assert root is not None
        for name, field in root.fields.items():
            assert field.ast_node is not None
            directives = [directive.name.value for directive in field.ast_node.directives or ()]
            assert directives in (["requires"], ["public"]), f"{root.name}.{name}"


@pytest.mark.skipif(not DESIGN.exists(), reason="the design is not beside the project")
def test_what_is_built_extends_what_was_agreed_and_breaks_nothing() -> None:
    agreed, built = build_schema((DESIGN / "schema.graphql").read_text()), build_schema(COMMITTED)
    assert find_breaking_changes(agreed, built) == []
    assert guards(agreed).items() <= guards(built).items()


def test_the_five_kinds_are_described_in_the_words_of_the_document() -> None:
    """R-RES-7."""
    built = build_schema(COMMITTED)
    assert {name: built.type_map[name].description for name in USE_IT_FOR} == USE_IT_FOR


def test_every_text_that_is_written_has_a_limit_and_says_so() -> None:
    """Issue line 6."""
    silent = [
        f"{type.name}.{name}"
        for type in build_schema(COMMITTED).type_map.values()
        if isinstance(type, GraphQLInputObjectType)
        for name, field in type.fields.items()
        if get_named_type(field.type).name in ("String", "HTML") and not re.search(r"\d", field.description or "")
    ]
    assert set(silent) == LOOKED_FOR


def guards(schema: GraphQLSchema) -> dict[str, list[str]]:
    """The directives of every field that has some: who may use it is a part of the contract, too."""
    return {
        f"{type.name}.{name}": [print_ast(directive) for directive in directives]
        for type in schema.type_map.values()
        if isinstance(type, GraphQLObjectType)
        for name, field in type.fields.items()
        if field.ast_node and (directives := field.ast_node.directives)
    }


@pytest.mark.skipif(not DESIGN.exists(), reason="the design is not beside the project")
def test_the_sample_operations_are_valid() -> None:
    """R-CARD-2."""
    assert validate(build_schema(COMMITTED), parse((DESIGN / "operations.graphql").read_text())) == []
