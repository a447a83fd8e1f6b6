"""Keys, clients, people and groups: R-AUT-*, R-RES-2, R-CHK-6, R-IMP-3, 13, 15."""

import asyncio
import re
from typing import Any

import pytest

from storage import tables
from storage.sealing import hashed
from storage.tables import Environment
from tests.world import PASSWORD, World

CREATE_KEY = """mutation ($i: CreateApiKeyInput!) {
  createApiKey(input: $i) {
    apiKey { id name kind environment prefix scopes rateLimitPerMinute lastUsedAt revokedAt }
    secret replayed errors { code message path rule }
  }
}"""
REVOKE_KEY = """mutation ($id: ID!) {
  revokeApiKey(input: {id: $id}) { apiKey { id revokedAt } errors { code path } }
}"""
CREATE_CLIENT = """mutation ($i: CreateOAuthClientInput!) {
  createOAuthClient(input: $i) {
    client { id name environment scopes rateLimitPerMinute } clientSecret replayed errors { code path rule }
  }
}"""
REVOKE_CLIENT = """mutation ($id: ID!) {
  revokeOAuthClient(input: {id: $id}) { client { id revokedAt } errors { code path } }
}"""
CREATE_USER = """mutation ($i: CreateUserInput!) {
  createUser(input: $i) { user { id name email role groups { name } } replayed errors { code path rule } }
}"""
CREATE_GROUP = """mutation ($i: CreateGroupInput!) {
  createGroup(input: $i) { group { id name members { name email } } replayed errors { code path rule } }
}"""
VIEWER = "{ viewer { actor { __typename ... on Node { id } } environment scopes } }"
MODULE = "query ($id: ID!) { module(id: $id) { id } }"


@pytest.fixture
async def admin(lectern: World) -> World:
    """The client is signed in as an ADMIN."""
    await lectern.login(lectern.keys.admin)
    return lectern


async def made(lectern: World, query: str, **input: Any) -> dict[str, Any]:
    """What a create mutation answers, which is expected to succeed."""
    (payload,) = (await lectern.as_user(query, i=input)).values()
    assert payload["errors"] == []
    answer: dict[str, Any] = payload
    return answer


async def refused(lectern: World, query: str, **input: Any) -> list[tuple[str, list[str]]]:
    """The violated rules (or codes) of a refused mutation, with their paths."""
    (payload,) = (await lectern.as_user(query, i=input)).values()
    return [(error["rule"] or error["code"], error["path"]) for error in payload["errors"]]


def content_key(**changes: Any) -> dict[str, Any]:
    return {"name": "importer", "kind": "CONTENT", "environment": "PRODUCTION", **changes}


@pytest.mark.parametrize(
    ("kind", "environment", "pattern"),
    [
        ("CONTENT", "PRODUCTION", r"tf_content_[A-Za-z0-9]{32}"),
        ("CONTENT", "TEST", r"tf_content_test_[A-Za-z0-9]{32}"),
        ("WORKSPACE", "PRODUCTION", r"tf_workspace_[A-Za-z0-9]{32}"),
        ("WORKSPACE", "TEST", r"tf_workspace_test_[A-Za-z0-9]{32}"),
    ],
)
async def test_a_key_has_the_documented_form_and_opens_its_environment(
    admin: World, kind: str, environment: str, pattern: str
) -> None:
    """R-RES-2, R-CHK-6."""
    key = await made(admin, CREATE_KEY, name="a", kind=kind, environment=environment, rateLimitPerMinute=7)
    assert re.fullmatch(pattern, key["secret"])
    assert key["secret"].startswith(key["apiKey"]["prefix"])
    assert len(key["apiKey"]["prefix"]) < len(key["secret"]) - 20
    assert key["apiKey"]["rateLimitPerMinute"] == 7

    viewer = (await admin.graph(VIEWER, key=key["secret"]))["viewer"]
    assert viewer["actor"] == {"__typename": "ApiKey", "id": key["apiKey"]["id"]}
    assert viewer["environment"] == environment
    assert viewer["scopes"] == key["apiKey"]["scopes"]
    assert ("RESOURCES_WRITE" in viewer["scopes"]) is (kind == "CONTENT")


async def test_a_secret_is_shown_once_and_only_its_hash_is_kept(admin: World) -> None:
    """R-RES-2, R-IMP-13: a replay answers with the key, but not with the secret."""
    first = await made(admin, CREATE_KEY, **content_key(idempotencyKey="k"))
    again = await made(admin, CREATE_KEY, **content_key(idempotencyKey="k"))
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["apiKey"]["id"] == first["apiKey"]["id"]
    assert again["secret"] is None
    async with admin.database.snapshot() as session:
        row = await session.get_one(tables.ApiKey, first["apiKey"]["id"])
    assert row.secret_hash == hashed(first["secret"])
    assert first["secret"] not in row.model_dump_json()


async def test_another_input_under_the_same_key_shows_the_original(admin: World) -> None:
    """R-IDM-2."""
    first = await made(admin, CREATE_KEY, **content_key(idempotencyKey="k"))
    (payload,) = (await admin.as_user(CREATE_KEY, i=content_key(idempotencyKey="k", name="other"))).values()
    assert [error["code"] for error in payload["errors"]] == ["IDEMPOTENCY_CONFLICT"]
    assert payload["apiKey"]["id"] == first["apiKey"]["id"]
    assert payload["secret"] is None


@pytest.mark.parametrize(
    ("query", "input", "expected"),
    [
        (CREATE_KEY, content_key(name=" "), [("name_length", ["input", "name"])]),
        (CREATE_KEY, content_key(name="x" * 256), [("name_length", ["input", "name"])]),
        (CREATE_KEY, content_key(rateLimitPerMinute=0), [("rate_limit_range", ["input", "rateLimitPerMinute"])]),
        (
            CREATE_KEY,
            content_key(name="", rateLimitPerMinute=100_001),
            [("name_length", ["input", "name"]), ("rate_limit_range", ["input", "rateLimitPerMinute"])],
        ),
        (
            CREATE_CLIENT,
            {"name": "a", "environment": "TEST", "scopes": []},
            [("scopes_invalid", ["input", "scopes"])],
        ),
        (
            CREATE_CLIENT,
            {"name": "a", "environment": "TEST", "scopes": ["CONTENT_READ", "ADMIN"]},
            [("scopes_invalid", ["input", "scopes"])],
        ),
        (
            CREATE_USER,
            {"email": "nobody", "name": "", "password": "short"},
            [
                ("email_format", ["input", "email"]),
                ("name_length", ["input", "name"]),
                ("password_length", ["input", "password"]),
            ],
        ),
        (CREATE_GROUP, {"name": ""}, [("name_length", ["input", "name"])]),
        (
            CREATE_GROUP,
            {"name": "a", "memberIds": ["user_1", "x"]},
            [("NOT_FOUND", ["input", "memberIds", "0"]), ("NOT_FOUND", ["input", "memberIds", "1"])],
        ),
    ],
)
async def test_a_wrong_input_names_its_rule_and_place(
    admin: World, query: str, input: dict[str, Any], expected: list[tuple[str, list[str]]]
) -> None:
    assert await refused(admin, query, **input) == expected


async def test_a_revoked_key_fails_at_once_and_stays_listed(admin: World) -> None:
    """R-AUT-1, R-IMP-3: of both environments; revoking again changes nothing."""
    kept = await made(admin, CREATE_KEY, **content_key(name="kept", environment="TEST"))
    lost = await made(admin, CREATE_KEY, **content_key(name="lost"))
    assert (await admin.post(VIEWER, key=lost["secret"])).status_code == 200
    first = (await admin.as_user(REVOKE_KEY, id=lost["apiKey"]["id"]))["revokeApiKey"]["apiKey"]
    again = (await admin.as_user(REVOKE_KEY, id=lost["apiKey"]["id"]))["revokeApiKey"]["apiKey"]
    assert first["revokedAt"] is not None
    assert again == first

    answer = await admin.post(VIEWER, key=lost["secret"])
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"

    listed = (await admin.as_user("{ apiKeys { id name environment lastUsedAt revokedAt } }"))["apiKeys"]
    by_id = {key["id"]: key for key in listed}
    assert by_id[lost["apiKey"]["id"]]["revokedAt"] == first["revokedAt"]
    assert by_id[lost["apiKey"]["id"]]["lastUsedAt"] is not None
    assert by_id[kept["apiKey"]["id"]]["environment"] == "TEST"
    assert [key["name"] for key in listed[:2]] == ["lost", "kept"], "newest first"


async def test_the_use_of_a_key_is_noted(admin: World) -> None:
    """R-IMP-3."""
    key = await made(admin, CREATE_KEY, **content_key())
    assert key["apiKey"]["lastUsedAt"] is None
    await admin.graph(VIEWER, key=key["secret"])
    (listed,) = [
        k for k in (await admin.as_user("{ apiKeys { id lastUsedAt } }"))["apiKeys"] if k["id"] == key["apiKey"]["id"]
    ]
    assert listed["lastUsedAt"] is not None


async def test_a_workspace_has_at_most_a_hundred_active_keys(admin: World) -> None:
    """R-IMP-3: revoking one makes room."""
    listed = (await admin.as_user("{ apiKeys { id } }"))["apiKeys"]
    keys = [await made(admin, CREATE_KEY, **content_key()) for _ in range(100 - len(listed))]
    assert await refused(admin, CREATE_KEY, **content_key()) == [("too_many_credentials", ["input"])]
    await admin.as_user(REVOKE_KEY, id=keys[0]["apiKey"]["id"])
    await made(admin, CREATE_KEY, **content_key())


async def test_equal_creates_at_once_make_one_key(admin: World) -> None:
    """R-IDM-2: exactly one answer carries the secret."""
    answers = await asyncio.gather(*(made(admin, CREATE_KEY, **content_key(idempotencyKey="k")) for _ in range(8)))
    assert len({answer["apiKey"]["id"] for answer in answers}) == 1
    assert len([answer for answer in answers if answer["secret"]]) == 1


async def test_a_client_is_made_listed_and_revoked(admin: World) -> None:
    """R-OAU-1, R-IMP-3."""
    input = {"name": "ingest", "environment": "TEST", "scopes": ["CONTENT_WRITE", "CONTENT_READ", "CONTENT_READ"]}
    client = await made(admin, CREATE_CLIENT, **input, idempotencyKey="c")
    assert client["client"]["scopes"] == ["CONTENT_READ", "CONTENT_WRITE"]
    assert client["client"]["rateLimitPerMinute"] == 60
    assert len(client["clientSecret"]) == 43
    again = await made(admin, CREATE_CLIENT, **input, idempotencyKey="c")
    assert (again["client"]["id"], again["clientSecret"], again["replayed"]) == (client["client"]["id"], None, True)
    assert (await admin.as_user(REVOKE_CLIENT, id=client["client"]["id"]))["revokeOAuthClient"]["errors"] == []
    (listed,) = (await admin.as_user("{ oauthClients { id revokedAt } }"))["oauthClients"]
    assert listed["id"] == client["client"]["id"]
    assert listed["revokedAt"] is not None


async def test_a_user_can_sign_in_and_has_the_scopes_of_its_role(admin: World) -> None:
    """R-IMP-15."""
    user = await made(admin, CREATE_USER, email="Lee@Example.org", password=PASSWORD)
    assert user["user"] == {
        "id": user["user"]["id"],
        "name": "Lee",
        "email": "lee@example.org",
        "role": "MEMBER",
        "groups": [],
    }
    await admin.login("LEE@example.org")
    viewer = (await admin.as_user(VIEWER))["viewer"]
    assert viewer == {
        "actor": {"__typename": "User", "id": user["user"]["id"]},
        "environment": "PRODUCTION",
        "scopes": ["EXPORTS"],
    }


async def test_an_address_signs_in_one_user_only(admin: World) -> None:
    """R-IMP-15: also when many are created at once."""
    rules = await asyncio.gather(
        *(refused(admin, CREATE_USER, email=f"{name}@example.org", password=PASSWORD) for name in ("lee", "LEE", "Lee"))
    )
    assert sorted(map(len, rules)) == [0, 1, 1]
    assert next(rule for rule in rules if rule) == [("email_taken", ["input", "email"])]
    assert (await admin.as_user("{ users { totalCount } }"))["users"]["totalCount"] == 3


async def test_a_password_is_part_of_the_request_but_of_no_fast_hash(admin: World) -> None:
    """R-IMP-13: the same key with another password is another request."""
    input = {"email": "lee@example.org", "password": PASSWORD, "idempotencyKey": "u"}
    first = await made(admin, CREATE_USER, **input)
    assert (await made(admin, CREATE_USER, **input))["replayed"] is True
    (payload,) = (await admin.as_user(CREATE_USER, i={**input, "password": "another password"})).values()
    assert [error["code"] for error in payload["errors"]] == ["IDEMPOTENCY_CONFLICT"]
    assert payload["user"]["id"] == first["user"]["id"]


async def test_a_member_sees_its_groups_and_those_in_them(admin: World) -> None:
    """R-IMP-15, decisions table 3."""
    keys = admin.keys
    users = (await admin.as_user("{ users { nodes { id email } } }"))["users"]["nodes"]
    ids = {user["email"]: user["id"] for user in users}
    lee = (await made(admin, CREATE_USER, email="lee@example.org", password=PASSWORD))["user"]["id"]
    pat = (await made(admin, CREATE_USER, email="pat@example.org", password=PASSWORD))["user"]["id"]
    ours = await made(admin, CREATE_GROUP, name="ours", memberIds=[ids[keys.member], lee, lee])
    assert [member["email"] for member in ours["group"]["members"]] == ["min@example.org", "lee@example.org"]
    theirs = await made(admin, CREATE_GROUP, name="theirs", memberIds=[lee, pat])
    both = (await admin.as_user("{ groups { totalCount nodes { name } } }"))["groups"]
    assert [group["name"] for group in both["nodes"]] == ["theirs", "ours"]

    await admin.login(keys.member)
    seen = (await admin.as_user("{ groups { totalCount nodes { id name members { id } } } }"))["groups"]
    assert seen["totalCount"] == 1
    assert {member["id"] for member in seen["nodes"][0]["members"]} == {ids[keys.member], lee}
    query = "query ($id: ID!) { node(id: $id) { id ... on User { groups { name } } } }"
    for id, groups in ((ids[keys.member], ["ours"]), (lee, ["ours"])):
        node = (await admin.as_user(query, id=id))["node"]
        assert [group["name"] for group in node["groups"]] == groups
    for hidden in (pat, ids[keys.admin], theirs["group"]["id"]):
        assert (await admin.as_user(query, id=hidden))["node"] is None
    assert (await admin.as_user(query, id=ours["group"]["id"]))["node"] is not None


async def test_keys_and_clients_are_nodes_for_admins_only(admin: World) -> None:
    """Decisions table 3: of both environments, whatever the session has chosen."""
    key = await made(admin, CREATE_KEY, **content_key(environment="TEST"))
    client = await made(admin, CREATE_CLIENT, name="c", environment="TEST", scopes=["CONTENT_READ"])
    query = "query ($id: ID!) { node(id: $id) { id } }"
    for id in (key["apiKey"]["id"], client["client"]["id"]):
        assert (await admin.as_user(query, id=id))["node"] == {"id": id}
        assert (await admin.graph(query, id=id))["node"] is None


async def test_a_test_key_and_a_production_key_never_see_each_others_things(admin: World) -> None:
    """R-CHK-6."""
    query = """mutation ($e: Environment!) {
      createApiKey(input: {name: "a", kind: CONTENT, environment: $e}) { secret }
    }"""
    secrets = {e: (await admin.as_user(query, e=e))["createApiKey"]["secret"] for e in Environment}
    endpoint = """mutation { createWebhookEndpoint(input: {url: "https://127.0.0.1/hook"}) { endpoint { id } } }"""
    found = "query ($id: ID!) { webhookEndpoint(id: $id) { id } }"
    for mine, other in ((Environment.TEST, Environment.PRODUCTION), (Environment.PRODUCTION, Environment.TEST)):
        id = (await admin.graph(endpoint, key=secrets[mine]))["createWebhookEndpoint"]["endpoint"]["id"]
        assert (await admin.graph(found, key=secrets[mine], id=id))["webhookEndpoint"] == {"id": id}
        assert (await admin.graph(found, key=secrets[other], id=id))["webhookEndpoint"] is None
