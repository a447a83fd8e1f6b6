"""Public pages of the five kinds: D7, R-IMP-14, R-RES-5."""

import asyncio
import itertools
import re
import time
from typing import Any

import pytest
from lxml import html
from sqlmodel import select

from storage.sealing import hashed
from storage.tables import Lesson, Resource
from tests.world import World

SHARE = """mutation ($i: UpdateShareLinkInput!) {
  updateShareLink(input: $i) {
    resource { id version share { publicUrl active } } errors { code path }
  }
}"""
KINDS = ["module", "course", "video", "slide", "test"]
SECRETS = ["Because of gravity", "short secret"]
QUIZZES = [
    {
        "id": "q1",
        "question": "Where does rain come from?",
        "options": ["Clouds", "Rivers"],
        "correctAnswers": ["Clouds"],
        "explanation": SECRETS[0],
    },
    {"id": "q2", "question": "Say it.", "type": "short_answer", "correctAnswers": [SECRETS[1]]},
]
LECTURE = '<h2>The water cycle</h2><p>Water <em>moves</em>.</p><script>alert(1)</script><h3 onclick="x()">Rain</h3>'


async def create(lectern: World, kind: str, **input: Any) -> str:
    """A new resource's id."""
    name = kind.capitalize()
    query = (
        f"mutation ($i: Create{name}Input!) {{ create{name}(input: $i) {{ {kind} {{ id }} errors {{ message }} }} }}"
    )
    made = (await lectern.graph(query, i={"title": f"A {kind} about rain", **input}))[f"create{name}"]
    assert made["errors"] == []
    return str(made[kind]["id"])


async def change(lectern: World, name: str, **input: Any) -> Any:
    """Run a mutation that is expected to succeed; answers its payload."""
    field = name[0].lower() + name[1:]
    query = f"mutation ($i: {name}Input!) {{ {field}(input: $i) {{ errors {{ code message path }} }} }}"
    payload = (await lectern.graph(query, i=input))[field]
    assert payload["errors"] == []


async def share(lectern: World, id: str, **input: Any) -> dict[str, Any]:
    """Change a share link; answers it."""
    payload = (await lectern.graph(SHARE, i={"resourceId": id, **input}))["updateShareLink"]
    assert payload["errors"] == []
    link: dict[str, Any] = payload["resource"]["share"]
    return link


async def filled(lectern: World, kind: str, **input: Any) -> str:
    """A shared resource with content; answers its address."""
    id = await create(lectern, kind, **input)
    match kind:
        case "module":
            await change(lectern, "UpdateModule", id=id, lecture=LECTURE, quizzes=QUIZZES, description="All of it.")
        case "course":
            await change(lectern, "AddLesson", courseId=id, title="First lesson", lecture=LECTURE)
            query = "query ($id: ID!) { course(id: $id) { lessons { id } } }"
            (lesson,) = (await lectern.graph(query, id=id))["course"]["lessons"]
            practice = [{**quiz, "id": f"practice-{quiz['id']}"} for quiz in QUIZZES]
            await change(lectern, "UpdateLesson", id=lesson["id"], quizzes=QUIZZES, practice=practice)
        case "video":
            await change(lectern, "AddScene", videoId=id, script="Rain falls.", displayText="Rain\nWhy?", duration=7.5)
            await change(lectern, "AddScene", videoId=id, script="It goes on.")
        case "slide":
            content = "<slide><h1>Rain</h1><p>Falls.</p></slide><slide><p>Again.</p></slide>"
            await change(lectern, "UpdateSlide", id=id, content=content)
        case "test":
            items = [{key: value for key, value in quiz.items() if key != "id"} for quiz in QUIZZES]
            await change(lectern, "UpdateTest", id=id, items=items, timeLimit=20)
    return str((await share(lectern, id, active=True))["publicUrl"])


def parsed(text: str) -> Any:
    """A page, as a browser understands it."""
    return html.fromstring(text)


async def status(lectern: World, url: str) -> int:
    return (await lectern.client.get(url)).status_code


@pytest.mark.parametrize("kind", KINDS)
async def test_a_page_is_readable_without_script_and_holds_no_answers(lectern: World, kind: str) -> None:
    """R-IMP-14."""
    url = await filled(lectern, kind)
    answer = await lectern.client.get(url, headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for secret in (*SECRETS, "correct", "<script", "onclick", "javascript:"):
        assert secret not in answer.text
    page = parsed(answer.text)
    assert page.findtext(".//title") == page.findtext(".//h1") == f"A {kind} about rain"
    levels = [int(heading.tag[1]) for heading in page.iter("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert all(below - above <= 1 for above, below in itertools.pairwise(levels)), levels
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for element in page.iter():
        assert not {"style", "onclick"} & set(element.keys())
        for name in ("aria-labelledby", "for"):
            assert element.get(name) is None or element.get(name) in ids
        if element.tag == "a" and element.get("href", "").startswith("#"):
            assert element.get("href")[1:] in ids


async def test_every_field_of_a_test_has_its_label_and_options_their_legend(lectern: World) -> None:
    page = parsed((await lectern.client.get(await filled(lectern, "test"))).text)
    labelled = {label.get("for") for label in page.iter("label")}
    fields = [field for field in page.iter("input") if field.get("type") != "hidden"]
    assert len(fields) == 4
    for field in fields:
        assert field.get("id") in labelled or field.getparent().tag == "label"
    (group,) = page.iter("fieldset")
    assert "Where does rain come from?" in group.findtext("legend")
    assert [option.text for option in group.iter("span")] == ["Clouds", "Rivers"]
    assert page.find(".//form").get("method") == "post"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_page_is_json_on_request(lectern: World, kind: str) -> None:
    url = await filled(lectern, kind)
    answer = await lectern.client.get(url, headers={"Accept": "application/json"})
    assert answer.headers["content-type"] == "application/json"
    content = answer.json()
    assert content["type"] == kind
    assert content["title"] == f"A {kind} about rain"
    for secret in (*SECRETS, "correct", "workspace", "lectern"):
        assert secret not in answer.text.lower()
    part = {"module": "quizzes", "course": "chapters", "video": "scenes", "slide": "pages", "test": "items"}[kind]
    assert len(content[part]) == (1 if kind == "course" else 2)
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,application/json;q=0.1,*/*;q=0.8"
    for accept in (browser, "*/*", "text/html"):
        answer = await lectern.client.get(url, headers={"Accept": accept})
        assert answer.headers["content-type"].startswith("text/html")


async def test_a_course_shows_chapters_lessons_lectures_and_quizzes(lectern: World) -> None:
    content = (await lectern.client.get(await filled(lectern, "course"), headers={"Accept": "application/json"})).json()
    (chapter,) = content["chapters"]
    (lesson,) = chapter["lessons"]
    assert (lesson["sequence"], lesson["title"]) == (1, "First lesson")
    assert "The water cycle" in lesson["lecture"]
    assert lesson["quizzes"] == lesson["practice"]
    assert lesson["quizzes"] == [
        {
            "sequence": 1,
            "question": "Where does rain come from?",
            "type": "multiple-choice",
            "options": ["Clouds", "Rivers"],
        },
        {"sequence": 2, "question": "Say it.", "type": "short-answer", "options": []},
    ]


async def test_pages_are_kept_from_search_engines_caches_and_foreign_frames(lectern: World) -> None:
    """HTTP.md."""
    url = await filled(lectern, "test")
    for accept in ("text/html", "application/json"):
        headers = (await lectern.client.get(url, headers={"Accept": accept})).headers
        assert headers["x-robots-tag"] == "noindex"
        assert headers["cache-control"] == "private, max-age=60"
        assert headers["vary"] == "Accept"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in headers
    policy = (await lectern.client.get(url)).headers["content-security-policy"]
    assert policy == (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; media-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_others_are_answered_while_a_huge_page_is_rendered(lectern: World) -> None:
    """The event loop is never held up by the page of one resource."""
    course = await create(lectern, "course")
    await change(lectern, "AddLesson", courseId=course, title="x")
    async with lectern.database.transaction() as session:
        lesson = (await session.scalars(select(Lesson))).one()
        lesson.lecture = "<h2>Rain</h2><p>It falls &amp; falls.</p>" * 100_000
    url = (await share(lectern, course, active=True))["publicUrl"]
    answer = asyncio.create_task(lectern.client.get(url))
    beats = [time.monotonic()]
    while not answer.done():
        await asyncio.sleep(0)
        beats.append(time.monotonic())
    assert answer.result().status_code == 200
    longest = max(later - earlier for earlier, later in itertools.pairwise(beats))
    assert longest < (beats[-1] - beats[0]) / 2


async def test_a_link_is_opened_closed_and_renewed(lectern: World) -> None:
    """R-IMP-14: the old address leads nowhere at once; a link is no content, so version stays."""
    id = await create(lectern, "module")
    query = "query ($id: ID!) { module(id: $id) { version share { publicUrl active } } }"
    assert (await lectern.graph(query, id=id))["module"]["share"] is None

    first = await share(lectern, id, active=True)
    assert re.fullmatch(r"http://gateway\.test/share/module/[0-9a-f]{40}", first["publicUrl"])
    assert await status(lectern, first["publicUrl"]) == 200
    assert await share(lectern, id) == first

    assert await share(lectern, id, active=False) == {**first, "active": False}
    assert await status(lectern, first["publicUrl"]) == 404
    assert await share(lectern, id, active=True) == first
    assert await status(lectern, first["publicUrl"]) == 200

    second = await share(lectern, id, rotate=True)
    assert second["active"]
    assert second["publicUrl"] != first["publicUrl"]
    assert (await status(lectern, first["publicUrl"]), await status(lectern, second["publicUrl"])) == (404, 200)

    third = await share(lectern, id, rotate=True, active=False)
    assert await status(lectern, third["publicUrl"]) == 404
    fourth = await share(lectern, id, rotate=True, active=True)
    assert await status(lectern, fourth["publicUrl"]) == 200
    assert (await lectern.graph(query, id=id))["module"] == {"version": 1, "share": fourth}


async def test_renewing_alone_opens_nothing(lectern: World) -> None:
    link = await share(lectern, await create(lectern, "module"), rotate=True)
    assert not link["active"]
    assert await status(lectern, link["publicUrl"]) == 404


async def test_a_page_ends_with_its_resource(lectern: World) -> None:
    """D3."""
    url = await filled(lectern, "slide")
    query = "{ slides { nodes { id } } }"
    (node,) = (await lectern.graph(query))["slides"]["nodes"]
    await change(lectern, "DeleteResource", id=node["id"])
    assert await status(lectern, url) == 404


async def test_what_is_not_ready_has_no_page(lectern: World) -> None:
    """D7: the address exists already, the page comes when the content is there."""
    id = await create(lectern, "module", prompt="Rain", language="en")
    url = (await share(lectern, id, active=True))["publicUrl"]
    assert await status(lectern, url) == 404


@pytest.mark.parametrize("kind", [*KINDS[1:], "lesson", "resource", "%00", "module%2f"])
async def test_a_code_opens_only_the_page_of_its_kind(lectern: World, kind: str) -> None:
    url = await filled(lectern, "module")
    assert await status(lectern, url.replace("/module/", f"/{kind}/")) == 404


@pytest.mark.parametrize("code", ["", "0" * 40, "%00", "x" * 5000, "..%2f..", "é"])
async def test_an_unknown_code_opens_nothing(lectern: World, code: str) -> None:
    answer = await lectern.client.get(f"/share/module/{code}", headers={"Accept": "application/json"})
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


async def test_a_person_who_finds_nothing_reads_so(lectern: World) -> None:
    answer = await lectern.client.get("/share/module/x", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "This page does not exist, or is closed." in answer.text
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("language", "direction", "ours"),
    [("en", "ltr", None), ("en-GB", "ltr", None), ("de", "ltr", "en"), ("ar-EG", "rtl", "en"), ("HE", "rtl", "en")],
)
async def test_a_page_says_its_language_and_that_of_our_own_words(
    lectern: World, language: str, direction: str, ours: str | None
) -> None:
    page = parsed((await lectern.client.get(await filled(lectern, "test", language=language))).text)
    assert page.get("lang").lower() == language.lower()
    assert page.get("dir") == direction
    assert page.find(".//button").get("lang") == ours


async def test_text_is_text_and_never_markup(lectern: World) -> None:
    id = await create(lectern, "test", title="<b>\"&'</b>")
    item = {"question": "<img src=x>", "options": ['"><script>x</script>', "b"], "correctAnswers": ["b"]}
    await change(lectern, "UpdateTest", id=id, items=[item], description="</main>")
    page = (await lectern.client.get((await share(lectern, id, active=True))["publicUrl"])).text
    assert "<b>" not in page
    assert "<img" not in page
    assert "<script" not in page
    assert parsed(page).findtext(".//h1") == "<b>\"&'</b>"


async def test_only_the_hash_and_the_sealed_code_are_kept(lectern: World) -> None:
    """R-CHK-5."""
    id = await create(lectern, "module")
    code = (await share(lectern, id, active=True))["publicUrl"].rpartition("/")[2]
    async with lectern.database.snapshot() as session:
        row = await session.get_one(Resource, id)
    assert row.share_hash == hashed(code)
    assert code not in row.model_dump_json()


async def test_the_style_sheet_is_served_to_the_pages_and_its_colours_can_be_told_apart(lectern: World) -> None:
    """Issue line 10, WCAG 2.2 AA: 4.5 for text, 3 for edges of fields; by day, by night, and on dark slides."""
    answer = await lectern.client.get("/static/page.css")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/css")
    light, dark, slide = [
        dict(re.findall(r"--([\w-]+): (#\w{6})", rule)) for rule in answer.text.split("color-scheme")[1:4]
    ]
    for colours in (light, dark, light | slide, dark | slide):
        grounds = [colours["card"]] if colours["card"] == slide["card"] else [colours["card"], colours["page"]]
        for ground in grounds:
            for text in ("text", "quiet", "accent"):
                assert contrast(colours[text], ground) >= 4.5, (text, ground)
            assert contrast(colours["line"], ground) >= 3, ground
    for colours in (light, dark):
        assert contrast(colours["on-accent"], colours["accent"]) >= 4.5


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG between two colours, written #rrggbb."""
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of WCAG."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
