"""What a caller is told when a request is refused, and when a field of it fails."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from graphql import FieldNode, GraphQLError

from schema.permissions import Forbidden
from storage.database import Unavailable
from storage.errors import ErrorCode, Problem, Problems

log = structlog.get_logger(__name__)

Entry = dict[str, Any]
"""One error as clients read it: message, path, locations, extensions."""

UNPROCESSABLE = 422
"""Understood, and still no request that can be executed; told as 400 where the draft's statuses are not wanted."""

UNAVAILABLE = "UNAVAILABLE"

LONGEST = 1_000
"""Characters of a message of graphql-core, which may repeat what was sent."""

MASKED = "Something went wrong on our side; the requestId leads to the details."

AWAY = "The database cannot be asked at the moment; try again."

STATUSES = {"INTERNAL": 500, UNAVAILABLE: 503}
"""Of our own faults, where nothing was executed."""


class Refused(Exception):  # noqa: N818
    """Nothing was executed, or a stream ends; says why, as errors of a GraphQL answer."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        path: Sequence[str] = (),
        **extensions: object,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        located: Entry = {"path": list(path)} if path else {}
        self.entries: list[Entry] = [{"message": message, **located, "extensions": {"code": code, **extensions}}]


class Malformed(Refused):
    """This is JSON, and no GraphQL request."""

    def __init__(self, message: str) -> None:
        super().__init__(UNPROCESSABLE, "BAD_REQUEST", message)


class Unsuitable(Refused):
    """The document or its variables are wrong: graphql-core says where."""

    def __init__(self, status: int, code: str, errors: Sequence[GraphQLError]) -> None:
        super().__init__(status, code, errors[0].message)
        self.entries = [
            {**error.formatted, "message": error.message[:LONGEST], "extensions": {"code": code}} for error in errors
        ]


class Failed(Refused):
    """Something raised where no field can answer for it; its errors are masked and logged already."""

    def __init__(self, entries: list[Entry]) -> None:
        code = entries[0]["extensions"]["code"]
        super().__init__(STATUSES.get(code, 400), code, entries[0]["message"])
        self.entries = entries


def stamped(entries: Sequence[Entry], request_id: str) -> list[Entry]:
    """The errors with the reference under which the log knows the request."""
    return [{**entry, "extensions": {**entry["extensions"], "requestId": request_id}} for entry in entries]


def tell(errors: Sequence[GraphQLError], request_id: str) -> list[Entry]:
    """Errors of executed fields as clients may read them; what is our fault is masked, and logged once."""
    entries: list[Entry] = []
    faults: list[GraphQLError] = []
    for error in errors:
        told = explain(error)
        if not told:
            faults.append(error)
            told = [_entry(AWAY, UNAVAILABLE) if isinstance(cause(error), Unavailable) else _entry(MASKED, "INTERNAL")]
        entries += [{**error.formatted, **entry} for entry in told]
    if faults and all(isinstance(cause(error), Unavailable) for error in faults):
        log.warning("the database is away", request_id=request_id, error=str(cause(faults[0])))
    elif faults:
        paths = [error.path for error in faults[:10]]
        log.error("graphql failed", request_id=request_id, paths=paths, count=len(faults), exc_info=cause(faults[0]))
    return stamped(entries, request_id)


def explain(error: GraphQLError) -> list[Entry]:
    """What is to be said about an error of a field; nothing when it is a fault of ours."""
    match cause(error):
        case Problems() as several:
            return [_problem(problem) for problem in several.problems]
        case Problem() as problem:
            return [_problem(problem)]
        case Forbidden() as forbidden:
            return [_entry(str(forbidden), "FORBIDDEN", requiredScopes=sorted(forbidden.scopes))]
        case GraphQLError(extensions={"code": str()}) as deliberate:
            return [{"message": deliberate.message, "extensions": deliberate.extensions}]
        case GraphQLError() as raised if _about_input(raised):
            return [_entry(raised.message, "BAD_USER_INPUT")]
    return []


def cause(error: GraphQLError) -> Exception:
    """What was raised in the first place."""
    found: Exception = error
    while isinstance(found, GraphQLError) and found.original_error is not None:
        found = found.original_error
    return found


@contextmanager
def masking(request_id: str) -> Iterator[None]:
    """The edge of the system: whatever is no refusal becomes one, and its details stay in the log."""
    try:
        yield
    except Refused:
        raise
    except Exception as fault:
        reason = fault if isinstance(fault, GraphQLError) else GraphQLError(str(fault), original_error=fault)
        raise Failed(tell([reason], request_id)) from None


def _problem(problem: Problem) -> Entry:
    if problem.code is ErrorCode.VALIDATION_FAILED:
        return _entry(problem.message, "BAD_USER_INPUT", rule=problem.rule)
    return _entry(problem.message, problem.code)


def _entry(message: str, code: str, **extensions: object) -> Entry:
    return {"message": message, "extensions": {"code": code, **extensions}}


def _about_input(error: GraphQLError) -> bool:
    """Whether an argument was wrong: the error points into one, or is strawberry's own kind for coercion."""
    return type(error) is not GraphQLError or bool(error.nodes and not isinstance(error.nodes[0], FieldNode))
