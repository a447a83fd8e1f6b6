"""Classrooms: make them, write lessons in them, hand lessons out."""

from typing import Any

import strawberry

from schema.context import Info
from schema.mutations import KEY, CreatedPayload, idempotency_key, mutation, once
from schema.mutations.questions import QuizInput, write_quizzes
from schema.mutations.reading import checked
from schema.mutations.resources import DESCRIPTION
from schema.types.classrooms import Classroom, ClassroomExportJob
from schema.types.modules import Module
from schema.types.scalars import HTML
from storage import classrooms, ids, jobs, resources, tables
from storage.database import Transaction
from storage.tables import ResourceKind, ResourceOrigin, ResourceStatus, Scope
from storage.tables.resources import ModuleDetails


@strawberry.input
class CreateClassroomInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    title: str = strawberry.field(description="1 to 500 characters.")


@strawberry.type
class CreateClassroomPayload(CreatedPayload):
    classroom: Classroom | None = None

    @classmethod
    def about(cls, row: Any) -> "CreateClassroomPayload":
        return cls(classroom=Classroom.from_row(row))


@strawberry.input
class CreateClassroomLessonInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    classroom_id: strawberry.ID
    title: str = strawberry.field(description="1 to 500 characters.")
    description: str | None = strawberry.field(default=None, description=DESCRIPTION)
    language: str = strawberry.field(default="en", description="BCP 47 tag of at most 35 characters.")
    lecture: HTML = strawberry.field(description="At most 500000 characters.")
    quizzes: list[QuizInput] = strawberry.field(default_factory=list, description="At most 100.")


@strawberry.type
class CreateClassroomLessonPayload(CreatedPayload):
    lesson: Module | None = strawberry.field(
        default=None, description="A module with origin UI; its id is the lessonId of exportClassroomLesson."
    )

    @classmethod
    def about(cls, row: Any) -> "CreateClassroomLessonPayload":
        return cls(lesson=Module.from_row(row))


@strawberry.input
class ExportClassroomLessonInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    classroom_id: strawberry.ID
    lesson_id: strawberry.ID = strawberry.field(description="A lesson of that classroom.")


@strawberry.type
class ExportClassroomLessonPayload(CreatedPayload):
    job: ClassroomExportJob | None = None

    @classmethod
    def about(cls, row: Any) -> "ExportClassroomLessonPayload":
        return cls(job=ClassroomExportJob.from_row(row))


@strawberry.type
class ClassroomMutations:
    @mutation(Scope.ADMIN)
    async def create_classroom(self, info: Info, input: CreateClassroomInput) -> CreateClassroomPayload:
        with checked(info, input) as (_, values):
            realm = info.context.realm

        async def make(session: Transaction, id: str) -> tables.Classroom:
            row = tables.Classroom(
                id=id, workspace_id=realm.workspace_id, environment=realm.environment, title=values["title"]
            )
            session.add(row)
            return row

        new_id, find = ids.new(ids.Prefix.CLASSROOM), classrooms.finder(realm)
        row, replayed = await once(info, "createClassroom", input, new_id, make, find)
        payload = CreateClassroomPayload.about(row)
        payload.replayed = replayed
        return payload

    @mutation(Scope.ADMIN, description="A standalone lesson written by a signed-in admin.")
    async def create_classroom_lesson(
        self, info: Info, input: CreateClassroomLessonInput
    ) -> CreateClassroomLessonPayload:
        with checked(info, input) as (_, values):
            realm = info.context.realm

        async def make(session: Transaction, id: str) -> tables.Resource:
            classroom = await classrooms.require(session, realm, input.classroom_id)
            lesson = tables.Resource(
                id=id,
                workspace_id=realm.workspace_id,
                environment=realm.environment,
                kind=ResourceKind.module,
                status=ResourceStatus.READY,
                origin=ResourceOrigin.UI,
                title=values["title"],
                description=values["description"],
                language=values["language"],
                idempotency_key=idempotency_key(info, input),
                details=ModuleDetails(lecture=values["lecture"], has_quiz=bool(values["quizzes"])),
                classroom_id=classroom.id,
            )
            await resources.add(session, lesson)
            await write_quizzes(session, lesson.id, lesson.id, values)
            return lesson

        new_id, find = resources.new_id(ResourceKind.module), resources.finder(realm)
        lesson, replayed = await once(info, "createClassroomLesson", input, new_id, make, find)
        payload = CreateClassroomLessonPayload.about(lesson)
        payload.replayed = replayed
        return payload

    @mutation(Scope.ADMIN)
    async def export_classroom_lesson(
        self, info: Info, input: ExportClassroomLessonInput
    ) -> ExportClassroomLessonPayload:
        realm, sealer = info.context.realm, info.context.sealer
        key = idempotency_key(info, input)

        async def make(session: Transaction, id: str) -> tables.Job:
            return await classrooms.hand_out(
                session, realm, sealer, input.lesson_id, id, classroom_id=input.classroom_id, key=key
            )

        find = jobs.finder(realm)
        job, replayed = await once(info, "exportClassroomLesson", input, jobs.new_id(), make, find)
        payload = ExportClassroomLessonPayload.about(job)
        payload.replayed = replayed
        return payload
