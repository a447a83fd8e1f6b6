"""GET /: the console, which is a page and a script; all it knows it asks the graph."""

import re
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from gateway.pages import PAGES

HEADERS = {"Cache-Control": "no-cache"}

SCRIPT = Path(__file__).parent / "static" / "console" / "console.js"

DOCUMENT = re.compile(r"[`\"]((?:query|mutation|subscription) \w+[^`\"]+)[`\"]")


def documents() -> list[str]:
    """What the script asks, word for word."""
    return DOCUMENT.findall(SCRIPT.read_text())


class Console:
    """The page, the same for everybody, with links to other pages that there are."""

    def __init__(self, links: Mapping[str, str]) -> None:
        self.links = links

    async def show(self, _request: Request) -> Response:
        """The page."""
        page = PAGES.get_template("console.html").render(links=self.links)
        return Response(page, headers=HEADERS, media_type="text/html")
