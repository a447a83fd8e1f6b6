"""Text in arguments: what no argument may hold, and how the contract spells the place of it."""

from typing import Any

from storage.errors import ValidationFailed


def check(value: Any, *path: str | int) -> None:
    """Refuse the character U+0000 anywhere in an argument: PostgreSQL cannot store it, and nobody means it."""
    match value:
        case str():
            if "\0" in value:
                raise ValidationFailed("text_nul", "Text cannot hold the character U+0000.", *path)
        case list():
            for index, item in enumerate(value):
                check(item, *path, index)
        case _ if hasattr(value, "__strawberry_definition__"):
            for field in value.__strawberry_definition__.fields:
                check(getattr(value, field.python_name), *path, camel(field.python_name))


def camel(name: str) -> str:
    """A name as the contract spells it."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
