"""Typefaces: ours, and those of the system for what ours lacks."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path

from PIL import ImageFont, features
from PIL.ImageFont import FreeTypeFont, Layout

OURS = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"
FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("/Library/Fonts"),
    Path("/System/Library/Fonts"),
)
FORMATS = (".ttf", ".otf", ".ttc", ".otc")
ODD = ("bold", "black", "condensed", "heavy", "italic", "light", "medium", "mono", "oblique", "serif", "thin")
PROBE_PIXELS = 20
NO_CHARACTER = "\U0010ffff"

SHAPES = bool(features.check("raqm"))
"""Whether letters are joined and ordered as their script wants it; without libraqm they stand one after another."""


class Fonts:
    """A chain of typefaces for some text; each character is drawn with the first that has it."""

    def __init__(self, text: str, ours: Path = OURS, folders: Sequence[Path] = FOLDERS) -> None:
        seen = {character for character in text if _visible(character)}
        lacking = _lacking(ours, seen)
        self._homes = dict.fromkeys(seen - lacking, ours)
        for path, lacks in _helpers(lacking, folders) if lacking else ():
            self._homes |= dict.fromkeys(lacking - lacks, path)
            lacking &= lacks
        self.ours = ours
        self.missing = "".join(sorted(lacking))

    def runs(self, text: str, size: int) -> list[tuple[str, FreeTypeFont]]:
        """The text in pieces of one typeface each, in order; marks, spaces and the like stay with their letter."""
        path = self._homes.get(next(filter(_visible, text), ""), self.ours)
        homes = []
        for character in text:
            if _visible(character) and not unicodedata.category(character).startswith("M"):
                path = self._homes.get(character, self.ours)
            homes.append((path, character))
        grouped = groupby(homes, key=lambda home: home[0])
        return [("".join(character for _, character in run), face(path, size)) for path, run in grouped]


@cache
def face(path: Path, size: int) -> FreeTypeFont:
    """A typeface in a size in pixels."""
    return ImageFont.truetype(path, size)


def _visible(character: str) -> bool:
    """Whether a character needs a glyph; variation selectors do not."""
    selects = "\ufe00" <= character <= "\ufe0f"
    return not (selects or character.isspace() or unicodedata.category(character) in ("Cc", "Cf"))


def _lacking(path: Path, characters: Iterable[str]) -> set[str]:
    """The characters that the typeface draws as it draws what is no character at all."""
    probe = ImageFont.truetype(path, PROBE_PIXELS, layout_engine=Layout.BASIC)

    def drawn(character: str) -> tuple[object, bytes]:
        mask = probe.getmask(character)
        return mask.size, bytes(mask)

    nothing = drawn(NO_CHARACTER)
    return {character for character in characters if drawn(character) == nothing}


def _helpers(lacking: set[str], folders: Sequence[Path]) -> list[tuple[Path, set[str]]]:
    """Typefaces of the system and what each still lacks, the most helpful and most ordinary first."""
    helpers = [(path, lacks) for path in _files(folders) if (lacks := _usable(path, lacking)) is not None]
    return sorted(helpers, key=lambda helper: (len(helper[1]), _oddness(helper[0]), helper[0].name))


def _usable(path: Path, lacking: set[str]) -> set[str] | None:
    """What the typeface lacks, too; None when it cannot be read or scaled, as with some emoji."""
    try:
        return _lacking(path, lacking)
    except OSError:
        return None


def _files(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in folder.rglob("*") if path.suffix.lower() in FORMATS)


def _oddness(path: Path) -> int:
    name = path.stem.lower()
    return sum(word in name for word in ODD)
