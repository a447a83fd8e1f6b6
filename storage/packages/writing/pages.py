"""Lessons as HTML files: links to stored files lead to where those are in the package, and videos are found."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape, unescape
from posixpath import dirname, relpath
from urllib.parse import quote, unquote, urlsplit

from lxml import etree

from storage.packages import cartridge, lom
from storage.packages.paths import resolve
from storage.packages.writing.course import Lesson, line

_TAG = re.compile(r"<[a-z](?>[^>\"]+|\"[^\"]*\")*>", re.IGNORECASE)
_LINK = re.compile(r"(\s(?:src|href|poster)=\")([^\"]*)(\")", re.IGNORECASE)
_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//|#|$")


@dataclass(frozen=True, slots=True)
class Page:
    """A lecture whose links fit its place: the stored files it shows, and the links that lead nowhere."""

    html: str
    shown: tuple[str, ...]
    broken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VideoLink:
    """A video that lives elsewhere, as a lecture names it."""

    url: str
    title: str


def write(lesson: Lesson, language: str, lecture: str) -> bytes:
    """A lesson as an HTML document; the title is in its head, as players show it above the page."""
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(language)}" dir="auto">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(line(lesson.title))}</title>\n</head>\n<body>\n{lecture}\n</body>\n</html>\n"
    ).encode()


def link(lecture: str, place: str, files: Mapping[str, str]) -> Page:
    """
    Lead the links of sanitised HTML, which is to be at `place`, to stored files.

    `files` says for the path of each file where it is in the package; a relative link is such a path.
    """
    folder = dirname(place)
    shown: dict[str, None] = {}
    broken: dict[str, None] = {}

    def lead(match: re.Match[str]) -> str:
        target = unescape(match[2]).strip()
        if _ELSEWHERE.match(target):
            return match[0]
        path, rest = _split(target)
        if path is None or path not in files:
            broken[target] = None
            return match[0]
        shown[path] = None
        return f"{match[1]}{quote(relpath(files[path], folder))}{escape(rest)}{match[3]}"

    html = _TAG.sub(lambda tag: _LINK.sub(lead, tag[0]), lecture) if '="' in lecture else lecture
    return Page(html, tuple(shown), tuple(broken))


def find_videos(lecture: str) -> tuple[VideoLink, ...]:
    """The videos that a lecture links to or plays from elsewhere, each once."""
    if "http" not in lecture.lower():
        return ()
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    root = etree.fromstring(f"<div>{lecture}</div>".encode(), parser)
    found: dict[str, VideoLink] = {}
    for element in root.iter("a", "video", "source"):
        url = (element.get("href") or element.get("src") or "").strip()
        if _is_video(url):
            title = line("".join(element.itertext())) or line(element.get("title", "")) or url[:500]
            found.setdefault(url, VideoLink(url, title))
    return tuple(found.values())


def _split(target: str) -> tuple[str | None, str]:
    """The path that a relative link means, and its query and fragment."""
    path = re.split(r"[?#]", target, maxsplit=1)[0]
    return resolve("", unquote(path)), target[len(path) :]


def _is_video(url: str) -> bool:
    try:
        web = urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return False
    return web and cartridge.read_video(url, lom.NOTHING) is not None
