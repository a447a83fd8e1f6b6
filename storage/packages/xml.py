"""Parse XML of strangers: no DTD, no entities, no network, and whatever namespaces they like."""

import codecs
import re
from typing import Any
from xml.parsers import expat

from lxml import etree

from storage.packages.refusals import unreadable

# Comments and instructions carry no content; without them every node is an element and its text is in one piece.
GUARDS: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}

# A tree takes a hundred times the memory of the four bytes that make an empty element; real items have hundreds.
MAX_NODES = 250_000
MAX_ATTRIBUTES = 500
MAX_NAMESPACE = 1_000
MAX_NAMESPACES = 200

_SMALL = 10_000
_CROWDED = etree.XPath(f"boolean(//*[count(@*) > {MAX_ATTRIBUTES}])")

_STRICT: etree.XMLParser = etree.XMLParser(**GUARDS)
_LABEL = rb"""\s*=\s*["']?([A-Za-z0-9._-]{2,40})"""
_DECLARED = re.compile(rb"<\?xml\b[^>]*?\bencoding" + _LABEL)
_DECLARED_BY_PAGE = re.compile(rb"(?:encoding|charset)" + _LABEL)
_WINDOWS = frozenset({"ascii", "iso8859-1"})
_TEXT_CODECS = re.compile(
    r"utf-(8|16|16-le|16-be)|ascii|iso8859-\d+|cp\d+|gb\w+|big5\w*|euc_\w+|shift_jis\w*|koi8-[rut]"
)
_ADVICE = re.compile(r", (?:use|try) XML_PARSE_HUGE(?: option)?|, see xmlCtxtSetMaxAmplification\.|\bxmlParse\w+: ")
_SPACE = re.compile(r"[ \t\r\n]+")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def parse(data: bytes, path: str | None = None) -> etree._Element:
    """The root element. Raises JobFailed(RESOURCE_INVALID) for malformed documents and for every DTD."""
    name = "The XML file" if path is None else f"The XML file {path[:200]!r}"
    if data.count(b"<") + data.count(b"=") > MAX_NODES:
        raise unreadable(f"{name} has more than {MAX_NODES:,} tags and attributes.")
    try:
        root = etree.fromstring(data, _STRICT)
    except etree.XMLSyntaxError as error:
        root = _forgive(data, error, name)
    if root.getroottree().docinfo.doctype:
        raise unreadable(f"{name} has a DOCTYPE; remove it, document types are never read.")
    if len(data) > _SMALL:
        refuse_oversize(root)
    return root


def refuse_oversize(root: etree._Element) -> None:
    """
    Refuses what is legal and takes minutes: names are copied with their namespace, all namespaces around with each
    piece that is written, and attributes are compared in pairs.
    """
    declared = 0
    for event, namespace in etree.iterwalk(root, events=("start-ns", "end-ns")):
        declared += 1 if event == "start-ns" else -1
        if namespace and len(namespace[1]) > MAX_NAMESPACE:
            raise unreadable(f"The file has a namespace of more than {MAX_NAMESPACE:,} characters.")
        if declared > MAX_NAMESPACES:
            raise unreadable(f"The file has an element with more than {MAX_NAMESPACES:,} namespaces.")
    if _CROWDED(root):
        raise unreadable(f"The file has an element with more than {MAX_ATTRIBUTES:,} attributes.")


def _forgive(data: bytes, error: etree.XMLSyntaxError, name: str) -> etree._Element:
    """Parses again when all that was wrong is a namespace that is no URI, as one vendor writes them."""
    if forgivable(error.code):
        parser: etree.XMLParser = etree.XMLParser(recover=True, **GUARDS)
        root = etree.fromstring(data, parser)
        if not faults(parser.error_log):
            return root
    raise unreadable(f"{name} is not well-formed: {explain(error)}") from None


def forgivable(code: int) -> bool:
    """Whether the parser complains about nothing worse than a namespace that is no URI."""
    return code == etree.ErrorTypes.WAR_NS_URI


def faults(log: etree._ListErrorLog) -> list[etree._LogEntry]:
    """What is wrong with a document; warnings, as of a namespace that is no absolute URI, are not."""
    return [entry for entry in log.filter_from_errors() if not forgivable(entry.type)]


def explain(error: etree.XMLSyntaxError) -> str:
    """What is wrong and where, in one line of bounded length, without what only a programmer could try."""
    return " ".join(_ADVICE.sub("", error.msg or "unknown error").split())[:300]


def cut(data: bytes, name: str) -> list[bytes]:
    """The outermost elements of this name as they are written, in UTF-8; none of a file that only others can read."""
    written = decode(data).encode()
    parser = expat.ParserCreate("utf-8")
    depth, began = 0, 0
    found: list[bytes] = []

    def start(tag: str, _attributes: object) -> None:
        nonlocal depth, began
        if tag.rpartition(":")[2] == name:
            began = began if depth else parser.CurrentByteIndex
            depth += 1

    def end(tag: str) -> None:
        nonlocal depth
        if tag.rpartition(":")[2] == name:
            depth -= 1
            if not depth:
                closing = re.compile(rb"</%s\s*>" % re.escape(tag.encode())).match(written, parser.CurrentByteIndex)
                # The parser stands before an end tag, but behind an element that is its own end.
                found.append(written[began : closing.end() if closing else parser.CurrentByteIndex])

    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(written, True)
    except expat.ExpatError:
        return []
    return found


def local(element: etree._Element) -> str:
    """The name without its namespace: prefixes and versions of namespaces are free."""
    return str(element.tag).rpartition("}")[2]


def text(element: etree._Element | None) -> str:
    """All text below, without outer white space."""
    if element is None:
        return ""
    return "".join(element.itertext()).strip() if len(element) else (element.text or "").strip()


def line(element: etree._Element | None) -> str:
    """All text below in one line: how a title is broken into lines is layout, everything else is kept."""
    return _SPACE.sub(" ", text(element))


def flag(element: etree._Element, attribute: str) -> bool:
    """Whether an attribute says yes, in either spelling of XML Schema."""
    return element.get(attribute, "").strip() in ("true", "1")


def decode(data: bytes, *, page: bool = False) -> str:
    """
    The text of an XML file or a page, which no database refuses: NUL is dropped, what is undecodable is replaced.

    By byte order mark, declared encoding, UTF-8, else Windows-1252. A page may declare it in a meta element, where
    Latin-1 means Windows-1252, as in every browser; and UTF-16 nothing, as nobody could have read it.
    """
    return _decode(data, page).replace("\0", "")


def _decode(data: bytes, page: bool) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    declared = (_DECLARED_BY_PAGE if page else _DECLARED).search(data, 0, 1024)
    for label in (declared[1].decode() if declared else "utf-8", "utf-8"):
        try:
            codec = _text_codec(label)
            if codec.startswith("utf-16"):
                continue
            return data.decode("cp1252" if page and codec in _WINDOWS else codec)
        except (LookupError, UnicodeDecodeError):
            continue
    return data.decode("cp1252", errors="replace")


def _text_codec(label: str) -> str:
    """The codec of a label, unless it is one of Python's that do not stand for a character set."""
    name = codecs.lookup(label).name
    if not _TEXT_CODECS.fullmatch(name):
        raise LookupError(label)
    return name
