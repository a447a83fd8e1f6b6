"""The contract: one graph over resources, jobs, exports and ingested items."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.mutations.assessments import TestMutations
from schema.mutations.classrooms import ClassroomMutations
from schema.mutations.courses import CourseMutations
from schema.mutations.credentials import CredentialMutations
from schema.mutations.exports import ExportMutations
from schema.mutations.files import FileMutations
from schema.mutations.ingestions import IngestionMutations
from schema.mutations.integrations import IntegrationMutations
from schema.mutations.jobs import JobMutations
from schema.mutations.modules import ModuleMutations
from schema.mutations.people import PeopleMutations
from schema.mutations.renders import RenderMutations
from schema.mutations.resources import ResourceMutations
from schema.mutations.share import ShareMutations
from schema.mutations.slides import SlideMutations
from schema.mutations.submissions import SubmissionMutations
from schema.mutations.videos import VideoMutations
from schema.mutations.webhooks import WebhookMutations
from schema.queries.classrooms import ClassroomQueries
from schema.queries.content import ContentQueries
from schema.queries.credentials import CredentialQueries
from schema.queries.exports import ExportQueries
from schema.queries.jobs import JobQueries
from schema.queries.people import PeopleQueries
from schema.queries.resources import ResourceQueries
from schema.queries.webhooks import WebhookQueries
from schema.subscription import Subscription
from schema.types import catalog
from schema.types.scalars import SCALARS


@strawberry.type(description="Single lookups answer null for what does not exist.")
class Query(
    ResourceQueries,
    JobQueries,
    WebhookQueries,
    CredentialQueries,
    PeopleQueries,
    ClassroomQueries,
    ExportQueries,
    ContentQueries,
):
    """Reading."""


@strawberry.type
class Mutation(
    ModuleMutations,
    CourseMutations,
    VideoMutations,
    RenderMutations,
    SlideMutations,
    TestMutations,
    ResourceMutations,
    IntegrationMutations,
    IngestionMutations,
    ExportMutations,
    FileMutations,
    JobMutations,
    WebhookMutations,
    PeopleMutations,
    ClassroomMutations,
    CredentialMutations,
    ShareMutations,
    SubmissionMutations,
):
    """Changing."""


schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[*catalog.RESOURCES.values(), *catalog.JOBS.values(), *catalog.CONTENT.values()],
    config=StrawberryConfig(scalar_map=SCALARS),
)

__all__ = ["schema"]
