"""HTML: writing it from plain text, and reading the plain text of it."""

import re
from collections.abc import Iterable, Iterator
from html import escape

from storage.packages import tags
from storage.packages.tags import Tag, Text

BLOCKS = re.compile(
    "address|article|aside|blockquote|br|caption|d[dlt]|div|figcaption|figure|footer|h[1-6]|header|hr|li|main|nav|ol|p|pre"
    "|section|table|tbody|t[dhr]|thead|ul"
)
SILENT = frozenset(("template", "noscript"))


def element(tag: str, *content: str) -> str:
    """An element of content that is HTML already."""
    return f"<{tag}>{''.join(content)}</{tag}>"


def leaf(tag: str, text: str) -> str:
    """An element of plain text."""
    return element(tag, escape(text, quote=False))


def bullets(texts: Iterable[str], tag: str = "ul") -> str:
    """A list of plain texts."""
    return element(tag, *(leaf("li", text) for text in texts))


def paragraphs(html: str) -> tuple[str, ...]:
    """The plain text of some HTML, block by block."""
    return tuple(filter(None, (" ".join(block.split()) for block in "".join(_pieces(html)).split("\f"))))


def _pieces(html: str) -> Iterator[str]:
    """Its texts, with a form feed at every edge of a block."""
    silent = 0
    for piece in tags.read(html):
        match piece:
            case Text(text=text) if not silent:
                yield text
            case Tag(name=name, empty=False, closes=closes) if name in SILENT:
                silent = max(0, silent - 1) if closes else silent + 1
            case Tag(name=name) if BLOCKS.fullmatch(name):
                yield "\f"
