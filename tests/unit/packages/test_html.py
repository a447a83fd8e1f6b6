"""HTML of strangers, made safe to show."""

import time

import pytest

from storage.errors import JobErrorCode, JobFailed
from storage.packages import html


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("plain text", "plain text"),
        ("a > b", "a &gt; b"),
        ("<p>a &lt; b</p>", "<p>a &lt; b</p>"),
        ("<html><head><title>T</title></head><body><p>x</p></body></html>", "<p>x</p>"),
        ("a<script>alert(1)</script>b<style>p{}</style>", "ab"),
        ('<p onclick="x()" style="x" id="y" class="z">a</p>', "<p>a</p>"),
        ('<img src="a.png" onerror="x()">', '<img src="a.png">'),
        ('<a href="javascript:x()">a</a>', '<a rel="noopener noreferrer">a</a>'),
        ('<a href="data:text/html,x">a</a>', '<a rel="noopener noreferrer">a</a>'),
        ('<a href=" java&#10;script:x()">a</a>', '<a rel="noopener noreferrer">a</a>'),
        ('<iframe src="https://e.org">x</iframe><object data="x">y</object><form><input>z</form>', "yz"),
        ("<svg><script>x</script></svg>a", "a"),
        ("<math><mtext><img src=x onerror=y></mtext><mi>x</mi></math>", "<math><mi>x</mi></math>"),
        (
            "<math><annotation-xml encoding='text/html'><style><img onerror=x></style></annotation-xml></math>",
            "<math></math>",
        ),
        ('<span class="interaction evil" data-response="R">a</span>', '<span data-response="R">a</span>'),
        ('<video src="a.mp4" autoplay controls></video>', '<video src="a.mp4" controls=""></video>'),
        ("<b>unclosed <i>tags", "<b>unclosed <i>tags</i></b>"),
        ("<noscript><p title='</noscript><img src=x onerror=y>'>", '<img src="x">\'&gt;'),
    ],
)
def test_active_content_is_removed(dirty: str, clean: str) -> None:
    assert html.clean(dirty) == clean


@pytest.mark.parametrize(
    "written",
    [
        "<p>a &amp; b<br>c</p><ul><li>d</li></ul>",
        '<p>a<span class="interaction" data-response="R" data-kind="CHOICE"></span></p>',
    ],
)
def test_harmless_markup_is_left_alone_and_would_not_be_changed(written: str) -> None:
    assert html.clean(written, balanced=True) == written == html.clean(written)


@pytest.mark.parametrize(
    "written",
    [
        *(
            "<p onclick=x>a</p>",
            "<img src=x>",
            "<script>a</script>",
            "<p ",
            "<!-- a",
            "<P>a</P>",
            "</script>",
            "<a>b</a>",
        ),
        '<span class="interaction" data-response="R" data-kind="CHOICE" onclick="x"></span>',
    ],
)
def test_anything_else_is_cleaned(written: str) -> None:
    assert html.clean(written, balanced=True) == html.clean(written)


@pytest.mark.parametrize(
    "bomb", ["<div>" * 100_000, "<b>x</p>" * 20_000, "<math>" * 10_000, "<table><tr><td>" * 5_000, "<select>" * 9_000]
)
def test_deep_html_is_refused_at_once(bomb: str) -> None:
    with pytest.raises(JobFailed) as failure:
        html.clean(bomb)
    assert failure.value.code is JobErrorCode.RESOURCE_INVALID


@pytest.mark.parametrize(
    "bomb",
    [
        f"<p {' '.join(f'a{number}' for number in range(9_000))}>",
        "<p>" * 250_001,
        "<p>" + "&amp;" * 250_001,
        "<p>" + "\u00a0" * 250_001,
        "<table>a</table>" * 10_001,
        "<table><tr><p>a</table>" * 10_001,
        "<table><colgroup>" + "<br>" * 10_001,
    ],
)
def test_crowds_are_refused_at_once(bomb: str) -> None:
    with pytest.raises(JobFailed, match="more than"):
        html.clean(bomb)


def test_a_crowd_of_attributes_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(JobFailed, match="more than 2,000 attributes"):
        html.clean(f"<p {' '.join(f'a{number}' for number in range(20_000))}>")


@pytest.mark.parametrize(
    "long", ["<img alt='" + "word " * 20_000 + "'>a", "<script>if (b<c) d = [" + "1, " * 1_900 + "]</script>a"]
)
def test_many_words_are_no_crowd(long: str) -> None:
    assert html.plain(html.clean(long)) == "a"


@pytest.mark.parametrize(
    ("opened", "again"),
    [
        ("", "<div><plaintext>y</div>"),
        ("", "<isindex><hr>"),
        ("<source><form>", "<isindex></td><option>x"),
        ("<math><script>", "</xmp><b>x"),
        ("<math>", "<style>x</center>x</textarea>"),
    ],
)
def test_what_two_parsers_read_in_two_ways_is_no_burden(opened: str, again: str) -> None:
    """To the sanitizer these nest ever deeper, or all is text behind them; with many of them it took quadratic time."""

    def seconds(count: int) -> float:
        began = time.process_time()
        html.clean(opened + again * count)
        return time.process_time() - began

    assert seconds(20_000) < 30 * min(seconds(2_000) for _ in range(5))


@pytest.mark.parametrize(
    "opened",
    [
        "<table><tr><td><col>",
        "<table><tr><td><caption></caption>",
        "<table><tr><td><b><tr></tr>",
        "<table><tr><td><b><tbody></tbody>",
        "<table><caption><b><tr></tr>",
        "<table><tr><td><select><tr></tr></select>",
    ],
)
def test_what_is_misplaced_in_a_table_ends_no_cell(opened: str) -> None:
    """Else what follows is in the table but in no cell, and for each piece the sanitizer looks where that begins."""

    def seconds(count: int) -> float:
        began = time.process_time()
        html.clean("<br>" * count + opened + "<br>" * count)
        return time.process_time() - began

    assert seconds(40_000) < 30 * min(seconds(4_000) for _ in range(5))
    assert html.plain(html.clean(f"{opened}a{'<br>' * 600}")) == "a"


@pytest.mark.parametrize(
    "empty", ['<script src="x.js"/>', "<title/>", "<TextArea />", "<iframe src='a'/>", "<style\n/>"]
)
def test_an_empty_element_of_xhtml_hides_nothing(empty: str) -> None:
    assert html.clean(f"<p>a</p>{empty}<p>b</p>") == "<p>a</p><p>b</p>"


@pytest.mark.parametrize("nothing", ["<!-- a -->" * 900, "</p>" * 900, " " * 3_000])
def test_nothing_stays_nothing(nothing: str) -> None:
    assert html.clean(nothing) == ""


@pytest.mark.parametrize(
    "large",
    [
        "<p>a</p>" * 5_000,
        "<p>a" * 5_000,
        "<svg>" + "<path/>" * 5_000 + "</svg>a",
        "<br>a" * 5_000,
        "<table>a</table>" * 10_000,
        "a<table> <tr> <td>a</td> </tr> </table>" * 20_000,
    ],
)
def test_large_html_is_cleaned(large: str) -> None:
    assert html.plain(html.clean(large)).startswith("a")


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ("<p>H<sub>2</sub>O</p><p>a &amp; b<br>c</p>", "H2O a & b c"),
        ('<img alt="a>b">c', "c"),
        ('<p><img alt="a>b"> <img src="x" alt="c &amp; d"></p>', "a>b c & d"),
        ('<img src="x alt=">', ""),
        ('<img title=" alt=" src="x" alt="c">', "c"),
        ("<ul><li>a</li><li>b</li></ul>", "a b"),
        ("  a \n b ", "a b"),
        ("&amp;lt;", "&lt;"),
    ],
)
def test_words_are_what_one_reads(shown: str, words: str) -> None:
    assert html.plain(shown) == words


@pytest.mark.parametrize(
    ("token", "link"),
    [
        ("$IMS-CC-FILEBASE$/img/a%20b.png", "../img/a%20b.png"),
        ("%24IMS_CC_FILEBASE%24/img/a%20b.png", "../img/a%20b.png"),
        ("$IMS-CC-FILEBASE$../img/a%20b.png", "../img/a%20b.png"),
        ("$IMS-CC-FILEBASE$/only.png", "../web_resources/only.png"),
        ("$IMS-CC-FILEBASE$/own.png", "own.png"),
        ("$IMS-CC-FILEBASE$/gone.png", "../gone.png"),
        ("$IMS-CC-FILEBASE$/img/a%20b.png?canvas_=1&amp;x=2", "../img/a%20b.png?canvas_=1&amp;x=2"),
        ("$IMS-CC-FILEBASE$/only.png#part", "../web_resources/only.png#part"),
        ("$IMS-CC-FILEBASE$/img/a b.png", "../img/a%20b.png"),
        ("$IMS-CC-FILEBASE$/a&amp;b.png", "../web_resources/a%26b.png"),
    ],
)
def test_file_tokens_become_links_from_the_page(token: str, link: str) -> None:
    files = {
        "img/a b.png",
        "web_resources/img/a b.png",
        "web_resources/only.png",
        "web_resources/a&b.png",
        "wiki/own.png",
    }
    assert html.relocate(f'<img src="{token}">', "wiki/page.html", files.__contains__) == f'<img src="{link}">'


@pytest.mark.parametrize(
    ("page", "language"),
    [(b"<html lang=de>", "de"), (b'<HTML class="x" LANG="en-GB">', "en-GB"), (b"<html>", None), (b"", None)],
)
def test_a_page_states_its_language(page: bytes, language: str | None) -> None:
    assert html.language(page) == language


def test_links_into_the_package_are_bounded() -> None:
    with pytest.raises(JobFailed, match="more than 10,000 times"):
        html.relocate("$IMS-CC-FILEBASE$a " * 10_001, "page.html", set().__contains__)
