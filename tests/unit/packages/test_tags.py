"""HTML is told apart into tags and text, in one pass."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.packages import tags
from storage.packages.tags import Tag, Text

PIECES = ("<", ">", "</", "/>", "<!--", "-->", "<!", "<?", "<![CDATA[", "<a ", "<script>", "</script ", "<style", "&#")
PARTS = (*PIECES, '"', "'", "=", "a", "B", " ", "\n", "-", "&lt;", "9", "\u00e9")


def said(html: str) -> list[str]:
    """Tags with their names, closing ones behind a slash, empty ones before one; texts as they read."""
    return [
        piece.text if isinstance(piece, Text) else f"<{'/' * piece.closes}{piece.name}{'/' * piece.empty}>"
        for piece in tags.read(html)
    ]


@pytest.mark.parametrize(
    ("html", "pieces"),
    [
        ('a<B c="</b>">d</b >e', ["a", "<b>", "d", "</b>", "e"]),
        ("<p title=it's>x</p>", ["<p>", "x", "</p>"]),
        ("<a =b c= 'd>' e = '>'>x", ["<a>", "x"]),
        ("<a b=>x<br\n/>y<hr/>", ["<a>", "x", "<br/>", "y", "<hr/>"]),
        ("1 < 2, a <1, &lt;b> &#x41;&amp;lt;", ["1 < 2, a <1, <b> A&lt;"]),
        ("if x <y, or z", ["if x ", "<y, or z"]),
        ("<p>a</p", ["<p>", "a", "</p"]),
        ('<p class="x>a</p>', ['<p class="x>a</p>']),
        ("a<!-- <p> -->b<!-->c<!--->d<!--e--!>f<!-- g", ["a", "b", "c", "d", "f"]),
        ("<!DOCTYPE html><?x <y?>a</>b</ p>c<![CDATA[d]]>", ["a", "b", "c"]),
        ("<script>if (a<b) '</p>'</script >c", ["<script/>", "c"]),
        ("<STYLE a='>'>b</style>c<scripts>d", ["<style/>", "c", "<scripts>", "d"]),
        ("<script src='x'/>a", ["<script/>", "a"]),
        ("<script>a<p>b", ["<script/>"]),
        ("<\u017fcript>a<p>b", ["<\u017fcript>a", "<p>", "b"]),
        ("<p\u00a0x>a", ["<p\u00a0x>", "a"]),
        ("&#" + "9" * 5_000 + ";a&#" + "0" * 5_000, ["\ufffda\ufffd"]),
    ],
)
def test_tags_and_texts_are_told_apart(html: str, pieces: list[str]) -> None:
    assert said(html) == pieces


@given(st.lists(st.sampled_from(PARTS)).map("".join))
def test_whatever_the_html_its_pieces_are_in_order(html: str) -> None:
    place = 0
    for piece in tags.read(html):
        assert piece.start >= place
        place = piece.end if isinstance(piece, Tag) else piece.start
    assert place <= len(html)


@pytest.mark.parametrize("begun", ["", "<a ", "<!--", "<script>"])
@pytest.mark.parametrize("again", [*PIECES, '<a b="', "<a b='\"", '="', "<a b", "a=", "<script></style ", "&#0"])
def test_broken_html_takes_as_long_as_its_length(begun: str, again: str) -> None:
    """Python's own reader takes seconds for some of these."""

    def seconds(length: int) -> float:
        html = begun + again * (length // len(again))
        began = time.process_time()
        for _ in tags.read(html):
            pass
        return time.process_time() - began

    assert seconds(100_000) < 30 * max(min(seconds(10_000) for _ in range(3)), 0.0005)
