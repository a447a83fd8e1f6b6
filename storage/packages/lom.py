"""What IEEE LOM metadata says about a resource, in any of its bindings."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from lxml import etree

from storage.packages.xml import line, local, text

PREFERRED_LANGUAGE = "en"
_LANGUAGE_ATTRIBUTES = ("language", "{http://www.w3.org/XML/1998/namespace}lang", "lang")


@dataclass(frozen=True, slots=True)
class Lom:
    """The fields that mean something here; None or empty when absent or blank."""

    title: str | None = None
    description: str | None = None
    language: str | None = None
    difficulty: str | None = None
    formats: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    resource_types: tuple[str, ...] = ()


NOTHING = Lom()


def read(metadata: etree._Element) -> Lom:
    """The LOM below a metadata element, or a `lom` element itself; of several values the first. Never raises."""
    found: dict[str, Any] = {}
    for category in chain.from_iterable(metadata.iter("{*}lom")):
        for field in category:
            _take(f"{local(category)}/{local(field)}".lower(), field, found)
    for name in _SEVERAL & found.keys():
        found[name] = tuple(found[name])
    return Lom(**found) if found else NOTHING


def _take(name: str, field: etree._Element, found: dict[str, Any]) -> None:
    if name in _READERS:
        attribute, read_value = _READERS[name]
        value = read_value(field)
        if value and attribute in _SEVERAL:
            found.setdefault(attribute, []).append(value)
        elif value:
            found.setdefault(attribute, value)


def choose(element: etree._Element) -> etree._Element | None:
    """The English one of several language strings, else the first that is not blank."""
    strings = [child for child in element.iterchildren("{*}string", "{*}langstring") if text(child)]
    preferred = (string for string in strings if _speaks(string, PREFERRED_LANGUAGE))
    chosen = next(preferred, None) if len(strings) > 1 else None
    return next(iter(strings), None) if chosen is None else chosen


def _speaks(string: etree._Element, language: str) -> bool:
    stated = next(filter(None, map(string.get, _LANGUAGE_ATTRIBUTES)), "").lower()
    return stated.replace("_", "-").partition("-")[0] == language


def _read_title(field: etree._Element) -> str:
    return line(choose(field))


def _read_words(field: etree._Element) -> str:
    return text(choose(field))


def _read_value(field: etree._Element) -> str:
    """One of a vocabulary, of which each is kept in memory once."""
    return sys.intern(text(field.find("{*}value")))


_SEVERAL = frozenset({"formats", "locations", "resource_types"})
_READERS: dict[str, tuple[str, Callable[[etree._Element], str]]] = {
    "general/title": ("title", _read_title),
    "general/description": ("description", _read_words),
    "general/language": ("language", text),
    "educational/difficulty": ("difficulty", _read_value),
    "educational/learningresourcetype": ("resource_types", _read_value),
    "technical/format": ("formats", text),
    "technical/location": ("locations", text),
}
