"""Tolerant reading of JSON values whose shape we do not control."""

import re
from collections.abc import Iterator, Mapping

# What XML 1.0 cannot hold: such a text could be neither stored nor exported.
UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
SEPARATORS = re.compile(r"[_\s-]")
QUOTED = 80


class Unreadable(ValueError):  # noqa: N818  (what is wrong with a source, not with the program)
    """What is wrong with one value, and what to change."""


def fields(value: Mapping[str, object]) -> dict[str, object]:
    """The entries that hold something, by name without case and separators: correct_answer is correctanswer."""
    found: dict[str, object] = {}
    for key, entry in value.items():
        if not _blank(entry) and entry not in ([], {}):
            found.setdefault(SEPARATORS.sub("", str(key)).lower(), entry)
    return found


def text(value: object, name: str) -> str:
    """A text or number, trimmed; empty for null. Raises Unreadable for anything else."""
    match value:
        case None:
            return ""
        case bool():
            pass
        case str() | int() | float():
            return _storable(str(value).strip(), name)
    raise Unreadable(f'"{name}" is {kind(value)}; send text')


def first_text(entry: Mapping[str, object], *names: str) -> str:
    """The first of these fields that holds text; empty when none does."""
    return next(filter(None, (text(entry[name], name) for name in names if name in entry)), "")


def required(entry: Mapping[str, object], place: str, *names: str) -> str:
    """The same, where there has to be one; raises Unreadable."""
    if said := first_text(entry, *names):
        return said
    raise Unreadable(f'{place} has no text; give it a "{names[0]}"')


def entries(value: object, singular: str) -> Iterator[tuple[str, object]]:
    """The entries of a list, each with a name for messages ("example 2"); a single text or object is a list of one.

    Blank entries and flags hold nothing.
    """
    match value:
        case None | bool():
            return
        case list():
            numbered = ((f"{singular} {number}", entry) for number, entry in enumerate(value, 1))
            yield from ((name, entry) for name, entry in numbered if not _blank(entry))
        case _:
            yield singular, value


def texts(value: object, name: str) -> tuple[str, ...]:
    """One text, or a list of texts or of objects with a "text"."""
    found = []
    for place, entry in entries(value, name):
        if isinstance(entry, dict):
            found.append(required(fields(entry), place, "text", "content", "body", "point", "title"))
        else:
            found.append(text(entry, place))
    return tuple(filter(None, found))


def depth_exceeds(value: object, limit: int) -> bool:
    """Whether lists and objects are nested deeper than this; does not recurse."""
    level = [value]
    for _ in range(limit):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return any(isinstance(outer, list | dict) for outer in level)


def kind(value: object) -> str:
    """What a JSON value is, for messages."""
    match value:
        case None:
            return "empty"
        case bool():
            return "true or false"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
    return "an object"


def quoted(said: str) -> str:
    """A text in quotes, cut where a message would get too long."""
    return f"“{said if len(said) <= QUOTED else said[: QUOTED - 1] + '…'}”"


def _blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _inside(value: object) -> Iterator[object]:
    match value:
        case list():
            yield from value
        case dict():
            yield from value.values()


def _storable(said: str, name: str) -> str:
    if found := UNSTORABLE.search(said):
        raise Unreadable(f'"{name}" holds the character U+{ord(found[0]):04X}, which is no text; remove it')
    return said
