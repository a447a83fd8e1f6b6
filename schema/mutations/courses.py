"""Courses: create, change, and write their structure, chapters and lessons."""

from collections.abc import Iterator

import strawberry

from schema.context import Info
from schema.mutations import KEY, idempotency_key, mutation, once
from schema.mutations.questions import QuizInput, write_quizzes
from schema.mutations.reading import checked, read
from schema.mutations.resources import (
    DESCRIPTION,
    AddedPayload,
    CreateInput,
    CreateResourcePayload,
    ResourcePayload,
    UpdateInput,
    check_version,
    create,
    generation,
    held,
    job_of,
    update,
)
from schema.mutations.rules import Place, Values, at_most, known_ids, unlike
from schema.types.courses import Chapter, Course, Lesson
from schema.types.generations import GenerationJob
from schema.types.scalars import HTML
from storage import children, ids, jobs, resources, structures, tables
from storage.database import Transaction
from storage.errors import Checks, NotFound
from storage.structures import Structure
from storage.tables import ResourceKind, Scope
from storage.tables.jobs import GenerationParameters
from storage.tables.resources import ModuleType

TITLE = "1 to 500 characters."
LECTURE = "At most 500000 characters."


@strawberry.input
class CreateCourseInput(CreateInput):
    lesson_count: int | None = strawberry.field(default=None, description="1 to 50; default 5; needs a prompt.")
    has_quiz: bool = False
    has_practice: bool = False


@strawberry.type
class CreateCoursePayload(CreateResourcePayload):
    course: Course | None = None


@strawberry.input
class UpdateCourseInput(UpdateInput):
    pass


@strawberry.type
class CoursePayload(ResourcePayload):
    course: Course | None = None


@strawberry.type
class UpdateCoursePayload(CoursePayload):
    pass


@strawberry.input
class CanonicalLessonInput:
    id: strawberry.ID | None = None
    title: str = strawberry.field(description=TITLE)
    type: ModuleType | None = strawberry.field(
        default=None, description="Default: unchanged, markdown for a new lesson."
    )


@strawberry.input
class CanonicalChapterInput:
    id: strawberry.ID | None = None
    title: str = strawberry.field(description=TITLE)
    lessons: list[CanonicalLessonInput] = strawberry.field(description="At most 200 in the whole course.")


@strawberry.input
class UpdateCourseCanonicalInput:
    course_id: strawberry.ID
    base_version: int = strawberry.field(description="Course.version of the structure that was edited.")
    chapters: list[CanonicalChapterInput] = strawberry.field(
        description="The complete wanted structure, in order. Entries with an id are kept, moved and renamed; entries "
        "without one are new. At most 100 chapters."
    )
    remove_missing: bool = strawberry.field(
        default=False, description="Without it, leaving out an existing chapter or lesson is refused."
    )


@strawberry.type
class UpdateCourseCanonicalPayload(CoursePayload):
    pass


@strawberry.input
class UpdateChapterInput:
    id: strawberry.ID
    base_version: int | None = strawberry.field(default=None, description="Course.version.")
    title: str | None = strawberry.field(default=strawberry.UNSET, description=TITLE)
    description: str | None = strawberry.field(default=strawberry.UNSET, description=DESCRIPTION)


@strawberry.type
class UpdateChapterPayload(ResourcePayload):
    chapter: Chapter | None = None


@strawberry.input
class AddLessonInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    course_id: strawberry.ID
    chapter_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Default: the last chapter, or the chapter that holds the position given by sequence.",
    )
    sequence: int | None = strawberry.field(
        default=None,
        description="Course-wide position; later lessons move down. Default: the end of the chapter. A place behind "
        "the end of the course is its end.",
    )
    title: str = strawberry.field(description=TITLE)
    type: ModuleType = ModuleType.markdown
    prompt: str | None = strawberry.field(
        default=None, description="Generates the content; not together with lecture. At most 20000 characters."
    )
    lecture: HTML | None = strawberry.field(default=None, description=LECTURE)


@strawberry.type
class AddLessonPayload(AddedPayload, CoursePayload):
    lesson: Lesson | None = None
    job: GenerationJob | None = strawberry.field(default=None, description="Null without a prompt.")


@strawberry.input(description="The lesson is named by id, or by courseId and sequence.")
class UpdateLessonInput:
    id: strawberry.ID | None = None
    course_id: strawberry.ID | None = None
    position: int | None = strawberry.field(default=None, name="sequence")
    base_version: int | None = strawberry.field(default=None, description="Lesson.version.")
    title: str | None = strawberry.field(default=strawberry.UNSET, description=TITLE)
    description: str | None = strawberry.field(default=strawberry.UNSET, description=DESCRIPTION)
    type: ModuleType | None = strawberry.UNSET
    lecture: HTML | None = strawberry.field(default=strawberry.UNSET, description=LECTURE)
    quizzes: list[QuizInput] | None = strawberry.field(default=strawberry.UNSET, description="At most 100.")
    practice: list[QuizInput] | None = strawberry.field(default=strawberry.UNSET, description="At most 100.")


@strawberry.type
class UpdateLessonPayload(ResourcePayload):
    lesson: Lesson | None = None


@strawberry.type
class CourseMutations:
    @mutation(Scope.RESOURCES_WRITE)
    async def create_course(self, info: Info, input: CreateCourseInput) -> CreateCoursePayload:
        return await create(info, ResourceKind.course, input, CreateCoursePayload)

    @mutation(Scope.RESOURCES_WRITE, description="Metadata only.")
    async def update_course(self, info: Info, input: UpdateCourseInput) -> UpdateCoursePayload:
        return await update(info, ResourceKind.course, input, UpdateCoursePayload)

    @mutation(
        Scope.RESOURCES_WRITE,
        description="Writes the whole structure back: moves, renames, adds and, when told to, removes chapters and "
        "lessons.",
    )
    async def update_course_canonical(
        self, info: Info, input: UpdateCourseCanonicalInput
    ) -> UpdateCourseCanonicalPayload:
        wanted = _wanted(input)
        async with info.context.database.transaction() as session:
            course = await held(session, info, input.course_id, ResourceKind.course)
            check_version(course, input.base_version)
            structure = await structures.read(session, course)
            _check_structure(structure, wanted, remove_missing=input.remove_missing)
            await structures.write(session, structure, wanted)
            await resources.edited(session, course)
        return UpdateCourseCanonicalPayload.showing(course)

    @mutation(Scope.RESOURCES_WRITE)
    async def update_chapter(self, info: Info, input: UpdateChapterInput) -> UpdateChapterPayload:
        with Checks() as checks:
            values = read(checks, input, "input")
        async with info.context.database.transaction() as session:
            course, _, chapter = await children.holding(session, info.context.realm, tables.Chapter, input.id)
            check_version(course, input.base_version, shown=chapter)
            for name in values.keys() & {"title", "description"}:
                setattr(chapter, name, values[name])
            await resources.edited(session, course)
        return UpdateChapterPayload.showing(chapter)

    @mutation(Scope.RESOURCES_WRITE)
    async def add_lesson(self, info: Info, input: AddLessonInput) -> AddLessonPayload:
        with checked(info, input) as (checks, values):
            both = values["prompt"] is not None and values["lecture"] is not None
            checks.require(not both, "prompt_or_lecture", "A lesson is written or generated, not both.", "input")
        started: list[tables.Job] = []

        async def make(session: Transaction, id: str) -> tables.Lesson:
            course = await held(session, info, input.course_id, ResourceKind.course)
            structure = await structures.read(session, course)
            with Checks() as checks:
                at_most(checks, "lessons", len(structure.lessons) + 1, "input")
            lesson = await structures.add(session, structure, input.chapter_id, input.sequence, id, values)
            await resources.edited(session, course)
            if values["prompt"] is not None:
                asked = GenerationParameters(prompt=values["prompt"], lesson_id=id)
                started.append(generation(course, asked, idempotency_key(info, input)))
                lesson.job_id = started[0].id
                await jobs.add(session, started[0])
            return lesson

        find = children.finder(tables.Lesson, info.context.realm)
        lesson, replayed = await once(info, "addLesson", input, ids.new(ids.Prefix.LESSON), make, find)
        payload = AddLessonPayload.showing(lesson)
        payload.replayed = replayed
        payload.course = await info.context.loaders.resources.load(lesson.resource_id)
        payload.job = await job_of(info, lesson.job_id, started)
        return payload

    @mutation(Scope.RESOURCES_WRITE, description="Metadata or the full content, all or nothing.")
    async def update_lesson(self, info: Info, input: UpdateLessonInput) -> UpdateLessonPayload:
        with Checks() as checks:
            ways = (input.id is not None, input.course_id is not None, input.position is not None)
            message = "A lesson is named by id, or by courseId and sequence."
            checks.require(ways in ((True, False, False), (False, True, True)), "lesson_key", message, "input")
            values = read(checks, input, "input")
        async with info.context.database.transaction() as session:
            course, lesson = await _lesson(session, info, input)
            check_version(lesson, input.base_version)
            for name in values.keys() & {"title", "description", "type", "lecture"}:
                setattr(lesson, name, values[name])
            await write_quizzes(session, course.id, lesson.id, values)
            lesson.version += session.modified
            await resources.edited(session, course)
        return UpdateLessonPayload.showing(lesson)


async def _lesson(session: Transaction, info: Info, input: UpdateLessonInput) -> tuple[tables.Resource, tables.Lesson]:
    """The lesson that the input names, and its course, which is held until the commit."""
    if input.id is not None:
        course, _, lesson = await children.holding(session, info.context.realm, tables.Lesson, input.id)
        return course, lesson
    course = await held(session, info, input.course_id or "", ResourceKind.course)
    lessons = await children.of(session, tables.Lesson, course.id)
    if not 1 <= (input.position or 0) <= len(lessons):
        raise NotFound
    return course, lessons[(input.position or 0) - 1]


def _wanted(input: UpdateCourseCanonicalInput) -> list[Values]:
    """The chapters that are to be, with their lessons."""
    with Checks() as checks:
        chapters: list[Values] = read(checks, input, "input")["chapters"]
        at_most(checks, "lessons", sum(len(chapter["lessons"]) for chapter in chapters), "input", "chapters")
        unlike(checks, [(("input", "chapters", index), chapter["id"]) for index, chapter in enumerate(chapters)])
        unlike(checks, [(place, lesson["id"]) for place, lesson in _lessons(chapters)])
    return chapters


def _lessons(chapters: list[Values]) -> Iterator[tuple[Place, Values]]:
    """Every lesson with its place in the input."""
    for index, chapter in enumerate(chapters):
        for number, lesson in enumerate(chapter["lessons"]):
            yield ("input", "chapters", index, "lessons", number), lesson


def _check_structure(structure: Structure, chapters: list[Values], *, remove_missing: bool) -> None:
    """Ids are known, and what is left out is meant to go."""
    named = [(("input", "chapters", index), chapter["id"]) for index, chapter in enumerate(chapters)]
    held = [(place, lesson["id"]) for place, lesson in _lessons(chapters)]
    with Checks() as checks:
        for wanted, known, rule in (
            (named, structure.chapters, "chapter_missing"),
            (held, structure.lessons, "lesson_missing"),
        ):
            known_ids(checks, wanted, {row.id for row in known})
            kept = {id for _, id in wanted}
            for row in known:
                message = f"“{row.title}” is left out; send it back, or say removeMissing."
                checks.require(remove_missing or row.id in kept, rule, message, "input", "chapters")
