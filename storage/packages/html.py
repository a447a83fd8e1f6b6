"""The one place where HTML of strangers becomes HTML that may be shown."""

import re
from collections.abc import Callable
from html import unescape
from posixpath import dirname, relpath
from typing import cast
from urllib.parse import quote, unquote

import nh3
from lxml import etree

from storage.packages.paths import resolve
from storage.packages.refusals import unreadable
from storage.packages.xml import MAX_NODES, refuse_oversize

MAX_TEXT = 100_000
MAX_TOKENS = 10_000

# Below these sizes nothing can nest deep enough, or have enough attributes, to keep the sanitizer busy.
_FEW_TAGS = 500
_FEW_CHARACTERS = 2_000
_MANY_ATTRIBUTES = 2_000
_MANY_STRAYS = 10_000
_MATH = frozenset(
    {
        *("math", "mrow", "mi", "mo", "mn", "ms", "mspace", "mstyle", "mpadded", "mphantom", "mfenced", "menclose"),
        *("mfrac", "msqrt", "mroot", "msub", "msup", "msubsup", "munder", "mover", "munderover"),
        *("mmultiscripts", "mprescripts", "mtable", "mtr", "mtd"),
    }
)
_MEDIA = frozenset({"audio", "video", "source", "track", "picture", "section", "tfoot"})
_MARKS = {"span": {"class": {"interaction", "choice", "gap", "variable"}}, "div": {"class": {"interaction"}}}
_MARK_DATA = {"data-kind", "data-response", "data-choice"}
_ATTRIBUTES = {
    **{tag: set(names) for tag, names in nh3.ALLOWED_ATTRIBUTES.items()},
    "*": {"lang", "dir", "title"},
    "span": _MARK_DATA,
    "div": _MARK_DATA,
    "audio": {"src", "controls"},
    "video": {"src", "controls", "poster", "width", "height"},
    "source": {"src", "type"},
    "track": {"src", "kind", "srclang", "label"},
    "math": {"display"},
    "mo": {"stretchy", "fence", "separator"},
    "mfenced": {"open", "close", "separators"},
}
_SILENT = {
    *("script", "style", "title", "template", "noscript", "iframe", "noembed", "noframes", "xmp", "textarea", "select"),
    *("svg", "mtext", "annotation", "annotation-xml"),
}
_TAGS = nh3.ALLOWED_TAGS | _MATH | _MEDIA
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    tag_attribute_values=_MARKS,
    url_schemes={"http", "https", "mailto"},
    clean_content_tags=_SILENT,
)
_STRIPPER = nh3.Cleaner(tags=set(), attributes={}, clean_content_tags=_SILENT)
_OPENED = re.compile(r"<+(?=[a-zA-Z/!?])")
_HARMLESS = re.compile(
    r"(?:[^<]++|</?(?:p|b|i|u|em|strong|sub|sup|div|span|ul|ol|li|table|tbody|thead|tr|td|th|h[1-6]|br|hr)>|"
    r'<span class="interaction" data-response="[^"<>]*" data-kind="[A-Z_]++"></span>)*+'
)
_BLOCK = re.compile(
    r"</?(?:address|article|aside|blockquote|br|caption|center|dd|details|div|dl|dt|figcaption|figure|footer|h[1-6r]|"
    r"header|hgroup|li|nav|ol|p|pre|section|summary|table|tbody|td|tfoot|th|thead|tr|ul)\b(?>[^>\"]+|\"[^\"]*\")*>"
)
_INLINE = re.compile(r"<(?>[^>\"]+|\"[^\"]*\")*>")
_VALUE = re.compile(r"\s([a-z-]+)=\"([^\"]*)\"")
_TAG = re.compile(r"<[a-zA-Z](?>[^<>\"']+|\"[^\"]*\"|'[^']*')*")
_ATTRIBUTE = re.compile(r"(?>[^\s/\"']+|\"[^\"]*\"|'[^']*')+")
_SECTIONS = frozenset({"thead", "tbody", "tfoot"})
_TABLE_PARENTS = {
    **dict.fromkeys(("caption", "colgroup", *_SECTIONS), frozenset({"table"})),
    "col": frozenset({"table", "colgroup"}),
    "tr": _SECTIONS | {"table"},
    **dict.fromkeys(("td", "th"), _SECTIONS | {"table", "tr"}),
}
_ROWS = " or ".join(f"self::{tag}" for tag in ("table", "colgroup", "tr", *sorted(_SECTIONS)))
_CELLS = "self::caption or self::col or self::td or self::th"
_STRAYS = etree.XPath(
    f"count(//*[{_ROWS}]/node()[self::text()[normalize-space()] or self::*[not({_ROWS} or {_CELLS})]])"
)
_EMPTY = re.compile(
    r"<(script|style|title|template|noscript|iframe|noembed|noframes|xmp|textarea|select)\b([^<>]*)/>", re.IGNORECASE
)
_ROOT = r"(?:\$|%24)IMS[-_]CC[-_]FILEBASE(?:\$|%24)"
_FILEBASE = re.compile(rf"(?<=\"){_ROOT}([^\"<>?#]*)|(?<='){_ROOT}([^'<>?#]*)|{_ROOT}([^\"'<>\s)?#]*)", re.IGNORECASE)
_LANGUAGE = re.compile(rb"""<html\b[^>]*?\blang\s*=\s*["']?([A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*)""", re.IGNORECASE)


def clean(html: str, *, balanced: bool = False) -> str:
    """The same without anything active: scripts, styles, frames, forms, handlers, unknown URL schemes.

    `balanced` tells that a serializer wrote it: then bare tags and our marks, which most questions consist of, are
    left as they are. Raises JobFailed(RESOURCE_INVALID) when elements nest deeper than 256, and for too many elements,
    attributes, entities or strays in tables.
    """
    if "<" not in html and "&" not in html:
        return html.strip().replace(">", "&gt;")
    if "/>" in html:
        html = _EMPTY.sub(r"<\1\2></\1>", html)  # as XHTML writes them; to HTML all that follows would be in them
    if balanced and _HARMLESS.fullmatch(html):
        return html.strip()
    tags = html.count("<")
    if tags > MAX_NODES or html.count("=") > MAX_NODES:
        raise unreadable(f"The HTML has more than {MAX_NODES:,} tags or attributes.")
    if tags > _FEW_TAGS or len(html) > _FEW_CHARACTERS:
        html = _flatten(html)
    # To write each of them the sanitizer takes as long as for all that came before.
    if html.count("&") + html.count("\u00a0") > MAX_NODES:
        raise unreadable(f"The HTML has more than {MAX_NODES:,} characters that are written as entities.")
    return _CLEANER.clean(html).strip()


def plain(html: str) -> str:
    """The words of cleaned HTML, for lists and for search; where there are none, those that its images stand for."""
    words = _read(_INLINE.sub("", _BLOCK.sub(" ", html))) if "<" in html else _read(html)
    if words or "<img" not in html:
        return words
    images = (tag for tag in _INLINE.findall(html) if tag.startswith("<img "))
    return _read(" ".join(value for tag in images for name, value in _VALUE.findall(tag) if name == "alt"))


def _read(text: str) -> str:
    return " ".join((unescape(text) if "&" in text else text).split())


def stripped(text: str) -> str:
    """
    Plain text without the markup that somebody has put into it; a text without any is left as it is.

    Entities are the characters that they are written with: plain text has none. What is left opens no element wherever
    it is inserted, and stripping it again changes nothing.
    """
    if not _OPENED.search(text):
        return text
    words = unescape(_STRIPPER.clean(text.replace("&", "&amp;")))
    return _OPENED.sub("", words)  # as of <<b>script>, which one removal turns into a tag


def escape(text: str) -> str:
    """Text as HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def language(data: bytes) -> str | None:
    """What the html element of a page states."""
    found = _LANGUAGE.search(data, 0, 4096)
    return found[1].decode() if found else None


def relocate(html: str, path: str, exists: Callable[[str], bool]) -> str:
    """Replaces the cartridge's file token, so that links work from the file at `path`.

    The token means the root of the package; some exporters mean their folder web_resources, or the file's own.
    Raises JobFailed(RESOURCE_INVALID) for too many of them.
    """
    tokens = html.upper().count("FILEBASE")
    if tokens > MAX_TOKENS:
        raise unreadable(f"The HTML links to files of the package more than {MAX_TOKENS:,} times.")
    folder = dirname(path)

    def link(match: re.Match[str]) -> str:
        written = next(group for group in match.groups() if group is not None)
        target = unquote(unescape(written)).lstrip("/")
        places = [place for base in ("", "web_resources", folder) if (place := resolve(base, target))]
        found = next(filter(exists, places), places[0] if places else "")
        return quote(relpath(f"/{found}", f"/{folder}"))

    return _FILEBASE.sub(link, html) if tokens else html


def _is_crowded(tag: re.Match[str]) -> bool:
    """Whether it has so many attributes that the parser takes its time, too; about, as a script may look like a tag."""
    long = tag.end() - tag.start() > 2 * _MANY_ATTRIBUTES
    return long and len(_ATTRIBUTE.findall(tag[0])) > _MANY_ATTRIBUTES


def _is_ordinary(element: etree._Element) -> bool:
    """Whether it may be shown, and is where it belongs if it is a part of a table."""
    parent = element.getparent()
    parents = _TABLE_PARENTS.get(str(element.tag))
    return element.tag in _TAGS and (parents is None or (parent is not None and parent.tag in parents))


def _flatten(html: str) -> str:
    """Large HTML in balanced form; refuses depth and crowds, on which sanitizers spend quadratic time."""
    if any(map(_is_crowded, _TAG.finditer(html))):
        raise unreadable(f"The HTML has an element with more than {_MANY_ATTRIBUTES:,} attributes.")
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True, huge_tree=False)
    # The parser answers None when there is no element at all, which its types do not tell.
    root = cast("etree._Element | None", etree.fromstring(html.encode(errors="replace"), parser))
    if any(entry.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for entry in parser.error_log):
        raise unreadable("The HTML nests more than 256 elements deep, or holds too long a text.")
    if root is None:
        return ""
    refuse_oversize(root)
    etree.strip_elements(root, *_SILENT, with_tail=False)
    for element in root.iter():
        # To the sanitizer some elements end others or hold what is behind them, and it would see another tree.
        if not _is_ordinary(element):
            element.tag = "unknown"
    if cast("float", _STRAYS(root)) > _MANY_STRAYS:  # for each the sanitizer looks anew where its table begins
        raise unreadable(f"The HTML has more than {_MANY_STRAYS:,} pieces inside tables that are in no cell.")
    return etree.tostring(root, method="html", encoding="unicode")
