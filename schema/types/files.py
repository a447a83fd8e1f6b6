"""Stored files, and the courses, groups and users that own them."""

from datetime import datetime

import strawberry

from schema.context import Info
from schema.types.resources import Node
from schema.types.scalars import URL, BigInt
from storage import presign, tables
from storage.presign import Permission, Presigner, Purpose


@strawberry.input(one_of=True, description="Exactly one: the course, group or user that owns files and is exported.")
class ContextInput:
    course_id: strawberry.ID | None = strawberry.UNSET
    group_id: strawberry.ID | None = strawberry.UNSET
    user_id: strawberry.ID | None = strawberry.UNSET

    @property
    def id(self) -> str:
        """The one that is named; an id of another kind than its field's is that of nothing."""
        for kind in ("course", "group", "user"):
            value = getattr(self, f"{kind}_id")
            if value:
                return str(value) if str(value).startswith(f"{kind}_") else ""
        return ""


@strawberry.type(description="A file owned by a course, a group or a user.")
class StoredFile(Node):
    row: strawberry.Private[tables.StoredFile]
    context_id: strawberry.ID = strawberry.field(description="Id of the owning course, group or user.")
    path: str = strawberry.field(description="Folder and name, e.g. handouts/plan.pdf.")
    content_type: str
    byte_size: BigInt
    sha256: str | None = strawberry.field(description="Null until the upload has arrived.")
    created_at: datetime

    @strawberry.field(description="Signed download URL, new on every read; null until the upload has arrived.")
    def url(self, info: Info) -> URL | None:
        if self.row.sha256 is None:
            return None
        permission = Permission.lasting(self.row.workspace_id, self.row.id, presign.DOWNLOAD_TIME)
        code = Presigner(info.context.settings.secret_keys).code(Purpose.DOWNLOAD, permission)
        return URL(f"{info.context.settings.public_url}/downloads/{code}")

    @classmethod
    def from_row(cls, row: tables.StoredFile) -> "StoredFile":
        """The graph's form of a stored file."""
        return cls(
            row=row,
            id=strawberry.ID(row.id),
            context_id=strawberry.ID(row.context_id),
            path=row.path,
            content_type=row.content_type,
            byte_size=BigInt(row.byte_size),
            sha256=row.sha256,
            created_at=row.created_at,
        )
