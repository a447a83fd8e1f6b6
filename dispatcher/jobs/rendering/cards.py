"""Cards: a scene typeset as a picture."""

import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image, ImageDraw

from dispatcher.jobs.rendering.fonts import SHAPES, Fonts
from dispatcher.jobs.rendering.lines import pieces, wrapped
from storage.tables import VisualType
from storage.tables.jobs import Notice, PlannedScene, RenderParameters

SIZES = {"16:9": (1280, 720), "9:16": (720, 1280), "1:1": (720, 720), "4:3": (960, 720)}
SMALLEST = 20
SIGNS = "•·-–—*▪◦‣ \t"
ELLIPSIS = "…"
COMPLEX = (("\u0900", "\u109f"), ("\u1780", "\u17ff"))  # Indic scripts, Thai, Lao, Tibetan, Burmese, Khmer


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours; text on its background has a contrast of 7 to 1 at least."""

    background: str
    text: str
    accent: str
    faint: str


LIGHT = Theme(background="#fbfaf7", text="#1b2333", accent="#b3541e", faint="#5b6270")
DARK = Theme(background="#17233c", text="#ffffff", accent="#f2b134", faint="#b9c2d3")


@dataclass(frozen=True, slots=True)
class Style:
    """How a kind of scene looks; sizes in parts of the shorter side."""

    theme: Theme
    largest: float
    leading: float = 1.32
    gap: float = 0.0
    centred: bool = False
    sign: str = ""


STYLES = {
    VisualType.title: Style(DARK, largest=0.13, leading=1.2, gap=0.2, centred=True),
    VisualType.text: Style(LIGHT, largest=0.085, gap=0.4),
    VisualType.bullets: Style(LIGHT, largest=0.075, gap=0.55, sign="•"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a paragraph, which runs in the direction of the whole paragraph."""

    text: str
    rtl: bool
    first: bool


class Cards:
    """The cards of one plan: one size, one chain of typefaces, and what could not be typeset as it should be."""

    def __init__(self, plan: RenderParameters) -> None:
        self.plan = plan
        self.size = SIZES[plan.aspect_ratio]
        self.unit = min(self.size)
        self.margin = self.unit // 10
        text = "".join((plan.title, *map(self._text, plan.scenes), "•…/0123456789"))
        self.fonts = Fonts(text)
        self.notices = [*_missing(self.fonts), *_unshaped(text)]

    def draw(self, number: int) -> Image.Image:
        """The card of a scene, counted from 0."""
        scene = self.plan.scenes[number]
        style = STYLES[scene.visual_type]
        image = Image.new("RGB", self.size, style.theme.background)
        pen = _Pen(image, self.fonts, self.plan.language)
        self._body(pen, scene, style)
        if scene.visual_type is not VisualType.title:
            self._footer(pen, number, style.theme)
        return image

    def _text(self, scene: PlannedScene) -> str:
        """What a scene shows: its text, else its script, else the title of the video."""
        shown = next(filter(str.strip, (scene.display_text or "", scene.script)), self.plan.title)
        return "".join(character for character in shown if character == "\n" or unicodedata.category(character) != "Cc")

    def _body(self, pen: "_Pen", scene: PlannedScene, style: Style) -> None:
        """The paragraphs as large as they fit, in the middle of the card."""
        paragraphs = [line.strip(SIGNS if style.sign else None) for line in self._text(scene).splitlines()]
        setter = _Setter(pen, style, [line for line in paragraphs if line], *self._room())
        size = setter.largest(int(style.largest * self.unit))
        lines = setter.lines(size)
        shown = setter.shown(lines, size)
        if len(shown) < len(lines):
            self.notices.append(_cut(scene))
        x, y = self.margin, (self.size[1] - setter.height(shown, size)) / 2
        for line in shown:
            y += style.gap * size if line.first and line is not shown[0] else 0
            setter.set(line, x, y, size)
            y += style.leading * size

    def _room(self) -> tuple[int, int]:
        """Width and height between the margins; the lower one holds the footer, the upper one as much."""
        return self.size[0] - 2 * self.margin, self.size[1] - 2 * round(1.4 * self.margin)

    def _footer(self, pen: "_Pen", number: int, theme: Theme) -> None:
        """A thin line, the title of the video and the number of the scene."""
        size, y = max(SMALLEST, self.unit // 32), self.size[1] - self.margin
        count = f"{number + 1} / {len(self.plan.scenes)}"
        room = self.size[0] - 3 * self.margin - pen.width(count, size)
        title = wrapped(" ".join(self.plan.title.split()), lambda line: pen.width(line + ELLIPSIS, size) <= room)
        shown = title[0] + ELLIPSIS * (len(title) > 1) if title else ""
        right = self.size[0] - self.margin
        pen.image.rectangle((self.margin, y - size // 2, self.margin + self.unit // 8, y - size // 2 + 3), theme.accent)
        pen.write(shown, self.margin, y, size, theme.faint, rtl=rightward(shown))
        pen.write(count, right - pen.width(count, size), y, size, theme.faint)


class _Pen:
    """Measures and writes text that may need several typefaces and run from right to left."""

    def __init__(self, image: Image.Image, fonts: Fonts, language: str) -> None:
        self.image = ImageDraw.Draw(image)
        self.fonts = fonts
        self.language = language if SHAPES else None

    def width(self, text: str, size: int, *, rtl: bool = False) -> float:
        """Pixels."""
        return sum(face.getlength(run, **self._shape(rtl)) for run, face in self.fonts.runs(text, size))

    def write(self, text: str, x: float, y: float, size: int, colour: str, *, rtl: bool = False) -> None:
        """A line whose left upper corner is at x and y."""
        runs = self.fonts.runs(text, size)
        shape = self._shape(rtl)
        for run, face in reversed(runs) if rtl else runs:
            self.image.text((x, y + size), run, colour, face, anchor="ls", **shape)
            x += face.getlength(run, **shape)

    def _shape(self, rtl: bool) -> dict[str, Any]:
        return {"direction": "rtl" if rtl else "ltr", "language": self.language} if self.language else {}


class _Setter:
    """Sets paragraphs into a room of some width and height."""

    def __init__(self, pen: _Pen, style: Style, paragraphs: Sequence[str], width: int, height: int) -> None:
        self.pen = pen
        self.style = style
        self.paragraphs = paragraphs
        self.room = width, height

    def largest(self, size: int) -> int:
        """The largest size at which everything fits, or the smallest that can be read."""
        sizes = range(size, SMALLEST, -2)
        found = bisect_left(sizes, True, key=lambda tried: self._fits(tried, whole_words=tried > size * 0.6))
        return sizes[found] if found < len(sizes) else SMALLEST

    def lines(self, size: int) -> list[Line]:
        """Every paragraph in lines; centred ones of about the same length."""
        return [
            Line(text, rightward(paragraph), first=number == 0)
            for paragraph in self.paragraphs
            for number, text in enumerate(self._wrapped(paragraph, size))
        ]

    def shown(self, lines: list[Line], size: int) -> list[Line]:
        """The lines that fit; an ellipsis tells that there are more."""
        most = len(lines)
        while most > 1 and self.height(lines[:most], size) > self.room[1]:
            most -= 1
        if most == len(lines):
            return lines
        last = lines[most - 1]
        return [*lines[: most - 1], replace(last, text=f"{last.text} {ELLIPSIS}")]

    def height(self, lines: Sequence[Line], size: int) -> float:
        """Pixels that these lines take."""
        paragraphs = sum(line.first for line in lines)
        return size * (len(lines) * self.style.leading + max(0, paragraphs - 1) * self.style.gap)

    def set(self, line: Line, x: float, y: float, size: int) -> None:
        """Write a line, from whichever side its paragraph begins."""
        theme, indent = self.style.theme, self._indent(size)
        leftover = self.room[0] - self.pen.width(line.text, size, rtl=line.rtl)
        side = leftover - indent if line.rtl else indent
        start = leftover / 2 if self.style.centred else side
        self.pen.write(line.text, x + start, y, size, theme.text, rtl=line.rtl)
        if self.style.sign and line.first:
            sign = self.room[0] - self.pen.width(self.style.sign, size) if line.rtl else 0
            self.pen.write(self.style.sign, x + sign, y, size, theme.accent)

    def _fits(self, size: int, *, whole_words: bool) -> bool:
        """Whether everything fits; words are broken rather than made tiny."""
        width = self.room[0] - self._indent(size)
        words = (piece.rstrip() for paragraph in self.paragraphs for piece in pieces(paragraph))
        if whole_words and any(self.pen.width(word, size) > width for word in words):
            return False
        return self.height(self.lines(size), size) <= self.room[1]

    def _wrapped(self, paragraph: str, size: int) -> list[str]:
        width = float(self.room[0] - self._indent(size))

        def at(width: float) -> list[str]:
            return wrapped(paragraph, lambda line: self.pen.width(line, size) <= width)

        lines = at(width)
        longest = max((self.pen.width(word, size) for word in paragraph.split()), default=width)
        while self.style.centred and width * 0.95 > longest and len(narrower := at(width * 0.95)) == len(lines):
            width, lines = width * 0.95, narrower
        return lines

    def _indent(self, size: int) -> int:
        return size if self.style.sign else 0


def rightward(text: str) -> bool:
    """Whether a line begins at the right: its first letter with a direction says so."""
    directions = (unicodedata.bidirectional(character) for character in text)
    return next((direction for direction in directions if direction in ("L", "R", "AL")), "L") != "L"


def _missing(fonts: Fonts) -> Iterator[Notice]:
    if fonts.missing:
        message = f"No typeface on this system has these characters; they are shown as boxes: {fonts.missing[:100]}"
        yield Notice(code="glyphs_missing", message=message)


def _unshaped(text: str) -> Iterator[Notice]:
    if not SHAPES and any(_complex(character) for character in text):
        message = "Without the library libfribidi, letters of this script are neither joined nor put in their order."
        yield Notice(code="script_unshaped", message=message)


def _complex(character: str) -> bool:
    joined = any(first <= character <= last for first, last in COMPLEX)
    return joined or unicodedata.bidirectional(character) in ("R", "AL")


def _cut(scene: PlannedScene) -> Notice:
    message = "The text of a scene is too long for a card; what does not fit is left out."
    return Notice(code="text_cut", message=message, subject=scene.id)
