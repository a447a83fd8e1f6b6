"""Classrooms: lessons written by hand, and handed out as the result of an integration."""

from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import ids, jobs, resources
from storage.database import Transaction
from storage.errors import NotFound
from storage.sealing import Sealer
from storage.tables import (
    Classroom,
    Job,
    JobKind,
    Output,
    OutputStatus,
    OutputType,
    Realm,
    Resource,
    ResourceKind,
    ResourceOrigin,
)
from storage.tables.jobs import ClassroomExportParameters

SOURCE_TYPE = "classroom"


def visible(realm: Realm) -> tuple[ColumnElement[bool], ...]:
    """The conditions under which a classroom exists for somebody."""
    return col(Classroom.workspace_id) == realm.workspace_id, col(Classroom.environment) == realm.environment


async def find(session: AsyncSession, realm: Realm, found_ids: Sequence[str]) -> Sequence[Classroom]:
    """The classrooms of a realm among some ids."""
    return (await session.scalars(select(Classroom).where(*visible(realm), col(Classroom.id).in_(found_ids)))).all()


def finder(realm: Realm) -> Callable[[AsyncSession, str], Awaitable[Classroom | None]]:
    """Finds one classroom of the realm."""

    async def find_one(session: AsyncSession, id: str) -> Classroom | None:
        return next(iter(await find(session, realm, [id])), None)

    return find_one


async def require(session: AsyncSession, realm: Realm, id: str) -> Classroom:
    """A classroom of the realm, or NotFound."""
    found = await find(session, realm, [id])
    if not found:
        raise NotFound(path=("input", "classroomId"))
    return found[0]


def lessons(realm: Realm) -> tuple[ColumnElement[bool], ...]:
    """The conditions under which a module is a lesson of its classroom."""
    return (
        *resources.visible(realm),
        col(Resource.kind) == ResourceKind.module,
        col(Resource.origin) == ResourceOrigin.UI,
    )


async def hand_out(
    session: Transaction, realm: Realm, sealer: Sealer, lesson_id: str, id: str, *, classroom_id: str, key: str | None
) -> Job:
    """
    A completed job whose one output is the lesson, on a public page; NotFound for what was not written there.

    Nothing was generated, so nothing is counted.
    """
    classroom = await require(session, realm, classroom_id)
    here = col(Resource.classroom_id) == classroom.id, col(Resource.id) == lesson_id
    lesson = (await session.scalars(select(Resource).where(*lessons(realm), *here).with_for_update())).one_or_none()
    if lesson is None:
        raise NotFound(path=("input", "lessonId"))
    resources.share(lesson, sealer)
    parameters = ClassroomExportParameters(
        source_type=SOURCE_TYPE,
        requested_outputs=[OutputType.interactive_module],
        classroom_id=classroom.id,
        lesson_id=lesson.id,
    )
    job = Job(
        id=id,
        workspace_id=realm.workspace_id,
        environment=realm.environment,
        kind=JobKind.CLASSROOM_EXPORT,
        parameters=parameters,
        resource_id=lesson.id,
        idempotency_key=key,
    )
    session.add(job)
    await session.flush()
    output = Output(
        id=ids.new(ids.Prefix.OUTPUT),
        job_id=job.id,
        sequence=1,
        output_type=OutputType.interactive_module,
        status=OutputStatus.completed,
        resource_id=lesson.id,
    )
    session.add(output)
    await session.flush()
    await jobs.finish(session, job, None)
    return job
