"""Rate limits through the front door: R-RATE-1, D27."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import redis
from starlette.requests import HTTPConnection

from gateway.admission import address
from gateway.limits import Limiter, RateLimited
from storage import credentials
from storage.tables import ApiKey
from tests.world import PASSWORD, World, world

RATE = "{ viewer { rateLimit { limitPerMinute remaining resetAt cost } } }"
LOGIN = "mutation ($i: LoginInput!) { login(input: $i) { errors { code } } }"


async def limited_to(lectern: World, secret: str, units: int) -> str:
    """The key, with so many units a minute."""
    async with lectern.database.transaction() as session:
        found = await credentials.find_key(session, secret)
        assert found is not None
        key = await session.get_one(ApiKey, found.id)
        key.rate_limit_per_minute = units
    return secret


def aliases(number: int) -> str:
    return "{" + " ".join(f"a{n}: viewer {{ environment }}" for n in range(number)) + "}"


def limited(answer: httpx.Response) -> bool:
    """Whether the whole request was refused as too many."""
    if answer.status_code != 429:
        return False
    body = answer.json()
    assert "data" not in body
    assert body["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert 1 <= int(answer.headers["retry-after"]) <= 61
    return True


async def let_pass(lectern: World, seconds: int) -> None:
    """Time passes: everything in the windows was taken that much earlier."""
    with redis.Redis.from_url(lectern.settings["redis_url"]) as server:
        for name in server.scan_iter("lectern:window:*"):
            taken: Any = server.hgetall(name)
            server.delete(name)
            server.hset(name, mapping={int(second) - seconds: units for second, units in taken.items()})


async def test_the_sixth_call_of_a_minute_is_refused_and_other_keys_are_untouched(lectern: World) -> None:
    """R-RATE-1."""
    key = await limited_to(lectern, lectern.keys.workspace, 5)
    answers = [await lectern.post(RATE, key=key) for _ in range(6)]
    assert [limited(answer) for answer in answers] == [False] * 5 + [True]
    assert [answer.json()["data"]["viewer"]["rateLimit"]["remaining"] for answer in answers[:5]] == [4, 3, 2, 1, 0]
    assert (await lectern.post(RATE)).status_code == 200


async def test_every_alias_counts(lectern: World) -> None:
    """R-RATE-1: twenty aliased root fields are twenty units, in fragments too."""
    key = await limited_to(lectern, lectern.keys.workspace, 25)
    assert (await lectern.post(aliases(20), key=key)).status_code == 200
    assert limited(await lectern.post(aliases(6), key=key))
    spread = "{ ...F ...F } fragment F on Query " + aliases(5)
    assert (await lectern.post(spread, key=key)).status_code == 200
    assert limited(await lectern.post(aliases(1), key=key))


async def test_what_can_never_fit_is_refused_too(lectern: World) -> None:
    key = await limited_to(lectern, lectern.keys.workspace, 5)
    assert limited(await lectern.post(aliases(6), key=key))
    assert (await lectern.post(aliases(5), key=key)).status_code == 200


async def test_nothing_of_a_refused_request_is_executed(lectern: World) -> None:
    """D27."""
    key = await limited_to(lectern, lectern.keys.content, 2)
    create = """mutation {
      a: createWebhookEndpoint(input: {url: "https://127.0.0.1/a"}) { endpoint { id } }
      b: createWebhookEndpoint(input: {url: "https://127.0.0.1/b"}) { endpoint { id } }
      c: createWebhookEndpoint(input: {url: "https://127.0.0.1/c"}) { endpoint { id } }
    }"""
    assert limited(await lectern.post(create, key=key))
    assert (await lectern.graph("{ webhookEndpoints { id } }", key=key))["webhookEndpoints"] == []


async def test_what_is_refused_for_another_reason_costs_nothing(lectern: World) -> None:
    key = await limited_to(lectern, lectern.keys.workspace, 1)
    assert (await lectern.post("{ users { totalCount } }", key=key)).status_code == 403
    assert (await lectern.post("{ nonsense }", key=key)).status_code == 400
    assert (await lectern.post(RATE, key=key)).status_code == 200


async def test_units_come_back_after_a_minute(settings: dict[str, Any]) -> None:
    async with world(settings) as lectern:
        key = await limited_to(lectern, lectern.keys.workspace, 2)
        assert (await lectern.post(aliases(2), key=key)).status_code == 200
    await let_pass(lectern, 59)
    async with lectern.another_gateway() as address, httpx.AsyncClient() as client:
        headers = {"Authorization": f"Bearer {key}"}

        async def post() -> httpx.Response:
            return await client.post(f"http://{address}/graphql", json={"query": aliases(1)}, headers=headers)

        assert limited(refused := await post())
        assert int(refused.headers["retry-after"]) <= 2
        await let_pass(lectern, 3)
        assert (await post()).status_code == 200


async def test_all_processes_count_together(lectern: World) -> None:
    key = await limited_to(lectern, lectern.keys.workspace, 10)
    async with lectern.another_gateway() as address, httpx.AsyncClient() as client:
        headers = {"Authorization": f"Bearer {key}"}
        url = f"http://{address}/graphql"
        here = [lectern.post(RATE, key=key) for _ in range(10)]
        there = [client.post(url, json={"query": RATE}, headers=headers) for _ in range(10)]
        answers = await asyncio.gather(*here, *there)
    assert sum(not limited(answer) for answer in answers) == 10


async def test_headers_say_what_is_left(lectern: World) -> None:
    """draft-ietf-httpapi-ratelimit-headers."""
    key = await limited_to(lectern, lectern.keys.workspace, 5)
    answer = await lectern.post(aliases(2), key=key)
    assert answer.headers["ratelimit-policy"] == '"default";q=5;w=60'
    assert answer.headers["ratelimit"] == '"default";r=3;t=61'
    refused = await lectern.post(aliases(4), key=key)
    assert limited(refused)
    assert refused.headers["ratelimit-policy"] == '"default";q=5;w=60'
    assert refused.headers["ratelimit"].startswith('"default";r=3;t=6')
    assert "ratelimit" not in (await lectern.post(RATE, key="")).headers


async def test_the_graph_says_what_is_left(lectern: World) -> None:
    """R-RATE-1: looking costs no more than the request itself."""
    key = await limited_to(lectern, lectern.keys.workspace, 10)
    query = (
        "{ a: viewer { rateLimit { remaining } } b: viewer { rateLimit { limitPerMinute remaining resetAt cost } } }"
    )
    told = (await lectern.graph(query, key=key))["b"]["rateLimit"]
    resets_at = datetime.fromisoformat(told.pop("resetAt"))
    assert told == {"limitPerMinute": 10, "remaining": 8, "cost": 2}
    assert 58 < (resets_at - datetime.now(UTC)).total_seconds() <= 61


async def test_a_subscription_counts_when_it_starts(lectern: World) -> None:
    """D27."""
    key = await limited_to(lectern, lectern.keys.workspace, 1)
    headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
    body = {"query": "subscription { events { type } }"}
    async with lectern.another_gateway() as address, httpx.AsyncClient() as client:
        url = f"http://{address}/graphql"
        async with client.stream("POST", url, json=body, headers=headers) as stream:
            assert stream.status_code == 200
            assert stream.headers["ratelimit"].startswith('"default";r=0;')
            assert limited(await lectern.post(RATE, key=key))


async def test_what_is_public_is_counted_by_address(lectern: World) -> None:
    """Whoever has no credential has no more than a session, and no other address notices."""
    everything = "{" + " ".join(f"a{n}: webhookEventTypes {{ name }}" for n in range(50)) + "}"
    answers = [await lectern.post(everything, key="") for _ in range(12)]
    assert not any(map(limited, answers))
    assert limited(await lectern.post(RATE, key=""))
    assert not limited(await lectern.post(RATE))
    app = lectern.client._transport.app  # type: ignore[attr-defined]
    transport = httpx.ASGITransport(app, client=("127.0.0.2", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        assert (await client.post("/graphql", json={"query": RATE})).status_code == 200


async def test_a_session_has_a_minute_of_its_own(lectern: World) -> None:
    await lectern.login(lectern.keys.admin)
    told = (await lectern.as_user(RATE))["viewer"]["rateLimit"]
    assert (told["limitPerMinute"], told["remaining"]) == (600, 599)


async def test_an_address_may_try_to_sign_in_only_so_often(settings: dict[str, Any]) -> None:
    """LECTERN_LOGIN_PER_MINUTE: aliases count, and the right password does not help any more."""
    async with world(settings, login_per_minute=3) as lectern:
        wrong = {"email": lectern.keys.admin, "password": "wrong"}
        assert (await lectern.post(LOGIN, key="", i=wrong)).status_code == 200
        one = "login(input: $i) { errors { code } }"
        twice = f"mutation ($i: LoginInput!) {{ a: {one} b: {one} }}"
        assert (await lectern.post(twice, key="", i=wrong)).status_code == 200
        right = {"email": lectern.keys.admin, "password": PASSWORD}
        assert limited(await lectern.post(LOGIN, key="", i=right))
        assert (await lectern.post(RATE)).status_code == 200


async def test_other_addresses_may_still_sign_in(settings: dict[str, Any]) -> None:
    wrong = {"query": LOGIN, "variables": {"i": {"email": "nobody@example.org", "password": "wrong"}}}
    async with world(settings, login_per_minute=1) as lectern:
        app = lectern.client._transport.app  # type: ignore[attr-defined]
        for address, status in (("127.0.0.2", 200), ("127.0.0.3", 200), ("127.0.0.2", 429)):
            transport = httpx.ASGITransport(app, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
                assert (await client.post("/graphql", json=wrong)).status_code == status


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("127.0.0.2", "127.0.0.2"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_an_address_is_that_of_a_household(host: str, named: str) -> None:
    assert address(HTTPConnection({"type": "http", "client": (host, 1)})) == named


async def test_without_redis_a_process_counts_for_itself(settings: dict[str, Any]) -> None:
    """D27: it fails safe, not open, and says the same."""
    async with world(settings, redis_url="redis://127.0.0.1:1/0") as lectern:
        key = await limited_to(lectern, lectern.keys.workspace, 3)
        answers = [await lectern.post(aliases(number), key=key) for number in (2, 2, 1, 1)]
        assert [limited(answer) for answer in answers] == [False, True, False, True]
        assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == ["r=1", "r=1", "r=0", "r=0"]
        assert (await lectern.graph(RATE))["viewer"]["rateLimit"]["remaining"] == 99_999


async def test_when_redis_goes_away_each_process_goes_on_counting(lectern: World, valkey_url: str) -> None:
    """D27: what it has admitted before is not forgotten."""
    limiter = Limiter(valkey_url)
    for _ in range(3):
        await limiter.take("key", 5, 1)
    with redis.Redis.from_url(valkey_url) as server:
        server.flushall()
    for _ in range(2):
        await limiter.take("key", 5, 1)
    with pytest.raises(RateLimited):
        await limiter.take("key", 5, 1)
    await limiter.close()
