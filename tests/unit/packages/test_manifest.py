"""Manifests of both formats, sound and unsound."""

from collections.abc import Iterator

import pytest

from storage.errors import JobErrorCode, JobFailed
from storage.packages import manifest
from storage.packages.manifest import Manifest, OrganizationItem, PackageType
from tests.packages.builders import CASE, ITEM, METADATA, cartridge, lom, place, qti3, resource

QTI = "http://www.imsglobal.org/xsd/qti/qtiv3p0/imscp_v1p1"


def read(document: str | bytes, step: int = 50) -> Manifest:
    data = document.encode() if isinstance(document, str) else document

    def pieces() -> Iterator[bytes]:
        return (data[at : at + step] for at in range(0, len(data), step))

    return manifest.read(pieces)


def written(types: tuple[str, ...] = (), root: str = QTI, schema: str = "QTI Package", extra: str = "") -> str:
    resources = "".join(f'<resource identifier="{index}" type="{type}"/>' for index, type in enumerate(types))
    return (
        f'<manifest xmlns="{root}" {extra}><metadata><schema>{schema}</schema></metadata>'
        f"<resources>{resources}</resources></manifest>"
    )


CSM = 'xmlns:c="http://www.imsglobal.org/xsd/imsccv1p3/imscsmd_v1p0"'


@pytest.mark.parametrize(
    ("document", "package_type"),
    [
        *(
            (written(("webcontent",), f"http://www.imsglobal.org/xsd/imscc{version}/imscp_v1p1"), "COMMON_CARTRIDGE")
            for version in ("", "v1p1", "v1p2", "v1p3", "v1p4")
        ),
        (written(("webcontent",), "https://www.imsglobal.org/xsd/imsccv1p3/imscp_v1p1"), "COMMON_CARTRIDGE"),
        (written((ITEM, "imscc_page")), "COMMON_CARTRIDGE"),
        (written((ITEM,), schema="IMS Common Cartridge"), "COMMON_CARTRIDGE"),
        (written(("webcontent",), schema="IMS Thin\n Common  Cartridge"), "COMMON_CARTRIDGE"),
        (written(("webcontent",), extra=CSM), "COMMON_CARTRIDGE"),
        (written((ITEM,), extra=CSM), "QTI_3_0"),
        (written((ITEM,)), "QTI_3_0"),
        (written(("webcontent",)), "QTI_3_0"),
        (written(("webcontent",), schema="<!-- IMS Common Cartridge -->"), "QTI_3_0"),
        (written(("webcontent",), root=""), "QTI_3_0"),
    ],
)
def test_the_format_is_detected(document: str, package_type: str) -> None:
    assert read(document).format is PackageType(package_type)


def test_a_resource_is_read_with_its_metadata() -> None:
    easy = "<educational><difficulty><value>easy</value></difficulty></educational>"
    described = f"{METADATA.replace('</lom>', easy + '</lom>')}"
    [only] = read(qti3(resource("r1", "a.xml", metadata=described, dependencies=["s", "t", "s"]))).resources
    assert (only.identifier, only.type, only.href, only.dependencies) == ("r1", ITEM, "a.xml", ("s", "t"))
    assert (only.lom.title, only.lom.difficulty) == ("Question", "easy")
    assert [alignment.curriculum_item_id for alignment in only.alignments] == [CASE]


def test_what_metadata_calls_a_resource_or_an_item_is_none() -> None:
    relation = "<relation><resource identifier='x'/></relation><item identifier='y'><item identifier='z'/></item>"
    [only] = read(cartridge(resource(metadata=lom(more=relation) + METADATA))).resources
    assert (only.identifier, only.lom.title) == ("r1", "Question")
    described = f"<metadata>{relation}</metadata>"
    [organization] = read(cartridge(resource(), items=described + place("i1", "Page", "r1"))).organizations
    assert [item.identifier for item in organization.items[0].items] == ["i1"]


@pytest.mark.parametrize(
    ("attributes", "inner", "href"),
    [
        ('href=" a.xml "', "", "a.xml"),
        ('href="a.xml"', '<file href="b.xml"/>', "a.xml"),
        ("", '<file href="b.xml"/><file href="c.xml"/>', "b.xml"),
        ('href=""', '<file href="b.xml"/>', "b.xml"),
        ("", "", None),
    ],
)
def test_the_file_is_the_href_or_the_first(attributes: str, inner: str, href: str | None) -> None:
    document = f'<manifest><resources><resource identifier="r" {attributes}>{inner}</resource></resources></manifest>'
    assert read(document).resources[0].href == href


@pytest.mark.parametrize(
    ("bases", "base"),
    [
        (("", "", ""), ""),
        (("content/", "", ""), "content"),
        (("content/", "items/", "x"), "content/items/x"),
        (("content/", "../", ""), ""),
        (("", "/items", ""), "items"),
    ],
)
def test_bases_add_up(bases: tuple[str, str, str], base: str) -> None:
    first, second, third = (f'xml:base="{step}"' if step else "" for step in bases)
    document = f"<manifest {first}><resources {second}><resource {third}/></resources></manifest>"
    assert read(document).resources[0].base == base


def test_a_manifest_in_a_manifest_moves_its_own_resources_only() -> None:
    inner = "".join(f'<manifest xml:base="{name}/"><resources><resource/></resources></manifest>' for name in "xy")
    document = f'<manifest xml:base="content/"><resources><resource/></resources>{inner}</manifest>'
    assert [resource.base for resource in read(document).resources] == ["content", "content/x", "content/y"]


def test_organizations_keep_their_order_and_depth() -> None:
    items = place("m1", "Unit", items=place("i1", "Page", "p1") + place("m2", items=place("i2", reference="p2")))
    [organization] = read(cartridge(resource("p1"), items=items + place("m3", " Last\n one "))).organizations
    leaf = OrganizationItem("i2", None, "p2", ())
    unit = OrganizationItem(
        "m1", "Unit", None, (OrganizationItem("i1", "Page", "p1", ()), OrganizationItem("m2", None, None, (leaf,)))
    )
    assert organization.items[0].items == (unit, OrganizationItem("m3", "Last one", None, ()))


def test_a_title_after_the_items_counts_as_well() -> None:
    items = "<item identifier='m'><item identifier='a'/><item identifier='b'/><title>Late</title></item>"
    assert read(cartridge(resource(), items=items)).organizations[0].items[0].items[0].title == "Late"


@pytest.mark.parametrize("step", [1, 7, 64, 100_000])
def test_pieces_of_any_size_give_the_same(step: int) -> None:
    document = cartridge(*(resource(f"r{number}") for number in range(9)), items=place("m", "Unit"))
    assert read(document, step) == read(document, 10**6)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(qti3(resource()).encode("utf-16"), id="UTF-16"),
        pytest.param(qti3(resource()).encode("utf-8-sig"), id="byte order mark"),
        pytest.param(f"<?xml version='1.0' encoding='ISO-8859-1'?>{qti3(resource())}".encode(), id="Latin-1"),
        pytest.param(qti3(resource(), attributes='xmlns:xsi="http: //www.w3.org"'), id="a namespace that is no URI"),
        pytest.param("<p:manifest xmlns:p='urn:x'><p:resources><p:resource/></p:resources></p:manifest>", id="prefix"),
        pytest.param(written((ITEM,), "imscp"), id="a namespace that is not absolute"),
        pytest.param(written((ITEM,), "imscp", extra='xmlns:xsi="http: //www.w3.org"'), id="both kinds of namespaces"),
        pytest.param(qti3(resource(), attributes='xml:space="none"'), id="an unknown space"),
        pytest.param(f"<!-- <resource/> --><?x?>{qti3(resource())}", id="comments"),
    ],
)
def test_an_odd_manifest_is_read(document: str | bytes) -> None:
    assert len(read(document).resources) == 1


LAUGHS = "<!DOCTYPE manifest [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]>"
DEEP = "".join(f"<item identifier='{depth}'>" for depth in range(104)) + "</item>" * 104


@pytest.mark.parametrize(
    ("document", "code"),
    [
        pytest.param("", JobErrorCode.MANIFEST_INVALID, id="0 bytes"),
        pytest.param("<manifest>", JobErrorCode.MANIFEST_INVALID, id="malformed"),
        pytest.param("<x/>", JobErrorCode.MANIFEST_INVALID, id="another root"),
        pytest.param("<x><manifest/></x>", JobErrorCode.MANIFEST_INVALID, id="inner manifest"),
        pytest.param("<manifest/>", JobErrorCode.MANIFEST_INVALID, id="no resources"),
        pytest.param(qti3(), JobErrorCode.MANIFEST_INVALID, id="zero resources"),
        pytest.param(b"<manifest>\xe9</manifest>", JobErrorCode.MANIFEST_INVALID, id="not UTF-8"),
        pytest.param("<manifest>&nbsp;</manifest>", JobErrorCode.MANIFEST_INVALID, id="undeclared entity"),
        pytest.param("<a>" * 300, JobErrorCode.MANIFEST_INVALID, id="deep XML"),
        pytest.param(cartridge(resource(), items=DEEP), JobErrorCode.MANIFEST_INVALID, id="deep organization"),
        pytest.param(
            "<manifest xmlns:x='http: //x'><resource></manifest>", JobErrorCode.MANIFEST_INVALID, id="two faults"
        ),
        pytest.param(
            f"<manifest><x>{'<y/>' * 2**20}</x></manifest>", JobErrorCode.MANIFEST_INVALID, id="one huge element"
        ),
        pytest.param(f"<!DOCTYPE manifest>{qti3(resource())}", JobErrorCode.PACKAGE_UNSAFE, id="doctype"),
        pytest.param(f"{LAUGHS}<manifest a='&b;'>&b;</manifest>", JobErrorCode.PACKAGE_UNSAFE, id="laughs"),
        pytest.param(
            "<!DOCTYPE manifest SYSTEM 'http://127.0.0.1:1/x'><manifest/>", JobErrorCode.PACKAGE_UNSAFE, id="DTD"
        ),
    ],
)
def test_a_manifest_is_refused(document: str | bytes, code: JobErrorCode) -> None:
    with pytest.raises(JobFailed) as refusal:
        read(document, 4096)
    assert refusal.value.code is code


def test_one_hundred_folders_are_deep_enough() -> None:
    items = place("leaf", "Page", "r1")
    for depth in range(100):
        items = place(f"d{depth}", "Folder", items=items)
    assert read(cartridge(resource(), items=items)).organizations


def test_the_metadata_of_the_manifest_is_not_inherited() -> None:
    [only] = read(qti3(resource(metadata=""), metadata=METADATA)).resources
    assert (only.alignments, only.lom.title) == ((), None)


def test_the_title_of_a_package_is_in_its_metadata() -> None:
    assert read(qti3(resource(), metadata=lom("Course"))).title == "Course"


@pytest.mark.parametrize(
    ("attributes", "named"),
    [
        (" ".join(f'xmlns:n{number}="urn:{number}"' for number in range(201)), "namespaces"),
        (f'xml:base="{"a/" * 1_025}"', "xml:base"),
    ],
)
def test_what_is_written_again_with_each_resource_is_bounded(attributes: str, named: str) -> None:
    with pytest.raises(JobFailed, match=named) as failure:
        read(written((ITEM,) * 3, extra=attributes))
    assert failure.value.code is JobErrorCode.MANIFEST_INVALID
