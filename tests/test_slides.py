"""Slide decks through the front door: R-SLD-*."""

import pytest

from tests.authoring import call, create, done, problems, show
from tests.world import World

DECK = "version title description theme content slideCount pages { index heading html }"


async def test_the_update_of_the_document_is_read_back_field_by_field(lectern: World) -> None:
    """R-SLD-3."""
    slide = await create(lectern, "slide", "id slideCount content pages { html }", theme="minimal")
    assert (slide["slideCount"], slide["content"], slide["pages"]) == (0, None, [])
    update = {
        "title": "Safety training",
        "description": "Updated deck for the July onboarding cohort.",
        "content": "<slide><h1>Safety training</h1></slide>",
    }
    await done(lectern, "updateSlide", "slide { id }", id=slide["id"], **update)
    assert await show(lectern, "slide", slide["id"], DECK) == {
        "version": 2,
        **update,
        "theme": "minimal",
        "slideCount": 1,
        "pages": [{"index": 1, "heading": "Safety training", "html": "<h1>Safety training</h1>"}],
    }


async def test_the_count_follows_the_content(lectern: World) -> None:
    """R-SLD-3."""
    slide = await create(lectern, "slide")
    content = "<slide><h2>One <i>and</i> only</h2></slide>\n<SLIDE class='x'>Two<br></SLIDE><slide/>"
    written = await done(lectern, "updateSlide", f"slide {{ {DECK} }}", id=slide["id"], content=content, theme="dark")
    assert written["slide"]["theme"] == "dark"
    assert written["slide"]["pages"] == [
        {"index": 1, "heading": "One and only", "html": "<h2>One <i>and</i> only</h2>"},
        {"index": 2, "heading": None, "html": "Two<br>"},
        {"index": 3, "heading": None, "html": ""},
    ]
    again = await done(lectern, "updateSlide", "slide { version }", id=slide["id"], content=written["slide"]["content"])
    assert again["slide"] == {"version": 2}, "what is read can be written back"
    cleared = await done(lectern, "updateSlide", "slide { slideCount content }", id=slide["id"], content=None)
    assert cleared["slide"] == {"slideCount": 0, "content": None}


@pytest.mark.parametrize(
    "content",
    [
        "<slide><h1>Open</h1>",
        "<slide><slide></slide></slide>",
        "</slide>",
        "<slide></slide></slide>",
        "words",
        "<slide></slide>words",
        "<p></p>",
        "<slide><!-- </slide>",
        "<slide><script></slide>",
        "<slide><![<![</slide>",
        "<slide>" + "<a " * 100_000,
    ],
)
async def test_unbalanced_markup_is_refused(lectern: World, content: str) -> None:
    """R-SLD-3."""
    slide = await create(lectern, "slide")
    refused = await call(lectern, "updateSlide", "slide { id }", id=slide["id"], title="New", content=content)
    assert problems(refused) == [("VALIDATION_FAILED", "slide_markup", ["input", "content"])]
    assert (await show(lectern, "slide", slide["id"], "title"))["title"] == "A slide"


async def test_what_is_active_in_a_slide_is_gone(lectern: World) -> None:
    slide = await create(lectern, "slide")
    content = "<slide><h1 onclick='x()'>Hi</h1><script>alert('</slide>')</script><iframe src='x'></iframe></slide>"
    written = await done(lectern, "updateSlide", "slide { content }", id=slide["id"], content=content)
    assert written["slide"]["content"] == "<slide><h1>Hi</h1></slide>"


async def test_a_deck_that_is_too_long_or_becomes_so_is_refused(lectern: World) -> None:
    """What is read can be written back, and sanitizing makes links longer."""
    slide = await create(lectern, "slide")
    link = '<a href="/x">y</a> '
    for content in ("<slide>" + "x" * 1_000_000 + "</slide>", f"<slide>{link * 250}</slide>" * 150):
        refused = await call(lectern, "updateSlide", "slide { id }", id=slide["id"], content=content)
        assert problems(refused) == [("VALIDATION_FAILED", "too_long", ["input", "content"])]


async def test_a_deck_has_at_most_300_slides(lectern: World) -> None:
    slide = await create(lectern, "slide")
    refused = await call(lectern, "updateSlide", "slide { id }", id=slide["id"], content="<slide>x</slide>" * 301)
    assert problems(refused) == [("VALIDATION_FAILED", "too_many", ["input", "content"])]
