"""Which links are videos, and which types are what."""

import pytest

from storage.errors import JobErrorCode, JobFailed
from storage.packages import cartridge
from storage.packages.cartridge import WebLink, read_link, read_video
from storage.packages.lom import NOTHING, Lom
from storage.packages.xml import parse
from tests.packages.builders import web_link


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://www.youtube.com/watch?v=abc", "youtube"),
        ("HTTPS://WWW.YouTube.COM/watch?v=abc", "youtube"),
        ("https://m.youtube.com:443/watch?v=abc", "youtube"),
        ("https://youtube.com./watch", "youtube"),
        ("https://www.youtube-nocookie.com/embed/abc", "youtube"),
        ("http://youtu.be/abc", "youtube"),
        ("https://player.vimeo.com/video/1", "vimeo"),
        ("https://someone@vimeo.com/1", "vimeo"),
        ("https://cdn.example.org/talk.MP4?token=x", "other"),
        *((f"https://cdn.example.org/talk{suffix}", "other") for suffix in (".m4v", ".webm", ".ogv", ".mov", ".m3u8")),
    ],
)
def test_a_video_is_known_by_its_url(url: str, provider: str) -> None:
    video = read_video(url, NOTHING)
    assert video is not None
    assert (video.url, video.provider) == (url, provider)


def test_a_space_in_a_path_is_no_end_of_it() -> None:
    video = read_video("https://cdn.example.org/my talk.mp4", NOTHING)
    assert video is not None
    assert video.url == "https://cdn.example.org/my%20talk.mp4"
    assert read_video("https://cdn.exa mple.org/talk.mp4", NOTHING) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/",
        "https://youtube.com.example.org/watch",
        "https://notyoutube.com/watch",
        "https://youtube.com@example.org/watch",
        "https://example.org/youtube.com/watch",
        "https://example.org/?u=https://youtu.be/abc.mp4",
        "https://example.org\\.youtube.com/",
        "https://example.org/#.mp4",
        "https://уoutube.com/watch",
        "youtube.com/watch?v=abc",
        "//youtu.be/abc",
        "talk.mp4",
        "https:///talk.mp4",
        f"https://youtu.be/{'a' * 3000}",
    ],
)
def test_another_link_is_no_video(url: str) -> None:
    assert read_video(url, NOTHING) is None


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "file:///etc/passwd", "ftp://youtube.com/a.mp4", "mailto:a@b.org", "http://[youtube.com"],
)
def test_another_scheme_fails_even_when_metadata_says_video(url: str) -> None:
    with pytest.raises(JobFailed) as failure:
        read_video(url, Lom(formats=("video/mp4",)))
    assert failure.value.code is JobErrorCode.RESOURCE_INVALID


@pytest.mark.parametrize(
    ("lom", "is_video"),
    [
        (Lom(formats=("text/html", "Video/mp4")), True),
        (Lom(resource_types=("video",)), True),
        (Lom(locations=("https://youtu.be/abc",)), True),
        (Lom(locations=("https://example.org/a.mp4",)), True),
        (Lom(formats=("text/html",), resource_types=("exercise",), locations=("https://example.org/", "[")), False),
    ],
)
def test_metadata_can_say_video(lom: Lom, is_video: bool) -> None:
    assert (read_video("https://example.org/clip/7", lom) is not None) is is_video


def test_a_link_is_read() -> None:
    assert read_link(parse(web_link(" https://youtu.be/a?b=c&d ").encode())) == WebLink(
        "Talk", "https://youtu.be/a?b=c&d"
    )


@pytest.mark.parametrize("document", ["<webLink/>", '<webLink><url href=" "/></webLink>', "<topic/>"])
def test_a_link_without_url_is_refused(document: str) -> None:
    with pytest.raises(JobFailed):
        read_link(parse(document.encode()))


@pytest.mark.parametrize(
    ("type", "href", "kind"),
    [
        ("webcontent", "a.html", "page"),
        ("webcontent", "a.HTM?x=1#y", "page"),
        ("webcontent", "a.xhtml", None),
        ("webcontent", "a.pdf#a.html", None),
        ("webcontent", None, None),
        ("imswl_xmlv1p0", None, "link"),
        ("imswl_xmlv1p4", None, "link"),
        ("imswl_xmlv1p5", None, None),
        ("imsqti_xmlv1p2/imscc_xmlv1p1/assessment", None, "assessment"),
        ("imsqti_xmlv1p2/imscc_xmlv1p3/question-bank", None, "assessment"),
        ("imsqti_xmlv1p2", None, "assessment"),
        ("imsqti_xmlv2p1", None, None),
    ],
)
def test_types_are_told_apart(type: str, href: str | None, kind: str | None) -> None:
    found = {
        "page": cartridge.is_page(type, href),
        "link": cartridge.is_web_link(type),
        "assessment": cartridge.is_assessment(type),
    }
    assert [name for name, holds in found.items() if holds] == ([kind] if kind else [])
