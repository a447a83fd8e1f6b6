"""Read imsmanifest.xml, of any size, and tell which format a package has."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from lxml import etree

from storage.errors import JobErrorCode, JobFailed
from storage.packages import lom, standards
from storage.packages.lom import Lom
from storage.packages.paths import resolve
from storage.packages.standards import Alignment
from storage.packages.xml import GUARDS, MAX_NAMESPACE, MAX_NAMESPACES, explain, faults, forgivable, line, local

MAX_BYTES = 128 * 2**20
MAX_ORGANIZATION_DEPTH = 100
MAX_RESOURCES = 200_000
MAX_ITEMS = 200_000
MAX_ELEMENT_BYTES = 4 * 2**20
MAX_BASE = 2_048

# The root item and the leaf, which references a resource, are not folders.
_MAX_ITEM_DEPTH = MAX_ORGANIZATION_DEPTH + 2
_BASE = "{http://www.w3.org/XML/1998/namespace}base"
_CARTRIDGE = re.compile(r"https?://www\.imsglobal\.org/xsd/imscc")
_QTI3 = re.compile(r"imsqti_(item|stimulus|article)_xmlv3p0")
_WANTED = tuple(f"{{*}}{name}" for name in ("manifest", "resources", "resource", "organization", "item"))


class PackageType(StrEnum):
    """Format of a package, detected and never asked for."""

    QTI_3_0 = "QTI_3_0"
    COMMON_CARTRIDGE = "COMMON_CARTRIDGE"


@dataclass(frozen=True, slots=True)
class ManifestResource:
    """A resource: its file (`href`, else its first file) in folder `base`, what it needs, and its metadata.

    `stated` is what stood where a CASE standard was expected; `inline` a web link that the manifest itself holds.
    """

    identifier: str
    type: str
    href: str | None
    base: str
    dependencies: tuple[str, ...] = ()
    lom: Lom = lom.NOTHING
    alignments: tuple[Alignment, ...] = ()
    stated: str | None = None
    inline: bytes | None = None


@dataclass(frozen=True, slots=True)
class OrganizationItem:
    """A folder or a place of a resource; also the organization itself, at the top."""

    identifier: str
    title: str | None
    identifierref: str | None
    items: "tuple[OrganizationItem, ...]"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest in document order."""

    identifier: str | None
    format: PackageType
    title: str | None
    organizations: tuple[OrganizationItem, ...]
    resources: tuple[ManifestResource, ...]


def read(pieces: Callable[[], Iterable[bytes]]) -> Manifest:
    """Reads a manifest from its bytes, piece by piece, so that memory grows with its content and not with its XML.

    `pieces` may be asked twice: a namespace that is no URI is forgiven in a second pass.
    Raises JobFailed(MANIFEST_INVALID), or PACKAGE_UNSAFE for a DTD or an entity bomb.
    """
    try:
        return _Reading().read(pieces(), recover=False)
    except etree.XMLSyntaxError as error:
        if not forgivable(error.code):
            raise _refuse(error) from None
    try:
        return _Reading().read(pieces(), recover=True)
    except etree.XMLSyntaxError as error:
        raise _refuse(error) from None


def _refuse(error: etree.XMLSyntaxError) -> JobFailed:
    if error.code == etree.ErrorTypes.ERR_ENTITY_LOOP or "amplification" in (error.msg or ""):
        return JobFailed(JobErrorCode.PACKAGE_UNSAFE, f"imsmanifest.xml was refused: {explain(error)}")
    return _invalid(f"is not well-formed XML: {explain(error)}")


def _invalid(message: str) -> JobFailed:
    return JobFailed(JobErrorCode.MANIFEST_INVALID, f"imsmanifest.xml {message}")


@dataclass(slots=True)
class _OpenItem:
    """An organization or item whose end has not been read."""

    element: etree._Element
    identifier: str
    identifierref: str | None
    title: str | None = None
    items: list[OrganizationItem] = field(default_factory=list)


class _Reading:
    """One pass over a manifest; elements are dropped as soon as they are understood."""

    def __init__(self) -> None:
        self.root: etree._Element | None = None
        self.declares_cartridge = False
        self.declared = 0
        self.item_count = 0
        self.pending = 0
        self.open_items: list[_OpenItem] = []
        self.organizations: list[OrganizationItem] = []
        self.resources: list[ManifestResource] = []

    def read(self, pieces: Iterable[bytes], *, recover: bool) -> Manifest:
        parser = etree.XMLPullParser(
            events=("start", "end", "start-ns", "end-ns"), tag=_WANTED, recover=recover, **GUARDS
        )
        for piece in pieces:
            self.pending += len(piece)
            parser.feed(piece)
            self._take(parser.read_events())
            # What is not yet understood is a tree in memory; a resource takes a few kilobytes.
            if self.pending > MAX_ELEMENT_BYTES:
                raise _invalid(f"has an element of more than {MAX_ELEMENT_BYTES:,} bytes.")
        parser.close()
        self._take(parser.read_events())
        for fault in faults(parser.feed_error_log):
            raise _invalid(f"is not well-formed XML: {fault.message[:300]}, line {fault.line}")
        return self._manifest()

    def _take(self, events: Iterator[tuple[str, object]]) -> None:
        for event, subject in events:
            if event == "end-ns":
                self.declared -= 1
            elif isinstance(subject, tuple):
                self._declare(subject[1] or "")
            elif isinstance(subject, etree._Element) and event == "start":
                self._start(subject)
            elif isinstance(subject, etree._Element):
                self._end(subject)

    def _declare(self, namespace: str) -> None:
        if len(namespace) > MAX_NAMESPACE:
            raise _invalid(f"declares a namespace of more than {MAX_NAMESPACE:,} characters.")
        self.declared += 1
        if self.declared > MAX_NAMESPACES:
            raise _invalid(f"has an element with more than {MAX_NAMESPACES:,} namespaces.")
        self.declares_cartridge = self.declares_cartridge or _CARTRIDGE.match(namespace) is not None

    def _start(self, element: etree._Element) -> None:
        if self.root is None:
            self._begin(element.getroottree())
        match local(element):
            case "organization":
                self._open(element)
            case "item" if self.open_items and element.getparent() is self.open_items[-1].element:
                self._open(element)

    def _begin(self, document: etree._ElementTree) -> None:
        self.root = document.getroot()
        if document.docinfo.doctype:
            message = "imsmanifest.xml has a DOCTYPE; remove it, document types are never read."
            raise JobFailed(JobErrorCode.PACKAGE_UNSAFE, message)
        if local(self.root) != "manifest":
            raise _invalid(f"has the root element {local(self.root)[:100]!r} instead of 'manifest'.")

    def _end(self, element: etree._Element) -> None:
        if self.open_items and element is self.open_items[-1].element:
            self._close(element)
        elif local(element) == "resource" and _is_listed(element):
            self.resources.append(_read_resource(element))
        else:
            return
        if len(self.resources) > MAX_RESOURCES or self.item_count > MAX_ITEMS:
            raise _invalid(f"has more than {MAX_RESOURCES:,} resources or {MAX_ITEMS:,} items.")
        _drop(element)
        self.pending = 0

    def _open(self, element: etree._Element) -> None:
        if len(self.open_items) > _MAX_ITEM_DEPTH:
            raise _invalid(f"has an organization of more than {MAX_ORGANIZATION_DEPTH} levels.")
        identifier = (element.get("identifier") or "").strip()
        reference = (element.get("identifierref") or "").strip()
        self.item_count += 1
        self.open_items.append(_OpenItem(element, identifier, sys.intern(reference) or None))

    def _close(self, element: etree._Element) -> None:
        ended = self.open_items.pop()
        title = ended.title or line(element.find("{*}title")) or None
        item = OrganizationItem(ended.identifier, title, ended.identifierref, tuple(ended.items))
        if not self.open_items:
            self.organizations.append(item)
            return
        above = self.open_items[-1]
        above.items.append(item)
        parent = element.getparent()
        if above.title is None and parent is not None:
            # Now, because what stands before this element is dropped with it.
            above.title = line(parent.find("{*}title")) or None

    def _manifest(self) -> Manifest:
        if self.root is None:
            raise _invalid("has no root element 'manifest'.")
        if not self.resources:
            raise _invalid("lists no resources; every file to be ingested needs a <resource>.")
        metadata = self.root.find("{*}metadata")
        return Manifest(
            identifier=self.root.get("identifier"),
            format=self._format(self.root),
            title=None if metadata is None else lom.read(metadata).title,
            organizations=tuple(self.organizations),
            resources=tuple(self.resources),
        )

    def _format(self, root: etree._Element) -> PackageType:
        """Rule P1, on what was parsed: comments and texts do not count."""
        types = {resource.type for resource in self.resources}
        is_cartridge = (
            _CARTRIDGE.match(str(root.tag).lstrip("{")) is not None
            or any(stated.startswith("imscc_") for stated in types)
            or any("common cartridge" in line(it).lower() for it in root.iterfind("{*}metadata/{*}schema"))
            or (self.declares_cartridge and not any(map(_QTI3.match, types)))
        )
        return PackageType.COMMON_CARTRIDGE if is_cartridge else PackageType.QTI_3_0


def _is_listed(resource: etree._Element) -> bool:
    """Whether it stands among the resources: metadata has a `relation/resource` of its own."""
    parent = resource.getparent()
    return parent is not None and local(parent) == "resources"


def _read_resource(element: etree._Element) -> ManifestResource:
    hrefs = [(element.get("href") or "").strip()]
    dependencies: list[str] = []
    metadata: etree._Element | None = None
    inline: bytes | None = None
    for child in element:
        match local(child):
            case "file":
                hrefs.append((child.get("href") or "").strip())
            case "dependency":
                dependencies.append(sys.intern((child.get("identifierref") or "").strip()))
            case "metadata":
                metadata = child
            case "webLink":
                inline = etree.tostring(child, with_tail=False)
    alignments = () if metadata is None else standards.read(metadata)
    return ManifestResource(
        identifier=sys.intern((element.get("identifier") or "").strip()),
        type=sys.intern((element.get("type") or "").strip()),
        href=next(filter(None, hrefs), None),
        base=_base(element),
        dependencies=tuple(dict.fromkeys(dependencies)),
        lom=lom.NOTHING if metadata is None else lom.read(metadata),
        alignments=alignments,
        stated=None if metadata is None or alignments else standards.stated(metadata),
        inline=inline,
    )


def _base(resource: etree._Element) -> str:
    """The folder that the xml:base around it move to; one that leaves the package stays visible, so that hrefs fail."""
    base = ""
    for element in (*reversed(list(resource.iterancestors())), resource):
        if step := element.get(_BASE):
            if len(base) + len(step) > MAX_BASE:
                raise _invalid(f"has an xml:base of more than {MAX_BASE:,} characters.")
            inside = resolve(base, step)
            base = f"{base}/{step}" if inside is None else inside
    return base


def _drop(element: etree._Element) -> None:
    """Empties an element and removes all before it; itself stays, as the parser may be writing behind it."""
    element.clear(keep_tail=True)
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]
