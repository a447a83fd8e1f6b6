"""Slide decks and their pages."""

from typing import Any

import strawberry

from schema.types.resources import ContentResource
from schema.types.scalars import HTML, described
from storage import tables
from storage.tables.columns import shaped
from storage.tables.resources import SlideDetails, SlideTheme

described(SlideTheme, "SlideTheme")


@strawberry.type(description="One <slide> of a deck.")
class SlidePage:
    index: int = strawberry.field(description="Counted from 1.")
    heading: str | None
    html: HTML


@strawberry.type(description="Editable slide presentation content.")
class Slide(ContentResource):
    slide_count: int
    theme: SlideTheme
    content: str | None = strawberry.field(description="The whole deck as a sequence of <slide> elements.")
    pages: list[SlidePage] = strawberry.field(description="The same deck, one entry per <slide>.")

    @classmethod
    def of_kind(cls, row: tables.Resource) -> dict[str, Any]:
        details = shaped(row.details, SlideDetails)
        pages = [
            SlidePage(index=index, heading=page.heading, html=HTML(page.html))
            for index, page in enumerate(details.pages, start=1)
        ]
        return {"slide_count": len(pages), "theme": details.theme, "content": details.content, "pages": pages}
