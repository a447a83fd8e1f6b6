"""Files that jobs made, with addresses to fetch them from."""

from datetime import datetime

import strawberry

from schema.context import Info
from schema.types.scalars import URL, BigInt
from storage import presign, tables
from storage.presign import Permission, Presigner, Purpose


@strawberry.type(description="A file made by a job.")
class Attachment:
    url: URL = strawberry.field(description="Signed, short-lived download URL; new on every read.")
    filename: str
    content_type: str
    byte_size: BigInt
    sha256: str
    expires_at: datetime = strawberry.field(description="When the url stops working.")

    @classmethod
    def from_row(cls, row: tables.Attachment, info: Info) -> "Attachment":
        """The graph's form of a file, and a fresh permission for whoever reads it to fetch it."""
        permission = Permission.lasting(info.context.realm.workspace_id, row.id, presign.DOWNLOAD_TIME)
        code = Presigner(info.context.settings.secret_keys).code(Purpose.DOWNLOAD, permission)
        return cls(
            url=URL(f"{info.context.settings.public_url}/downloads/{code}"),
            filename=row.filename,
            content_type=row.content_type,
            byte_size=BigInt(row.byte_size),
            sha256=row.sha256,
            expires_at=permission.expires_at,
        )
