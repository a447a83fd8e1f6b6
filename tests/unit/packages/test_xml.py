"""Documents of strangers are parsed without doing what they say."""

import pytest

from storage.errors import JobErrorCode, JobFailed
from storage.packages import xml

LAUGHS = b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;">]><a b="&y;">&y;</a>'

DECLARING = "<a " + " ".join(f"xmlns:n{number}='urn:x:{number:050}'" for number in range(201)) + "/>"


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<a><b></a>", id="malformed"),
        pytest.param(b"<a>&#0;</a>", id="NUL"),
        pytest.param(b"<!DOCTYPE a><a/>", id="doctype"),
        pytest.param(b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><a/>', id="external DTD"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', id="XXE"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><a/>', id="parameter entity"),
        pytest.param(LAUGHS, id="laughs"),
        pytest.param(b"<a>" * 300 + b"</a>" * 300, id="deep"),
        pytest.param(b"<a>" + b"x" * (11 * 2**20) + b"</a>", id="long text"),
        pytest.param(b"<a>" + b"<b/>" * 250_001 + b"</a>", id="many elements"),
        pytest.param(DECLARING.encode(), id="many namespaces"),
        pytest.param(b'<?xml version="1.0" encoding="UTF-8"?><a>\xe9</a>', id="Latin-1 declared UTF-8"),
        pytest.param(b'<?xml version="1.0" encoding="UTF-16"?><a/>', id="UTF-8 declared UTF-16"),
        pytest.param(b'<a xmlns:x="http: //x"><b></a>', id="malformed beside a bad namespace"),
    ],
)
def test_a_document_is_refused(document: bytes) -> None:
    with pytest.raises(JobFailed) as failure:
        xml.parse(document)
    assert failure.value.code is JobErrorCode.RESOURCE_INVALID
    assert "root:" not in failure.value.message


@pytest.mark.parametrize("document", [b"<a>" * 300 + b"</a>" * 300, b"<a>" + b"x" * (11 * 2**20) + b"</a>"])
def test_an_author_is_told_the_place_and_no_option_of_the_parser(document: bytes) -> None:
    with pytest.raises(JobFailed, match="line 1") as failure:
        xml.parse(document)
    assert "XML_PARSE" not in failure.value.message


@pytest.mark.parametrize(
    "document",
    [
        pytest.param("<a>é</a>".encode("utf-16"), id="UTF-16 with mark"),
        pytest.param("<a>é</a>".encode("utf-8-sig"), id="UTF-8 with mark"),
        pytest.param(b'<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe9</a>', id="declared Latin-1"),
        pytest.param('<a xmlns:xsi="http: //www.w3.org">é</a>'.encode(), id="a namespace that is no URI"),
        pytest.param("<a><?php x?>é<!-- y --></a>".encode(), id="comments and instructions"),
        pytest.param("<p:a xmlns:p='urn:x'>é</p:a>".encode(), id="prefix"),
    ],
)
def test_an_odd_document_is_read(document: bytes) -> None:
    root = xml.parse(document)
    assert (xml.local(root), xml.text(root)) == ("a", "é")


def test_a_namespace_may_be_declared_anew_by_each_element() -> None:
    repeated = "<b xmlns='urn:x'/>" * 1_000
    assert len(xml.parse(f"<a>{repeated}</a>".encode())) == 1_000


def test_inclusions_stay_unresolved() -> None:
    root = xml.parse(b'<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/passwd" parse="text"/></a>')
    assert xml.text(root) == ""


def test_a_title_is_one_line() -> None:
    assert xml.line(xml.parse("<a>\n  One\n  line\u00a0 \u202eonly\n</a>".encode())) == "One line\u00a0 \u202eonly"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("é".encode(), "é"),
        ("é".encode("utf-8-sig"), "é"),
        ("é".encode("utf-16"), "é"),
        (b"\xe9\x80", "é€"),
        (b'<?xml encoding="unicode_escape"?>\\u0041', '<?xml encoding="unicode_escape"?>\\u0041'),
        (b"<meta charset=zlib>a\0b", "<meta charset=zlib>ab"),
    ],
)
def test_bytes_become_text(data: bytes, text: str) -> None:
    assert xml.decode(data) == xml.decode(data, page=True) == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"<meta charset='koi8-r'>\xc1", "<meta charset='koi8-r'>а"),
        (b"<meta charset=iso-8859-1>\x93Hi\x94 \x80", "<meta charset=iso-8859-1>“Hi” €"),
        (b'<?xml version="1.0" encoding="us-ascii"?>\x96', '<?xml version="1.0" encoding="us-ascii"?>–'),
        ("<meta charset=utf-16>été".encode(), "<meta charset=utf-16>été"),
    ],
)
def test_a_page_is_read_as_browsers_read_it(data: bytes, text: str) -> None:
    assert xml.decode(data, page=True) == text


def test_what_an_element_of_a_document_says_is_not_its_encoding() -> None:
    assert xml.decode("<mattext charset='iso-8859-1'>é".encode()) == "<mattext charset='iso-8859-1'>é"
    assert xml.decode(b"<?xml version='1.0' encoding='iso-8859-1'?>\xe9")[-1] == "é"


@pytest.mark.parametrize(
    ("document", "parts"),
    [
        ("<r><item a='>'/>x<item\n b = \"/>\">\r\n<!-- é --><p>&#233;</p></item ></r>", 2),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><q:r xmlns:q='u: v'><q:item>é<q:item/></q:item></q:r>", 1),
        ("<r><items/></r>", 0),
        ("<r><item>", 0),
    ],
)
def test_parts_of_a_document_are_cut_out_letter_by_letter(document: str, parts: int) -> None:
    encoding = "latin-1" if "8859" in document else "utf-8"
    found = xml.cut(document.encode(encoding), "item")
    assert len(found) == parts
    rest = document
    for part in found:
        before, whole, rest = rest.partition(part.decode())
        assert whole.startswith(("<item", "<q:item"))
        assert whole.endswith(("</item >", "</q:item>", "/>"))
        assert "<item" not in before
