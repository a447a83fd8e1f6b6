"""GraphQL over HTTP: what goes in, what comes out, and with which status."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response

from gateway.negotiation import EVENTS, HTML, JSON, RESPONSE
from gateway.operations import Timing
from gateway.persisted import Persisted, Trusted
from gateway.pricing import Limits
from gateway.settings import Profile
from schema.context import Principal
from storage.database import Unavailable
from storage.settings import SettingsInvalid
from tests.toy_graph import Seen, application, endpoint, served

READER = {"authorization": "Bearer reader"}
WRITER = {"authorization": "Bearer writer"}


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def http(seen: Seen) -> AsyncIterator[httpx.AsyncClient]:
    async with client(seen) as http:
        yield http


@asynccontextmanager
async def client(seen: Seen, **edge: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a toy graph with these settings."""
    transport = httpx.ASGITransport(application(endpoint(seen, **edge)))
    async with httpx.AsyncClient(transport=transport, base_url="http://lectern.test") as http:
        yield http


async def ask(
    http: httpx.AsyncClient, query: str, headers: Mapping[str, str] | None = None, **body: Any
) -> httpx.Response:
    """POST a document."""
    return await http.post("/graphql", json={"query": query, **body}, headers=headers)


def problem(response: httpx.Response) -> tuple[int, str]:
    """Status and first code of an answer without data."""
    assert "data" not in response.json()
    return response.status_code, response.json()["errors"][0]["extensions"]["code"]


async def test_a_query_is_answered_with_its_price(http: httpx.AsyncClient) -> None:
    response = await ask(
        http, 'query Q($n: Int!) { hello(name: "you") rows(first: $n) { nodes { id } } }', variables={"n": 2}
    )
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == {
        "data": {"hello": "Hello, you.", "rows": {"nodes": [{"id": "0"}, {"id": "1"}]}},
        "extensions": {"cost": {"requested": 3, "actual": 3, "limit": 10000}},
    }


@pytest.mark.parametrize(
    ("accept", "media"),
    [("*/*", JSON), (JSON, JSON), (RESPONSE, RESPONSE), (f"{RESPONSE}, {JSON};q=0.9", RESPONSE)],
)
async def test_the_answer_has_the_type_that_was_asked_for(http: httpx.AsyncClient, accept: str, media: str) -> None:
    response = await ask(http, "{ hello }", {"accept": accept})
    assert response.headers["content-type"] == f"{media}; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "headers", "content", "outcome"),
    [
        ("PUT", {}, b"", (405, "METHOD_NOT_ALLOWED")),
        ("OPTIONS", {}, b"", (405, "METHOD_NOT_ALLOWED")),
        ("POST", {"accept": "image/png"}, b"{}", (406, "NOT_ACCEPTABLE")),
        ("POST", {}, b"{}", (415, "UNSUPPORTED_MEDIA_TYPE")),
        ("POST", {"content-type": "text/plain"}, b'{"query":"{hello}"}', (415, "UNSUPPORTED_MEDIA_TYPE")),
        ("POST", {"content-type": "foo-application/json-bar"}, b"{}", (415, "UNSUPPORTED_MEDIA_TYPE")),
        ("POST", {"content-type": f"{JSON}; charset=latin-1"}, b"{}", (415, "UNSUPPORTED_MEDIA_TYPE")),
        ("GET", {"accept": HTML}, b"", (404, "NOT_FOUND")),
    ],
)
async def test_what_is_no_request_is_refused_as_graphql(
    http: httpx.AsyncClient, method: str, headers: dict[str, str], content: bytes, outcome: tuple[int, str]
) -> None:
    response = await http.request(method, "/graphql", headers=headers, content=content)
    assert problem(response) == outcome
    assert response.headers["content-type"] == "application/json; charset=utf-8"


async def test_other_methods_are_told_which_ones_there_are(http: httpx.AsyncClient) -> None:
    assert (await http.delete("/graphql")).headers["allow"] == "GET, POST"
    assert (await http.get("/graphql", params={"query": "mutation { login }"})).headers["allow"] == "POST"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"1",
        b'"x"',
        b"[]",
        b'[{"query":"{hello}"}]',
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"NaN",
        b"[" * 100_000,
        b"{}",
        b'{"query":null}',
        b'{"query":""}',
        b'{"query":5}',
        b'{"query":["{hello}"]}',
        b'{"query":"{hello}","operationName":5}',
        b'{"query":"{hello}","variables":[]}',
        b'{"query":"{hello}","variables":"{}"}',
        b'{"query":"{hello}","variables":0}',
        b'{"query":"{hello}","extensions":[]}',
        b'{"query":"{hello}","variables":{"a":' + b"[" * 300 + b"]" * 300 + b"}}",
        b'{"query":"\\ud800"}',
    ],
)
async def test_a_malformed_body_is_a_bad_request(http: httpx.AsyncClient, body: bytes) -> None:
    response = await http.post("/graphql", content=body, headers={"content-type": JSON, "accept": JSON})
    assert problem(response) == (400, "BAD_REQUEST")


REFUSED = [
    ("{", {}, "GRAPHQL_PARSE_FAILED"),
    ("{ nope }", {}, "GRAPHQL_VALIDATION_FAILED"),
    ("query ($n: Int!) { rows(first: $n) { nodes { id } } }", {}, "BAD_USER_INPUT"),
    ("query ($n: Int!) { rows(first: $n) { nodes { id } } }", {"n": "x"}, "BAD_USER_INPUT"),
]


@pytest.mark.parametrize(("query", "variables", "code"), REFUSED)
@pytest.mark.parametrize(("accept", "status"), [("*/*", 400), (RESPONSE, 400), (JSON, 200)])
async def test_a_wrong_document_is_400_except_for_who_names_only_the_old_type(
    http: httpx.AsyncClient, query: str, variables: dict[str, Any], code: str, accept: str, status: int
) -> None:
    assert problem(await ask(http, query, {"accept": accept}, variables=variables)) == (status, code)


@pytest.mark.parametrize("accept", ["*/*", RESPONSE, JSON])
@pytest.mark.parametrize(
    ("query", "name", "code"),
    [
        ("query A { hello } query B { hello }", None, "BAD_REQUEST"),
        ("query A { hello } query B { hello }", "C", "BAD_REQUEST"),
        ("subscription { count(to: 1) }", None, "BAD_REQUEST"),
        ("fragment F on Query { hello }", None, "GRAPHQL_VALIDATION_FAILED"),
        ("{" + " ".join(f"a{n}: hello" for n in range(51)) + "}", None, "LIMIT_EXCEEDED"),
    ],
)
async def test_whatever_else_keeps_an_operation_from_running_is_400(
    http: httpx.AsyncClient, accept: str, query: str, name: str | None, code: str
) -> None:
    response = await ask(http, query, {"accept": accept}, operationName=name)
    legacy = code == "GRAPHQL_VALIDATION_FAILED" and accept == JSON
    assert problem(response) == (200 if legacy else 400, code)


@pytest.mark.parametrize(
    ("query", "body", "accept", "status"),
    [
        ("{", {}, RESPONSE, 400),
        ("{", {}, JSON, 400),
        ("{ nope }", {}, RESPONSE, 422),
        ("{ nope }", {}, JSON, 422),
        ("{ hello }", {"variables": []}, RESPONSE, 422),
        ("{ hello }", {"operationName": "B"}, RESPONSE, 422),
        ("query ($n: Int!) { rows(first: $n) { nodes { id } } }", {}, RESPONSE, 422),
        ("{" + " ".join(f"a{n}: hello" for n in range(51)) + "}", {}, RESPONSE, 422),
        ("{ secret }", {}, RESPONSE, 401),
        ("{ hello }", {}, RESPONSE, 200),
        ("{ hello missing }", {}, RESPONSE, 294),
        ("{ hello missing }", {}, JSON, 200),
        ("{ strictFault }", {}, RESPONSE, 294),
    ],
)
async def test_the_draft_has_statuses_of_its_own(
    seen: Seen, query: str, body: dict[str, Any], accept: str, status: int
) -> None:
    async with client(seen, profile=Profile.DRAFT) as http:
        response = await ask(http, query, {"accept": accept}, **body)
        assert response.status_code == status
        assert ("data" in response.json()) is (status < 300)
        nonsense = await http.post("/graphql", content=b"{", headers={"content-type": JSON, "accept": accept})
        assert nonsense.status_code == 400


async def test_a_limit_tells_what_was_asked_and_what_is_allowed(seen: Seen) -> None:
    async with client(seen, limits=Limits(cost=10)) as http:
        response = await ask(http, "query ($n: Int = 9) { rows(first: $n) { nodes { id } } }", variables={"n": 50})
        assert response.status_code == 400
        assert response.json()["errors"][0]["extensions"] == {
            "code": "LIMIT_EXCEEDED",
            "name": "cost",
            "limit": 10,
            "value": 51,
            "requestId": "req-1",
        }
        assert (await ask(http, "query ($n: Int = 9) { rows(first: $n) { nodes { id } } }")).status_code == 200


@pytest.mark.parametrize(
    ("limits", "name"), [(Limits(objects=20), "objects"), (Limits(answer=100), "answer"), (Limits(objects=21), None)]
)
async def test_an_answer_that_gets_larger_than_its_price_is_given_up(
    seen: Seen, limits: Limits, name: str | None
) -> None:
    """Lists without pages are priced at three; whoever has stored many gets no more than one answer may hold."""
    async with client(seen, limits=limits) as http:
        response = await ask(http, "{ rows(first: 20) { nodes { id } } }" if name != "answer" else STORED)
        if name is None:
            assert response.json()["extensions"]["cost"]["actual"] == 21
        else:
            assert problem(response) == (400, "LIMIT_EXCEEDED")
            assert response.json()["errors"][0]["extensions"]["name"] == name


STORED = '{ hello(name: "' + "x" * 120 + '") }'


@pytest.mark.parametrize(
    ("query", "variables", "refused"),
    [
        ("query ($v: JSON!) { echo(value: $v) }", {"v": [0] * 1_000}, False),
        ("query ($v: Many!) { many(input: $v) }", {"v": {"numbers": [0] * 500, "anything": [0] * 501}}, False),
        ("query ($v: Many!) { many(input: $v) }", {"v": {"numbers": [0] * 501}}, True),
        ("query ($v: Many!) { many(input: $v) }", {"v": {"more": {"numbers": [[0]] * 501}}}, True),
        ("query ($v: [Int!]!) { many(input: {numbers: $v}) }", {"v": [0] * 501}, True),
        ("query ($v: [Int!]! = [" + "0 " * 501 + "]) { many(input: {numbers: $v}) }", {}, True),
        ("{ many(input: {more: {numbers: [" + "0 " * 501 + "]}}) }", {}, True),
    ],
)
async def test_a_list_may_be_so_long_unless_it_is_content(
    http: httpx.AsyncClient, query: str, variables: dict[str, Any], refused: bool
) -> None:
    response = await ask(http, query, variables=variables)
    if refused:
        assert problem(response) == (400, "LIMIT_EXCEEDED")
        assert response.json()["errors"][0]["extensions"]["name"] == "listLength"
        assert response.json()["errors"][0]["extensions"]["value"] == 501
    else:
        assert response.json()["data"]


def named(text: str, **changes: Any) -> dict[str, Any]:
    """The extension that names a document by its hash."""
    digest = sha256(text.encode()).hexdigest()
    return {"persistedQuery": {"version": 1, "sha256Hash": digest, **changes}}


@asynccontextmanager
async def process(seen: Seen, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a process that shares documents through Redis."""
    persisted = Persisted(redis_url)
    async with client(seen, source=persisted) as http:
        yield http
    await persisted.close()


@pytest.mark.parametrize("accept", ["*/*", JSON, RESPONSE])
async def test_a_document_left_here_may_be_named_by_its_hash(http: httpx.AsyncClient, accept: str) -> None:
    text, headers = "query ($n: String) { hello(name: $n) }", {"accept": accept}
    first = await http.post("/graphql", json={"extensions": named(text)}, headers=headers)
    assert problem(first) == (400 if accept == RESPONSE else 200, "PERSISTED_QUERY_NOT_FOUND")
    assert first.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    for query in (text, None):
        body = {"query": query, "extensions": named(text), "variables": {"n": "you"}}
        response = await http.post("/graphql", json=body, headers=headers)
        assert response.json()["data"] == {"hello": "Hello, you."}
    params = {"extensions": orjson.dumps(named(text)).decode(), "variables": '{"n":"me"}'}
    assert (await http.get("/graphql", params=params, headers=headers)).json()["data"] == {"hello": "Hello, me."}


async def test_only_a_document_that_is_good_and_allowed_is_kept(http: httpx.AsyncClient) -> None:
    for text in ("{ nope }", "{ secret }", "query ($n: Int!) { rows(first: $n) { nodes { id } } }"):
        await ask(http, text, extensions=named(text))
        response = await http.post("/graphql", json={"extensions": named(text)}, headers=READER)
        assert response.json()["errors"][0]["message"] == "PersistedQueryNotFound"


@pytest.mark.parametrize(
    ("extensions", "code"),
    [
        (named("{ other }"), "BAD_REQUEST"),
        (named("{ hello }", version=2), "PERSISTED_QUERY_NOT_SUPPORTED"),
        (named("{ hello }", sha256Hash="x"), "BAD_REQUEST"),
        (named("{ hello }", sha256Hash=5), "BAD_REQUEST"),
        ({"persistedQuery": []}, "PERSISTED_QUERY_NOT_SUPPORTED"),
    ],
)
async def test_a_hash_has_to_be_that_of_the_document(
    http: httpx.AsyncClient, extensions: dict[str, Any], code: str
) -> None:
    assert problem(await ask(http, "{ hello }", extensions=extensions)) == (400, code)


async def test_a_get_request_cannot_reach_a_mutation_by_its_hash(http: httpx.AsyncClient) -> None:
    text = "mutation { login }"
    await ask(http, text, extensions=named(text))
    response = await http.get("/graphql", params={"extensions": orjson.dumps(named(text)).decode()})
    assert problem(response) == (405, "METHOD_NOT_ALLOWED")


async def test_other_processes_know_a_document_and_forget_it_harmlessly(seen: Seen, valkey_url: str) -> None:
    text = "{ hello }"
    async with Redis.from_url(valkey_url) as redis:
        await redis.flushall()
        async with process(seen, valkey_url) as http:
            assert (await ask(http, text, extensions=named(text))).json()["data"]
        async with process(seen, valkey_url) as http:
            assert (await http.post("/graphql", json={"extensions": named(text)})).json()["data"]
        (place,) = await redis.keys("lectern:document:*")
        await redis.set(place, "{ somebody else }")
        async with process(seen, valkey_url) as http:
            response = await http.post("/graphql", json={"extensions": named(text)})
            assert response.json()["errors"][0]["message"] == "PersistedQueryNotFound"


async def test_without_redis_a_process_knows_what_it_was_told_itself(seen: Seen, tmp_path: Path) -> None:
    async with process(seen, f"unix://{tmp_path}/nobody.sock") as http:
        text = "{ hello }"
        assert problem(await http.post("/graphql", json={"extensions": named(text)}))[1] == "PERSISTED_QUERY_NOT_FOUND"
        assert (await ask(http, text, extensions=named(text))).json()["data"]
        assert (await http.post("/graphql", json={"extensions": named(text)})).json()["data"]


async def test_where_documents_are_trusted_no_others_run(seen: Seen, tmp_path: Path) -> None:
    text = "{ hello }"
    file = tmp_path / "trusted.json"
    file.write_bytes(orjson.dumps({sha256(text.encode()).hexdigest(): text}))
    async with client(seen, source=Trusted.read(file)) as http:
        assert (await ask(http, text)).json()["data"]
        assert (await http.post("/graphql", json={"extensions": named(text)})).json()["data"]
        assert problem(await ask(http, "{hello}", extensions=named("{hello}"))) == (403, "DOCUMENT_NOT_TRUSTED")
        response = await http.post("/graphql", json={"extensions": named("{hello}")})
        assert problem(response) == (403, "DOCUMENT_NOT_TRUSTED")


@pytest.mark.parametrize("content", [None, b"{", b"[]", b'{"a": 1}'])
def test_a_list_that_cannot_be_read_stops_the_start(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "trusted.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsInvalid, match="LECTERN_TRUSTED_DOCUMENTS"):
        Trusted.read(file)


async def test_a_body_that_is_too_large_is_refused_announced_or_not(seen: Seen) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * 500

    async with client(seen, max_body_bytes=1_000) as http:
        for content in (b" " * 1_001, chunks()):
            response = await http.post("/graphql", content=content, headers={"content-type": JSON})
            assert problem(response) == (413, "PAYLOAD_TOO_LARGE")
        body = b'{"query":"{hello}"}'.ljust(1_000)
        assert (await http.post("/graphql", content=body, headers={"content-type": JSON})).status_code == 200


async def test_a_body_that_does_not_come_is_not_awaited(seen: Seen) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with client(seen, timing=Timing(body=0.01)) as http:
        response = await http.post("/graphql", content=chunks(), headers={"content-type": JSON})
    assert problem(response) == (408, "REQUEST_TIMEOUT")


async def test_a_get_request_runs_a_query_and_no_mutation(http: httpx.AsyncClient) -> None:
    query = "query Q($n: String) { hello(name: $n) }"
    response = await http.get("/graphql", params={"query": query, "variables": '{"n":"you"}', "operationName": "Q"})
    assert response.json()["data"] == {"hello": "Hello, you."}
    assert problem(await http.get("/graphql", params={"query": "mutation { login }"})) == (405, "METHOD_NOT_ALLOWED")
    assert problem(await http.get("/graphql")) == (400, "BAD_REQUEST")
    assert problem(await http.get("/graphql", params={"query": query, "variables": "{"})) == (400, "BAD_REQUEST")


async def test_a_browser_is_shown_the_page(seen: Seen) -> None:
    async def page(request: Request) -> Response:
        return PlainTextResponse("GraphiQL")

    async with client(seen, page=page) as http:
        assert (await http.get("/graphql", headers={"accept": f"{HTML}, */*;q=0.8"})).text == "GraphiQL"
        assert (await http.get("/graphql", params={"query": "{ hello }"})).json()["data"]


async def test_without_a_credential_only_public_fields_run(http: httpx.AsyncClient) -> None:
    response = await ask(http, "{ hello mine: secret }")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["errors"] == [
        {
            "message": "This needs a credential.",
            "path": ["mine"],
            "extensions": {"code": "UNAUTHENTICATED", "requestId": "req-1"},
        }
    ]
    assert (await ask(http, "{ __typename __schema { queryType { name } } }")).status_code == 200


async def test_a_bad_credential_is_refused_even_for_public_fields(http: httpx.AsyncClient) -> None:
    response = await ask(http, "{ hello }", {"authorization": "Bearer wrong"})
    assert problem(response) == (401, "UNAUTHENTICATED")


async def test_scopes_of_all_root_fields_are_checked_before_anything_runs(http: httpx.AsyncClient, seen: Seen) -> None:
    query = "query { secret ...F } fragment F on Query { ... { closed } }"
    response = await ask(http, query, WRITER)
    assert response.status_code == 403
    assert response.json()["errors"] == [
        {
            "message": "This credential may not do that.",
            "path": ["closed"],
            "extensions": {"code": "FORBIDDEN", "requiredScopes": ["admin", "webhooks"], "requestId": "req-1"},
        }
    ]
    assert problem(await ask(http, "mutation { login write(number: 1) }", READER)) == (403, "FORBIDDEN")
    assert (seen.written, seen.units) == ([], 0)


async def test_a_missing_scope_below_the_root_leaves_the_rest_of_the_answer(http: httpx.AsyncClient) -> None:
    response = await ask(http, "{ maybeRow { id hidden } }")
    assert response.status_code == 200
    assert response.json()["data"] == {"maybeRow": {"id": "1", "hidden": None}}
    (error,) = response.json()["errors"]
    assert error["path"] == ["maybeRow", "hidden"]
    assert error["extensions"] == {
        "code": "FORBIDDEN",
        "requiredScopes": ["admin", "webhooks"],
        "requestId": "req-1",
    }


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("rule", [{"code": "BAD_USER_INPUT", "rule": "page_size"}]),
        ("rules", [{"code": "BAD_USER_INPUT", "rule": "page_size"}, {"code": "BAD_USER_INPUT", "rule": "page_mode"}]),
        ("missing", [{"code": "NOT_FOUND"}]),
        ("deliberate", [{"code": "TOO_EARLY"}]),
        ("fault", [{"code": "INTERNAL"}]),
        ("hugeNumber", [{"code": "INTERNAL"}]),
    ],
)
async def test_a_field_that_fails_says_why_as_far_as_it_may(
    http: httpx.AsyncClient, field: str, expected: list[dict[str, str]]
) -> None:
    response = await ask(http, f"{{ hello {field} }}", {"accept": RESPONSE})
    assert response.status_code == 200
    assert response.json()["data"] == {"hello": "Hello, world.", field: None}
    assert [error["path"] for error in response.json()["errors"]] == [[field]] * len(expected)
    found = [error["extensions"] for error in response.json()["errors"]]
    assert found == [{**extensions, "requestId": "req-1"} for extensions in expected]


@pytest.mark.parametrize("query", ["{ fault }", "{ strictFault }", "{ row { number } }", "{ a: fault b: fault }"])
async def test_our_own_faults_are_masked_and_logged_once(http: httpx.AsyncClient, query: str) -> None:
    with structlog.testing.capture_logs() as logs:
        response = await ask(http, query, {"accept": RESPONSE})
    assert response.status_code == 200
    assert "hunter2" not in response.text
    assert str(2**40) not in response.text
    (entry,) = logs
    assert entry["request_id"] == response.json()["errors"][0]["extensions"]["requestId"]
    assert entry["exc_info"] is not None


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (LookupError("database at 10.0.0.7"), (500, "INTERNAL")),
        (Unavailable("10.0.0.7 is locked"), (503, "UNAVAILABLE")),
    ],
)
async def test_a_fault_outside_all_fields_is_masked(seen: Seen, fault: Exception, outcome: tuple[int, str]) -> None:
    async def fail(connection: HTTPConnection, payload: object) -> Principal | None:
        raise fault

    async with client(seen, authenticate=fail) as http:
        with structlog.testing.capture_logs() as logs:
            response = await ask(http, "{ hello }")
    assert problem(response) == outcome
    assert "10.0.0.7" not in response.text
    assert len(logs) == 1


async def test_authentication_is_part_of_the_time_limit(seen: Seen) -> None:
    async def wait(connection: HTTPConnection, payload: object) -> Principal | None:
        await asyncio.Event().wait()
        return None

    async with client(seen, authenticate=wait, timing=Timing(query=0.01)) as http:
        with structlog.testing.capture_logs():
            assert problem(await ask(http, "{ hello }")) == (503, "UNAVAILABLE")


@pytest.mark.parametrize("query", ["{ hello away }", "mutation { away }"])
async def test_a_database_that_goes_away_is_a_503_where_nothing_was_changed(
    http: httpx.AsyncClient, query: str
) -> None:
    with structlog.testing.capture_logs() as logs:
        response = await ask(http, query)
    assert problem(response) == (503, "UNAVAILABLE")
    assert "10.0.0.7" not in response.text
    assert len(logs) == 1


async def test_what_was_changed_before_the_database_went_away_is_told(http: httpx.AsyncClient, seen: Seen) -> None:
    with structlog.testing.capture_logs():
        response = await ask(http, "mutation { write(number: 1) away }", WRITER)
    assert (response.status_code, response.json()["data"]) == (200, {"write": 1, "away": None})
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"


async def test_an_answer_that_cannot_be_written_is_a_masked_500(http: httpx.AsyncClient) -> None:
    with structlog.testing.capture_logs() as logs:
        assert problem(await ask(http, "{ unwritable }")) == (500, "INTERNAL")
    assert len(logs) == 1


ECHO = "query ($v: JSON!) { echo(value: $v) }"


async def test_an_argument_that_is_wrong_only_at_run_time_is_the_clients(http: httpx.AsyncClient) -> None:
    response = await ask(http, "query ($n: Int = 5) { rows(first: $n) { nodes { id } } }", variables={"n": None})
    assert response.status_code == 200
    assert response.json()["data"] is None
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    ("query", "variables", "echoed"),
    [
        (ECHO, "18446744073709551615", 2**64 - 1),
        (ECHO, "-9223372036854775808", -(2**63)),
        (
            ECHO,
            '{"id": "123456789012345678901234567890", "x": 1e300}',
            {"id": "123456789012345678901234567890", "x": 1e300},
        ),
        ("{ echo(value: {n: 18446744073709551615}) }", "null", {"n": 2**64 - 1}),
        (ECHO, "18446744073709551616", None),
        (ECHO, '{"deep": [-9223372036854775809]}', None),
        ("{ echo(value: {n: [123456789012345678901234567890]}) }", "null", None),
        ("{ echo(value: 1" + "0" * 5_000 + ") }", "null", None),
        ("{ echo(value: {n: 1e400}) }", "null", None),
        ("query ($v: JSON = 18446744073709551616) { echo(value: $v) }", "null", None),
        ("{ rows(first: 1" + "0" * 5_000 + ") { nodes { id } } }", "null", None),
    ],
)
async def test_a_number_survives_or_is_refused(
    http: httpx.AsyncClient, query: str, variables: str, echoed: object
) -> None:
    body = orjson.dumps({"query": query}).removesuffix(b"}") + b',"variables":{"v":%b}}' % variables.encode()
    response = await http.post("/graphql", content=body, headers={"content-type": JSON})
    if echoed is None:
        assert problem(response) == (400, "BAD_USER_INPUT")
    else:
        assert response.json()["data"] == {"echo": echoed}
    params = {"query": query, "variables": f'{{"v":{variables}}}'}
    assert (await http.get("/graphql", params=params)).json() == response.json()


async def test_a_number_that_no_double_holds_is_no_json(http: httpx.AsyncClient) -> None:
    body = b'{"query":"{ hello }","variables":{"v":1e400}}'
    response = await http.post("/graphql", content=body, headers={"content-type": JSON})
    assert problem(response) == (400, "BAD_REQUEST")


async def test_what_is_nested_as_deep_as_may_be_sent_can_be_read_back(http: httpx.AsyncClient) -> None:
    deep: Any = 1
    for _ in range(198):
        deep = [deep]
    response = await ask(http, "query ($v: JSON!) { echo(value: $v) }", variables={"v": deep})
    assert response.json()["data"] == {"echo": deep}


async def test_the_fields_of_a_mutation_run_one_after_another(http: httpx.AsyncClient, seen: Seen) -> None:
    response = await ask(http, "mutation { a: write(number: 1) b: write(number: 2) c: write(number: 3) }", WRITER)
    assert response.json()["data"] == {"a": 1, "b": 2, "c": 3}
    assert seen.written == [1, 2, 3]


async def test_an_idempotency_key_belongs_to_exactly_one_mutation_field(http: httpx.AsyncClient, seen: Seen) -> None:
    keyed = {"idempotency-key": "k1", "accept": JSON}
    assert (await ask(http, "mutation { login }", keyed)).json()["data"] == {"login": "k1"}
    for query in (
        "mutation { a: login b: login }",
        "mutation { login ...F } fragment F on Mutation { b: login }",
        "{ hello }",
    ):
        assert problem(await ask(http, query, keyed)) == (400, "BAD_USER_INPUT")


async def test_cookies_that_an_operation_sets_reach_the_browser(seen: Seen) -> None:
    def set_cookie(response: Response, name: str, value: str | None) -> None:
        response.headers.append("set-cookie", f"{name}={value}; Path=/toy")

    async with client(seen, set_cookie=set_cookie) as http:
        response = await ask(http, "mutation { login }")
    assert response.headers.get_list("set-cookie") == ["toy_session=abc; Path=/toy", "toy_old=None; Path=/toy"]


async def test_cookies_are_narrow_unless_told_otherwise(http: httpx.AsyncClient) -> None:
    kept, deleted = (await ask(http, "mutation { login }")).headers.get_list("set-cookie")
    assert kept == "toy_session=abc; HttpOnly; Path=/; SameSite=lax; Secure"
    assert "Max-Age=0" in deleted


async def test_every_root_field_is_a_unit_of_the_budget(http: httpx.AsyncClient, seen: Seen) -> None:
    seen.budget = 20
    twenty = "{" + " ".join(f"a{n}: hello" for n in range(20)) + "}"
    assert (await ask(http, twenty)).status_code == 200
    response = await ask(http, "{ hello }")
    assert problem(response) == (429, "RATE_LIMITED")
    assert response.headers["retry-after"] == "7"


async def test_what_takes_too_long_is_given_up(seen: Seen) -> None:
    async with client(seen, timing=Timing(query=0.01)) as http:
        with structlog.testing.capture_logs() as logs:
            assert problem(await ask(http, "{ slow }")) == (503, "UNAVAILABLE")
    assert [entry["request_id"] for entry in logs] == ["req-1"]


async def test_introspection_can_be_switched_off(seen: Seen) -> None:
    async with client(seen, introspection=False) as http:
        query = "{ __schema { queryType { name } } }"
        assert problem(await ask(http, query)) == (400, "GRAPHQL_VALIDATION_FAILED")
        assert (await ask(http, "{ __typename hello }")).status_code == 200


async def test_a_request_has_the_id_that_the_application_gave_it(seen: Seen) -> None:
    async with client(seen, request_id=lambda connection: connection.headers["x-id"]) as http:
        response = await ask(http, "{", {"x-id": "r7"})
    assert response.json()["errors"][0]["extensions"]["requestId"] == "r7"


async def events(response: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    """The events of a stream as they come; a comment is an event without a name."""
    name = ""
    async for line in response.aiter_lines():
        match line.partition(":"):
            case "event", _, value:
                name = value.strip()
            case "data", _, value:
                yield name, orjson.loads(value) if value.strip() else None
            case "", ":", _:
                yield "", None


@asynccontextmanager
async def streamed(
    address: str, query: str, headers: Mapping[str, str] | None = None, method: str = "POST"
) -> AsyncIterator[httpx.Response]:
    """The response to a request for events."""
    request = httpx.Request(
        method,
        f"http://{address}",
        headers={"accept": EVENTS, **(headers or {})},
        params={"query": query} if method == "GET" else None,
        json={"query": query} if method == "POST" else None,
    )
    async with httpx.AsyncClient() as http:
        response = await http.send(request, stream=True)
        yield response
        await response.aclose()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_subscription_is_a_stream_of_events(seen: Seen, method: str) -> None:
    async with (
        served(endpoint(seen)) as (_, address),
        streamed(address, "subscription { count(to: 2) }", method=method) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
        told = [(name, event and event["data"]) async for name, event in events(response)]
        assert told == [("next", {"count": 0}), ("next", {"count": 1}), ("complete", None)]


async def test_a_query_may_be_answered_by_events_too(http: httpx.AsyncClient) -> None:
    response = await ask(http, "{ hello }", {"accept": EVENTS})
    assert response.text.startswith('event: next\ndata: {"data":{"hello":"Hello, world."}')
    assert response.text.endswith("event: complete\ndata:\n\n")


@pytest.mark.parametrize(
    ("rule", "extensions"), [("true", {"code": "BAD_USER_INPUT", "rule": "cursor"}), ("false", {"code": "INTERNAL"})]
)
async def test_a_source_that_breaks_ends_its_stream_masked(
    http: httpx.AsyncClient, rule: str, extensions: dict[str, str]
) -> None:
    with structlog.testing.capture_logs():
        response = await ask(http, f"subscription {{ breaks(rule: {rule}) }}", {"accept": EVENTS})
    first, last, complete, _ = response.text.split("\n\n")
    assert first.startswith('event: next\ndata: {"data":{"breaks":1},')
    assert orjson.loads(last.partition("data: ")[2])["errors"][0]["extensions"] == {**extensions, "requestId": "req-1"}
    assert complete == "event: complete\ndata:"


async def test_a_request_for_events_is_refused_with_a_status(http: httpx.AsyncClient) -> None:
    events = {"accept": EVENTS}
    assert problem(await ask(http, "subscription {", events)) == (400, "GRAPHQL_PARSE_FAILED")
    assert problem(await ask(http, "subscription { wait }", events)) == (401, "UNAUTHENTICATED")
    assert problem(await ask(http, "subscription { count }", events)) == (400, "GRAPHQL_VALIDATION_FAILED")


async def test_an_idle_stream_is_kept_alive_and_ends_with_its_client(seen: Seen) -> None:
    async with served(endpoint(seen, timing=Timing(keep_alive=0.01))) as (_, address):
        async with streamed(address, 'subscription { wait(name: "left") }', READER) as response:
            coming = events(response)
            assert [(await anext(coming))[0], await anext(coming)] == ["next", ("", None)]
        await seen.ended.wait()
    assert seen.closed == ["left"]


async def test_a_revoked_credential_ends_its_streams(seen: Seen) -> None:
    edge = endpoint(seen)
    async with served(edge) as (_, address), streamed(address, "subscription { wait }", READER) as response:
        coming = events(response)
        await anext(coming)
        assert (edge.close_for("key_writer"), edge.close_for("key_reader")) == (0, 1)
        name, answer = await anext(coming)
        assert (name, answer["errors"][0]["extensions"]["code"]) == ("next", "UNAUTHENTICATED")
        assert [event async for event in coming] == [("complete", None)]


async def test_an_expired_credential_ends_its_streams_by_itself(seen: Seen) -> None:
    async with (
        served(endpoint(seen, timing=Timing(check=0.01))) as (_, address),
        streamed(address, "subscription { wait }", READER) as response,
    ):
        coming = events(response)
        await anext(coming)
        seen.revoked.add("key_reader")
        assert [name async for name, _ in coming] == ["next", "complete"]


async def test_a_credential_may_have_so_many_streams(seen: Seen) -> None:
    async with served(endpoint(seen, max_streams=1)) as (_, address):
        async with streamed(address, "subscription { wait }", READER) as response:
            await anext(events(response))
            async with streamed(address, "subscription { wait }", READER) as second:
                assert second.status_code == 429
            async with streamed(address, "subscription { wait }", WRITER) as other:
                assert other.status_code == 200
        await seen.ended.wait()


async def test_a_stopping_server_ends_its_streams_without_complete(seen: Seen) -> None:
    async with (
        served(endpoint(seen)) as (server, address),
        streamed(address, "subscription { wait }", READER) as response,
    ):
        coming = events(response)
        await anext(coming)
        server.should_exit = True
        assert [event async for event in coming] == []
    assert seen.closed == [""]


async def test_a_client_that_does_not_read_stops_its_own_stream_and_comes_back(seen: Seen) -> None:
    async with served(endpoint(seen, timing=Timing(drain=0.05))) as (_, address):
        host, _, port = address.partition("/")[0].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /graphql HTTP/1.1\r\nHost: x\r\nAccept: {EVENTS}\r\nContent-Type: {JSON}\r\n"
        body = '{"query": "subscription { flood }"}'
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        await seen.ended.wait()
        told = await reader.read()
        writer.close()
    assert told.startswith(b"HTTP/1.1 200 OK")
    assert b"event: complete" not in told, "without it a client subscribes again"


async def test_a_refused_request_leaves_the_connection_open(seen: Seen) -> None:
    async with served(endpoint(seen)) as (_, address), httpx.AsyncClient() as http:
        for content in (b"[" * 100_000, b"\xff", b"null", b'{"query":"{hello}"}'):
            response = await http.post(f"http://{address}", content=content, headers={"content-type": JSON})
            assert response.headers.get("connection") != "close"
        assert response.json()["data"] == {"hello": "Hello, world."}
        (pooled,) = http._transport._pool.connections  # type: ignore[attr-defined]
        assert "Request Count: 4" in repr(pooled)


SOME_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
)


ONE_EDGE = httpx.ASGITransport(application(endpoint(Seen())))
"""Made once: making it takes longer than asking it."""


@settings(max_examples=200)
@given(
    st.binary()
    | SOME_JSON.map(orjson.dumps)
    | st.fixed_dictionaries(
        {"query": st.sampled_from(["{ hello }", "query ($v: JSON!) { echo(value: $v) }"]) | SOME_JSON},
        optional={"variables": SOME_JSON, "operationName": SOME_JSON, "extensions": SOME_JSON},
    ).map(orjson.dumps)
)
def test_no_body_whatever_makes_the_edge_fail(body: bytes) -> None:
    async def post() -> httpx.Response:
        async with httpx.AsyncClient(transport=ONE_EDGE, base_url="http://lectern.test") as http:
            return await http.post("/graphql", content=body, headers={"content-type": JSON})

    response = asyncio.run(post())
    assert response.status_code < 500
    assert response.json().keys() & {"data", "errors"}
