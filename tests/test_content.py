"""Ingested items and their files: R-SES, R-ASC, R-QTI-1, R-IMP-10, D21."""

import zipfile
from datetime import timedelta
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import event
from sqlmodel import select

from storage import content_sessions
from storage.presign import Permission, Presigner, Purpose
from storage.tables import Association, Environment, Workspace
from storage.tables.columns import now
from tests.ingesting import COURSE, Client, client
from tests.packages.builders import (
    ARTICLE,
    CASE,
    PAGE,
    STIMULUS,
    cartridge,
    item,
    lom,
    package,
    place,
    qti3,
    resource,
    standards,
    stimulus,
)
from tests.test_resources import counted
from tests.world import SECRET, World

SESSION = "{ contentSession { url urlExpiresAt cookiesExpireAt } }"
PNG = zipfile.ZipFile(BytesIO(COURSE)).read("images/dot.png")
POLICY = (
    "sandbox allow-same-origin; default-src 'none'; script-src 'none'; img-src 'self' data:; media-src 'self'; "
    "style-src 'self' 'unsafe-inline'; font-src 'self'"
)


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def begun(author: Client) -> httpx.Response:
    """The answer that sets the cookie."""
    url = (await author.graph(SESSION))["contentSession"]["url"]
    return await author.lectern.client.get(url)


async def shown(author: Client, data: bytes, identifier: str) -> str:
    """The contentUrl of an item of a package that has just been ingested."""
    await author.ingested(data)
    return str((await author.item(identifier, "contentUrl"))["contentUrl"])


# Sessions


async def test_a_session_url_sets_a_cookie_once_that_opens_the_content(lectern: World) -> None:
    """R-SES-1, R-SES-3."""
    author = await client(lectern)
    url = await shown(author, COURSE, "p1")
    assert problem(await lectern.client.get(url)) == (403, "session_required")
    session = (await author.graph(SESSION))["contentSession"]
    for method in ("HEAD", "OPTIONS", "POST"):
        looked = await lectern.client.request(method, session["url"])
        assert (looked.status_code, looked.headers["allow"]) == (405, "GET"), "looking ahead does not use it up"
    entered = await lectern.client.get(session["url"])
    assert entered.status_code == 204
    cookie = entered.headers["set-cookie"]
    name, *attributes = cookie.split("; ")
    assert name.startswith("lectern_content=")
    assert sorted(attributes) == ["HttpOnly", "Max-Age=3600", "Path=/content", "SameSite=lax"]
    page = await lectern.client.get(url)
    assert page.status_code == 200
    assert page.text.startswith("<html><body><h1>One</h1>")
    assert problem(await lectern.client.get(session["url"])) == (410, "already_used")
    assert (await lectern.client.get(url)).status_code == 200, "the first one's cookie stays good"


async def test_two_sessions_do_not_use_each_other_up(lectern: World) -> None:
    author = await client(lectern)
    assert [(await begun(author)).status_code for _ in range(2)] == [204, 204]


async def test_a_session_leads_on_to_content_and_nowhere_else(lectern: World) -> None:
    author = await client(lectern)
    url = urlsplit(await shown(author, COURSE, "p1")).path
    session = (await author.graph(SESSION))["contentSession"]["url"]
    for elsewhere in (
        "https://evil.example.org/",
        "//evil.example.org/content/",
        "/graphql",
        "/content",
        "/content/../graphql",
        "/content/%2e%2e/graphql",
        "/content/\\evil",
        "/content/x\r\nSet-Cookie: a=b",
        "",
    ):
        answer = await lectern.client.get(session, params={"next": elsewhere})
        assert problem(answer) == (400, "malformed"), elsewhere
    answer = await lectern.client.get(session, params={"next": url})
    assert (answer.status_code, answer.headers["location"]) == (302, url)
    assert (await lectern.client.get(url)).status_code == 200
    another = (await author.graph(SESSION))["contentSession"]["url"]
    answer = await lectern.client.get(f"{another}?next={url}%C3%BC b")
    assert (answer.status_code, answer.headers["location"]) == (302, f"{url}%C3%BC%20b"), "encoded once or not at all"


async def test_sessions_end(lectern: World) -> None:
    """R-SES-4, D21."""
    author = await client(lectern)
    url = await shown(author, COURSE, "p1")
    sign = Presigner([SECRET])
    async with lectern.database.snapshot() as session:
        tenant = (await session.scalars(select(Workspace).where(Workspace.name == "ours"))).one().id
    about = f"{Environment.PRODUCTION}.x"
    late = Permission(tenant, about, now() - timedelta(seconds=2))
    assert problem(await lectern.client.get(f"/session/{sign.code(Purpose.SESSION, late)}")) == (410, "expired")
    assert problem(await lectern.client.get("/session/nonsense")) == (403, "signature_invalid")
    lectern.client.cookies.set("lectern_content", sign.code(Purpose.CONTENT, late))
    assert problem(await lectern.client.get(url)) == (403, "session_required")
    entry = Permission(tenant, about, now() + timedelta(minutes=5))
    lectern.client.cookies.set("lectern_content", sign.code(Purpose.SESSION, entry))
    assert problem(await lectern.client.get(url)) == (403, "session_required"), "an address is no cookie"
    assert content_sessions.stay(entry).expires_at == entry.expires_at + timedelta(minutes=55)


async def test_a_cookie_is_good_for_its_own_workspace_and_environment_only(lectern: World) -> None:
    """R-SES-4, R-IMP-1: a foreign item is refused as one that does not exist."""
    author = await client(lectern)
    url = await shown(author, COURSE, "p1")
    for stranger in (await client(lectern, workspace="theirs"), await client(lectern, environment=Environment.TEST)):
        assert (await begun(stranger)).status_code == 204
        assert problem(await lectern.client.get(url)) == (403, "session_required")
        unknown = url.replace(urlsplit(url).path.split("/")[2], "content_0000000000000000000000000a")
        assert problem(await lectern.client.get(unknown)) == (403, "session_required")


# Files


@pytest.fixture
async def site(lectern: World) -> tuple[World, str]:
    """An installation whose client has a session, and the address of a page with a picture and a style beside it."""
    author = await client(lectern)
    url = await shown(author, COURSE, "p1")
    await begun(author)
    return lectern, url


async def test_relative_links_lead_to_the_files_beside_an_item(site: tuple[World, str]) -> None:
    """Issue 4, point 7."""
    lectern, url = site
    expected = {
        "": ("text/html", None),
        "../images/dot.png": ("image/png", PNG),
        "style.css": ("text/css", b"h1 { color: teal }"),
        "two.HTM": ("text/html", PAGE.encode()),
    }
    for link, (kind, data) in expected.items():
        answer = await lectern.client.get(str(httpx.URL(url).join(link)))
        assert answer.status_code == 200, link
        assert answer.headers["content-type"] == kind
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "private, max-age=300"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["accept-ranges"] == "bytes"
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert data is None or answer.content == data


ODD = {
    "new\nline.html": "text/html",
    "q?x=1#y.html": "text/html",
    "100%25.html": "text/html",
    "日本語.html": "text/html",
    "page.xhtml": "application/xhtml+xml",
    "film.m4v": "video/mp4",
    "face.woff": "font/woff",
    "what": "application/octet-stream",
}


async def test_a_file_is_where_its_item_says_whatever_it_is_called(lectern: World) -> None:
    """R-SES-3, P15."""
    author = await client(lectern)
    listed = [
        resource(f"a{n}", name.replace("\n", "&#10;"), ARTICLE).replace("&amp;#10;", "&#10;")
        for n, name in enumerate(ODD)
    ]
    await author.ingested(package(qti3(*listed), dict.fromkeys(ODD, stimulus())).read())
    await begun(author)
    urls = {it["sourceIdentifier"]: it["contentUrl"] for it in await author.items("sourceIdentifier contentUrl")}
    for n, (name, kind) in enumerate(ODD.items()):
        answer = await lectern.client.get(urls[f"a{n}"])
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind), name


@pytest.mark.parametrize(
    "link",
    ["no.html", "../../secret", "%2e%2e/%2e%2e/secret", "", "../", "one.html/", "..%2fimsmanifest.xml", "one.html%00"],
)
async def test_only_files_of_the_package_are_there(site: tuple[World, str], link: str) -> None:
    lectern, url = site
    folder = url.rpartition("/")[0]
    answer = await lectern.client.get(f"{folder}/{link}", follow_redirects=True)
    assert answer.status_code in (403, 404), link
    assert problem(answer)[1] in ("not_found", "session_required")


RANGES = {
    "bytes=0-0": (206, 0, 1),
    "bytes=10-19": (206, 10, 20),
    "bytes=5-": (206, 5, len(PNG)),
    "bytes=-7": (206, len(PNG) - 7, len(PNG)),
    "bytes=0-999999": (206, 0, len(PNG)),
    "bytes=3-1": (200, 0, len(PNG)),
    "bytes=0-1,4-5": (200, 0, len(PNG)),
    "pages=1-2": (200, 0, len(PNG)),
}


async def test_parts_of_a_file_are_served_whether_it_is_compressed_or_not(lectern: World) -> None:
    author = await client(lectern)
    buffer = BytesIO()
    with zipfile.ZipFile(BytesIO(COURSE)) as source, zipfile.ZipFile(buffer, "w") as copy:
        for name in source.namelist():
            kind = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
            copy.writestr(name, source.read(name), kind)
    for data in (COURSE, buffer.getvalue()):
        url = str(httpx.URL(await shown(author, data, "p1")).join("../images/dot.png"))
        await begun(author)
        for wanted, (status, start, end) in RANGES.items():
            answer = await lectern.client.get(url, headers={"Range": wanted})
            assert (answer.status_code, answer.content) == (status, PNG[start:end]), wanted
            told = f"bytes {start}-{end - 1}/{len(PNG)}" if status == 206 else None
            assert answer.headers.get("content-range") == told
        behind = await lectern.client.get(url, headers={"Range": f"bytes={len(PNG)}-"})
        assert problem(behind) == (416, "range")
        assert behind.headers["content-range"] == f"bytes */{len(PNG)}"


async def test_browsers_need_not_fetch_what_they_have(site: tuple[World, str]) -> None:
    lectern, url = site
    first = await lectern.client.get(url)
    etag = first.headers["etag"]
    for known in (etag, f'"x", {etag}', f"W/{etag}", "*"):
        again = await lectern.client.get(url, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (await lectern.client.get(url, headers={"If-None-Match": '"x"'})).status_code == 200
    head = await lectern.client.head(url, headers={"Range": "bytes=0-1"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == first.headers["content-length"]
    changed = await lectern.client.get(url, headers={"Range": "bytes=0-1", "If-Range": '"x"'})
    assert changed.status_code == 200


# Items


LATIN = '<?xml version="1.0" encoding="ISO-8859-1"?>' + item("<p>Caf\xe9</p>")
WIDE = '<?xml version="1.0" encoding="UTF-16"?>' + item("<p>Caf\xe9</p>")


async def test_the_xml_of_a_question_is_what_was_in_the_package(lectern: World) -> None:
    """R-QTI-1: letter by letter, byte order mark and odd spaces included."""
    author = await client(lectern)
    odd = f"\ufeff<?xml version='1.0'?>\r\n<!-- a  comment -->{item()}\n\n"
    files: dict[str, str | bytes] = {
        "odd.xml": odd,
        "latin.xml": LATIN.encode("latin-1"),
        "wide.xml": WIDE.encode("utf-16"),
    }
    data = package(qti3(*(resource(name, name) for name in files)), files).read()
    await author.ingested(data, items=3)
    found = {
        it["sourceIdentifier"]: it["xml"] for it in await author.items("sourceIdentifier ... on QuestionItem { xml }")
    }
    assert found == {"odd.xml": odd, "latin.xml": LATIN, "wide.xml": WIDE}


async def test_children_come_in_pages_in_their_order(lectern: World) -> None:
    """R-CC-5, R-IMP-4, P11."""
    author = await client(lectern)
    listed = [
        resource(f"p{n}", f"p{n}.html", "webcontent", metadata=lom(f"Page {n}") + standards(CASE)) for n in range(25)
    ]
    places = "".join(place(f"i{n}", None, f"p{n}") for n in reversed(range(25)))
    data = package(cartridge(*listed, items=places), {f"p{n}.html": PAGE for n in range(25)}).read()
    await author.ingested(data, items=25)
    root = await author.item("root", "id")
    query = """query ($id: ID!, $first: Int, $after: String, $offset: Int) { contentItem(id: $id) {
      ... on ContainerItem { children(first: $first, after: $after, offset: $offset) {
        totalCount nodes { title } pageInfo { hasNextPage hasPreviousPage endCursor }
      } } } }"""

    async def children(**page: Any) -> dict[str, Any]:
        found: dict[str, Any] = (await author.graph(query, id=root["id"], **page))["contentItem"]["children"]
        return found

    expected = [f"Page {n}" for n in reversed(range(25))]
    titles: list[str] = []
    after: str | None = None
    for _ in range(3):
        page = await children(first=10, after=after)
        titles += [node["title"] for node in page["nodes"]]
        assert page["totalCount"] == 25
        assert page["pageInfo"]["hasPreviousPage"] == (after is not None)
        after = page["pageInfo"]["endCursor"]
    assert titles == expected
    assert not page["pageInfo"]["hasNextPage"]
    assert [node["title"] for node in (await children(first=3, offset=20))["nodes"]] == expected[20:23]
    wrong = await lectern.post(query, key=author.key, id=root["id"], after="nonsense")
    assert wrong.json()["errors"][0]["extensions"]["rule"] == "cursor"


FAMILY = """query ($type: ContentType, $first: Int) { searchContentItems(filter: {contentType: $type}, first: $first) {
nodes {
  id contentUrl curriculumItemIds alignments { curriculumItemId }
  containers { title } ingestionJob { status }
  associations { type source { title } target { title } }
  ... on QuestionItem { xml interactions { kind } stimuli { title questions(first: 3) { totalCount nodes { id } } } }
  ... on StimulusItem { questions(first: 3) { totalCount nodes { title containers { id } } } }
  ... on ContainerItem { children(first: 3) { totalCount nodes { title } } }
} } }"""


async def test_a_page_of_items_takes_the_same_number_of_statements_whatever_its_size(lectern: World) -> None:
    """R-IMP-10."""
    author = await client(lectern)
    listed = [resource(f"s{n}", f"s{n}.xml", STIMULUS) for n in range(4)]
    listed += [resource(f"q{n}", f"q{n}.xml", dependencies=[f"s{n % 4}"]) for n in range(12)]
    files = {f"q{n}.xml": item() for n in range(12)} | {f"s{n}.xml": stimulus() for n in range(4)}
    folders = "".join(
        place(f"f{k}", f"Folder {k}", items="".join(place(f"{k}{n}", None, f"q{n}") for n in range(6)))
        for k in range(4)
    )
    await author.ingested(package(cartridge(*listed, items=folders), files).read())
    for type in ("QUESTION", "STIMULUS", "CONTAINER"):
        numbers = []
        for first in (2, 12):
            with counted() as statements:
                await author.graph(FAMILY, type=type, first=first)
            numbers.append(len(statements))
        few, many = numbers
        assert few < 14, f"{type}: loads that meet share a statement"
        assert many <= few + 5, f"{type}: ten rows more take none of their own, though on a busy machine fewer meet"


async def test_whoever_asks_for_a_folder_does_not_read_what_else_is_related_to_it(lectern: World) -> None:
    """R-IMP-10."""
    author = await client(lectern)
    listed = [resource(f"q{n}", "q.xml") for n in range(60)]
    folder = place("f", "Folder", items="".join(place(f"i{n}", None, f"q{n}") for n in range(60)))
    await author.ingested(package(cartridge(*listed, items=folder), {"q.xml": item()}).read())
    rows: list[Association] = []

    def note(row: Association, _context: object) -> None:
        rows.append(row)

    up = "{ searchContentItems(first: 100) { nodes { containers { title containers { title } } } } }"
    event.listen(Association, "load", note)
    try:
        shown = (await author.graph(up))["searchContentItems"]["nodes"]
    finally:
        event.remove(Association, "load", note)
    assert {"containers": [{"title": "Folder", "containers": [{"title": "Course"}]}]} in shown
    assert rows == [], "only the way up is read"


async def test_only_questions_are_the_questions_of_a_stimulus(lectern: World) -> None:
    """R-ASC-1: what else depends on it is related to it all the same."""
    author = await client(lectern)
    listed = [
        resource("s", "s.xml", STIMULUS),
        resource("s2", "s.xml", STIMULUS, dependencies=["s"]),
        resource("a", "a.html", ARTICLE, dependencies=["s"]),
        resource("q", "q.xml", dependencies=["s"]),
    ]
    files = {"s.xml": stimulus(), "a.html": PAGE, "q.xml": item()}
    await author.ingested(package(qti3(*listed), files).read())
    asked = """sourceIdentifier associations(type: STIMULUS) { type }
      ... on StimulusItem { questions { totalCount nodes { sourceIdentifier } } }"""
    passage = await author.item("s", asked)
    assert passage["questions"] == {"totalCount": 1, "nodes": [{"sourceIdentifier": "q"}]}
    assert len(passage["associations"]) == 3


async def test_any_item_is_a_node(lectern: World) -> None:
    author = await client(lectern)
    await author.ingested(COURSE)
    found = await author.items("id")
    for it in found:
        node = (await author.graph("query ($id: ID!) { node(id: $id) { __typename id } }", id=it["id"]))["node"]
        assert node == it
    assert {it["__typename"] for it in found} == {"ArticleItem", "ContainerItem"}
