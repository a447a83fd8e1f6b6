"""How public pages are put together: headings, languages, numbers, colours."""

import re
from pathlib import Path

import pytest

from gateway import pages

STYLE = (Path(pages.__file__).parent / "static" / "page.css").read_text()


@pytest.mark.parametrize(
    ("html", "level", "expected"),
    [
        ("<h2>a</h2><h3>b</h3>", 2, "<h2>a</h2><h3>b</h3>"),
        ("<h2>a</h2><h3>b</h3>", 4, "<h4>a</h4><h5>b</h5>"),
        ("<h1>a</h1>", 2, "<h2>a</h2>"),
        ("<h4>a</h4><h3>b</h3>", 2, "<h3>a</h3><h2>b</h2>"),
        ("<h1>a</h1><h5>b</h5>", 4, "<h4>a</h4><h6>b</h6>"),
        ('<h2 lang="en">a</h2 >', 3, '<h3 lang="en">a</h3 >'),
        ("<p>a &lt;h1&gt;</p><hr><header>b</header>", 3, "<p>a &lt;h1&gt;</p><hr><header>b</header>"),
        (None, 2, ""),
    ],
)
def test_headings_continue_those_of_the_page_around_them(html: str | None, level: int, expected: str) -> None:
    assert pages.headings_from(html, level) == expected


@pytest.mark.parametrize(
    ("language", "direction"),
    [("en", "ltr"), ("ar", "rtl"), ("AR-eg", "rtl"), ("fa-IR", "rtl"), ("arn", "ltr"), ("", "ltr")],
)
def test_a_language_has_a_direction(language: str, direction: str) -> None:
    assert pages.direction(language) == direction


@pytest.mark.parametrize(("value", "expected"), [(10.0, "10"), (2.5, "2.5"), (0.0, "0"), (1 / 3, "0.33"), (100, "100")])
def test_a_number_has_no_needless_digits(value: float, expected: str) -> None:
    assert pages.number(value) == expected


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, by WCAG 2."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", range(2), ids=["light", "dark"])
def test_colours_can_be_told_apart(scheme: int) -> None:
    """WCAG 2.2, 1.4.3 and 1.4.11: text 4.5 to 1, edges of fields 3 to 1."""
    block = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([\w-]+): (#\w{6});", block))
    for ground in ("page", "card"):
        for text in ("text", "quiet", "accent"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        assert contrast(colours["line"], colours[ground]) >= 3, ground
    assert contrast(colours["on-accent"], colours["accent"]) >= 4.5
