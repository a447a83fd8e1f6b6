"""What a client sends to have something executed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self

import orjson

from gateway.numbers import check_json
from gateway.refusals import UNPROCESSABLE, Malformed, Refused

ENVELOPE = 54
"""Levels of nesting that an answer may add to a value of a client; JSON can be written 254 levels deep, read 1024."""

DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Parameters:
    """A request for one operation: of a document, or of the one that has this hash, or of a document to be kept."""

    query: str | None
    digest: str | None
    operation_name: str | None
    variables: dict[str, Any]
    extensions: dict[str, Any]

    @classmethod
    def read(cls, value: object, text: str | bytes = "") -> Self:
        """Check decoded JSON, and the text it was in; Malformed when it is no request at all."""
        if not isinstance(value, dict):
            raise Malformed("The request has to be an object; lists of operations are not supported.")
        query, name = value.get("query"), value.get("operationName")
        variables, extensions = _object(value, "variables"), _object(value, "extensions")
        if not isinstance(query, str | None) or not (query or "persistedQuery" in extensions):
            raise Malformed("query has to be a string.")
        if not isinstance(name, str | None):
            raise Malformed("operationName has to be a string or null.")
        digest = _digest(extensions)
        if not (query or digest):
            raise bad_request("query has to be a string.")
        if query and digest and sha256(query.encode()).hexdigest() != digest:
            raise bad_request("sha256Hash is not the SHA-256 of query.")
        if not writable(variables):
            raise bad_request("variables are nested too deeply.")
        check_json(text)
        return cls(query or None, digest, name, variables, extensions)


def bad_request(message: str) -> Refused:
    """The refusal of a request that cannot be meant like this."""
    return Refused(UNPROCESSABLE, "BAD_REQUEST", message)


def _object(request: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = request.get(name)
    if not isinstance(value, dict | None):
        raise Malformed(f"{name} has to be an object or null.")
    return value or {}


def _digest(extensions: Mapping[str, Any]) -> str | None:
    """The hash of Apollo's automatic persisted queries, version 1."""
    match extensions.get("persistedQuery"):
        case None:
            return None
        case {"version": 1, "sha256Hash": str(digest)} if DIGEST.fullmatch(digest):
            return digest
        case {"version": 1}:
            raise bad_request("sha256Hash has to be the SHA-256 of the document as 64 lower-case hexadecimal digits.")
    raise Refused(400, "PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")


def writable(value: object) -> bool:
    """Whether a value can be written as part of an answer, too; read it could be deeper."""
    for _ in range(ENVELOPE):
        value = [value]
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return False
    return True
