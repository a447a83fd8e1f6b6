"""Numbers that would not survive: an integer of more than 64 bits would be rounded, 1e999 would become null."""

import json
import math
import re
from typing import Any

from graphql import DocumentNode, FloatValueNode, GraphQLError, IntValueNode, Visitor, visit

from gateway.refusals import UNPROCESSABLE, Refused, Unsuitable

LONG = re.compile(r"\d{19}|[eE]\+?\d{3}")
"""What a number that is too large has somewhere; most texts have it nowhere, so they need no closer look."""

DIGITS = 20
"""Of the largest integer of 64 bits, or of the smallest with its sign."""


def check_json(text: str | bytes) -> None:
    """Refuse JSON, which orjson has read already, with an integer that it has rounded."""
    text = text if isinstance(text, str) else text.decode()
    if LONG.search(text):
        try:
            json.loads(text, parse_int=_checked)
        except RecursionError:
            raise _refused("The request is nested too deeply.") from None


def check_document(text: str, document: DocumentNode) -> None:
    """Refuse a document with a number that no value can hold."""
    if LONG.search(text):
        visit(document, _Numbers())


class _Numbers(Visitor):
    def enter_int_value(self, node: IntValueNode, *_: Any) -> None:
        if not is_whole(node.value):
            raise _unsuitable(node, "This integer has more than 64 bits.")

    def enter_float_value(self, node: FloatValueNode, *_: Any) -> None:
        if math.isinf(float(node.value)):
            raise _unsuitable(node, "This number is larger than a double can be.")


def is_whole(digits: str) -> bool:
    """Whether an integer has 64 bits at most, with or without a sign."""
    return len(digits) <= DIGITS and -(2**63) <= int(digits) < 2**64


def _checked(digits: str) -> int:
    if not is_whole(digits):
        raise _refused(f"{digits[:DIGITS]}… is an integer of more than 64 bits: send it as a string.")
    return int(digits)


def _refused(message: str) -> Refused:
    return Refused(UNPROCESSABLE, "BAD_USER_INPUT", message)


def _unsuitable(node: IntValueNode | FloatValueNode, message: str) -> Unsuitable:
    return Unsuitable(UNPROCESSABLE, "BAD_USER_INPUT", [GraphQLError(message, node)])
