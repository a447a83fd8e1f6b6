"""Searching ingested content: R-SRCH."""

import re
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from schema.pagination import encode
from schema.queries.content import FOUND
from storage import search
from storage.packages.words import LONGEST, Entry, words
from storage.search import Wanted
from storage.tables import ContentType, Environment, Realm
from tests.ingesting import COURSE, Client, client
from tests.packages.builders import ARTICLE, CASE, CASE_2, lom, package, qti3, resource, standards
from tests.world import World

SEARCH = """query ($filter: ContentItemFilter, $first: Int, $after: String, $offset: Int) {
  searchContentItems(filter: $filter, first: $first, after: $after, offset: $offset) {
    totalCount nodes { title } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""
LEVEL = "<educational><difficulty><value>{}</value></difficulty></educational>"


def library(*articles: tuple[str, str], difficulty: str = "medium", standard: str = CASE) -> bytes:
    """A package of articles, by title and text."""
    described = [lom(title, LEVEL.format(difficulty)) + standards(standard) for title, _ in articles]
    listed = [resource(f"a{n}", f"a{n}.html", ARTICLE, metadata=about) for n, about in enumerate(described)]
    pages = {f"a{n}.html": f"<html><body><p>{text}</p></body></html>" for n, (_, text) in enumerate(articles)}
    return package(qti3(*listed), pages).read()


async def found(
    author: Client, first: int = 20, after: str | None = None, offset: int | None = None, **conditions: Any
) -> Any:
    data = await author.graph(SEARCH, filter=conditions, first=first, after=after, offset=offset)
    return data["searchContentItems"]


async def titles(author: Client, **conditions: Any) -> list[str]:
    return [node["title"] for node in (await found(author, **conditions))["nodes"]]


async def test_conditions_combine_with_and_and_the_standards_of_one_list_with_or(lectern: World) -> None:
    """R-SRCH-1."""
    author = await client(lectern)
    first = await author.ingested(library(("Adding", "sums"), ("Taking away", "differences")))
    await author.ingested(library(("Sums again", "more sums"), difficulty="very easy", standard=CASE_2))
    assert await titles(author) == ["Sums again", "Taking away", "Adding"], "the newest first"
    assert await titles(author, curriculumItemIds=[CASE]) == ["Taking away", "Adding"]
    assert len(await titles(author, curriculumItemIds=[CASE, CASE_2.upper()])) == 3
    assert await titles(author, curriculumItemIds=[]) == []
    assert await titles(author, difficulty="Very Easy") == ["Sums again"]
    assert await titles(author, difficulty="easy") == []
    assert await titles(author, contentType="QUESTION") == []
    assert len(await titles(author, contentType="ARTICLE")) == 3
    assert await titles(author, ingestionJobId=first["id"]) == ["Taking away", "Adding"]
    assert await titles(author, ingestionJobId="job_0000000000000000000000000a") == []
    assert await titles(author, ingestionJobId="x') OR 1=1") == []
    assert await titles(author, text="sums") == ["Sums again", "Adding"]
    assert await titles(author, text="sums", curriculumItemIds=[CASE], difficulty="medium") == ["Adding"]
    assert await titles(author, text="sums differences") == []
    page = await found(author, first=1, curriculumItemIds=[CASE])
    assert (len(page["nodes"]), page["totalCount"]) == (1, 2)


async def test_a_container_is_searched_with_everything_below_it(lectern: World) -> None:
    """Issue 4, point 6."""
    author, stranger = await client(lectern), await client(lectern, workspace="theirs")
    started = [(whose, await whose.upload(COURSE, items=2)) for whose in (author, author, stranger)]
    async with lectern.background():
        for whose, id in started:
            await whose.finished(id)
    ids = {it["title"]: it["id"] for it in reversed(await author.items("id title", contentType="CONTAINER"))}
    course, unit = ids["Course"], ids["Unit 1"]
    assert sorted(await titles(author, containerId=unit)) == ["Nothing yet", "Page one", "Page two"]
    assert len(await titles(author, containerId=course)) == 5, "two units, an empty one, and each page once"
    assert await titles(author, containerId=course, text="one", contentType="ARTICLE") == ["Page one"]
    assert await titles(author, containerId=course, curriculumItemIds=[CASE_2], contentType="ARTICLE") == ["Page two"]
    page = await found(author, first=1, offset=1, containerId=unit, contentType="ARTICLE")
    assert ([node["title"] for node in page["nodes"]], page["totalCount"]) == (["Page one"], 2)
    for nothing in (ids["Nothing yet"], "content_0000000000000000000000000a", "", "x') OR 1=1"):
        assert await titles(author, containerId=nothing) == []
    assert await titles(author, containerId=unit, ingestionJobId="job_0000000000000000000000000a") == []
    assert await titles(stranger, containerId=unit) == [], "a foreign id is an unknown one"


async def test_the_best_hit_comes_first(lectern: World) -> None:
    """Issue 4, point 6: by where the words are, then by age."""
    author = await client(lectern)
    passing = "The rain falls, and somewhere a gradient is mentioned."
    often = "A gradient is a slope. The gradient grows. Every gradient has a sign."
    await author.ingested(library(("The gradient", "A title says most."), ("Slopes", often)))
    await author.ingested(library(("Weather", passing), ("More weather", passing)))
    expected = ["The gradient", "Slopes", "More weather", "Weather"]
    assert await titles(author, text="gradient") == expected
    walked: list[str] = []
    after = None
    for _ in range(4):
        page = await found(author, first=1, after=after, text="GRADIENT")
        walked += [node["title"] for node in page["nodes"]]
        assert page["totalCount"] == 4
        assert page["pageInfo"]["hasNextPage"] == (len(walked) < 4)
        after = page["pageInfo"]["endCursor"]
    assert walked == expected
    for offset in range(5):
        page = await found(author, first=2, offset=offset, text="gradient")
        assert [node["title"] for node in page["nodes"]] == expected[offset : offset + 2]
        assert page["pageInfo"]["hasPreviousPage"] == (offset > 0)


async def test_a_walk_by_cursor_neither_skips_nor_repeats_what_was_there(lectern: World) -> None:
    """R-IMP-4."""
    author = await client(lectern)
    await author.ingested(library(*((f"Item {n}", "some words") for n in range(9))))
    page = await found(author, first=4, text="words")
    seen = [node["title"] for node in page["nodes"]]
    await author.ingested(library(("Words", "arrive"), ("Late", "some words, words, words")))
    while page["pageInfo"]["hasNextPage"]:
        page = await found(author, first=4, after=page["pageInfo"]["endCursor"], text="words")
        seen += [node["title"] for node in page["nodes"]]
    assert [title for title in seen if title.startswith("Item")] == [f"Item {n}" for n in reversed(range(9))]
    assert len(seen) == len(set(seen))


async def test_a_cursor_behind_everything_finds_nothing(lectern: World) -> None:
    author = await client(lectern)
    await author.ingested(library(("Words", "words")))
    for asked in ("", "words"):
        assert (await found(author, after=encode(FOUND, "9:1"), text=asked))["nodes"] == []


MANY, OLD = 9_000, 3_000


async def test_of_many_items_the_newest_come_first_however_many_are_asked_for(lectern: World) -> None:
    """Issue 4, point 6: more than the blocks of the index hold, words of all, of the oldest, of few and of one."""
    realm = Realm("workspace_1", Environment.TEST)
    facets = search.facets(realm, ContentType.ARTICLE, None, "job_1", [])

    def row(n: int) -> dict[str, str]:
        title = f"often {n}" if n % 2 else f"number {n}"
        body = ["all", "often", *(["old"] if n < OLD else []), *(["few"] if n % 1_000 == 7 else [])]
        return {"item_id": str(n), "facets": facets, **asdict(Entry.of(title, "", " ".join(body)))}

    async with lectern.database.transaction() as session:
        for start in range(0, MANY, 1_000):
            await search.add(session, [row(n) for n in range(start, start + 1_000)])
        await search.learn(session, MANY)
        if not session.on_sqlite:
            plan = await session.scalar(search.EXPECTED, {"wanted": "'all'"})
            assert plan[0]["Plan"]["Plan Rows"] > search.FEW, "the database knows how common it is"

    async def walked(wanted: Wanted, size: int) -> list[str]:
        hits: list[search.Hit] = []
        async with lectern.database.snapshot() as session:
            while page := await search.find(session, wanted, size, after=hits[-1][:2] if hits else None):
                hits += page
            assert len(hits) == await search.count(session, wanted)
            assert hits[30:40] == await search.find(session, wanted, 10, offset=30)
        return [hit.item_id for hit in hits]

    newest = range(MANY - 1, -1, -1)
    expected = {
        "": newest,
        "all": newest,
        "often": [*(n for n in newest if n % 2), *(n for n in newest if not n % 2)],
        "old": range(OLD - 1, -1, -1),
        "old often": [n for n in newest if n < OLD],
        "few": [n for n in newest if n % 1_000 == 7],
        "8999": [8_999],
        "never": [],
    }
    for asked, numbers in expected.items():
        for size in (1_700, MANY):
            assert await walked(Wanted(realm, text=asked), size) == [str(n) for n in numbers], asked


SAME = [
    ("Café", "cafe"),
    ("STRASSE", "straße"),
    ("photo-synthesis", "synthesis photo"),
    ("naïve Bayes", "NAIVE"),
    ("光合作用", "光合"),
    ("हिन्दी पाठ", "हिन्दी"),
    ("e\u0301cole", "école"),
    ("Ｆｕｌｌ", "full"),
    ("3.5 km", "5"),
    ("it's", "it s"),
    ("dif\u00adfer\u00adence", "difference"),
    ("\u0645\u06cc\u200c\u0631\u0648\u062f", "\u0645\u06cc\u0631\u0648\u062f"),
    ("one\u200btwo", "two"),
]


async def test_words_are_found_whatever_their_case_and_accents(lectern: World) -> None:
    author = await client(lectern)
    await author.ingested(library(*((title, "x") for title, _ in SAME)))
    for title, asked in SAME:
        assert title in await titles(author, text=asked), asked


HOSTILE = [
    *('"', "'", '"foo', "foo*", "foo AND", "NOT", "OR OR", "NEAR(a b)", "title:foo", "^foo", "(", ")", "foo\\", "a:*"),
    *("-", "+", "foo & bar", "!foo", "foo <-> bar", "':*", "''''", "\\'", "foo | ", "{a b} : c", "; DROP TABLE x; --"),
    *("%", "_", "\u0000".replace("\0", "\u0001"), "\u202e", "🦆", "\ud7ff", " " * 200, "a" * 200, "ab " * 66),
    *("facets", "Rabc", "Tarticle", "content_fts", "*", "\n\t"),
]


async def test_no_text_is_a_mistake(lectern: World) -> None:
    """R-SRCH-1: a search box takes anything."""
    author = await client(lectern)
    await author.ingested(library(("foo bar", "baz")))
    for text in HOSTILE:
        page = await found(author, text=text)
        assert page["totalCount"] == len(page["nodes"]), text
    assert await titles(author, text="foo & bar") == ["foo bar"]
    assert await titles(author, text=" ") == ["foo bar"], "nothing asked is everything"
    assert await titles(author, text="!?") == [], "signs are no words"
    assert await titles(author, text="Tarticle") == [], "what narrows a search is no word"

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.text(max_size=200))
    def check(text: str) -> None:
        asked.append(text)

    asked: list[str] = []
    check()
    for text in asked:
        if "\0" not in text:
            await found(author, first=1, text=text)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"filter": {"text": "x" * 201}}, "too_long"),
        ({"filter": {"curriculumItemIds": ["not a uuid"]}}, "curriculum_item_id"),
        ({"first": 0}, "page_size"),
        ({"first": 101}, "page_size"),
        ({"after": "nonsense"}, "cursor"),
        ({"after": encode(FOUND, f"{'9' * 5_000}:1")}, "cursor"),
        ({"after": "Zm91bmQ6MDox", "offset": 1}, "page_mode"),
    ],
)
async def test_a_wrong_argument_is_named(lectern: World, arguments: Any, rule: str) -> None:
    """D34."""
    answer = await lectern.post(SEARCH, key=(await client(lectern)).key, **arguments)
    extensions = answer.json()["errors"][0]["extensions"]
    assert (extensions["code"], extensions["rule"]) == ("BAD_USER_INPUT", rule)


@given(newest=st.integers(0, 1 << 22), before=st.integers(0, 1 << 22) | st.just(search.END))
def test_each_row_is_looked_at_by_one_step_and_the_newest_by_the_first(newest: int, before: int) -> None:
    made = list(search.steps(search.Step(0, "q", before), newest))
    assert made[0].before == before
    assert made[-1].query == "q", "the last is among all"
    assert [step.before for step in made] == sorted((step.before for step in made), reverse=True)
    for step, following in pairwise(made):
        for row in (step.before - 1, following.before):
            if following.before <= row <= min(newest, step.before - 1):
                assert {f"{letter}{row >> bits}" for letter, bits in search.BLOCKS.items()} & set(words_of(step.query))


def words_of(query: str) -> list[str]:
    """The words in a query of PostgreSQL."""
    return re.findall(r"\w+", query)


# Words


@given(st.text())
@example("\N{MATHEMATICAL BOLD CAPITAL R}ealm")
def test_words_are_stable_and_hold_nothing_that_a_query_could_mean(text: str) -> None:
    found = words(text)
    assert all(0 < len(word) <= LONGEST and word.isalnum() for word in found)
    assert all(words(word) == [word] for word in found if len(word) < LONGEST)
    assert words(" ".join(found)) == found or any(len(word) == LONGEST for word in found)


@given(st.text(), st.text(), st.text())
def test_each_tier_holds_the_one_before_it(title: str, description: str, text: str) -> None:
    entry = Entry.of(title, description, text)
    first, second, third = (set(tier.split()) for tier in (entry.title, entry.about, entry.everything))
    assert first <= second <= third
    assert third == set(words(title)) | set(words(description)) | set(words(text))
