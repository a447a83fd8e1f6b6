"""Rows, by the things they are."""

from storage.tables.blobs import Attachment, AttachmentRole
from storage.tables.children import Chapter, Child, Item, Lesson, QuestionType, Quiz, Scene, VisualType
from storage.tables.classrooms import Classroom
from storage.tables.columns import Environment, Realm, Row
from storage.tables.content import (
    Association,
    AssociationType,
    ContentItem,
    ContentType,
    IngestionItem,
    IngestionStatus,
    ItemState,
    PackageFile,
    PackageType,
    SpentCode,
)
from storage.tables.credentials import AccessToken, ApiKey, ApiKeyKind, OAuthClient, Scope
from storage.tables.events import Event, EventType, JobMoment
from storage.tables.files import StoredFile
from storage.tables.jobs import (
    ExportType,
    Job,
    JobKind,
    JobState,
    Output,
    OutputStatus,
    OutputType,
    Progress,
    Spending,
    WorkflowState,
)
from storage.tables.notifications import Notification, NotificationKind
from storage.tables.people import Group, Membership, User, UserRole, UserSession
from storage.tables.resources import Alignment, Resource, ResourceKind, ResourceOrigin, ResourceStatus
from storage.tables.submissions import GradedAnswer, Submission
from storage.tables.usage import IdempotencyKey, Meter, Usage
from storage.tables.webhooks import Attempt, Delivery, DeliveryStatus, Endpoint, EndpointStatus
from storage.tables.workspaces import Log, Workspace

__all__ = [
    "AccessToken",
    "Alignment",
    "ApiKey",
    "ApiKeyKind",
    "Association",
    "AssociationType",
    "Attachment",
    "AttachmentRole",
    "Attempt",
    "Chapter",
    "Child",
    "Classroom",
    "ContentItem",
    "ContentType",
    "Delivery",
    "DeliveryStatus",
    "Endpoint",
    "EndpointStatus",
    "Environment",
    "Event",
    "EventType",
    "ExportType",
    "GradedAnswer",
    "Group",
    "IdempotencyKey",
    "IngestionItem",
    "IngestionStatus",
    "Item",
    "ItemState",
    "Job",
    "JobKind",
    "JobMoment",
    "JobState",
    "Lesson",
    "Log",
    "Membership",
    "Meter",
    "Notification",
    "NotificationKind",
    "OAuthClient",
    "Output",
    "OutputStatus",
    "OutputType",
    "PackageFile",
    "PackageType",
    "Progress",
    "QuestionType",
    "Quiz",
    "Realm",
    "Resource",
    "ResourceKind",
    "ResourceOrigin",
    "ResourceStatus",
    "Row",
    "Scene",
    "Scope",
    "Spending",
    "SpentCode",
    "StoredFile",
    "Submission",
    "Usage",
    "User",
    "UserRole",
    "UserSession",
    "VisualType",
    "WorkflowState",
    "Workspace",
]
