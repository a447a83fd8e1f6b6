"""Who may what, for every field of the contract, those of tomorrow included: R-IMP-1, R-IMP-2, R-RES-5, R-CHK-5."""

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import structlog
from graphql import GraphQLObjectType, get_named_type, is_leaf_type
from sqlalchemy import MetaData, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schema import schema
from schema.permissions import required_scopes
from storage import credentials, ids, people, tokens
from storage.database import Database
from storage.tables import Environment, Realm, Scope, User
from tests.test_share import create, share
from tests.walls import GRAPH, Family, Place, document, family, places, realm_of, roots, variables
from tests.world import PASSWORD, World

CSRF = {"X-Lectern-CSRF": "1"}
PLACES = places()
FIELDS = {(root, name): field for root, name, field in roots()}
REQUIRED = required_scopes(schema)

NO_ENVIRONMENT = frozenset({"user", "group", "key", "client"})
"""What belongs to both environments of its workspace."""

SHY = frozenset(
    {"Query.expansionResult.jobId", "Query.contentExport.context.groupId", "Query.contentExport.context.userId"}
)
"""Places that answer an own id as an unknown one, too: the job has no result yet, the export is of the course."""

ENDS_THINGS = re.compile(r"delete|revoke|Canonical")
SILENCE = "no answer"
PATIENCE = 0.2
"""Seconds; a subscription to something that never happens does not answer."""


@dataclass
class Neighbours:
    """Us in production, with everything that we have; strangers, and us in the other environment."""

    lectern: World
    own: Family
    foreign: dict[str, Family]

    async def ask(self, place: Place, id: str) -> bytes:
        """What an ADMIN session of ours is answered, without what differs in any two answers."""
        answer = await self.post(place, id)
        assert b"INTERNAL" not in answer, f"{place}: {answer.decode()}"
        return re.sub(rb'"requestId":"\w+"', b"", answer.replace(id.encode(), b"ID"))

    async def post(self, place: Place, id: str) -> bytes:
        """What an ADMIN session of ours is answered."""
        field = FIELDS[place.root, place.field]
        query = document(place.root, place.field, field)
        body = {"query": query, "variables": variables(place, field, id, self.own)}
        headers = {**CSRF, "Accept": "text/event-stream" if place.root == "Subscription" else "application/json"}
        try:
            async with asyncio.timeout(PATIENCE if place.root == "Subscription" else 30):
                answer = await self.lectern.client.post("/graphql", json=body, headers=headers)
        except TimeoutError:
            return SILENCE.encode()
        assert answer.status_code == 200, f"{place}: {answer.text}"
        return answer.content


@pytest.fixture
async def neighbours(lectern: World) -> Neighbours:
    keys = lectern.keys
    foreign = {
        "another workspace": await family(lectern, keys.stranger),
        "the other environment": await family(lectern, keys.test),
    }
    own = await family(lectern, keys.content)
    await lectern.login(keys.admin)
    return Neighbours(lectern, own, foreign)


def meant(place: Place, own: Family) -> list[str]:
    """The kinds that a place takes: nodes are of every kind."""
    return sorted(own.ids) if place.kind == "node" else [place.kind]


def unknown_id(like: str) -> str:
    """An id of the same sort that nothing has."""
    prefix = ids.prefix_of(like)
    assert prefix is not None
    return ids.new(prefix)


async def test_a_foreign_id_behaves_byte_for_byte_as_an_unknown_one(neighbours: Neighbours) -> None:
    """R-IMP-1, D13: for every field that takes an id."""
    told = []
    for place in PLACES:
        for kind in meant(place, neighbours.own):
            unknown = await neighbours.ask(place, unknown_id(neighbours.own.id(kind)))
            for whose, other in neighbours.foreign.items():
                if whose == "the other environment" and kind in NO_ENVIRONMENT:
                    continue
                answer = await neighbours.ask(place, other.id(kind))
                if answer != unknown:
                    told.append(f"{place} tells a {kind} of {whose}: {answer.decode()} instead of {unknown.decode()}")
    assert not told, "\n".join(told)


async def test_what_is_foreign_stays_as_it_is(neighbours: Neighbours) -> None:
    """R-IMP-1: whatever is tried with its ids."""
    lectern = neighbours.lectern
    realms = [await realm_of(lectern, key) for key in (lectern.keys.stranger, lectern.keys.test)]
    before = [await rows(lectern.database, realm) for realm in realms]
    for place in PLACES:
        if place.root == "Mutation":
            for other in neighbours.foreign.values():
                if place.kind not in NO_ENVIRONMENT or other is neighbours.foreign["another workspace"]:
                    await neighbours.ask(place, other.id(place))
    assert [await rows(lectern.database, realm) for realm in realms] == before


async def test_an_own_id_is_told_from_an_unknown_one(neighbours: Neighbours) -> None:
    """That is what makes the other tests say something: the operations that they send do work."""
    mute = []
    for place in (place for place in PLACES if str(place) not in SHY):
        for kind in meant(place, neighbours.own):
            unknown = await neighbours.ask(place, unknown_id(neighbours.own.id(kind)))
            answer = await neighbours.ask(place, neighbours.own.id(kind))
            if answer == unknown != SILENCE.encode() or b'"NOT_FOUND"' in answer:
                mute.append(f"{place} does not know our own {kind}: {answer.decode()}")
            if ENDS_THINGS.search(place.field):
                neighbours.own = await family(neighbours.lectern, neighbours.lectern.keys.content)
    assert not mute, "\n".join(mute)


async def test_no_text_in_an_argument_is_our_fault(lectern: World) -> None:
    """Whatever it is, it is found, not found or refused; PostgreSQL's U+0000 is refused before anybody looks for it."""
    ours = Neighbours(lectern, await family(lectern, lectern.keys.content), {})
    await lectern.login(lectern.keys.admin)
    for text in ("\0", "😀", "%", "x" * 10_000):
        for place in (*places("String"), *PLACES):
            if place.root != "Mutation":
                answer = await ours.post(place, text)
                assert b"INTERNAL" not in answer, f"{place}: {answer.decode()}"
                assert text != "\0" or b"text_nul" in answer, f"{place}: {answer.decode()}"


async def test_what_is_no_id_at_all_is_an_unknown_one(lectern: World) -> None:
    """Single lookups answer null."""
    await lectern.login(lectern.keys.admin)
    for place in PLACES:
        others = [argument for argument in FIELDS[place.root, place.field].args if argument != place.steps[0]]
        if place.root == "Query" and len(place.steps) == 1 and not others:
            name = place.steps[0]
            query = f"query ($id: ID!) {{ {place.field}({name}: $id) {{ __typename }} }}"
            for id in ("", "x", "module_", "😀", "x" * 10_000):
                assert (await lectern.as_user(query, id=id))[place.field] is None, place


@pytest.fixture
async def principals(lectern: World) -> dict[str, tuple[frozenset[Scope], dict[str, str]]]:
    """Scopes and headers of every sort of credential."""
    async with lectern.database.transaction() as session:
        users: dict[str, User] = {}
        for email in (lectern.keys.admin, lectern.keys.member):
            found = await people.find_by_email(session, email)
            assert found is not None
            users[email] = found
        workspace_id = users[lectern.keys.admin].workspace_id
        cookies = {email: await people.open_session(session, user) for email, user in users.items()}
        both = sorted(credentials.CLIENT_SCOPES)
        client, _ = credentials.create_client(session, workspace_id, Environment.PRODUCTION, "c", both, 100_000)
        await session.flush()
        access = {scope: await tokens.issue(session, client, [scope]) for scope in both}

    def bearer(secret: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {secret}"}

    def cookie(email: str) -> dict[str, str]:
        return {**CSRF, "Cookie": f"lectern_session={cookies[email]}"}

    integrations = frozenset({Scope.INTEGRATIONS_READ, Scope.INTEGRATIONS_WRITE, Scope.WEBHOOKS})
    resources = frozenset({Scope.RESOURCES_READ, Scope.RESOURCES_WRITE})
    return {
        "workspace key": (integrations, bearer(lectern.keys.workspace)),
        "content key": (integrations | resources, bearer(lectern.keys.content)),
        "token to read": (frozenset({Scope.CONTENT_READ}), bearer(access[Scope.CONTENT_READ])),
        "token to write": (frozenset({Scope.CONTENT_WRITE}), bearer(access[Scope.CONTENT_WRITE])),
        "MEMBER session": (frozenset({Scope.EXPORTS}), cookie(lectern.keys.member)),
        "ADMIN session": (frozenset(Scope), cookie(lectern.keys.admin)),
    }


async def test_every_root_field_refuses_who_lacks_its_scope(
    lectern: World, principals: dict[str, tuple[frozenset[Scope], dict[str, str]]]
) -> None:
    """R-IMP-2, R-AUT-1, decisions table 2: 401 without a credential, 403 without a scope, before anything runs."""
    for (root, name), field in FIELDS.items():
        required = REQUIRED.get((root, name))
        if required is None:
            continue
        query = bare(root, name, field)
        accept = {"Accept": "text/event-stream" if root == "Subscription" else "application/json"}
        answer = await lectern.client.post("/graphql", json={"query": query}, headers=accept)
        assert told(answer) == (401, "UNAUTHENTICATED", [name], None), f"{root}.{name} without a credential"
        assert answer.headers["www-authenticate"] == "Bearer"
        for who, (scopes, headers) in principals.items():
            if required & scopes and not field.args:
                continue  # it would run
            answer = await lectern.client.post("/graphql", json={"query": query}, headers={**accept, **headers})
            if required & scopes:
                assert answer.status_code in (200, 400), f"{root}.{name} as {who}: {answer.text}"
            else:
                expected = (403, "FORBIDDEN", [name], sorted(required))
                assert told(answer) == expected, f"{root}.{name} as {who}"


def bare(root: str, name: str, field: Any) -> str:
    """An operation whose variables are never given: when it may run at all, it is refused for those."""
    given = ", ".join(f"${argument}: {str(it.type).rstrip('!')}!" for argument, it in field.args.items())
    passed = ", ".join(f"{argument}: ${argument}" for argument in field.args)
    below = "" if is_leaf_type(get_named_type(field.type)) else "{ __typename }"
    return f"{root.lower()} Bare{f'({given})' if given else ''} {{ {name}{f'({passed})' if passed else ''} {below} }}"


def told(answer: httpx.Response) -> tuple[int, str, list[str], list[str] | None]:
    """Status, code, path and required scopes of a refusal."""
    body = answer.json()
    assert "data" not in body
    (error,) = body["errors"]
    return answer.status_code, error["extensions"]["code"], error["path"], error["extensions"].get("requiredScopes")


def test_every_root_field_says_in_the_sdl_who_may_use_it() -> None:
    """R-IMP-2. Public are the ways in, what has a secret of its own, and what the page /docs/events says as well."""
    sdl = schema.as_str()
    for root, name in FIELDS:
        line = re.search(
            rf"type {root} {{.*?^  {name}[(:].*?(@requires\([^)]*\)|@public)", sdl, re.DOTALL | re.MULTILINE
        )
        assert line, f"{root}.{name}"
    public = {name for (root, name) in FIELDS if (root, name) not in REQUIRED}
    assert public == {"viewer", "login", "logout", "submitTest", "webhookEventTypes"}


def test_no_type_has_a_field_for_internal_things() -> None:
    """R-RES-5. What a model read and wrote is counted in tokens, which open nothing."""
    internal = re.compile(r"token|authoring|workspace|tenant", re.IGNORECASE)
    found = [
        f"{type.name}.{name}"
        for type in GRAPH.type_map.values()
        if isinstance(type, GraphQLObjectType) and not type.name.startswith("__")
        for name in type.fields
        if internal.search(name)
    ]
    assert sorted(found) == ["ModelUsage.inputTokens", "ModelUsage.outputTokens", "Viewer.workspaceName"]


async def test_neither_the_database_nor_the_log_holds_a_secret_in_clear(lectern: World, capfd: Any) -> None:
    """R-CHK-5, R-IMP-13: keys, client secrets, tokens, passwords, cookies, webhook secrets, share codes."""
    keys, secrets = lectern.keys, {PASSWORD}
    with structlog.testing.capture_logs() as logged:
        await lectern.login(keys.admin)
        secrets.add(lectern.client.cookies["lectern_session"])
        key = 'mutation { createApiKey(input: {name: "a", kind: CONTENT, environment: TEST}) { secret } }'
        secrets.add((await lectern.as_user(key))["createApiKey"]["secret"])
        client = """mutation {
          createOAuthClient(input: {name: "a", environment: TEST, scopes: [CONTENT_READ], idempotencyKey: "c"}) {
            client { id } clientSecret
          }
        }"""
        made = (await lectern.as_user(client))["createOAuthClient"]
        secrets.add(made["clientSecret"])
        form = {
            "grant_type": "client_credentials",
            "client_id": made["client"]["id"],
            "client_secret": made["clientSecret"],
        }
        secrets.add((await lectern.client.post("/oauth/token", data=form)).json()["access_token"])
        user = """mutation ($p: String!) {
          createUser(input: {email: "pat@example.org", password: $p, idempotencyKey: "u"}) { errors { code } }
        }"""
        await lectern.as_user(user, p=PASSWORD)
        hook = """mutation { createWebhookEndpoint(input: {url: "https://127.0.0.1/x"}) { secret } }"""
        secrets.add((await lectern.graph(hook))["createWebhookEndpoint"]["secret"])
        url = (await share(lectern, await create(lectern, "module"), active=True))["publicUrl"]
        secrets.add(url.rpartition("/")[2])
        await lectern.client.get(url)
        await lectern.post("{ viewer { environment } }", key="tf_content_wrong")
        secrets |= {"tf_content_wrong", keys.content, keys.workspace, keys.test, keys.stranger}
        await lectern.client.post("/graphql", content=b"\xff", headers={"Authorization": f"Bearer {keys.content}"})
    stored = json.dumps(await rows(lectern.database), default=repr)
    written = json.dumps(logged, default=repr) + "".join(capfd.readouterr())
    for secret in secrets:
        assert secret not in stored
        assert secret not in written


async def rows(database: Database, realm: Realm | None = None) -> dict[str, list[Any]]:
    """Everything that is stored, or what of it is of one realm: rows by table, in the database's own words."""

    def dump(connection: Any) -> dict[str, list[Any]]:
        found = MetaData()
        found.reflect(connection)
        dumped: dict[str, list[Any]] = {}
        for table in found.sorted_tables:
            query = select(table)
            if realm is not None:
                if not {"workspace_id", "environment"} <= set(table.c.keys()):
                    continue
                query = query.where(table.c.workspace_id == realm.workspace_id)
                query = query.where(table.c.environment == realm.environment)
            dumped[table.name] = sorted((tuple(row) for row in connection.execute(query)), key=repr)
        return dumped

    async with database.reader.connect() as connection:
        assert isinstance(connection, AsyncConnection)
        return await connection.run_sync(dump)
