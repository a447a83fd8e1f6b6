"""The rules for whole packages, P1 to P22: one test each, or more."""

import hashlib
from collections.abc import Mapping
from typing import BinaryIO

import pytest

from storage.errors import JobErrorCode, JobFailed
from storage.packages.manifest import PackageType
from storage.packages.outcomes import (
    Association,
    AssociationType,
    Content,
    ContentType,
    Failure,
    Outcome,
    PackageWarning,
)
from storage.packages.package import Package, read_package
from storage.packages.standards import Alignment
from tests.packages import builders as make
from tests.packages.builders import ARTICLE, ASSESSMENT, CASE, CASE_2, ITEM, METADATA, STIMULUS, WEB_LINK

CODE = JobErrorCode


class Reading:
    """Everything a package yields, sorted by what it is."""

    def __init__(self, file: BinaryIO) -> None:
        self.package: Package = read_package(file)
        self.outcomes: list[Outcome] = list(self.package.outcomes())
        self.contents = [outcome for outcome in self.outcomes if isinstance(outcome, Content)]
        self.items = {content.source_identifier: content for content in self.contents if content.path}
        self.containers = [content for content in self.contents if content.type is ContentType.CONTAINER]
        self.failures = {each.source_identifier: each.code for each in self.outcomes if isinstance(each, Failure)}
        self.messages = [each.message for each in self.outcomes if isinstance(each, Failure)]
        self.warnings = [(each.code, each.subject) for each in self.outcomes if isinstance(each, PackageWarning)]

    def related(self, *types: AssociationType) -> list[tuple[str, str, int | None]]:
        """Source, target and position of the associations of these types, in the order they came."""
        named = {content.key: content.source_identifier for content in self.contents}
        found = [each for each in self.outcomes if isinstance(each, Association) and each.type in types]
        return [(named[each.source], named[each.target], each.sort_order) for each in found]


def read(manifest: str, files: Mapping[str, str | bytes] | None = None) -> Reading:
    return Reading(make.package(manifest, files))


def refused(file: BinaryIO) -> JobFailed:
    with pytest.raises(JobFailed) as refusal:
        Reading(file)
    return refusal.value


PAGES = {"p1.html": make.PAGE, "p2.html": make.PAGE}
P1 = make.resource("p1", "p1.html", "webcontent")
P2 = make.resource("p2", "p2.html", "webcontent")


def test_a_package_of_one_item_is_read() -> None:
    document = make.item().encode()
    reading = read(make.qti3(make.resource()))
    [content] = reading.contents
    assert (reading.package.format, reading.package.total, reading.package.done) == (PackageType.QTI_3_0, 1, 1)
    assert content.type is ContentType.QUESTION
    assert (content.source_identifier, content.title, content.path) == ("r1", "Question", "items/q1.xml")
    assert content.alignments == (Alignment(CASE, None, "Standard"),)
    assert (content.xml, content.sha256) == (None, hashlib.sha256(document).hexdigest()), "the whole file"
    assert content.question is not None
    assert content.question.interactions[0].correct_responses == ("B",)


def test_metadata_reaches_the_item() -> None:
    more = "<educational><difficulty><value>difficult</value></difficulty></educational>"
    metadata = make.standards(CASE) + make.lom("Title", more).replace(
        "</general>", "<language>de</language><description><string>About</string></description></general>"
    )
    [content] = read(make.qti3(make.resource(metadata=metadata))).contents
    assert (content.title, content.language, content.difficulty) == ("Title", "de", "difficult")
    assert content.description == "About"


def test_the_three_types_of_qti_3_count_in_both_formats() -> None:
    resources = (
        make.resource("r1", "q.xml", ITEM),
        make.resource("r2", "s.xml", STIMULUS),
        make.resource("r3", "a.xhtml", ARTICLE),
        make.resource("r4", "b.xml", ARTICLE),
    )
    files = {"q.xml": make.item(), "s.xml": make.stimulus(), "a.xhtml": make.PAGE, "b.xml": make.stimulus("<p>b</p>")}
    for manifest in (make.qti3(*resources), make.cartridge(*resources)):
        reading = read(manifest, files)
        assert [content.type for content in reading.contents] == ["QUESTION", "STIMULUS", "ARTICLE", "ARTICLE"]
        assert [content.body for content in reading.contents[1:]] == ["<p>A passage.</p>", "<p>Hello</p>", "<p>b</p>"]


def test_types_of_cartridges_count_in_cartridges_only() -> None:
    resources = (make.resource(), P1, make.resource("w1", "w1.xml", WEB_LINK))
    files = {"items/q1.xml": make.item(), **PAGES, "w1.xml": make.web_link("https://youtu.be/a")}
    assert set(read(make.cartridge(*resources), files).items) == {"r1", "p1", "w1"}
    assert set(read(make.qti3(*resources), files).items) == {"r1"}


def test_p3_an_assessment_of_several_questions_is_a_container() -> None:
    manifest = make.cartridge(make.resource("a1", "a.xml", ASSESSMENT))
    reading = read(manifest, {"a.xml": make.assessment(make.question("i1"), make.question("i2"), title="Final quiz")})
    assert list(reading.items) == ["a1#i1", "a1#i2"]
    assert {content.title for content in reading.items.values()} == {"Question"}
    assert [(content.source_identifier, content.title) for content in reading.containers] == [("a1", "Final quiz")]
    assert reading.containers[0].alignments == (Alignment(CASE, None, "Standard"),)
    assert reading.related(AssociationType.IS_CHILD_OF) == [("a1#i1", "a1", 0), ("a1#i2", "a1", 1)]
    assert reading.items["a1#i2"].xml == make.question("i2").encode()


def test_p3_an_assessment_of_one_question_is_that_question() -> None:
    document = make.assessment(make.question())
    reading = read(make.cartridge(make.resource("a1", "a.xml", ASSESSMENT)), {"a.xml": document})
    assert [(content.source_identifier, content.type) for content in reading.contents] == [("a1", "QUESTION")]
    assert reading.contents[0].xml is None, "the whole file"


@pytest.mark.parametrize(
    ("type", "document"),
    [
        ("imsqti_xmlv1p2/imscc_xmlv1p3/question-bank", make.bank(make.question("i1"), make.question("i2"))),
        ("imsqti_xmlv1p2", make.bank(make.question("i1"), make.question("i2"))),
    ],
)
def test_p3_a_bank_is_no_container_but_its_questions_are_where_it_stands(type: str, document: str) -> None:
    bank, files = make.resource("b1", "b.xml", type), {"b.xml": document, **PAGES}
    reading = read(make.cartridge(bank), files)
    assert (list(reading.items), reading.containers) == (["b1#i1", "b1#i2"], [])
    places = make.place("i1", reference="p1") + make.place("i2", reference="b1") + make.place("i3", reference="p2")
    reading = read(make.cartridge(P1, bank, P2, items=make.place("m1", "Unit", items=places)), files)
    assert reading.related(AssociationType.IS_CHILD_OF)[:4] == [
        ("p1", "m1", 0),
        ("b1#i1", "m1", 1),
        ("b1#i2", "m1", 2),
        ("p2", "m1", 3),
    ]


def test_p3_an_assessment_without_questions_fails() -> None:
    reading = read(make.cartridge(make.resource("a1", "a.xml", ASSESSMENT)), {"a.xml": make.assessment()})
    assert reading.failures == {"a1": CODE.RESOURCE_INVALID}


def test_p3_each_question_has_an_outcome_of_its_own() -> None:
    deep = make.question("i2").replace("&lt;p&gt;", "&lt;div&gt;" * 600)
    document = make.assessment(make.question("i1"), deep, make.question("i1"), make.question("i4"))
    reading = read(make.cartridge(make.resource("a1", "a.xml", ASSESSMENT)), {"a.xml": document})
    assert list(reading.items) == ["a1#i1", "a1#i4"]
    assert reading.failures == {"a1#i2": CODE.RESOURCE_INVALID, "a1#i1": CODE.RESOURCE_INVALID}
    assert reading.related(AssociationType.IS_CHILD_OF) == [("a1#i1", "a1", 0), ("a1#i4", "a1", 1)]


def test_p3_questions_may_carry_standards_of_their_own() -> None:
    document = make.assessment(make.question("i1", metadata=make.standards(CASE_2)), make.question("i2"))
    aligned = read(make.cartridge(make.resource("a1", "a.xml", ASSESSMENT)), {"a.xml": document})
    assert [alignment.curriculum_item_id for alignment in aligned.items["a1#i1"].alignments] == [CASE, CASE_2]
    assert [alignment.curriculum_item_id for alignment in aligned.containers[0].alignments] == [CASE, CASE_2]
    unaligned = make.cartridge(make.resource("a1", "a.xml", ASSESSMENT, metadata=make.lom()))
    assert read(unaligned, {"a.xml": document}).failures == {"a1#i2": CODE.CASE_ALIGNMENT_MISSING}
    assert read(unaligned, {"a.xml": make.assessment(make.question("i1"), make.question("i2"))}).failures == {
        "a1": CODE.CASE_ALIGNMENT_MISSING
    }


@pytest.mark.parametrize("version", range(5))
def test_p4_web_links_of_every_version_are_one_type(version: int) -> None:
    manifest = make.cartridge(make.resource("w1", "w1.xml", f"imswl_xmlv1p{version}"))
    [content] = read(manifest, {"w1.xml": make.web_link("https://youtu.be/abc")}).contents
    assert (content.type, content.video_url, content.provider) == ("VIDEO", "https://youtu.be/abc", "youtube")
    assert (content.path, content.text) == ("w1.xml", "Talk")


def test_p5_a_link_in_the_manifest_itself_is_read() -> None:
    manifest = make.cartridge(make.resource("w1", None, WEB_LINK, inner=make.web_link("https://vimeo.com/1")))
    [content] = read(manifest, {}).contents
    assert (content.video_url, content.provider, content.path) == ("https://vimeo.com/1", "vimeo", None)


def test_p5_links_that_are_no_videos_are_skipped_without_duties() -> None:
    manifest = make.cartridge(make.resource("w1", "w1.xml", WEB_LINK, metadata=""), P1)
    reading = read(manifest, {**PAGES, "w1.xml": make.web_link("https://example.org/")})
    assert (reading.warnings, reading.failures, list(reading.items)) == ([("not_video", "w1")], {}, ["p1"])


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("https://example.org/", "technical/format"),
        ("www.youtube.com/watch?v=1", "beginning with https://"),
        ("//youtu.be/1", "beginning with https://"),
    ],
)
def test_p5_the_warning_says_how_a_link_becomes_a_video(url: str, hint: str) -> None:
    manifest = make.cartridge(make.resource("w1", "w1.xml", WEB_LINK), P1)
    outcomes = read(manifest, {**PAGES, "w1.xml": make.web_link(url)}).outcomes
    [message] = [outcome.message for outcome in outcomes if isinstance(outcome, PackageWarning)]
    assert hint in message


def test_p5_links_of_other_schemes_fail() -> None:
    manifest = make.cartridge(make.resource("w1", "w1.xml", WEB_LINK))
    assert read(manifest, {"w1.xml": make.web_link("file:///etc/passwd")}).failures == {"w1": CODE.RESOURCE_INVALID}


def test_p6_assets_have_no_duties_and_no_outcome() -> None:
    style = make.resource("css", "style.css", "webcontent", metadata="")
    extra = make.resource("x", "x.bin", "associatedcontent/imscc_xmlv1p3/learning-application-resource", metadata="")
    reading = read(make.cartridge(P1, style, extra), {**PAGES, "style.css": "p{}", "x.bin": b"x", "img/a.png": b"x"})
    assert (reading.package.total, reading.failures, reading.warnings) == (1, {}, [])
    assert {"style.css", "x.bin", "img/a.png"} < {entry.path for entry in reading.package.entries}


def test_p7_a_resource_without_standard_fails_and_is_told_how_to_mend_it() -> None:
    manifest = make.qti3(
        make.resource("r1", metadata=make.lom()),
        make.resource("r2", metadata=make.standards("S1143") + make.lom()),
        make.resource("r3"),
        metadata=METADATA,
    )
    reading = read(manifest)
    assert reading.failures == {"r1": CODE.CASE_ALIGNMENT_MISSING, "r2": CODE.CASE_ALIGNMENT_MISSING}
    assert "'r1'" in reading.messages[0]
    assert "GUID" in reading.messages[0]
    assert "'S1143' is no such UUID" in reading.messages[1]
    assert list(reading.items) == ["r3"]


def test_p8_a_resource_without_title_fails_whatever_the_organization_says() -> None:
    untitled = make.resource("p1", "p1.html", "webcontent", metadata=make.standards(CASE))
    reading = read(make.cartridge(untitled, P2, items=make.place("i1", "Page", "p1")), PAGES)
    assert reading.failures == {"p1": CODE.METADATA_MISSING}
    assert "'p1'" in reading.messages[0]
    assert "LOM general/title" in reading.messages[0]


def test_p8_long_metadata_is_cut_with_a_warning() -> None:
    described = make.lom("x" * 100_000).replace(
        "</general>", f"<description><string>{'y' * 100_000}</string></description></general>"
    )
    aligned = make.standards(*(f"{number:08x}-644b-52e8-891e-4fa4045a6c69" for number in range(1_010)))
    places = make.place("i1", reference="p1")
    manifest = make.cartridge(make.resource("p1", "p1.html", "webcontent", metadata=described + aligned), items=places)
    reading = read(manifest, PAGES)
    page, root = reading.contents
    assert (page.title, page.description) == ("x" * 500, "y" * 10_000)
    assert len(page.alignments) == len(root.alignments) == 1_000
    assert reading.warnings == [("title_cut", "p1"), ("description_cut", "p1"), ("alignments_cut", "p1")]


def test_metadata_that_is_used_again_and_again_is_a_bomb() -> None:
    aligned = make.lom() + make.standards(*(f"{number:08x}-644b-52e8-891e-4fa4045a6c69" for number in range(1_000)))
    places = "".join(make.place(f"m{n}", None, items=make.place(f"i{n}", reference="p1")) for n in range(2_000))
    manifest = make.cartridge(make.resource("p1", "p1.html", "webcontent", metadata=aligned), items=places)
    with pytest.raises(JobFailed) as refusal:
        read(manifest, PAGES)
    assert refusal.value.code is CODE.PACKAGE_UNSAFE


def test_metadata_may_be_a_file_of_its_own() -> None:
    metadata = make.resource("m1", "m1.xml", "resourcemetadata/xml", metadata="")
    manifest = make.qti3(make.resource("r1", metadata="", dependencies=["m1"]), metadata)
    described = make.lom("From a file").replace("</lom>", f"{make.standards(CASE)}</lom>")
    reading = read(manifest, {"items/q1.xml": make.item(), "m1.xml": described})
    assert [(content.title, content.alignments[0].curriculum_item_id) for content in reading.contents] == [
        ("From a file", CASE)
    ]


def test_a_reference_leads_to_the_first_stimulus_that_is_there() -> None:
    referring = make.item(before='<qti-assessment-stimulus-ref identifier="s" href="{}"/>')
    listed = [
        make.resource("s1", "s.xml", STIMULUS),
        make.resource("s2", "s.xml", STIMULUS),
        make.resource("s1", "other.xml", STIMULUS),
        make.resource("bad", "bad.xml", STIMULUS, metadata=""),
        make.resource("good", "bad.xml", STIMULUS),
        *(make.resource(name, f"{name}.xml") for name in ("q1", "q2", "q3")),
    ]
    files = {name: make.stimulus() for name in ("s.xml", "bad.xml")}
    files |= {f"q{n}.xml": referring.format(to) for n, to in enumerate(("s.xml", "gone.xml", "bad.xml"), start=1)}
    reading = read(make.qti3(*listed), files)
    assert reading.related(AssociationType.STIMULUS) == [("q1", "s1", None), ("q3", "good", None)]


def test_a_bank_that_is_placed_again_and_again_is_a_bomb() -> None:
    questions = make.bank(*(make.question(f"i{number}") for number in range(1_000)))
    places = "".join(make.place(f"i{number}", None, "b") for number in range(1_001))
    resource = make.resource("b", "b.xml", "imsqti_xmlv1p2/imscc_xmlv1p3/question-bank")
    with pytest.raises(JobFailed, match="1,000,000 times") as refusal:
        read(make.cartridge(resource, items=make.place("m", "M", items=places)), {"b.xml": questions})
    assert refusal.value.code is CODE.PACKAGE_UNSAFE


def test_what_one_file_of_metadata_lacks_another_may_have() -> None:
    files = [make.resource(name, f"{name}.xml", "resourcemetadata/xml", metadata="") for name in ("m1", "m2")]
    manifest = make.qti3(make.resource("r1", metadata="", dependencies=["m1", "m2"]), *files)
    written = {"m1.xml": make.lom("From a file"), "m2.xml": make.standards(CASE)}
    [content] = read(manifest, {"items/q1.xml": make.item()} | written).contents
    assert (content.title, content.alignments[0].curriculum_item_id) == ("From a file", CASE)


def test_p9_folders_become_containers_below_one_root() -> None:
    empty = make.place("m2", "Empty")
    inner = make.place("m1", "Unit", items=make.place("i1", "Page", "p1") + make.place("m3", items=empty))
    reading = read(make.cartridge(P1, items=inner, title="Course"), PAGES)
    assert [(content.source_identifier, content.title) for content in reading.containers] == [
        ("m2", "Empty"),
        ("m3", "m3"),
        ("m1", "Unit"),
        ("root", "Course"),
    ]
    standards = [[each.curriculum_item_id for each in content.alignments] for content in reading.containers]
    assert standards == [[], [], [CASE], [CASE]]
    assert reading.related(AssociationType.IS_CHILD_OF) == [
        ("m2", "m3", 0),
        ("p1", "m1", 0),
        ("m3", "m1", 1),
        ("m1", "root", 0),
    ]


def test_p9_an_organization_of_several_items_is_the_root_itself() -> None:
    items = make.place("m1", "One", items=make.place("i1", "Page", "r1")) + make.place("i2", "Again", "r1")
    organization = f"<organization identifier='o'><title>All</title>{items}</organization><organization/>"
    reading = read(make.qti3(make.resource(), organizations=organization))
    assert [(each.source_identifier, each.title) for each in reading.containers] == [("m1", "One"), ("o", "All")]
    assert reading.related(AssociationType.IS_CHILD_OF) == [("r1", "m1", 0), ("m1", "o", 0), ("r1", "o", 1)]


def test_p9_there_are_no_containers_when_nothing_succeeds() -> None:
    untitled = make.resource("p1", "p1.html", "webcontent", metadata="")
    reading = read(make.cartridge(untitled, items=make.place("m1", "Unit")), PAGES)
    assert (reading.contents, list(reading.failures)) == ([], ["p1"])


def test_p10_an_item_with_reference_and_children_contains_its_resource_first() -> None:
    items = make.place("m1", "Unit", "p1", items=make.place("i2", "Page", "p2"))
    reading = read(make.cartridge(P1, P2, items=items), PAGES)
    children = reading.related(AssociationType.IS_CHILD_OF)
    assert children == [("p1", "m1", 0), ("p2", "m1", 1), ("m1", "root", 0)]


def test_p11_positions_count_what_did_not_become_an_item() -> None:
    failing = make.resource("p2", "gone.html", "webcontent")
    items = "".join(make.place(f"i{name}", "Page", name) for name in ("p2", "nowhere", "p1"))
    reading = read(make.cartridge(P1, failing, items=items), PAGES)
    assert reading.related(AssociationType.IS_CHILD_OF) == [("p1", "root", 2)]
    assert reading.warnings == [("reference_unknown", "inowhere")]


def test_p12_one_resource_in_two_folders_is_one_item() -> None:
    items = "".join(make.place(f"m{number}", "Unit", items=make.place(f"i{number}", "P", "p1")) for number in (1, 2))
    reading = read(make.cartridge(P1, items=items), PAGES)
    assert list(reading.items) == ["p1"]
    assert reading.related(AssociationType.IS_CHILD_OF)[:2] == [("p1", "m1", 0), ("p1", "m2", 0)]


def test_p13_dependencies_become_associations() -> None:
    manifest = make.qti3(
        make.resource("r1", "q1.xml", dependencies=["s1", "r2", "r1", "image", "gone", "failing", "s1"]),
        make.resource("r2", "q2.xml", dependencies=["r1"]),
        make.resource("s1", "s1.xml", STIMULUS, dependencies=["image"]),
        make.resource("image", "a.png", "webcontent", metadata=""),
        make.resource("failing", "q3.xml", metadata=""),
    )
    reading = read(manifest, {"q1.xml": make.item(), "q2.xml": make.item(), "s1.xml": make.stimulus(), "a.png": b"x"})
    assert reading.related(AssociationType.STIMULUS) == [("r1", "s1", None)]
    assert reading.related(AssociationType.SEE_ALSO) == [("r1", "r2", None), ("r2", "r1", None)]
    assert reading.warnings == [("dependency_unknown", "r1")]


def test_p13_a_reference_in_the_item_counts_as_a_dependency() -> None:
    reference = '<qti-assessment-stimulus-ref identifier="s" href="../stimuli/s1.xml"/>'
    manifest = make.qti3(
        make.resource("r1", dependencies=["s1"]),
        make.resource("r2"),
        make.resource("s1", "stimuli/s1.xml", STIMULUS),
    )
    reading = read(manifest, {"items/q1.xml": make.item(before=reference), "stimuli/s1.xml": make.stimulus()})
    assert reading.related(AssociationType.STIMULUS) == [("r1", "s1", None), ("r2", "s1", None)]


def test_p13_thousands_of_dependencies_and_cycles_end() -> None:
    names = [f"r{number}" for number in range(2_000)]
    circle = [make.resource(name, dependencies=[names[index - 1]]) for index, name in enumerate(names[1:], start=1)]
    reading = read(make.qti3(make.resource("r0", dependencies=names), *circle))
    assert len(reading.related(AssociationType.SEE_ALSO)) == 2 * 1_999


def test_p15_an_article_is_shown_sanitised() -> None:
    page = "<html lang='fr'><body onload='x()'><script>x</script><p>Bonjour</p></body></html>"
    [content] = read(make.qti3(make.resource("a1", "a.html", ARTICLE)), {"a.html": page}).contents
    assert (content.body, content.text, content.language) == ("<p>Bonjour</p>", "Bonjour", "fr")


@pytest.mark.parametrize("href", ["page.html", "page.HTM", "page.html?x=1#top"])
def test_p16_pages_are_articles(href: str) -> None:
    manifest = make.cartridge(make.resource("p1", href, "webcontent"))
    [content] = read(manifest, {href.partition("?")[0]: make.PAGE}).contents
    assert (content.type, content.body) == ("ARTICLE", "<p>Hello</p>")


def test_p16_file_tokens_are_links_from_the_page() -> None:
    page = '<img src="$IMS-CC-FILEBASE$/img/a.png">'
    manifest = make.cartridge(make.resource("p1", "wiki/p1.html", "webcontent"))
    [content] = read(manifest, {"wiki/p1.html": page, "img/a.png": b"x"}).contents
    assert content.body == '<img src="../img/a.png">'


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.xml": ""}, "no imsmanifest.xml at its root"),
        ({"course/imsmanifest.xml": make.qti3()}, "'course/imsmanifest.xml': zip what is in its folder"),
        ({"IMSMANIFEST.XML": make.qti3()}, "'IMSMANIFEST.XML': write its name in small letters"),
        ({"imsmanifest.xml/": ""}, "no imsmanifest.xml at its root"),
    ],
)
def test_p17_the_manifest_is_at_the_root(files: dict[str, str], message: str) -> None:
    refusal = refused(make.zipped(files))
    assert refusal.code is CODE.MANIFEST_MISSING
    assert message in refusal.message


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (make.Raw(b"imsmanifest.xml", make.qti3(make.resource()).encode(), crc=1), CODE.MANIFEST_INVALID),
        (make.Raw(b"imsmanifest.xml", make.qti3(make.resource()).encode(), size=20), CODE.PACKAGE_UNSAFE),
        (make.Raw(b"imsmanifest.xml", b""), CODE.MANIFEST_INVALID),
        (make.Raw(b"imsmanifest.xml", b"\0" * 2**27, size=129 * 2**20, local_size=0), CODE.PACKAGE_UNSAFE),
    ],
)
def test_p17_a_damaged_manifest_refuses_the_package(raw: make.Raw, code: JobErrorCode) -> None:
    assert refused(make.forged(raw)).code is code


def test_p19_of_two_equal_identifiers_the_first_wins() -> None:
    reading = read(make.qti3(make.resource("r1"), make.resource("r1", "other.xml"), make.resource("")))
    assert list(reading.items) == ["r1"]
    assert reading.failures == {"r1": CODE.RESOURCE_INVALID, "items/q1.xml": CODE.RESOURCE_INVALID}


def test_identifiers_have_a_longest_form() -> None:
    reading = read(make.qti3(make.resource("x" * 300)))
    assert reading.failures == {"x" * 255: CODE.RESOURCE_INVALID}


@pytest.mark.parametrize(
    "type",
    [
        *("imsqti_test_xmlv3p0", "imsqti_rptemplate_xmlv3p0", "imsbasiclti_xmlv1p3", "imsdt_xmlv1p3", "imscc_page"),
        *("assignment_xmlv1p0", "idpfepub_epub3_container_xmlv3p0", "imsqti_item_xmlv2p1", ""),
    ],
)
def test_p20_other_types_are_skipped_with_a_warning(type: str) -> None:
    reading = read(make.cartridge(make.resource("r1"), make.resource("x", "x.xml", type, metadata="")))
    assert (list(reading.items), reading.failures) == (["r1"], {})
    assert reading.warnings == [("type_unsupported", "x")]
    assert (reading.package.total, reading.package.done) == (2, 2)


def test_p21_a_package_without_supported_resources_is_refused() -> None:
    refusal = refused(make.package(make.qti3(make.resource("t", "t.xml", "imsqti_test_xmlv3p0"))))
    assert refusal.code is CODE.NOTHING_SUPPORTED
    assert "imsqti_test_xmlv3p0" in refusal.message
    assert "only a test file mentions" in refusal.message
    scorm = make.resource("s", "index.html", "webcontent")
    refusal = refused(make.package(make.qti3(scorm), PAGES))
    assert refusal.code is CODE.NOTHING_SUPPORTED
    assert "if it is a Common Cartridge" in refusal.message
    link = make.cartridge(make.resource("w", "w.xml", WEB_LINK))
    skipped = make.package(link, {"w.xml": make.web_link("https://example.org/")})
    refusal = refused(skipped)
    assert refusal.code is CODE.NOTHING_SUPPORTED
    assert "QTI 3.0" not in refusal.message


REMOTE = make.resource("r1", "q.xml", attributes='xml:base="https://example.org/"')


@pytest.mark.parametrize(
    ("resource", "files"),
    [
        pytest.param(make.resource("r1", "gone.xml"), {}, id="missing file"),
        pytest.param(make.resource("r1", None), {}, id="no file"),
        pytest.param(make.resource("r1", "../q.xml"), {}, id="outside"),
        pytest.param(make.resource("r1", "https://example.org/q.xml"), {}, id="remote"),
        pytest.param(REMOTE, {"q.xml": make.item()}, id="remote base"),
        pytest.param(make.resource("r1", "q.xml"), {"q.xml": b""}, id="0 bytes"),
        pytest.param(make.resource("r1", "q.xml"), {"q.xml": "<a>"}, id="malformed"),
        pytest.param(make.resource("r1", "q.xml"), {"q.xml": "<assessmentItem/>"}, id="QTI 2"),
        pytest.param(make.resource("r1", "q.xml"), {"q.xml": f"<!DOCTYPE x>{make.item()}"}, id="DTD"),
        pytest.param(make.resource("r1", "q.xml"), {"q.xml": "<a>" * 5_000}, id="deep"),
    ],
)
def test_a_resource_that_cannot_be_read_fails_alone(resource: str, files: dict[str, str | bytes]) -> None:
    reading = read(make.qti3(resource, make.resource("r2")), {"items/q1.xml": make.item(), **files})
    assert reading.failures == {"r1": CODE.RESOURCE_INVALID}
    assert list(reading.items) == ["r2"]


def test_secrets_of_the_machine_are_in_no_outcome() -> None:
    entity = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    included = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'
    manifest = make.qti3(make.resource("r1", "q1.xml"), make.resource("r2", "q2.xml"))
    reading = read(manifest, {"q1.xml": entity + make.item("&e;"), "q2.xml": make.item(included)})
    assert "root:" not in repr(reading.outcomes)
    assert list(reading.failures) == ["r1"]


def test_bases_move_hrefs() -> None:
    resource = make.resource("r1", "q.xml", attributes='xml:base="items/"')
    document = make.qti3(resource, attributes='xml:base="content/"')
    assert list(read(document, {"content/items/q.xml": make.item()}).items) == ["r1"]


def test_bases_may_be_encoded() -> None:
    document = make.qti3(make.resource("r1", "q.xml", attributes='xml:base="unit%201/"'), make.resource("r2", "q.xml"))
    found = read(document, {"unit 1/q.xml": make.item()})
    assert (list(found.items), list(found.failures)) == (["r1"], ["r2"])


def test_a_missing_file_is_named_with_its_folder() -> None:
    document = make.qti3(make.resource("r1", "q.xml", attributes='xml:base="unit/"'))
    [message] = read(document, {}).messages
    assert "'unit/q.xml' is not in the package" in message


def test_a_bomb_found_on_the_way_condemns_the_package() -> None:
    manifest = make.qti3(make.resource("r1", "q1.xml"), make.resource("r2", "q2.xml")).encode()
    document = make.item().encode()
    file = make.forged(
        make.Raw(b"imsmanifest.xml", manifest),
        make.Raw(b"q1.xml", document),
        make.Raw(b"q2.xml", document * 9, size=len(document), local_size=0),
    )
    assert refused(file).code is CODE.PACKAGE_UNSAFE


def test_outcomes_can_be_taken_one_by_one() -> None:
    package = read_package(make.package(make.qti3(make.resource("r1"), make.resource("r2"))))
    outcomes = package.outcomes()
    assert (package.total, package.done) == (2, 0)
    assert isinstance(next(outcomes), Content)
    assert isinstance(next(outcomes), Content)
    assert package.done == 1
    assert (list(outcomes), package.done) == ([], 2)


def test_keys_are_unique_and_known_before_they_are_used() -> None:
    items = make.place("p1", "Same name as a resource", items=make.place("i1", "Page", "p1"))
    reading = read(make.cartridge(P1, items=items), PAGES)
    seen: set[int] = set()
    for outcome in reading.outcomes:
        match outcome:
            case Content():
                assert outcome.key not in seen
                seen.add(outcome.key)
            case Association():
                assert {outcome.source, outcome.target} <= seen
