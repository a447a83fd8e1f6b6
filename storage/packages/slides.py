"""Slide decks as markup: a sequence of balanced slide elements, read page by page."""

from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import accumulate
from typing import NamedTuple

from lxml import etree

from storage.packages.html import clean

LONGEST_HEADING = 500
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


class MarkupInvalid(ValueError):  # noqa: N818
    """The markup is no sequence of balanced slide elements; the message says where."""


class Slide(NamedTuple):
    """One page: its first heading as text, and its inside as sanitized HTML."""

    heading: str | None
    html: str


def read(markup: str) -> list[Slide]:
    """
    The pages of a deck, in order; whatever is active in them is gone.

    Raises MarkupInvalid for anything but balanced slide elements with space between them, JobFailed for HTML that
    nests deeper than 256 elements.
    """
    pages = [clean(markup[start:end]) for start, end in _Reader(markup).slides()]
    return [Slide(_heading(html), html) for html in pages]


def _heading(html: str) -> str | None:
    if "<h" not in html:
        return None
    root = etree.fromstring(html.encode(), etree.HTMLParser(encoding="utf-8", no_network=True))
    for element in root.iter(*_HEADINGS):
        if text := " ".join("".join(element.itertext()).split()):
            return text[:LONGEST_HEADING]
    return None


class _Reader(HTMLParser):
    """Finds where the slides of a deck begin and end."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.markup = markup
        self.lines = [0, *accumulate(len(line) + 1 for line in markup.split("\n"))]
        self.opened: int | None = None
        self.found: list[tuple[int, int]] = []

    def slides(self) -> Iterator[tuple[int, int]]:
        self.feed(self.markup)
        self.close()
        if self.opened is not None:
            raise MarkupInvalid("The last <slide> is not closed.")
        return iter(self.found)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "slide":
            self._inside(f"<{tag}>")
        elif self.opened is not None:
            raise MarkupInvalid(f"Line {self.getpos()[0]}: a <slide> stands inside another.")
        else:
            self.opened = self._offset() + len(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        if tag != "slide":
            self._inside(f"</{tag}>")
        elif self.opened is None:
            raise MarkupInvalid(f"Line {self.getpos()[0]}: </slide> closes nothing.")
        else:
            self.found.append((self.opened, self._offset()))
            self.opened = None

    def handle_data(self, data: str) -> None:
        if data.strip():
            self._inside("text")

    def _inside(self, what: str) -> None:
        if self.opened is None:
            raise MarkupInvalid(f"Line {self.getpos()[0]}: {what} stands outside of a <slide>.")

    def _offset(self) -> int:
        line, column = self.getpos()
        return self.lines[line - 1] + column
