"""Numbers as packages write them; whatever is none, or is too large for JSON and GraphQL, counts as absent."""

import math
import re

_LONGEST = 100
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")
_COUNT = re.compile(r"[0-9]{1,9}")


def number(value: str | None) -> float | None:
    """A finite decimal number."""
    if value is None or len(value) > _LONGEST or not _NUMBER.fullmatch(value):
        return None
    found = float(value)
    return found if math.isfinite(found) else None


def count(value: str | None) -> int | None:
    """A whole number from 0 to 999,999,999."""
    if value is None:
        return None
    bare = value.strip()
    return int(bare) if _COUNT.fullmatch(bare) else None
