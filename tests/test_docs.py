"""What people and tools read about the graph: the reference, the SDL, and the explorer with its examples."""

import re
from pathlib import Path

import pytest
from graphql import OperationDefinitionNode, build_schema, parse, print_ast, validate

from gateway import console
from schema import schema
from tests.world import World, world

STATIC = Path(__file__).parents[1] / "gateway" / "static"
EXAMPLES = sorted((STATIC / "graphiql" / "examples").glob("*.graphql"))
CONTRACT = Path(__file__).resolve().parents[2] / "shared" / "design" / "schema.graphql"

BUILT_IN = {"String", "Int", "Float", "Boolean", "ID"}

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(("path", "media"), [("/docs", "text/html"), ("/schema.graphql", "text/plain")])
async def test_it_is_sent_again_only_when_it_has_changed(lectern: World, path: str, media: str) -> None:
    first = await lectern.client.get(path)
    assert first.status_code == 200
    assert first.headers["content-type"] == f"{media}; charset=utf-8"
    assert first.headers["cache-control"] == "public, max-age=300"
    for known in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        again = await lectern.client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert (await lectern.client.get(path, headers={"If-None-Match": '"other"'})).status_code == 200


async def test_the_sdl_is_that_of_the_running_schema(lectern: World) -> None:
    text = (await lectern.client.get("/schema.graphql")).text
    assert text == schema.as_str()
    assert build_schema(text).query_type is not None


async def test_the_reference_has_every_type_and_every_root_field(lectern: World) -> None:
    page = (await lectern.client.get("/docs")).text
    known = set(re.findall(r'id="([\w.]+)"', page))
    graph = schema._schema
    assert {name for name in graph.type_map if not name.startswith("__")} - known <= BUILT_IN
    for root in (graph.query_type, graph.mutation_type, graph.subscription_type):
        assert root is not None
        assert {f"{root.name}.{name}" for name in root.fields} <= known
    links = set(re.findall(r'href="#([\w.]+)"', page))
    assert links <= known | BUILT_IN, "every link leads somewhere"


async def test_the_reference_says_which_scopes_a_field_needs(lectern: World) -> None:
    page = (await lectern.client.get("/docs")).text
    field = page[page.index('id="Mutation.createExpansion"') :].partition("</dt>")[0]
    assert "integrations.write" in field
    assert "public" in page[page.index('id="Mutation.login"') :].partition("</dt>")[0]


async def test_a_browser_gets_the_explorer_and_nothing_from_elsewhere(lectern: World) -> None:
    response = await lectern.client.get("/graphql", headers=BROWSER)
    assert response.status_code == 200
    policy = response.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    (nonce,) = re.findall(r"'nonce-([\w-]+)'", policy)
    assert f'data-nonce="{nonce}"' in response.text
    assert nonce not in (await lectern.client.get("/graphql", headers=BROWSER)).text
    assert not re.search(r"https?://|<script>|<style|\son\w+=|\sstyle=", response.text)
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', response.text):
        asset = await lectern.client.get(path)
        assert asset.status_code == 200, path
        assert asset.headers["cache-control"] == "public, max-age=300"


async def test_the_explorer_can_be_switched_off(settings: dict[str, str]) -> None:
    async with world(settings, graphiql=False) as lectern:
        response = await lectern.client.get("/graphql", headers=BROWSER)
    assert response.status_code == 404


async def test_the_console_is_a_page_of_our_own_files(lectern: World) -> None:
    response = await lectern.client.get("/")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-cache"
    assert "script-src 'self'" in response.headers["content-security-policy"]
    assert not re.search(r"https?://|<script>|<style|\son\w+=|\sstyle=", response.text)
    for path in re.findall(r'(?:src|href)="(/[^"]*)"', response.text):
        assert (await lectern.client.get(path, headers=BROWSER)).status_code == 200, path


def test_the_operations_of_the_console_are_valid() -> None:
    texts = console.documents()
    assert len(texts) == 9
    for text in texts:
        assert validate(schema._schema, parse(text)) == [], text


async def test_introspection_can_be_switched_off(settings: dict[str, str]) -> None:
    async with world(settings, introspection=False) as lectern:
        response = await lectern.post("{ __schema { queryType { name } } }")
        assert response.status_code == 400
        assert (await lectern.post("{ __typename }")).status_code == 200
        for path in ("/docs", "/schema.graphql"):
            assert (await lectern.client.get(path)).status_code == 404
        assert await dead_links(lectern, "/") == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("graphiql", [True, False])
async def test_pages_have_no_dead_links(settings: dict[str, str], graphiql: bool) -> None:
    async with world(settings, graphiql=graphiql) as lectern:
        for page in ("/", "/docs", "/docs/events", *["/graphql"] * graphiql):
            assert await dead_links(lectern, page) == []
        assert (await lectern.client.get("/docs/")).status_code == 404, "no redirect to somewhere else"


async def dead_links(lectern: World, page: str) -> list[str]:
    """The links of a page to pages and files of ours, or to places in them, that lead nowhere."""
    text = (await lectern.client.get(page, headers=BROWSER)).text
    found = {page: text}
    dead = []
    for link in set(re.findall(r'(?:src|href)="(/[^"]*|#[^"]*)"', text)):
        path, _, place = link.partition("#")
        if path and path not in found:
            response = await lectern.client.get(path, headers=BROWSER)
            found[path] = response.text if response.status_code == 200 else ""
        if not found[path or page] or (place and f'id="{place}"' not in found[path or page]):
            dead.append(link)
    return dead


def test_the_files_of_the_explorer_are_small_and_their_licences_are_kept() -> None:
    files = [path for path in (STATIC / "graphiql").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 2_500_000
    licences = (STATIC / "graphiql" / "LICENSES.txt").read_text()
    assert {"graphiql", "react", "react-dom"} <= set(re.findall(r"^== (\S+)", licences, re.MULTILINE))


def operations(path: Path) -> list[str]:
    return [print_ast(it) for it in parse(path.read_text()).definitions if isinstance(it, OperationDefinitionNode)]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_has_a_name_and_says_what_it_is_for(path: Path) -> None:
    for part in path.read_text().strip().split("\n}\n"):
        assert re.match(r"\s*(# .+\n)+(query|mutation|subscription) \w+", part), part


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_valid(path: Path) -> None:
    for text in operations(path):
        assert validate(schema._schema, parse(text)) == [], text


@pytest.mark.skipif(not CONTRACT.exists(), reason="the contract is not beside the project")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_keeps_the_contract(path: Path) -> None:
    for text in operations(path):
        assert validate(build_schema(CONTRACT.read_text()), parse(text)) == [], text
