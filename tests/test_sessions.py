"""Signing in with a cookie: R-AUT-4, R-RES-3, HTTP.md section 1."""

import json
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from storage.people import SESSION_TIME
from storage.sealing import hashed
from storage.tables import UserSession
from storage.tables.columns import now
from tests.world import PASSWORD, World, world

LOGIN = "mutation($i: LoginInput!) { login(input: $i) { viewer { scopes } errors { code message } } }"
LOGOUT = "mutation { logout { errors { code } } }"
VIEWER = "{ viewer { environment scopes actor { __typename } } }"
USERS = "{ users { totalCount } }"
CSRF = {"X-Lectern-CSRF": "1"}
PROTOCOL = Subprotocol("graphql-transport-ws")


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refused request."""
    return answer.status_code, answer.json()["errors"][0]["extensions"]["code"]


async def sign_in(lectern: World, **changes: Any) -> httpx.Response:
    return await lectern.post(LOGIN, key="", i={"email": lectern.keys.admin, "password": PASSWORD, **changes})


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(lectern: World) -> None:
    answer = await sign_in(lectern)
    name, *attributes = answer.headers["set-cookie"].split("; ")
    assert name.startswith("lectern_session=")
    assert set(attributes) == {"HttpOnly", "SameSite=lax", "Path=/", f"Max-Age={int(SESSION_TIME.total_seconds())}"}
    assert SESSION_TIME.total_seconds() == 12 * 3600


async def test_on_https_the_cookie_is_secure(settings: dict[str, Any]) -> None:
    async with world(settings, public_url="https://gateway.test") as lectern:
        assert "Secure" in (await sign_in(lectern)).headers["set-cookie"].split("; ")


@pytest.mark.parametrize(
    "wrong", [{"password": "wrong"}, {"email": "nobody@example.org"}, {"email": "", "password": ""}]
)
async def test_a_wrong_address_and_a_wrong_password_look_alike(lectern: World, wrong: dict[str, str]) -> None:
    answer = await sign_in(lectern, **wrong)
    assert answer.json()["data"]["login"] == {
        "viewer": None,
        "errors": [{"code": "LOGIN_FAILED", "message": "Wrong e-mail address or password."}],
    }
    assert "set-cookie" not in answer.headers


async def test_an_admin_holds_every_scope_and_a_member_only_exports(lectern: World) -> None:
    """R-RES-3: an ADMIN session holds the resource scopes, for the console."""
    admin = (await sign_in(lectern)).json()["data"]["login"]["viewer"]
    assert len(admin["scopes"]) == 9
    await lectern.login(lectern.keys.member)
    assert (await lectern.as_user(VIEWER))["viewer"]["scopes"] == ["EXPORTS"]
    answer = await lectern.post(USERS, key="", headers=CSRF)
    assert code(answer) == (403, "FORBIDDEN")


async def test_the_cookie_alone_is_not_enough(lectern: World) -> None:
    """R-RES-3: a foreign page can make the browser send the cookie, but not the header."""
    await lectern.login(lectern.keys.admin)
    assert code(await lectern.post(VIEWER, key="")) == (403, "CSRF")
    assert code(await lectern.post(VIEWER, key="", headers={"X-Lectern-CSRF": "0"})) == (403, "CSRF")
    get = await lectern.client.get("/graphql", params={"query": VIEWER})
    assert code(get) == (403, "CSRF")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://gateway.test", True),
        ("http://gateway.test:8080", False),
        ("https://gateway.test", False),
        ("http://evil.test", False),
        ("null", False),
    ],
)
async def test_the_origin_has_to_be_ours_when_it_is_sent(lectern: World, origin: str, allowed: bool) -> None:
    await lectern.login(lectern.keys.admin)
    answer = await lectern.post(VIEWER, key="", headers={**CSRF, "Origin": origin})
    assert answer.status_code == (200 if allowed else 403)


async def test_the_origin_of_a_public_url_with_a_path_has_none(settings: dict[str, Any]) -> None:
    async with world(settings, public_url="http://gateway.test/lectern") as lectern:
        await lectern.login(lectern.keys.admin)
        answer = await lectern.post(VIEWER, key="", headers={**CSRF, "Origin": "http://gateway.test"})
        assert answer.status_code == 200


async def test_next_to_a_key_the_cookie_is_ignored(lectern: World) -> None:
    """R-RES-3: neither does it lend its rights, nor can the key's caller end it."""
    await lectern.login(lectern.keys.admin)
    viewer = (await lectern.graph(VIEWER))["viewer"]
    assert viewer["actor"] == {"__typename": "ApiKey"}
    assert code(await lectern.post(USERS)) == (403, "FORBIDDEN")
    assert code(await lectern.post(USERS, key="tf_content_wrong")) == (401, "UNAUTHENTICATED")
    await lectern.graph(LOGOUT)
    assert (await lectern.as_user(VIEWER))["viewer"]["actor"] == {"__typename": "User"}


async def test_logging_out_ends_the_session(lectern: World) -> None:
    """R-AUT-4: the cookie is removed, and would not work any more."""
    await lectern.login(lectern.keys.admin)
    cookie = lectern.client.cookies["lectern_session"]
    answer = await lectern.post(LOGOUT, key="", headers=CSRF)
    assert 'lectern_session=""' in answer.headers["set-cookie"]
    assert "lectern_session" not in lectern.client.cookies
    stolen = {**CSRF, "Cookie": f"lectern_session={cookie}"}
    assert code(await lectern.post(USERS, key="", headers=stolen)) == (401, "UNAUTHENTICATED")


async def test_a_session_lasts_twelve_hours_and_then_one_can_sign_in_again(lectern: World) -> None:
    """The browser goes on sending the cookie of a session that has ended."""
    await lectern.login(lectern.keys.admin)
    async with lectern.database.transaction() as session:
        row = await session.get_one(UserSession, hashed(lectern.client.cookies["lectern_session"]))
        assert SESSION_TIME - (row.expires_at - now()) < SESSION_TIME / 100
        row.expires_at = now()
    assert code(await lectern.post(USERS, key="", headers=CSRF)) == (401, "UNAUTHENTICATED")
    assert (await lectern.as_user(VIEWER))["viewer"] is None
    await lectern.login(lectern.keys.admin)
    assert (await lectern.as_user(USERS))["users"]["totalCount"] == 2
    async with lectern.database.snapshot() as session:
        assert await session.get(UserSession, row.id) is None, "ended sessions are forgotten"


@pytest.mark.parametrize(
    ("chosen", "environment"),
    [({}, "PRODUCTION"), ({"X-Environment": "production"}, "PRODUCTION"), ({"X-Environment": "test"}, "TEST")],
)
async def test_a_session_chooses_its_environment(lectern: World, chosen: dict[str, str], environment: str) -> None:
    """D10."""
    await lectern.login(lectern.keys.admin)
    viewer = (await lectern.graph(VIEWER, key="", headers={**CSRF, **chosen}))["viewer"]
    assert viewer["environment"] == environment
    assert (await lectern.graph(VIEWER, headers=chosen))["viewer"]["environment"] == "PRODUCTION", "a key has its own"


async def test_there_are_two_environments(lectern: World) -> None:
    await lectern.login(lectern.keys.admin)
    answer = await lectern.post(VIEWER, key="", headers={**CSRF, "X-Environment": "staging"})
    assert code(answer) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Basic a2V5OnNlY3JldA==", "Bearer tf_access_x"])
async def test_what_is_no_good_credential_is_401(lectern: World, authorization: str) -> None:
    """D13, R-AUT-1: also for fields that need none."""
    for query in (VIEWER, USERS):
        answer = await lectern.post(query, key="", headers={"Authorization": authorization})
        assert code(answer) == (401, "UNAUTHENTICATED")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_without_a_credential_only_public_fields_answer(lectern: World) -> None:
    """R-AUT-1."""
    assert (await lectern.graph(VIEWER, key=""))["viewer"] is None
    answer = await lectern.post(USERS, key="")
    assert code(answer) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("origin", "cookie", "code"),
    [
        ("http://gateway.test", True, None),
        ("http://evil.test", True, 4403),
        (None, True, 4403),
        ("http://gateway.test", False, 4401),
    ],
)
async def test_a_socket_rests_on_the_cookie_only_from_our_own_pages(
    lectern: World, origin: str | None, cookie: bool, code: int | None
) -> None:
    """HTTP.md section 2: browsers send cookies with every upgrade, so the Origin decides."""
    await lectern.login(lectern.keys.admin)
    token = lectern.client.cookies["lectern_session"] if cookie else "ended"
    headers = {"Cookie": f"lectern_session={token}", **({"Origin": origin} if origin else {})}
    async with (
        lectern.another_gateway() as address,
        connect(f"ws://{address}/graphql", subprotocols=[PROTOCOL], additional_headers=headers) as opened,
    ):
        await opened.send(json.dumps({"type": "connection_init", "payload": {"environment": "test"}}))
        if code is None:
            assert json.loads(await opened.recv()) == {"type": "connection_ack"}
            await opened.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": VIEWER}}))
            viewer = json.loads(await opened.recv())["payload"]["data"]["viewer"]
            assert (viewer["environment"], viewer["actor"]) == ("TEST", {"__typename": "User"})
        else:
            await opened.wait_closed()
            assert opened.close_code == code
