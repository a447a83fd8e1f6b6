"""POST /oauth/token and what its tokens open: R-OAU-1, R-OAU-2, R-IMP-3."""

import base64
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest

from storage import credentials, people, tokens
from storage.sealing import hashed
from storage.tables import AccessToken, Environment, OAuthClient, Scope
from storage.tables.columns import now
from tests.world import World

SEED = "https://timeback-platform.trilogy.com/content/scope/"
OURS = "http://gateway.test/content/scope/"
BOTH = [Scope.CONTENT_READ, Scope.CONTENT_WRITE]
VIEWER = "{ viewer { actor { __typename ... on Node { id } } environment scopes rateLimit { limitPerMinute } } }"
NOBODY = "client_0000000000000000000000000x"


async def client_of(
    lectern: World, scopes: list[Scope] = BOTH, environment: Environment = Environment.PRODUCTION, rate: int = 60
) -> tuple[str, str]:
    """Id and secret of a new client."""
    async with lectern.database.transaction() as session:
        admin = await people.find_by_email(session, lectern.keys.admin)
        assert admin is not None
        client, secret = credentials.create_client(session, admin.workspace_id, environment, "ingest", scopes, rate)
    return client.id, secret


async def ask(lectern: World, client: tuple[str, str] | None, *, basic: bool = True, **form: str) -> httpx.Response:
    """Ask for a token, with HTTP Basic or in the form."""
    headers, fields = {}, {"grant_type": "client_credentials", **form}
    if client is not None and basic:
        headers = {"Authorization": basic_of(*client)}
    elif client is not None:
        fields |= {"client_id": client[0], "client_secret": client[1]}
    return await lectern.client.post("/oauth/token", data=fields, headers=headers)


def basic_of(id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{quote_plus(id)}:{quote_plus(secret)}".encode()).decode()


async def token_of(lectern: World, client: tuple[str, str], scope: str = "") -> str:
    answer = await ask(lectern, client, scope=scope)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


@pytest.mark.parametrize("basic", [True, False])
async def test_a_client_gets_a_token_for_an_hour(lectern: World, basic: bool) -> None:
    """R-OAU-1."""
    client = await client_of(lectern, environment=Environment.TEST, rate=7)
    answer = await ask(lectern, client, basic=basic)
    assert answer.status_code == 200
    body = answer.json()
    token = body.pop("access_token")
    assert body == {"token_type": "Bearer", "expires_in": 3600, "scope": "content.read content.write"}
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    assert answer.headers["content-type"] == "application/json"
    assert (await lectern.graph(VIEWER, key=token))["viewer"] == {
        "actor": {"__typename": "OAuthClient", "id": client[0]},
        "environment": "TEST",
        "scopes": ["CONTENT_READ", "CONTENT_WRITE"],
        "rateLimit": {"limitPerMinute": 7},
    }


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ("content.read", "content.read"),
        ("content.write content.read", "content.read content.write"),
        ("content.read content.read", "content.read"),
        (f"{SEED}content.write", "content.write"),
        (f"{SEED}content.write {SEED}content.read", "content.read content.write"),
        (f"{OURS}content.read", "content.read"),
        ("", "content.read content.write"),
        ("  ", "content.read content.write"),
    ],
)
async def test_scopes_have_short_names_and_full_urls(lectern: World, asked: str, got: str) -> None:
    """R-OAU-1."""
    answer = await ask(lectern, await client_of(lectern), scope=asked)
    assert (answer.status_code, answer.json()["scope"]) == (200, got)


@pytest.mark.parametrize(
    ("granted", "asked"),
    [
        (BOTH, "admin"),
        (BOTH, "content.read resources.write"),
        (BOTH, "https://evil.test/content/scope/content.read"),
        (BOTH, f"{SEED}"),
        ([Scope.CONTENT_READ], "content.write"),
        ([Scope.CONTENT_READ], f"{SEED}content.write content.read"),
    ],
)
async def test_a_scope_that_was_not_granted_is_invalid(lectern: World, granted: list[Scope], asked: str) -> None:
    answer = await ask(lectern, await client_of(lectern, granted), scope=asked)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


async def test_a_token_may_do_what_was_asked_for_and_no_more(lectern: World) -> None:
    """R-OAU-1, R-AUT-1: an expansion needs integrations.write, which no client has."""
    token = await token_of(lectern, await client_of(lectern), scope="content.read")
    assert (await lectern.graph(VIEWER, key=token))["viewer"]["scopes"] == ["CONTENT_READ"]
    query = 'mutation { createExpansion(input: {sourceType: "a", requestedOutputs: []}) { errors { code } } }'
    answer = await lectern.post(query, key=token)
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["extensions"]["requiredScopes"] == ["integrations.write"]


async def test_an_expired_token_is_401(lectern: World) -> None:
    """R-OAU-2; expired ones are forgotten when the client asks again."""
    client = await client_of(lectern)
    token = await token_of(lectern, client)
    assert (await lectern.post(VIEWER, key=token)).status_code == 200
    async with lectern.database.transaction() as session:
        row = await session.get_one(AccessToken, hashed(token))
        assert 3590 < (row.expires_at - now()).total_seconds() <= 3600
        row.expires_at = now()
    answer = await lectern.post(VIEWER, key=token)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    await token_of(lectern, client)
    async with lectern.database.snapshot() as session:
        assert await session.get(AccessToken, hashed(token)) is None


async def test_a_revoked_clients_tokens_fail_at_once(lectern: World) -> None:
    """R-IMP-3."""
    client, other = await client_of(lectern), await client_of(lectern)
    lost, kept = await token_of(lectern, client), await token_of(lectern, other)
    await lectern.login(lectern.keys.admin)
    await lectern.as_user(
        "mutation ($id: ID!) { revokeOAuthClient(input: {id: $id}) { errors { code } } }", id=client[0]
    )
    assert (await lectern.post(VIEWER, key=lost)).status_code == 401
    assert (await lectern.post(VIEWER, key=kept)).status_code == 200
    answer = await ask(lectern, client)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("authorization", "form", "error"),
    [
        (None, {}, "invalid_client"),
        (None, {"client_id": NOBODY}, "invalid_client"),
        (None, {"client_id": NOBODY, "client_secret": "x"}, "invalid_client"),
        (None, {"client_id": "a\0b", "client_secret": "x"}, "invalid_request"),
        (basic_of(NOBODY, "x"), {}, "invalid_client"),
        (basic_of("a\0b", "x"), {}, "invalid_client"),
        ("Basic !", {}, "invalid_client"),
        ("Basic " + base64.b64encode(b"no colon").decode(), {}, "invalid_client"),
        ("Basic " + base64.b64encode(b"\xff:\xff").decode(), {}, "invalid_client"),
        ("Bearer tf_access_x", {}, "invalid_client"),
        (basic_of(NOBODY, "x"), {"client_id": NOBODY, "client_secret": "x"}, "invalid_request"),
        (basic_of(NOBODY, "x"), {"client_id": "another"}, "invalid_request"),
    ],
)
async def test_who_is_no_client_is_told_so(
    lectern: World, authorization: str | None, form: dict[str, str], error: str
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    form = {"grant_type": "client_credentials", **form}
    answer = await lectern.client.post("/oauth/token", data=form, headers=headers)
    assert answer.json()["error"] == error
    if error == "invalid_client":
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic ")
    else:
        assert answer.status_code == 400
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("content", "media", "error"),
    [
        (b"", "application/x-www-form-urlencoded", "invalid_request"),
        (b"grant_type=", "application/x-www-form-urlencoded", "invalid_request"),
        (b"grant_type=password", "application/x-www-form-urlencoded", "unsupported_grant_type"),
        (
            b"grant_type=client_credentials&grant_type=client_credentials",
            "application/x-www-form-urlencoded",
            "invalid_request",
        ),
        (b"grant_type=%ff", "application/x-www-form-urlencoded", "invalid_request"),
        (b"x=" + b"x" * 20_000, "application/x-www-form-urlencoded", "invalid_request"),
        (b'{"grant_type": "client_credentials"}', "application/json", "invalid_request"),
    ],
)
async def test_what_is_no_request_for_a_token_is_told_so(
    lectern: World, content: bytes, media: str, error: str
) -> None:
    headers = {"Authorization": basic_of(*await client_of(lectern)), "Content-Type": media}
    answer = await lectern.client.post("/oauth/token", content=content, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_tokens_count_in_the_minute_of_their_client(lectern: World) -> None:
    """R-RATE-1: asking for them too."""
    client = await client_of(lectern, rate=3)
    token = await token_of(lectern, client)
    for _ in range(2):
        assert (await lectern.post(VIEWER, key=token)).status_code == 200
    assert (await lectern.post(VIEWER, key=token)).status_code == 429
    answer = await ask(lectern, client)
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert answer.headers["pragma"] == "no-cache"
    assert 0 < int(answer.headers["retry-after"]) <= 61


async def test_an_address_may_be_wrong_only_so_often(lectern: World) -> None:
    client = await client_of(lectern)
    statuses = [(await ask(lectern, (client[0], "wrong"))).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    assert (await ask(lectern, client)).status_code == 200, "whoever is right is not kept out by the wrong"


async def test_only_hashes_of_secrets_and_tokens_are_kept(lectern: World) -> None:
    """R-IMP-13."""
    client = await client_of(lectern)
    token = await token_of(lectern, client)
    assert token.startswith(tokens.PREFIX)
    async with lectern.database.snapshot() as session:
        rows: list[Any] = [
            await session.get_one(AccessToken, hashed(token)),
            await session.get_one(OAuthClient, client[0]),
        ]
    for row in rows:
        assert token not in row.model_dump_json()
        assert client[1] not in row.model_dump_json()


async def test_only_post_asks_for_tokens(lectern: World) -> None:
    answer = await lectern.client.get("/oauth/token")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
