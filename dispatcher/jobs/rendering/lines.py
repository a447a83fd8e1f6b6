"""Breaking text into lines: between words, and between the characters of scripts that write no spaces."""

import re
import unicodedata
from collections.abc import Callable, Iterator

IDEOGRAPH = "\u2e80-\u2fff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
OPENING = "（「『【〈《〔［｛"
CLOSING = "、。，．！？：；」』）】〉》〕］｝々ー…"
PIECE = re.compile(
    rf"[{OPENING}]*[{IDEOGRAPH}][{CLOSING}]*\s*|[^\s{IDEOGRAPH}{OPENING}]+\s*|[{OPENING}]+\s*"  # a word, or a sign
)

Fits = Callable[[str], bool]


def pieces(text: str) -> list[str]:
    """What a line may be broken after; together they are the text."""
    return PIECE.findall(text.lstrip())


def wrapped(text: str, fits: Fits) -> list[str]:
    """The text in lines that fit; a piece that fits no line by itself is broken between its characters."""
    lines = [""]
    for piece in _fitting(text, fits):
        if lines[-1] and not fits((lines[-1] + piece).rstrip()):
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines if line.strip()]


def _fitting(text: str, fits: Fits) -> Iterator[str]:
    for piece in pieces(text):
        yield from [piece] if fits(piece.rstrip()) else clusters(piece)


def clusters(text: str) -> list[str]:
    """Characters with the marks that belong to them."""
    found: list[str] = []
    for character in text:
        if found and (_joins(character) or found[-1].endswith("\u200d")):
            found[-1] += character
        else:
            found.append(character)
    return found


def _joins(character: str) -> bool:
    return character.isspace() or character == "\u200d" or unicodedata.category(character).startswith("M")


def columns(text: str) -> int:
    """How wide a text is, in Latin characters; East Asian ones count twice."""
    return sum(1 + (unicodedata.east_asian_width(character) in "WF") for character in text)
