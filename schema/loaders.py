"""Graph objects by id and rows by parent, batched; all within the realm of the request."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from schema.batching import Loader
from schema.context import Principal
from schema.pagination import Connection, Window, page_below
from schema.types import catalog
from schema.types.assessments import TestItem
from schema.types.classrooms import Classroom
from schema.types.content import ContentAssociation, Related
from schema.types.courses import Chapter, Lesson
from schema.types.credentials import Actor, ApiKey, OAuthClient
from schema.types.files import StoredFile
from schema.types.notifications import Notification
from schema.types.people import Group, User
from schema.types.resources import Node
from schema.types.submissions import TestSubmission
from schema.types.videos import Scene
from schema.types.webhooks import EVENTS, Event, WebhookDelivery, WebhookEndpoint
from storage import (
    attachments,
    attempts,
    children,
    classrooms,
    content,
    credentials,
    deliveries,
    events,
    files,
    ids,
    ingestions,
    integrations,
    jobs,
    notifications,
    people,
    renders,
    resources,
    submissions,
    tables,
    webhooks,
)
from storage.blobs import Blobs
from storage.database import Database
from storage.ids import Prefix
from storage.tables import AssociationType, Realm, ResourceKind, Scope
from storage.tables.resources import Alignment

Find = Callable[[AsyncSession, Realm, Sequence[str]], Awaitable[Sequence[Any]]]
Fetch = Callable[[AsyncSession, Sequence[str]], Awaitable[Sequence[Any]]]

MOST_WINDOWS = 200
"""How many pages one statement reads; SQLite takes a union of 500."""

MOST_KEYS = 5_000
"""How many keys one statement takes; databases allow some 32,000 variables."""

RESOURCE = frozenset({Scope.RESOURCES_READ})
CONTENT = frozenset({Scope.CONTENT_READ})
WEBHOOK = frozenset({Scope.WEBHOOKS})
EXPORT = frozenset({Scope.EXPORTS})
ADMIN = frozenset({Scope.ADMIN})


class Loaders:
    """
    The loaders of one request.

    They batch but do not remember: a mutation later in the same request must see what an earlier one changed.
    """

    def __init__(self, database: Database, blobs: Blobs, principal: Principal | None) -> None:
        self.database = database
        self.blobs = blobs
        self.principal = principal
        self.resources = self._by_id(resources.find, catalog.resource)
        self.scenes_by_id = self._by_id(resources.child_finder(tables.Scene), Scene.from_row)
        self.chapters_by_id = self._by_id(resources.child_finder(tables.Chapter), Chapter.from_row)
        self.lessons_by_id = self._by_id(resources.child_finder(tables.Lesson), Lesson.from_row)
        self.items_by_id = self._by_id(resources.child_finder(tables.Item), TestItem.from_row)
        self.jobs = self._by_id(self._find_jobs, catalog.job)
        self.endpoints = self._by_id(webhooks.find, WebhookEndpoint.from_row)
        self.deliveries_by_id = self._by_id(deliveries.find, WebhookDelivery.from_row)
        self.events = self._by_id(events.find, Event.from_row)
        self.submissions = self._by_id(submissions.find, TestSubmission.from_row)
        self.classrooms = self._by_id(classrooms.find, Classroom.from_row)
        self.files = self._by_id(self._find_files, StoredFile.from_row)
        self.notifications = self._by_id(self._find_notifications, Notification.from_row)
        self.users = self._by_id(self._find_users, User.from_row)
        self.groups = self._by_id(self._find_groups, Group.from_row)
        self.api_keys = self._by_id(_find_credentials(tables.ApiKey), ApiKey.from_row)
        self.oauth_clients = self._by_id(_find_credentials(tables.OAuthClient), OAuthClient.from_row)
        self.members = self._by_parent(people.members_of, "group_id")
        self.groups_of = self._by_parent(self._find_groups_of, "user_id")
        self.quizzes = self._by_parent(resources.children_of(tables.Quiz, "owner_id"), "owner_id")
        self.chapters = self._by_parent(resources.children_of(tables.Chapter), "resource_id")
        self.lessons = self._by_parent(resources.children_of(tables.Lesson), "resource_id")
        self.lessons_of_chapter = self._by_parent(resources.children_of(tables.Lesson, "chapter_id"), "chapter_id")
        self.scenes = self._by_parent(resources.children_of(tables.Scene), "resource_id")
        self.items = self._by_parent(resources.children_of(tables.Item), "resource_id")
        self.items_of_job = self._by_parent(resources.children_of(tables.Item, "job_id"), "job_id")
        self.lesson_totals = self._totals(children.totals_of(tables.Lesson))
        self.scene_totals = self._totals(children.totals_of(tables.Scene, "duration"))
        self.item_totals = self._totals(children.totals_of(tables.Item, "score"))
        self.alignments = self._by_parent(resources.children_of(Alignment), "resource_id")
        self.outputs = self._by_parent(integrations.outputs, "job_id")
        self.renders = self._by_parent(renders.of_videos, "resource_id")
        self.attachments = self._by_parent(attachments.of_jobs, "job_id")
        self.deliveries = self._by_parent(deliveries.of_events, "event_id")
        self.attempts = self._by_parent(attempts.of_deliveries, "delivery_id")
        self.content = self._by_id(content.find, catalog.content)
        self.associations = Loader(self._load_associations, MOST_KEYS, cache=False)
        self.targets = Loader(self._load_targets, MOST_KEYS, cache=False)
        self.related = Loader(self._load_related, MOST_KEYS, cache=False)
        self.related_counts = Loader(self._load_related_counts, MOST_KEYS, cache=False)
        self.xml = Loader(self._load_xml, MOST_KEYS, cache=False)
        self.ingestion_items = Loader(self._load_ingestion_items, MOST_KEYS, cache=False)
        self.below = Loader(self._load_below, MOST_WINDOWS, cache=False)
        self.counts_below = Loader(self._count_below, MOST_KEYS, cache=False)
        self.nodes: dict[Prefix, tuple[frozenset[Scope], Callable[[str], Awaitable[Any]]]] = {
            **{Prefix(kind.value): (RESOURCE, self.resources.load) for kind in ResourceKind},
            Prefix.CHAPTER: (RESOURCE, self.chapters_by_id.load),
            Prefix.LESSON: (RESOURCE, self.lessons_by_id.load),
            Prefix.SCENE: (RESOURCE, self.scenes_by_id.load),
            Prefix.ITEM: (RESOURCE, self.items_by_id.load),
            Prefix.SUBMISSION: (RESOURCE, self.submissions.load),
            Prefix.CONTENT: (CONTENT, self.content.load),
            Prefix.EVENT: (WEBHOOK, self.events.load),
            Prefix.ENDPOINT: (WEBHOOK, self.endpoints.load),
            Prefix.DELIVERY: (WEBHOOK, self.deliveries_by_id.load),
            Prefix.JOB: (frozenset(Scope), self.job),
            Prefix.CLASSROOM: (ADMIN, self.classrooms.load),
            Prefix.FILE: (EXPORT, self.files.load),
            Prefix.NOTIFICATION: (EXPORT, self.notifications.load),
            Prefix.USER: (EXPORT, self.users.load),
            Prefix.GROUP: (EXPORT, self.groups.load),
            Prefix.KEY: (ADMIN, self.api_keys.load),
            Prefix.CLIENT: (ADMIN, self.oauth_clients.load),
        }

    async def node(self, id: str) -> Node | None:
        """Whatever has this id, if the principal may read things of its kind."""
        prefix = ids.prefix_of(id)
        if prefix not in self.nodes or self.principal is None:
            return None
        scopes, load = self.nodes[prefix]
        node: Node | None = await load(id) if scopes & self.principal.scopes else None
        return node

    async def job(self, id: str) -> Any:
        """The job, if the principal may read its kind."""
        job = await self.jobs.load(id)
        return job if job and self.principal and catalog.READ[job.kind] & self.principal.scopes else None

    async def job_events(self, job_id: str, first: int | None, after: str | None) -> Connection[Event]:
        """A page of a job's part of the event log, oldest first."""
        return await page_below(self, EVENTS, job_id, Event.from_row, first=first, after=after)

    async def actor(self, id: str) -> Actor:
        """The graph object of a principal's credential."""
        async with self.database.snapshot() as session:
            match ids.prefix_of(id):
                case Prefix.USER:
                    return User.from_row(await session.get_one(tables.User, id))
                case Prefix.CLIENT:
                    return OAuthClient.from_row(await session.get_one(tables.OAuthClient, id))
                case _:
                    return ApiKey.from_row(await session.get_one(tables.ApiKey, id))

    async def workspace(self) -> tables.Workspace:
        """The tenant of the request."""
        async with self.database.snapshot() as session:
            return await session.get_one(tables.Workspace, self._realm.workspace_id)

    async def verify_polling(self) -> None:
        """Note that a finished result has been read; writes only the first time."""
        if not (await self.workspace()).polling_verified:
            async with self.database.transaction() as session:
                await integrations.verified(session, self._realm.workspace_id)

    async def _load_below(self, windows: list[Window]) -> list[list[Any]]:
        """Pages below several parents: one statement for each sort of list, with a part for each parent."""
        found: dict[Window, list[Any]] = {window: [] for window in windows}
        async with self.database.snapshot() as session:
            for group in _alike(found):
                pages = [select(window.below.rows(self._realm, window).subquery()) for window in group]
                table = aliased(group[0].below.table, union_all(*pages).subquery())
                for row in await session.scalars(select(table)):
                    parent_id = getattr(row, group[0].below.parent.key)
                    found[group[0]._replace(parent_id=parent_id)].append(row)
        return [_sorted(found[window], window) for window in windows]

    async def _count_below(self, windows: list[Window]) -> list[int]:
        found: dict[Window, int] = {}
        async with self.database.snapshot() as session:
            for group in _alike(windows):
                ids = [window.parent_id for window in group]
                for parent_id, number in await session.execute(group[0].below.counts(self._realm, group[0], ids)):
                    found[group[0]._replace(parent_id=parent_id)] = number
        return [found.get(window, 0) for window in windows]

    async def _load_associations(
        self, keys: list[tuple[str, AssociationType | None]]
    ) -> list[list[ContentAssociation]]:
        """Of each item, those of a type or of all that begin or end with it; who asks for the same shares one list."""
        found: dict[tuple[str, AssociationType | None], list[ContentAssociation]] = {key: [] for key in keys}
        async with self.database.snapshot() as session:
            for row in await content.associations(session, list({id for id, _ in keys})):
                relation = ContentAssociation.from_row(row)
                for id in {row.source_id, row.target_id}:
                    for key in ((id, None), (id, row.type)):
                        if key in found:
                            found[key].append(relation)
        return [found[key] for key in keys]

    async def _load_targets(self, keys: list[tuple[str, AssociationType]]) -> list[list[str]]:
        """The items that each item is related to, in the order of the package."""
        found: dict[tuple[str, AssociationType], list[str]] = {key: [] for key in keys}
        async with self.database.snapshot() as session:
            for source_id, type, target_id in sorted(await content.targets(session, keys)):
                if (source_id, type) in found:
                    found[source_id, type].append(target_id)
        return [found[key] for key in keys]

    async def _load_related(self, pages: list[Related]) -> list[list[tables.Association]]:
        """Pages of related items; those of equal size and place, as all first ones are, come in one statement."""
        found: dict[Related, list[tables.Association]] = {page: [] for page in pages}
        async with self.database.snapshot() as session:
            for kind in {page[1:] for page in pages}:
                ids = [page.target_id for page in found if page[1:] == kind]
                for row in await content.related(session, ids, *kind):
                    found[Related(row.target_id, *kind)].append(row)
        return [found[page] for page in pages]

    async def _load_related_counts(self, keys: list[tuple[str, AssociationType]]) -> list[int]:
        async with self.database.snapshot() as session:
            found = await content.related_counts(session, keys)
        return [found.get(key, 0) for key in keys]

    async def _load_xml(self, rows: list[tables.ContentItem]) -> list[str]:
        """The source of each question, from its package unless the row itself has it."""
        places = {row.id: (row.job_id, row.path or "") for row in rows}
        async with self.database.snapshot() as session:
            files = await content.locate(session, [places[row.id] for row in rows if row.source is None])
        return await asyncio.gather(*(content.xml(self.blobs, row, files.get(places[row.id])) for row in rows))

    async def _load_ingestion_items(self, places: list[tuple[str, int]]) -> list[tables.IngestionItem | None]:
        async with self.database.snapshot() as session:
            found = {(row.job_id, row.position): row for row in await ingestions.items(session, places)}
        return [found.get(place) for place in places]

    async def _find_jobs(self, session: AsyncSession, realm: Realm, found_ids: Sequence[str]) -> Sequence[Any]:
        return await jobs.find(session, realm, found_ids, self._member_id)

    async def _find_files(self, session: AsyncSession, realm: Realm, found_ids: Sequence[str]) -> Sequence[Any]:
        return await files.find(session, realm, found_ids, self._member_id)

    async def _find_notifications(self, session: AsyncSession, realm: Realm, found_ids: Sequence[str]) -> Sequence[Any]:
        user_id = self.principal.id if self.principal else ""
        return await notifications.find(session, realm, user_id, found_ids)

    async def _find_users(self, session: AsyncSession, realm: Realm, found_ids: Sequence[str]) -> Sequence[Any]:
        return await people.find_users(session, realm.workspace_id, found_ids, self._member_id)

    async def _find_groups(self, session: AsyncSession, realm: Realm, found_ids: Sequence[str]) -> Sequence[Any]:
        return await people.find_groups(session, realm.workspace_id, found_ids, self._member_id)

    async def _find_groups_of(self, session: AsyncSession, user_ids: Sequence[str]) -> Sequence[Any]:
        return await people.groups_of(session, user_ids, self._member_id)

    @property
    def _member_id(self) -> str | None:
        return self.principal.member_id if self.principal else None

    @property
    def _realm(self) -> Realm:
        assert self.principal is not None  # noqa: S101  (guarded fields only)
        return self.principal.realm

    def _by_id(self, find: Find, to_node: Callable[[Any], Any]) -> Loader[str, Any]:
        async def load(keys: list[str]) -> list[Any]:
            proper = [key for key in keys if ids.prefix_of(key)]  # whatever else is sent, no row has it
            async with self.database.snapshot() as session:
                found = {row.id: to_node(row) for row in await find(session, self._realm, proper)}
            return [found.get(key) for key in keys]

        return Loader(load, MOST_KEYS, cache=False)

    def _totals(
        self, fetch: Callable[[AsyncSession, Sequence[str]], Awaitable[children.Totals]]
    ) -> Loader[str, tuple[int, float]]:
        async def load(keys: list[str]) -> list[tuple[int, float]]:
            async with self.database.snapshot() as session:
                found = await fetch(session, keys)
            return [found.get(key, (0, 0.0)) for key in keys]

        return Loader(load, MOST_KEYS, cache=False)

    def _by_parent(self, fetch: Fetch, parent: str) -> Loader[str, Any]:
        async def load(keys: list[str]) -> list[list[Any]]:
            grouped: dict[str, list[Any]] = {key: [] for key in keys}
            async with self.database.snapshot() as session:
                for row in await fetch(session, keys):
                    grouped[getattr(row, parent)].append(row)
            return [grouped[key] for key in keys]

        return Loader(load, MOST_KEYS, cache=False)


def _alike(windows: Iterable[Window]) -> list[list[Window]]:
    """Those that differ in nothing but the parent, together; each once."""
    groups: dict[Window, dict[Window, None]] = {}
    for window in windows:
        groups.setdefault(window._replace(parent_id=""), {})[window] = None
    return [list(group) for group in groups.values()]


def _sorted(rows: list[Any], window: Window) -> list[Any]:
    """The rows of one parent in their order, which a union does not promise to keep."""
    order = window.below.order
    return sorted(rows, key=lambda row: getattr(row, order.column.key), reverse=order.newest_first)


def _find_credentials(table: type[tables.ApiKey] | type[tables.OAuthClient]) -> Find:
    async def find(session: AsyncSession, realm: Realm, found_ids: Sequence[str]) -> Sequence[Any]:
        return await credentials.find(session, table, realm.workspace_id, found_ids)

    return find
