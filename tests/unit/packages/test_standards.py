"""Where CASE identifiers are found, and what counts as one."""

import pytest

from storage.packages import standards
from storage.packages.standards import Alignment, case_id
from storage.packages.xml import parse
from tests.packages.builders import CASE, CASE_2, guid, lom
from tests.packages.builders import standards as written

URI = f"https://case.example.org/ims/case/v1p0/CFItems/{CASE}"


@pytest.mark.parametrize(
    "value",
    [
        CASE,
        CASE.upper(),
        f"{{{CASE}}}",
        f"\n  {CASE} ",
        f"{{ {CASE.upper()} }}",
        f"urn:uuid:{CASE}",
        URI,
        f"{URI}/",
        f"{URI}?x=1#y",
        URI.upper(),
    ],
)
def test_a_uuid_is_found(value: str) -> None:
    assert case_id(value) == CASE


@pytest.mark.parametrize(
    "value",
    [
        *("", "S1143558", "http://asn.example.org/resources/S1143558", f"{CASE}0", CASE.replace("-", "")),
        *(f"https://example.org/{CASE}/items", f"x/{CASE}", f"https://example.org/?id={CASE}"),
    ],
)
def test_another_value_is_no_standard(value: str) -> None:
    assert case_id(value) is None


def classification(purpose: str = "", source: str = "", value: str = CASE) -> str:
    taxon = f"<taxon><id>{value}</id><entry><string>Ratios</string></entry></taxon>"
    path = f"<taxonPath><source><string>{source}</string></source>{taxon}</taxonPath>"
    return lom(more=f"<classification><purpose><value>{purpose}</value></purpose>{path}</classification>")


def read(metadata: str) -> tuple[Alignment, ...]:
    return standards.read(parse(f"<metadata>{metadata}</metadata>".encode()))


@pytest.mark.parametrize(
    ("metadata", "alignment"),
    [
        pytest.param(written(CASE), Alignment(CASE, None, "Standard"), id="GUID"),
        pytest.param(written(guid("", URI)), Alignment(CASE, URI, "Standard"), id="URI only"),
        pytest.param(written(guid(CASE, URI)), Alignment(CASE, URI, "Standard"), id="both"),
        pytest.param(written(guid("code", URI)), Alignment(CASE, URI, "Standard"), id="GUID is a code"),
        pytest.param(written(guid(URI)), Alignment(CASE, URI, "Standard"), id="GUID is a URI"),
        pytest.param(written(guid(CASE, "https://e.org/other")), Alignment(CASE, None, "Standard"), id="another URI"),
        pytest.param(written(guid(CASE, label="x" * 900)), Alignment(CASE, None, "x" * 500), id="long label"),
        pytest.param(classification("educational objective"), Alignment(CASE, None, "Ratios"), id="objective"),
        pytest.param(classification("Educational\n  objective"), Alignment(CASE, None, "Ratios"), id="broken line"),
        pytest.param(classification(source="CASE", value=URI), Alignment(CASE, URI, "Ratios"), id="source CASE"),
    ],
)
def test_a_standard_is_read_with_its_link_and_label(metadata: str, alignment: Alignment) -> None:
    assert read(metadata) == (alignment,)


@pytest.mark.parametrize(
    ("metadata", "identifiers"),
    [
        pytest.param(written(CASE, CASE_2, CASE.upper()), [CASE, CASE_2], id="each once"),
        pytest.param(f"<lom>{written(CASE)}</lom>", [CASE], id="inside LOM"),
        pytest.param(f"<x><GUID>{CASE}</GUID><GUID>{CASE_2}</GUID></x>", [CASE, CASE_2], id="unlabelled"),
        pytest.param(written(CASE_2) + classification("educational objective"), [CASE_2], id="GUIDs first"),
        pytest.param(
            classification("educational objective").replace("</entry>", f"</entry><taxon><id>{CASE_2}</id></taxon>"),
            [CASE, CASE_2],
            id="a taxon in a taxon",
        ),
        pytest.param(classification("discipline"), [], id="discipline"),
        pytest.param(classification("educational objective", value="S1"), [], id="code in a classification"),
        pytest.param(written("S1143", ""), [], id="codes"),
    ],
)
def test_standards_are_found_where_they_may_be(metadata: str, identifiers: list[str]) -> None:
    assert [alignment.curriculum_item_id for alignment in read(metadata)] == identifiers


def test_what_stood_there_can_be_told_to_the_author() -> None:
    metadata = parse(f"<metadata>{written('', 'S1143')}</metadata>".encode())
    assert standards.stated(metadata) == "S1143"
