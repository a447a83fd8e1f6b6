"""Verbs of the graph: what all mutations share, then one file per noun."""

import functools
import re
import typing
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ParamSpec, Self, TypeVar

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from schema.context import Info
from schema.permissions import Public, Requires
from schema.texts import camel, check
from schema.types.errors import UserError
from storage import idempotency
from storage.database import Transaction
from storage.errors import IdempotencyConflict, Problem, Problems, ValidationFailed, VersionConflict
from storage.tables import Scope

P = ParamSpec("P")
Row = TypeVar("Row")

KEY = "1 to 255 printable characters."
PRINTABLE_KEY = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,255}")


@strawberry.type
class Payload:
    """What every mutation answers with."""

    errors: list[UserError] = strawberry.field(default_factory=list)

    @classmethod
    def about(cls, row: Any) -> Self:  # noqa: ARG003
        """The payload that shows a row: the one made, the original, or the current one."""
        return cls()


@strawberry.type
class CreatedPayload(Payload):
    """What every mutation that creates or starts something answers with."""

    replayed: bool = strawberry.field(
        default=False, description="True when the key had been used before and this is the original."
    )


def mutation(*scopes: Scope, description: str | None = None) -> Callable[[Callable[P, Awaitable[Any]]], Any]:
    """A root field of Mutation; a problem raised inside becomes the payload's errors. Without scopes it is public."""
    directives: list[object] = [Requires(scopes=list(scopes))] if scopes else [Public()]

    def decorate(resolve: Callable[P, Awaitable[Any]]) -> Any:
        payload: type[Payload] = typing.get_type_hints(resolve)["return"]

        @functools.wraps(resolve)
        async def answer(*args: P.args, **kwargs: P.kwargs) -> Payload:
            try:
                check(kwargs.get("input"), "input")
                made: Payload = await resolve(*args, **kwargs)
            except Problems as several:
                return _refused(payload, several.problems)
            except Problem as problem:
                return _refused(payload, [problem])
            return made

        return strawberry.mutation(resolver=answer, description=description, directives=directives)

    return decorate


def _refused(payload: type[Payload], problems: Sequence[Problem]) -> Payload:
    """The payload of a refused request: its problems, and the object that stands in the way if there is one."""
    standing = [problem.original for problem in problems if isinstance(problem, IdempotencyConflict | VersionConflict)]
    refused = payload.about(standing[0]) if standing and standing[0] is not None else payload()
    refused.errors = [UserError.from_problem(problem) for problem in problems]
    return refused


async def once(
    info: Info,
    mutation: str,
    input: Any,
    new_id: str,
    make: Callable[[Transaction, str], Awaitable[Row]],
    find: Callable[[AsyncSession, str], Awaitable[Row | None]],
) -> tuple[Row, bool]:
    """Make a thing in a transaction, or find what the same idempotency key made before; tells whether it was found."""
    key = idempotency_key(info, input)
    realm, content = info.context.realm, _content(input)
    async with info.context.database.transaction() as session:
        return await idempotency.once(session, realm, mutation, key, content, new_id, make, find)


def idempotency_key(info: Info, input: Any) -> str | None:
    """The key of the field or the header; both must agree."""
    field, header = input.idempotency_key, info.context.idempotency_key
    if field is not None and header is not None and field != header:
        raise ValidationFailed(
            "idempotency_key_mismatch",
            "The field idempotencyKey and the header Idempotency-Key differ; send one of them, or the same in both.",
            "input",
            "idempotencyKey",
        )
    key: str | None = field if field is not None else header
    if key is not None and not PRINTABLE_KEY.fullmatch(key):
        raise ValidationFailed(
            "idempotency_key_format",
            "An idempotency key has 1 to 255 printable characters.",
            "input",
            "idempotencyKey",
        )
    return key


def _content(input: Any) -> dict[str, Any]:
    """The coerced input without its key and without what is absent, for the fingerprint."""
    content: dict[str, Any] = _given(strawberry.asdict(input))
    content.pop("idempotency_key", None)
    return content


def _given(value: Any) -> Any:
    match value:
        case dict():
            return {name: _given(inner) for name, inner in value.items() if inner is not strawberry.UNSET}
        case list():
            return [_given(inner) for inner in value]
    return value


__all__ = ["KEY", "CreatedPayload", "Payload", "camel", "idempotency_key", "mutation", "once"]
