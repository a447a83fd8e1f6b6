"""Places where people write lessons by hand."""

from sqlmodel import Field

from storage.tables.columns import Owned


class Classroom(Owned, table=True):
    """Standalone lessons refer to it; they are modules."""

    title: str = Field(max_length=500)
