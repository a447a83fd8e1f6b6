"""Slide decks as markup: a sequence of balanced slide elements, read page by page."""

from collections.abc import Iterator
from typing import NamedTuple

from lxml import etree

from storage.packages import tags
from storage.packages.html import clean
from storage.packages.tags import Tag, Text

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
    pages = [clean(inside) for inside in [*_insides(markup)]]
    return [Slide(_heading(html), html) for html in pages]


def _heading(html: str) -> str | None:
    if "<h" not in html:
        return None
    root = etree.fromstring(html.encode(), etree.HTMLParser(encoding="utf-8", no_network=True))
    walk = etree.iterwalk(root, events=("start",), tag=_HEADINGS)
    for _, element in walk:
        if text := " ".join("".join(element.itertext()).split()):
            return text[:LONGEST_HEADING]
        walk.skip_subtree()  # there are no words in it
    return None


def _insides(markup: str) -> Iterator[str]:
    """What stands in each slide element; MarkupInvalid for anything that is in none."""
    opened: int | None = None
    for piece in tags.read(markup):
        match piece:
            case Tag(name="slide", closes=True) if opened is not None:
                yield markup[opened : piece.start]
                opened = None
            case Tag(name="slide", closes=True):
                raise _invalid(markup, piece, "</slide> closes nothing")
            case Tag(name="slide") if opened is not None:
                raise _invalid(markup, piece, "a <slide> stands inside another")
            case Tag(name="slide", empty=True):
                yield ""
            case Tag(name="slide"):
                opened = piece.end
            case Tag(name=name) if opened is None:
                raise _invalid(markup, piece, f"<{name[:40]}> stands outside of a <slide>")
            case Text(text=text) if opened is None and text.strip():
                raise _invalid(markup, piece, "text stands outside of a <slide>")
    if opened is not None:
        raise MarkupInvalid("The last <slide> is not closed.")


def _invalid(markup: str, piece: Tag | Text, what: str) -> MarkupInvalid:
    return MarkupInvalid(f"Line {markup.count(chr(10), 0, piece.start) + 1}: {what}.")
