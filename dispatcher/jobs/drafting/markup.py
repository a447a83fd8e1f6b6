"""HTML: writing it from plain text, and reading the plain text of it."""

import re
from collections.abc import Iterable
from html import escape
from html.parser import HTMLParser

BLOCKS = re.compile(
    "address|article|aside|blockquote|br|caption|d[dlt]|div|figcaption|figure|footer|h[1-6]|header|hr|li|main|nav|ol|p|pre"
    "|section|table|tbody|t[dhr]|thead|ul"
)
SILENT = frozenset(("script", "style", "template", "noscript"))


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
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return tuple(filter(None, (" ".join(block.split()) for block in "".join(reader.pieces).split("\f"))))


class _Reader(HTMLParser):
    """Collects text, with a form feed at every edge of a block."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in SILENT
        self._edge(tag)

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in SILENT and self.silent > 0
        self._edge(tag)

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.pieces.append(data)

    def _edge(self, tag: str) -> None:
        if BLOCKS.fullmatch(tag):
            self.pieces.append("\f")
