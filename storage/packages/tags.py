"""
The tags and the text of HTML, found in one pass.

However broken the HTML is, this takes time in proportion to its length, and fails on nothing. Parsers that build a tree
move elements; here each tag is told where it stands, by the rules of the standard's tokenizer:
https://html.spec.whatwg.org/multipage/parsing.html#tokenization
"""

import re
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple

_ATTRIBUTES = r"""
    (?: [\s/]++ | [^\s/>][^\s/>=]*+ (?: \s*+ = \s*+ (?: "[^"]*+"? | '[^']*+'? | [^\s>"'][^\s>]*+ )?+ )?+ )*+
"""
_MARKUP = re.compile(
    rf"""
    <!-- (?: -?> | .*? (?: --!?> | \Z ) )
    | < (?: [!?] | / (?![a-z]) ) [^>]*+ (?: > | \Z )
    | < (?P<raw> script | style ) (?=[\s/>]) {_ATTRIBUTES} (?<!/) >
        .*? (?: </(?P=raw) (?=[\s/>]) {_ATTRIBUTES} (?: > | \Z ) | \Z )
    | < (?P<closes>/?) (?P<name> [a-z][^\s/>]*+ ) {_ATTRIBUTES} (?: (?P<ends>>) | \Z )
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE | re.ASCII,  # a long s is no s, and a hard space no space
)
_LONG_NUMBER = re.compile(r"&#\d{1000,}+;?")  # which Python will not read


class Tag(NamedTuple):
    """One tag, its name in small letters, and where it stands; `empty` is one that XHTML would not close again."""

    name: str
    start: int
    end: int
    closes: bool = False
    empty: bool = False


class Text(NamedTuple):
    """What stands between tags, its entities replaced, and where it begins."""

    text: str
    start: int


def read(html: str) -> Iterator[Tag | Text]:
    """
    All tags and texts in their order, without comments.

    A script or a style is one empty tag, with all that is in it. A tag that never ends is text: a less-than sign.
    """
    place = 0
    for found in _MARKUP.finditer(html):
        start, end = found.span()
        if start > place:
            yield _text(html, place, start)
        place = end
        if raw := found["raw"]:
            yield Tag(raw.lower(), start, end, empty=True)
        elif found["ends"]:
            yield Tag(found["name"].lower(), start, end, bool(found["closes"]), html[end - 2] == "/")
        elif found["name"]:
            yield _text(html, start, end)
    if place < len(html):
        yield _text(html, place, len(html))


def _text(html: str, start: int, end: int) -> Text:
    return Text(unescape(_LONG_NUMBER.sub("\ufffd", html[start:end])), start)
