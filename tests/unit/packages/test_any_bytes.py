"""Whatever the bytes, a reader answers or raises JobFailed."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.errors import JobErrorCode, JobFailed
from storage.packages import cartridge, html, lom, manifest, qti3, qti12, standards, xml
from storage.packages.archive import Archive
from storage.packages.lom import NOTHING
from storage.packages.outcomes import Content
from storage.packages.package import read_package
from tests.packages import builders as make
from tests.packages.builders import CASE

ROUNDS = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])

SAMPLES: dict[str, bytes] = {
    "manifest": make.cartridge(
        make.resource("p1", "p1.html", "webcontent"),
        make.resource("a1", "a1.xml", make.ASSESSMENT, dependencies=["p1", "gone"]),
        items=make.place("m1", "Unit", items=make.place("i1", "Page", "p1")),
    ).encode(),
    "item": make.item(
        before=make.declaration(correct=["B"]), after="<qti-modal-feedback><p>x</p></qti-modal-feedback>"
    ).encode(),
    "stimulus": make.stimulus().encode(),
    "assessment": make.assessment(make.question(), make.question("i2")).encode(),
    "link": make.web_link("https://youtu.be/abc").encode(),
    "lom": make.lom().encode(),
    "standards": make.standards(make.CASE).encode(),
}


def _link(data: bytes) -> object:
    return cartridge.read_video(cartridge.read_link(xml.parse(data)).url, NOTHING)


def _assessment(data: bytes) -> object:
    return [*map(qti12.read_item, qti12.read(xml.parse(data)).items), *xml.cut(data, "item")]


READERS: dict[str, Callable[[bytes], object]] = {
    "manifest": lambda data: manifest.read(lambda: [data[:100], data[100:]]),
    "item": lambda data: qti3.read_item(xml.parse(data)),
    "stimulus": lambda data: qti3.read_stimulus(xml.parse(data)),
    "assessment": _assessment,
    "link": _link,
    "lom": lambda data: lom.read(xml.parse(data)),
    "standards": lambda data: standards.read(xml.parse(data)),
}


@contextmanager
def read_or_refused(*codes: JobErrorCode) -> Iterator[None]:
    """Lets a refusal pass that says something, with one of these codes if there are any."""
    try:
        yield
    except JobFailed as failure:
        if not failure.message or (codes and failure.code not in codes):
            raise


@st.composite
def damaged(draw: st.DrawFn, sample: bytes) -> bytes:
    """A sample of which some bytes were replaced, dropped, or copied elsewhere."""
    data = bytearray(sample)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        until = at + draw(st.integers(0, 12))
        other = draw(st.integers(0, max(0, len(data) - 1)))
        piece = draw(st.one_of(st.binary(max_size=8), st.just(bytes(data[other : other + 20]))))
        data[at:until] = piece
    return bytes(data)


@pytest.mark.parametrize("kind", READERS)
@given(data=st.data())
@ROUNDS
def test_a_damaged_document_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    document = data.draw(damaged(SAMPLES[kind]))
    with read_or_refused():
        READERS[kind](document)


@pytest.mark.parametrize("kind", READERS)
@given(document=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: f"<a>{text}</a>".encode())))
@ROUNDS
def test_garbage_is_refused(kind: str, document: bytes) -> None:
    with read_or_refused():
        READERS[kind](document)


NAMES = {
    "item": """qti-assessment-item qti-item-body qti-choice-interaction qti-hottext-interaction
        qti-match-interaction qti-gap-match-interaction qti-x-interaction qti-simple-match-set qti-simple-choice
        qti-hottext qti-gap qti-prompt qti-gap-text qti-feedback-block qti-rubric-block qti-modal-feedback
        qti-response-declaration qti-value qti-correct-response qti-mapping qti-map-entry qti-outcome-declaration
        qti-default-value object p br math""",
    "assessment": """questestinterop assessment section item itemmetadata qtimetadata qtimetadatafield fieldlabel flow
        fieldentry presentation material mattext matimage response_lid response_str render_choice render_fib setvar
        response_label resprocessing respcondition conditionvar varequal not itemfeedback outcomes decvar""",
    "manifest": """manifest metadata schema organizations organization item title resources resource file dependency lom
        general string labelledGUID GUID caseItemURI classification purpose taxonPath taxon id value webLink url""",
}
ATTRIBUTES = [
    *("identifier", "response-identifier", "max-choices", "mapped-value", "view", "show-hide", "type", "data", "ident"),
    *("respident", "texttype", "rcardinality", "href", "identifierref", "xml:base", "title"),
]


def grow(dice: Random, names: list[str], depth: int = 0) -> str:
    """Known elements in unknown places, with attributes of any value."""
    name = names[0] if depth == 0 else dice.choice(names)
    chosen = dice.sample(ATTRIBUTES, dice.randint(0, 4))
    attributes = "".join(f' {key}="{dice.choice(["", "a", "1", "-1.5", "image/x"])}"' for key in chosen)
    inner = [grow(dice, names, depth + 1) for _ in range(dice.randint(0, 4) if depth < 6 else 0)]
    text = dice.choice(["", "x", "100", CASE, "&lt;b&gt;"])
    return f"<{name}{attributes}>{text}{'y'.join(inner)}</{name}>"


@pytest.mark.parametrize("kind", NAMES)
@given(seed=st.integers(0, 2**32))
@ROUNDS
def test_known_elements_in_unknown_places_are_read_or_refused(kind: str, seed: int) -> None:
    document = grow(Random(seed), NAMES[kind].split())
    with read_or_refused():
        READERS[kind](document.encode())


@given(document=st.binary(max_size=60), label=st.sampled_from(["utf-8", "utf-16", "rot13", "zlib", "idna", "x", "gbk"]))
@ROUNDS
def test_any_page_becomes_text_that_a_database_takes(document: bytes, label: str) -> None:
    for page in (document, document * 2_000):
        with read_or_refused():
            check_page(f'<meta charset="{label}">'.encode() + page)


def check_page(page: bytes) -> None:
    shown = html.clean(xml.decode(page, page=True))
    assert "\0" not in shown
    assert html.plain(shown).encode().decode() == html.plain(shown)


@given(data=st.data())
@ROUNDS
def test_a_damaged_zip_is_read_or_refused(data: st.DataObject) -> None:
    sample = make.package(
        make.qti3(make.resource(), make.resource("s1", "s1.xml", make.STIMULUS)),
        {"items/q1.xml": make.item(), "s1.xml": make.stimulus(), "média/ü.png": b"\x89PNG" * 50},
    ).read()
    damage = data.draw(damaged(sample))
    with read_or_refused():
        package = read_package(io.BytesIO(damage))
        contents = [outcome for outcome in package.outcomes() if isinstance(outcome, Content)]
        assert all(content.title for content in contents)
        archive = Archive(io.BytesIO(damage))
        for entry in archive.entries.values():
            b"".join(archive.chunks(entry))


@given(junk=st.binary(max_size=300))
@ROUNDS
def test_no_zip_is_no_package(junk: bytes) -> None:
    with pytest.raises(JobFailed):
        Archive(io.BytesIO(junk))


@given(junk=st.binary(max_size=80))
@ROUNDS
def test_a_directory_of_junk_is_refused(junk: bytes) -> None:
    end = b"PK\x05\x06" + bytes(4) + b"\1\0\1\0" + len(junk).to_bytes(4, "little") + bytes(4) + bytes(2)
    with pytest.raises(JobFailed):
        Archive(io.BytesIO(junk + end))


@given(url=st.one_of(st.text(max_size=60), st.text(max_size=30).map(lambda text: f"https://{text}")))
@ROUNDS
def test_any_url_is_a_video_or_not(url: str) -> None:
    with read_or_refused():
        video = cartridge.read_video(url, NOTHING)
        assert video is None or video.url == url


@given(href=st.text(max_size=30), base=st.text(max_size=10))
@ROUNDS
def test_no_href_leaves_the_package(href: str, base: str) -> None:
    archive = Archive(make.zipped({"a/b.xml": b"x"}))
    with read_or_refused(JobErrorCode.RESOURCE_INVALID):
        assert archive.find(href, base).path == "a/b.xml"
