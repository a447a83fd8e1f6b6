"""Sample packages, made piece by piece: manifests, items, and zips of every kind."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO
from xml.sax.saxutils import escape, quoteattr

CASE = "6abfaa45-644b-52e8-891e-4fa4045a6c69"
CASE_2 = "3f2b9c1e-0d4a-4d4b-9f5a-1c2d3e4f5a6b"
ITEM, STIMULUS, ARTICLE = (f"imsqti_{name}_xmlv3p0" for name in ("item", "stimulus", "article"))
ASSESSMENT = "imsqti_xmlv1p2/imscc_xmlv1p3/assessment"
WEB_LINK = "imswl_xmlv1p3"
PAGE = "<html><head><title>Page</title></head><body><p>Hello</p></body></html>"

_QTI = "http://www.imsglobal.org/xsd/imsqtiasi_v3p0"
_QTI_MANIFEST = "http://www.imsglobal.org/xsd/qti/qtiv3p0"
_CC = "http://www.imsglobal.org/xsd/imsccv1p3"


def lom(title: str = "Question", more: str = "") -> str:
    """A LOM with a title; `more` are further categories."""
    general = f"<general><title><string language='en'>{escape(title)}</string></title></general>"
    return f'<lom xmlns="http://ltsc.ieee.org/xsd/LOM">{general}{more}</lom>'


def guid(value: str, uri: str = "", label: str = "Standard") -> str:
    """One labelled GUID."""
    link = f"<caseItemURI>{escape(uri)}</caseItemURI>" if uri else ""
    return f"<labelledGUID><label>{label}</label>{link}<GUID>{escape(value)}</GUID></labelledGUID>"


def standards(*guids: str) -> str:
    """Curriculum standards metadata with these GUIDs, given as values or as elements."""
    labelled = "".join(value if value.startswith("<") else guid(value) for value in guids)
    inner = f"<curriculumStandardsMetadata providerId='CASE'><setOfGUIDs>{labelled}</setOfGUIDs>"
    space = f"{_QTI_MANIFEST}/imscsmd_v1p1"
    inner = f"{inner}</curriculumStandardsMetadata>"
    return f'<curriculumStandardsMetadataSet xmlns="{space}">{inner}</curriculumStandardsMetadataSet>'


METADATA = standards(CASE) + lom()


def resource(
    identifier: str = "r1",
    href: str | None = "items/q1.xml",
    type: str = ITEM,
    *,
    metadata: str = METADATA,
    dependencies: Iterable[str] = (),
    inner: str = "",
    attributes: str = "",
) -> str:
    """A resource of a manifest, its href also as a file."""
    file = "" if href is None else f"<file href={quoteattr(href)}/>"
    named = "" if href is None else f" href={quoteattr(href)}"
    needs = "".join(f"<dependency identifierref={quoteattr(name)}/>" for name in dependencies)
    described = f"<metadata>{metadata}</metadata>" if metadata else ""
    start = f"<resource identifier={quoteattr(identifier)} type={quoteattr(type)}{named} {attributes}>"
    return f"{start}{described}{file}{needs}{inner}</resource>"


def qti3(*resources: str, organizations: str = "", metadata: str = "", attributes: str = "") -> str:
    """A QTI 3.0 manifest."""
    return (
        f'<manifest xmlns="{_QTI_MANIFEST}/imscp_v1p1" identifier="M1" {attributes}>'
        f"<metadata><schema>QTI Package</schema><schemaversion>3.0.0</schemaversion>{metadata}</metadata>"
        f"<organizations>{organizations}</organizations><resources>{''.join(resources)}</resources></manifest>"
    )


def cartridge(*resources: str, items: str = "", title: str = "Course", version: str = "v1p3") -> str:
    """A Common Cartridge manifest; `items` stand below the root item."""
    space = f"http://www.imsglobal.org/xsd/imscc{version}"
    root = f'<organization identifier="O1"><item identifier="root">{items}</item></organization>' if items else ""
    return (
        f'<manifest xmlns="{space}/imscp_v1p1" identifier="C1">'
        f"<metadata><schema>IMS Common Cartridge</schema><schemaversion>1.3.0</schemaversion>{lom(title)}</metadata>"
        f"<organizations>{root}</organizations><resources>{''.join(resources)}</resources></manifest>"
    )


def place(identifier: str, title: str | None = None, reference: str | None = None, items: str = "") -> str:
    """An item of an organization."""
    named = "" if title is None else f"<title>{escape(title)}</title>"
    referring = "" if reference is None else f" identifierref={quoteattr(reference)}"
    return f"<item identifier={quoteattr(identifier)}{referring}>{named}{items}</item>"


def declaration(
    base: str = "identifier", cardinality: str = "single", correct: Iterable[str] = (), more: str = ""
) -> str:
    """The declaration of RESPONSE."""
    values = "".join(f"<qti-value>{escape(value)}</qti-value>" for value in correct)
    right = f"<qti-correct-response>{values}</qti-correct-response>" if values else ""
    start = f'<qti-response-declaration identifier="RESPONSE" cardinality="{cardinality}" base-type="{base}">'
    return f"{start}{right}{more}</qti-response-declaration>"


CHOICE = (
    '<qti-choice-interaction response-identifier="RESPONSE" max-choices="1"><qti-prompt>2 + 2?</qti-prompt>'
    '<qti-simple-choice identifier="A">3</qti-simple-choice><qti-simple-choice identifier="B">4</qti-simple-choice>'
    "</qti-choice-interaction>"
)


def item(body: str = CHOICE, before: str = declaration(correct=["B"]), after: str = "", attributes: str = "") -> str:
    """A QTI 3 item; `before` and `after` stand around its body."""
    return (
        f'<qti-assessment-item xmlns="{_QTI}" identifier="q1" title="Question 1" {attributes}>{before}'
        f'<qti-outcome-declaration identifier="SCORE" cardinality="single" base-type="float"/>'
        f"<qti-item-body>{body}</qti-item-body>{after}</qti-assessment-item>"
    )


def stimulus(body: str = "<p>A passage.</p>") -> str:
    """A QTI 3 stimulus."""
    inner = f"<qti-stimulus-body>{body}</qti-stimulus-body>"
    return f'<qti-assessment-stimulus xmlns="{_QTI}" identifier="s1">{inner}</qti-assessment-stimulus>'


def web_link(url: str, title: str = "Talk") -> str:
    """A webLink document."""
    return f'<webLink xmlns="{_CC}/imswl_v1p3"><title>{title}</title><url href={quoteattr(url)}/></webLink>'


def question(identifier: str = "i1", profile: str = "cc.multiple_choice.v0p1", metadata: str = "") -> str:
    """A QTI 1.2 multiple choice question whose answer is b."""
    labels = "".join(
        f'<response_label ident="{name}"><material><mattext>{name.upper()}</mattext></material></response_label>'
        for name in "ab"
    )
    field = (
        f"<qtimetadatafield><fieldlabel>cc_profile</fieldlabel><fieldentry>{profile}</fieldentry></qtimetadatafield>"
    )
    return (
        f'<item ident="{identifier}" title="Q">'
        f"<itemmetadata><qtimetadata>{field}</qtimetadata>{metadata}</itemmetadata>"
        '<presentation><material><mattext texttype="text/html">&lt;p&gt;Which?&lt;/p&gt;</mattext></material>'
        f'<response_lid ident="r" rcardinality="Single"><render_choice>{labels}</render_choice></response_lid>'
        '</presentation><resprocessing><outcomes><decvar varname="SCORE" maxvalue="100"/></outcomes><respcondition>'
        '<conditionvar><varequal respident="r">b</varequal></conditionvar>'
        '<setvar varname="SCORE">100</setvar></respcondition></resprocessing></item>'
    )


def assessment(*questions: str, title: str = "Quiz") -> str:
    """A QTI 1.2 assessment."""
    section = f'<section ident="s">{"".join(questions)}</section>'
    return (
        '<questestinterop xmlns="http://www.imsglobal.org/xsd/ims_qtiasiv1p2">'
        f'<assessment ident="A1" title="{title}">{section}</assessment></questestinterop>'
    )


def bank(*questions: str) -> str:
    """A QTI 1.2 question bank."""
    return f'<questestinterop><objectbank ident="B1">{"".join(questions)}</objectbank></questestinterop>'


def zipped(files: Mapping[str, str | bytes]) -> BinaryIO:
    """A proper zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    buffer.seek(0)
    return buffer


def package(manifest: str | bytes, files: Mapping[str, str | bytes] | None = None) -> BinaryIO:
    """A zip with this manifest; by default with one item at items/q1.xml."""
    return zipped({"imsmanifest.xml": manifest, **({"items/q1.xml": item()} if files is None else files)})


@dataclass(frozen=True)
class Raw:
    """An entry as its bytes should read; what is None is told truthfully."""

    name: bytes
    data: bytes = b""
    flags: int = 0
    method: int = 8
    mode: int = 0
    size: int | None = None
    local_size: int | None = None
    crc: int | None = None
    local_name: bytes | None = None
    offset: int | None = None


def forged(*entries: Raw, before: bytes = b"", count: int | None = None) -> BinaryIO:
    """A zip written by hand, for what no proper writer writes."""
    body, directory = bytearray(before), bytearray()
    for entry in entries:
        deflated = zlib.compress(entry.data, wbits=-15) if entry.method == 8 else entry.data
        size = len(entry.data) if entry.size is None else entry.size
        crc = zlib.crc32(entry.data) if entry.crc is None else entry.crc
        offset = len(body) - len(before) if entry.offset is None else entry.offset
        name = entry.name if entry.local_name is None else entry.local_name
        told = size if entry.local_size is None else entry.local_size
        body += struct.pack(
            "<4s5H3L2H", b"PK\x03\x04", 20, entry.flags, entry.method, 0, 33, crc, len(deflated), told, len(name), 0
        )
        body += name + deflated
        directory += struct.pack(
            "<4s6H3L5H2L",
            *(b"PK\x01\x02", 0x31E, 20, entry.flags, entry.method, 0, 33, crc, len(deflated), size, len(entry.name)),
            *(0, 0, 0, 0, entry.mode << 16, offset),
        )
        directory += entry.name
    number = len(entries) if count is None else count
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, number, number, len(directory), len(body) - len(before), 0)
    return io.BytesIO(bytes(body + directory + end))


def bulk(path: str, count: int) -> None:
    """A package of `count` items of 1.8 kB, each with a LOM and two GUIDs, and a stimulus for every ten of them."""
    filler = "<p>The quick brown fox jumps over the lazy dog while the band plays on and on.</p>" * 9
    resources: list[str] = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(count):
            shared = f"stimulus_{number // 10:06d}"
            if number % 10 == 0:
                archive.writestr(f"stimuli/{shared}.xml", stimulus(filler))
                about = standards(CASE) + lom(f"Passage {number}")
                resources.append(resource(shared, f"stimuli/{shared}.xml", STIMULUS, metadata=about))
            name = f"items/item_{number:06d}.xml"
            archive.writestr(name, item(f"<p>Item {number}</p>{filler}{CHOICE}", after=_MATCH_CORRECT))
            own = f"{number:08x}-644b-52e8-891e-4fa4045a6c69"
            level = "<educational><difficulty><value>medium</value></difficulty></educational>"
            about = standards(CASE, guid(own, f"https://case.example.org/CFItems/{own}")) + lom(f"Item {number}", level)
            resources.append(resource(f"item_{number:06d}", name, metadata=about, dependencies=[shared]))
        archive.writestr("imsmanifest.xml", qti3(*resources))


_MATCH_CORRECT = (
    '<qti-response-processing template="https://purl.imsglobal.org/spec/qti/v3p0/rptemplates/match_correct.xml"/>'
)
