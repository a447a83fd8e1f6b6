"""Stored files: announced, arrived, replaced, found."""

import re
import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, Select, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import contexts, ids
from storage.database import Transaction
from storage.errors import ValidationFailed
from storage.tables import Realm, StoredFile
from storage.tables.columns import now

UPLOAD_TIME = timedelta(hours=1)

LONGEST_PATH = 500
LONGEST_STEP_BYTES = 255

CONTENT_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,63}/[a-z0-9!#$&^_.+-]{1,63}")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\\]")


def is_path(path: str) -> bool:
    """
    Whether a path is relative, stays inside, and can be a file on any computer.

    Forward slashes; no empty, dot or blank steps; nothing that looks like a drive; no control characters.
    """
    steps = path.split("/")
    return (
        len(path) <= LONGEST_PATH
        and not _FORBIDDEN.search(path)
        and not re.match(r"[A-Za-z]:", path)
        and all(step.strip() and step.strip(".") for step in steps)
        and all(len(step.encode()) <= LONGEST_STEP_BYTES for step in steps)
    )


def normal(path: str) -> str:
    """The one form of a path, however it was typed."""
    return unicodedata.normalize("NFC", path)


class PathTaken(ValidationFailed):
    """A folder lies there, or a file where the path needs a folder: nobody could unpack that."""

    def __init__(self) -> None:
        message = "A file cannot lie where there is a folder, nor a folder where there is a file."
        super().__init__("path_taken", message, "input", "path")


async def announce(session: Transaction, file: StoredFile) -> None:
    """A file whose bytes are awaited for an hour; PathTaken by what is there."""
    await _require_free(session, file)
    session.add(file)


async def _require_free(session: AsyncSession, file: StoredFile) -> None:
    steps = file.path.split("/")
    above = ["/".join(steps[:count]) for count in range(1, len(steps))]
    below = func.substr(col(StoredFile.path), 1, len(file.path) + 1) == f"{file.path}/"
    query = listed(file.realm, file.context_id).where(or_(below, col(StoredFile.path).in_(above))).limit(1)
    if (await session.scalars(query)).first() is not None:
        raise PathTaken


def expects(file: StoredFile) -> bool:
    """Whether its bytes may still come."""
    return file.sha256 is None and file.upload_expires_at > now()


async def arrive(session: Transaction, file: StoredFile, key: str, sha256: str) -> bool:
    """
    The bytes are there and take the place of what was under the path; False once its owner is gone.

    PathTaken by what has come since it was announced.
    """
    if not await contexts.hold(session, file.realm, file.context_id):
        return False
    await _require_free(session, file)
    there = listed(file.realm, file.context_id).where(col(StoredFile.path) == file.path)
    await session.execute(
        update(StoredFile)
        .where(col(StoredFile.id).in_(there.with_only_columns(col(StoredFile.id))))
        .values(replaced_at=now())
        .execution_options(synchronize_session=False)
    )
    file.key, file.sha256, file.updated_at = key, sha256, now()
    session.add(file)
    return True


def listed(realm: Realm, context_id: str) -> Select[StoredFile]:
    """The files that are there."""
    return select(StoredFile).where(*visible(realm), col(StoredFile.context_id) == context_id, *_there())


def visible(realm: Realm) -> tuple[ColumnElement[bool], ...]:
    """The conditions under which a file exists for somebody; who may see its owner is another question."""
    return col(StoredFile.workspace_id) == realm.workspace_id, col(StoredFile.environment) == realm.environment


async def find(
    session: AsyncSession, realm: Realm, found_ids: Sequence[str], member_id: str | None = None
) -> Sequence[StoredFile]:
    """The files among some ids whose owner may be seen, awaited ones too, but none that was replaced."""
    query = select(StoredFile).where(*visible(realm), col(StoredFile.id).in_(found_ids))
    rows = (await session.scalars(query.where(col(StoredFile.replaced_at).is_(None)))).all()
    owners = {row.context_id for row in rows}
    seen = {id for id in owners if await contexts.find(session, realm, id, member_id) is not None}
    return [row for row in rows if row.context_id in seen]


def finder(realm: Realm, member_id: str | None) -> Callable[[AsyncSession, str], Awaitable[StoredFile | None]]:
    """Finds one file whose owner may be seen."""

    async def find_one(session: AsyncSession, id: str) -> StoredFile | None:
        return next(iter(await find(session, realm, [id], member_id)), None)

    return find_one


async def find_there(session: AsyncSession, workspace_id: str, id: str) -> StoredFile | None:
    """A file of the workspace whose bytes are there."""
    file = await session.get(StoredFile, id)
    return file if file and file.workspace_id == workspace_id and file.sha256 and not file.replaced_at else None


async def locked(session: Transaction, id: str) -> StoredFile | None:
    """A file that is about to change, held until the commit."""
    query = select(StoredFile).where(col(StoredFile.id) == id).with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()


def new_id() -> str:
    """A fresh file id."""
    return ids.new(ids.Prefix.FILE)


def _there() -> tuple[ColumnElement[bool], ...]:
    return col(StoredFile.sha256).is_not(None), col(StoredFile.replaced_at).is_(None)
