"""What is particular to Common Cartridge: types of resources, web links, and which of those are videos."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from lxml import etree

from storage.packages.lom import Lom
from storage.packages.refusals import unreadable
from storage.packages.xml import local, text

MAX_URL = 2048

_PROVIDERS = {
    "youtube.com": "youtube",
    "youtube-nocookie.com": "youtube",
    "youtu.be": "youtube",
    "vimeo.com": "vimeo",
}
_VIDEO_FILES = (".mp4", ".m4v", ".webm", ".ogv", ".mov", ".m3u8")
_WEB_LINK = re.compile(r"imswl_xmlv1p[0-4]")
_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?")


@dataclass(frozen=True, slots=True)
class WebLink:
    """A link as its file words it."""

    title: str | None
    url: str


@dataclass(frozen=True, slots=True)
class Video:
    """A link that is a video; the provider is youtube, vimeo or other."""

    url: str
    provider: str


def is_web_link(type: str) -> bool:
    """Rule P4: five versions of one type."""
    return _WEB_LINK.fullmatch(type) is not None


def is_assessment(type: str) -> bool:
    """Rule P3: an assessment, a question bank, or bare QTI 1.2."""
    return type == "imsqti_xmlv1p2" or ("imsqti" in type and type.endswith(("/assessment", "question-bank")))


def is_bank(type: str) -> bool:
    """Rule P3: a question bank is no container of its questions."""
    return type.endswith("question-bank")


def is_page(type: str, href: str | None) -> bool:
    """Rule P16: web content whose file ends in .html or .htm, whatever the case."""
    path = re.split(r"[?#]", href or "", maxsplit=1)[0]
    return type == "webcontent" and path.lower().endswith((".html", ".htm"))


def read_link(root: etree._Element) -> WebLink:
    """The link of a webLink document. Raises JobFailed(RESOURCE_INVALID) when it is none or has no URL."""
    if local(root) != "webLink":
        raise unreadable(f"The root element of the file is {local(root)[:100]!r}; expected is 'webLink'.")
    target = root.find("{*}url")
    url = "" if target is None else (target.get("href") or "").strip()
    if not url:
        raise unreadable("The web link has no URL; give its <url> an href.")
    return WebLink(text(root.find("{*}title")) or None, url)


def read_video(url: str, lom: Lom) -> Video | None:
    """Rule P5: the video that a link is, None for another link.

    Raises JobFailed(RESOURCE_INVALID) for another scheme than http and https; a link without any is no video.
    """
    url = url.replace(" ", "%20")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise unreadable(f"The web link has the URL {url[:200]!r}, which is none.") from None
    if parts.scheme and parts.scheme not in ("http", "https"):
        raise unreadable(f"The web link has the URL {url[:200]!r}; only http and https are accepted.")
    host = _host(parts)
    if not parts.scheme or not host or len(url) > MAX_URL or re.search(r"[\s\\]", url):
        return None
    provider = _provider(host, parts.path) or ("other" if _says_video(lom) else None)
    return Video(url, provider) if provider else None


def _host(parts: SplitResult) -> str:
    """The host as resolvers compare it; empty for one that is no name, such as a look-alike with a backslash."""
    try:
        name = (parts.hostname or "").encode("idna").decode().lower()
    except UnicodeError:
        return ""
    return name.rstrip(".") if _HOST.fullmatch(name) else ""


def _provider(host: str, path: str) -> str | None:
    for known, provider in _PROVIDERS.items():
        if host == known or host.endswith(f".{known}"):
            return provider
    return "other" if path.lower().endswith(_VIDEO_FILES) else None


def _says_video(lom: Lom) -> bool:
    return (
        any(stated.lower().startswith("video/") for stated in lom.formats)
        or any(stated.lower() == "video" for stated in lom.resource_types)
        or any(map(_is_video_url, lom.locations))
    )


def _is_video_url(location: str) -> bool:
    try:
        parts = urlsplit(location)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and _provider(_host(parts), parts.path) is not None
