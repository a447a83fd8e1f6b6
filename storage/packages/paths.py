"""Where an href leads in a package."""

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")


def resolve(base: str, href: str) -> str | None:
    """The path in the package that an href in folder `base` names; None when it leaves the package."""
    href = unicodedata.normalize("NFC", href.replace("\\", "/"))
    if href.startswith("/"):
        base = ""
    steps: list[str] = []
    for step in f"{base}/{href}".split("/"):
        if step == ".." and not steps:
            return None
        if step == "..":
            steps.pop()
        elif step not in ("", "."):
            steps.append(step)
    return "/".join(steps)


def readings(href: str) -> Iterator[str]:
    """What an href may mean: itself, else percent-decoded, else both without query and fragment."""
    yield href
    yield unquote(href)
    plain = re.split(r"[?#]", href, maxsplit=1)[0]
    yield plain
    yield unquote(plain)


def is_remote(href: str) -> bool:
    """Whether it names another place than a package."""
    return _SCHEME.match(href) is not None
