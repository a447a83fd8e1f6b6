"""Names that every system can unpack: some refuse a sign, a word or a length, some do not see upper and lower case."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from posixpath import splitext

FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff"*/:<>?\\|]')
"""What Windows refuses, what cannot be seen, and what turns the reading direction: a name may not look like another."""

LONGEST_BYTES = 255
LONGEST_PATH = 200
"""Characters; Windows takes 260, with the folder that is unpacked into."""

_DEVICE = re.compile(r"^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?=\s*(?:\.|$))", re.IGNORECASE)
_ENDS = re.compile(r"[. ]+$")
_LONGEST_SUFFIX = 16
_ROOM_FOR_NUMBER = 12


def portable(name: str) -> str:
    """One name as every system takes it; the same when it is one already."""
    named = _DEVICE.sub(r"\g<0>_", FORBIDDEN.sub("_", name))
    return _ENDS.sub(lambda ends: "_" * len(ends[0]), _cut(named, LONGEST_BYTES))


def lay_out(paths: Iterable[str], rename: Callable[[str], str] = str) -> dict[str, str]:
    """
    For every path the one under which it can be unpacked beside the others; the same paths always give the same.

    Most are kept. Of two that would be one where case is not seen the later gets a number, and so does a file that
    would lie where a folder is. `rename` changes a path for reasons of the package, and leaves it portable.
    """
    wanted = {path: _fit(rename(_fit(path))) for path in paths}
    folders = {_seen(folder) for place in wanted.values() for folder in _above(place)}
    taken: set[str] = set()
    numbers: Counter[str] = Counter()
    places: dict[str, str] = {}
    for path in sorted(wanted, key=lambda path: (wanted[path] != path, path)):
        place, seen = wanted[path], _seen(wanted[path])
        while _seen(place) in folders or _seen(place) in taken:
            numbers[seen] += 1
            place = rename(_numbered(wanted[path], numbers[seen] + 1))
        taken.add(_seen(place))
        places[path] = place
    return places


def _fit(path: str) -> str:
    """A path of portable names that is not too long: its innermost folders go first, then its name is cut."""
    *folders, name = map(portable, path.split("/"))
    if len("/".join([*folders, name])) <= LONGEST_PATH:
        return "/".join([*folders, name])
    while len("/".join(folders)) > LONGEST_PATH // 2:
        folders.pop()
    left = LONGEST_PATH - len("/".join([*folders, ""]))
    return "/".join([*folders, portable(_cut(name, left))])


def _cut(name: str, most: int) -> str:
    """At most so many bytes of a name, its suffix among them."""
    if len(name.encode()) <= most:
        return name
    stem, suffix = splitext(name)
    if len(suffix.encode()) > _LONGEST_SUFFIX:
        stem, suffix = name, ""
    return stem.encode()[: most - len(suffix.encode())].decode(errors="ignore") + suffix


def _numbered(path: str, number: int) -> str:
    folder, slash, name = path.rpartition("/")
    stem, suffix = splitext(_cut(name, LONGEST_BYTES - _ROOM_FOR_NUMBER))
    return f"{folder}{slash}{stem} ({number}){suffix}"


def _seen(path: str) -> str:
    """What a path is to a system that sees neither case nor how a letter is composed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def _above(path: str) -> Iterator[str]:
    """The folders that a path lies in."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
