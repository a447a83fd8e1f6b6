"""A gateway and a background process for one test, and what a client does with them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from argon2 import PasswordHasher
from httpx import ASGITransport

from dispatcher.settings import Settings as DispatcherSettings
from dispatcher.worker import background
from gateway.app import create_app
from gateway.server import Server, configured
from gateway.settings import Settings
from storage import credentials, people, workspaces
from storage.database import Database
from storage.notify import Bells
from storage.tables import ApiKeyKind, Environment, UserRole

SECRET = "a secret key that only the tests know: 32 bytes or more"
PASSWORD = "correct horse battery"
HASHED = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""Cheap to check; what a password of an installation costs is measured where passwords are made."""

GLOSSARY: dict[str, Any] = {
    "category": "Vocabulary",
    "level": {
        "id": "glossary-a1",
        "title": "A1 glossary",
        "lessons": [
            {
                "id": "lesson-1",
                "type": "term",
                "title": "Greetings",
                "terms": [{"term": "hello", "meaning": "a greeting", "example": "Hello, Min."}],
            }
        ],
    },
}


@dataclass
class Keys:
    """The credentials of a test: two workspaces, both environments."""

    content: str = ""
    workspace: str = ""
    test: str = ""
    stranger: str = ""
    admin: str = "kim@example.org"
    member: str = "min@example.org"


@dataclass
class World:
    """One installation."""

    settings: dict[str, Any]
    database: Database
    client: httpx.AsyncClient
    keys: Keys = field(default_factory=Keys)

    async def graph(
        self, query: str, *, key: str | None = None, headers: dict[str, str] | None = None, **variables: Any
    ) -> dict[str, Any]:
        """Run an operation that is expected to succeed; answers data."""
        answer = await self.post(query, key=key, headers=headers, **variables)
        body: dict[str, Any] = answer.json()
        assert "errors" not in body, body["errors"]
        data: dict[str, Any] = body["data"]
        return data

    async def post(
        self, query: str, *, key: str | None = None, headers: dict[str, str] | None = None, **variables: Any
    ) -> httpx.Response:
        """Run an operation; answers the response. Without a key the content key is used, with "" none."""
        chosen = self.keys.content if key is None else key
        credential = {"Authorization": f"Bearer {chosen}"} if chosen else {}
        body = {"query": query, "variables": variables}
        return await self.client.post("/graphql", json=body, headers={**credential, **(headers or {})})

    @property
    def environment(self) -> dict[str, str]:
        """What a process of this installation finds in its environment."""
        return {f"LECTERN_{name}".upper(): str(value) for name, value in self.settings.items()}

    async def login(self, email: str) -> None:
        """The client has the user's session from now on."""
        query = "mutation($i: LoginInput!) { login(input: $i) { errors { code } } }"
        credentials = {"email": email, "password": PASSWORD}
        answer = await self.post(query, key="", headers={"X-Lectern-CSRF": "1"}, i=credentials)
        assert answer.json()["data"]["login"]["errors"] == []

    async def as_user(self, query: str, **variables: Any) -> dict[str, Any]:
        """Run an operation with the session of the client."""
        return await self.graph(query, key="", headers={"X-Lectern-CSRF": "1"}, **variables)

    @contextlib.asynccontextmanager
    async def another_gateway(self, port: int = 0, **changes: Any) -> AsyncIterator[str]:
        """A second web process on the same database and Valkey, with real sockets; answers its host and port."""
        settings = Settings(**{**self.settings, **changes})
        app = create_app(settings)
        server = Server(configured(app, settings.max_body_bytes, port=port), app, settings.public_url)
        running = asyncio.create_task(server._serve())

        async def started() -> bool:
            return server.started

        await eventually(started)
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        try:
            yield f"{host}:{port}"
        finally:
            server.should_exit = True
            await running

    @contextlib.asynccontextmanager
    async def background(self, **changes: Any) -> AsyncIterator[None]:
        """A background process, in this one; it starts a reader when there is something to read."""
        async with background(DispatcherSettings(**{"idle_readers": 0, **self.settings, **changes})):
            yield


@contextlib.asynccontextmanager
async def world(settings: dict[str, Any], **changes: Any) -> AsyncIterator[World]:
    """A gateway on a migrated database, with people and keys."""
    all_settings = {"secret_key": SECRET, "public_url": "http://gateway.test", **settings, **changes}
    app = create_app(Settings(**all_settings))
    database = Database(all_settings["database_url"], Bells())
    transport = ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client,
    ):
        made = World(all_settings, database, client, await _people_and_keys(database))
        yield made
    await database.dispose()


async def _people_and_keys(database: Database) -> Keys:
    keys = Keys()
    async with database.transaction() as session:
        ours, theirs = await workspaces.create(session, "ours"), await workspaces.create(session, "theirs")

        def key(workspace_id: str, kind: ApiKeyKind, environment: Environment = Environment.PRODUCTION) -> str:
            return credentials.create_key(session, workspace_id, kind, environment, "a key", 100_000)[1]

        keys.content = key(ours.id, ApiKeyKind.CONTENT)
        keys.workspace = key(ours.id, ApiKeyKind.WORKSPACE)
        keys.test = key(ours.id, ApiKeyKind.CONTENT, Environment.TEST)
        keys.stranger = key(theirs.id, ApiKeyKind.CONTENT)
        people.create_user(session, ours.id, keys.admin, "Kim", UserRole.ADMIN, HASHED)
        people.create_user(session, ours.id, keys.member, "Min", UserRole.MEMBER, HASHED)
    return keys


async def eventually(holds: Callable[[], Awaitable[Any]], *, within: float = 30, every: float = 0.01) -> Any:
    """The first truthy answer; an AssertionError when there is none in time."""
    deadline = time.monotonic() + within
    while True:
        if answer := await holds():
            return answer
        assert time.monotonic() < deadline, f"not within {within} s"
        await asyncio.sleep(every)
