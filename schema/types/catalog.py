"""From kind to graph type: the families, in one place each."""

from typing import Any

from schema.types.assessments import Assessment, TestItem
from schema.types.classrooms import ClassroomExportJob
from schema.types.content import ArticleItem, ContainerItem, ContentItem, QuestionItem, StimulusItem, VideoItem
from schema.types.courses import Chapter, Course, Lesson
from schema.types.exports import ContentExport
from schema.types.generations import GenerationJob
from schema.types.ingestions import IngestionJob
from schema.types.jobs import ExpansionJob, Job
from schema.types.modules import Module
from schema.types.renders import RenderJob
from schema.types.resources import ContentResource, Node
from schema.types.slides import Slide
from schema.types.videos import Scene, Video
from storage import tables
from storage.tables import ContentType, JobKind, ResourceKind, Scope

RESOURCES: dict[ResourceKind, type[ContentResource]] = {
    ResourceKind.module: Module,
    ResourceKind.course: Course,
    ResourceKind.video: Video,
    ResourceKind.slide: Slide,
    ResourceKind.test: Assessment,
}
JOBS: dict[JobKind, type[Job]] = {
    JobKind.EXPANSION: ExpansionJob,
    JobKind.CLASSROOM_EXPORT: ClassroomExportJob,
    JobKind.GENERATION: GenerationJob,
    JobKind.RENDER: RenderJob,
    JobKind.CONTENT_EXPORT: ContentExport,
    JobKind.INGESTION: IngestionJob,
}
CONTENT: dict[ContentType, type[ContentItem]] = {
    ContentType.QUESTION: QuestionItem,
    ContentType.STIMULUS: StimulusItem,
    ContentType.ARTICLE: ArticleItem,
    ContentType.CONTAINER: ContainerItem,
    ContentType.VIDEO: VideoItem,
}

READ = {
    JobKind.EXPANSION: frozenset({Scope.INTEGRATIONS_READ}),
    JobKind.CLASSROOM_EXPORT: frozenset({Scope.INTEGRATIONS_READ}),
    JobKind.GENERATION: frozenset({Scope.RESOURCES_READ}),
    JobKind.RENDER: frozenset({Scope.RESOURCES_READ}),
    JobKind.CONTENT_EXPORT: frozenset({Scope.EXPORTS}),
    JobKind.INGESTION: frozenset({Scope.CONTENT_READ, Scope.CONTENT_WRITE}),
}
WRITE = {
    JobKind.EXPANSION: frozenset({Scope.INTEGRATIONS_WRITE}),
    JobKind.CLASSROOM_EXPORT: frozenset({Scope.INTEGRATIONS_WRITE}),
    JobKind.GENERATION: frozenset({Scope.RESOURCES_WRITE}),
    JobKind.RENDER: frozenset({Scope.RESOURCES_WRITE}),
    JobKind.CONTENT_EXPORT: frozenset({Scope.EXPORTS}),
    JobKind.INGESTION: frozenset({Scope.CONTENT_WRITE}),
}


def resource(row: tables.Resource) -> ContentResource:
    """The graph object of a resource row."""
    return RESOURCES[row.kind].from_row(row)


def job(row: tables.Job) -> Job:
    """The graph object of a job row."""
    return JOBS[row.kind].from_row(row)


def content(row: tables.ContentItem) -> ContentItem:
    """The graph object of a content item."""
    return CONTENT[row.type].from_row(row)


def named(row: Any) -> tuple[str, Node]:
    """The graph object of a resource, a part of one or a job, under the name that payloads give it."""
    match row:
        case tables.Resource():
            return row.kind.value, resource(row)
        case tables.Job():
            return "job", job(row)
        case tables.Item():
            return "item", TestItem.from_row(row)
        case tables.Scene():
            return "scene", Scene.from_row(row)
        case tables.Chapter():
            return "chapter", Chapter.from_row(row)
        case tables.Lesson():
            return "lesson", Lesson.from_row(row)
    raise TypeError(type(row).__name__)


def readable(scopes: frozenset[Scope]) -> list[JobKind]:
    """The kinds of jobs that these scopes may read."""
    return [kind for kind, readers in READ.items() if readers & scopes]
