"""Stored files through the front door: R-CEX-15, D8, D17."""

from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from storage.tables import StoredFile
from storage.tables.columns import now
from tests.exporting import a_course, a_group, ask, change, fetched, made, people_of, put, store
from tests.world import World

FILE = "id contextId path contentType byteSize sha256 url createdAt"
FILES = f"query ($c: ContextInput!) {{ files(context: $c) {{ totalCount nodes {{ {FILE} }} }} }}"
UPLOAD = f"file {{ {FILE} }} uploadUrl expiresAt replayed"


async def listed(lectern: World, context: dict[str, str]) -> list[dict[str, Any]]:
    """The files of a context."""
    nodes: list[dict[str, Any]] = (await ask(lectern, FILES, c=context))["nodes"]
    return nodes


async def announced(lectern: World, **changes: Any) -> dict[str, Any]:
    """The payload of an upload that is announced for the member itself."""
    about = {
        "context": {"userId": changes.pop("user", None)},
        "path": "handouts/plan.pdf",
        "contentType": "application/pdf",
        "byteSize": 5,
    }
    return await change(lectern, "createFileUpload", UPLOAD, **{**about, **changes})


@pytest.fixture
async def me(lectern: World) -> str:
    """The id of the member, who is signed in."""
    await lectern.login(lectern.keys.admin)
    id = (await people_of(lectern))[lectern.keys.member]
    await lectern.login(lectern.keys.member)
    return id


async def test_a_file_exists_once_it_has_been_put(lectern: World, me: str) -> None:
    """R-CEX-15: announced, uploaded, listed, downloaded."""
    payload = await announced(lectern, user=me)
    file = payload["file"]
    assert file == {
        "id": file["id"],
        "contextId": me,
        "path": "handouts/plan.pdf",
        "contentType": "application/pdf",
        "byteSize": 5,
        "sha256": None,
        "url": None,
        "createdAt": file["createdAt"],
    }
    assert await listed(lectern, {"userId": me}) == []

    answer = await put(lectern, payload["uploadUrl"], b"%PDF-", "application/pdf")

    digest = sha256(b"%PDF-").hexdigest()
    assert (answer.status_code, answer.headers["etag"]) == (200, f'"{digest}"')
    (file,) = await listed(lectern, {"userId": me})
    assert (file["id"], file["sha256"]) == (payload["file"]["id"], digest)
    download = await fetched(lectern, file["url"])
    assert (download.status_code, download.content) == (200, b"%PDF-")
    assert download.headers["content-type"] == "application/pdf"
    assert "plan.pdf" in download.headers["content-disposition"]
    assert (await fetched(lectern, file["url"], Range="bytes=1-3")).content == b"PDF"
    assert await ask(lectern, "query ($id: ID!) { node(id: $id) { id } }", id=file["id"]) == {"id": file["id"]}


async def test_an_empty_file_is_a_file(lectern: World, me: str) -> None:
    await store(lectern, {"userId": me}, "empty.txt", b"")
    (file,) = await listed(lectern, {"userId": me})
    assert (file["byteSize"], file["sha256"]) == (0, sha256(b"").hexdigest())
    assert (await fetched(lectern, file["url"])).content == b""


async def test_a_second_upload_takes_the_place_of_the_first(lectern: World, me: str) -> None:
    """Until it has arrived the old file is there."""
    first = await store(lectern, {"userId": me}, "notes.txt", b"one")
    old = (await listed(lectern, {"userId": me}))[0]
    payload = await announced(lectern, user=me, path="notes.txt", contentType="text/plain")
    assert [file["id"] for file in await listed(lectern, {"userId": me})] == [first]
    await put(lectern, payload["uploadUrl"], b"three", "text/plain")
    (file,) = await listed(lectern, {"userId": me})
    assert (file["id"], file["byteSize"]) == (payload["file"]["id"], 5)
    assert await ask(lectern, "query ($id: ID!) { node(id: $id) { id } }", id=first) is None
    assert (await fetched(lectern, old["url"])).status_code == 404, "it was replaced"


async def test_what_was_not_announced_is_refused(lectern: World, me: str) -> None:
    """D17: the address stays usable."""
    url = (await announced(lectern, user=me))["uploadUrl"]
    for data, content_type, status, code in (
        (b"%PDF", "application/pdf", 400, "length_mismatch"),
        (b"%PDF-1", "application/pdf", 400, "length_mismatch"),
        (b"%PDF-", "text/plain", 415, "content_type"),
    ):
        answer = await put(lectern, url, data, content_type)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await put(lectern, url, b"%PDF-", "application/pdf; charset=x")).status_code == 200
    again = await put(lectern, url, b"%PDF-", "application/pdf")
    assert (again.status_code, again.json()["code"]) == (409, "already_uploaded")


async def test_a_file_is_awaited_for_an_hour(lectern: World, me: str) -> None:
    payload = await announced(lectern, user=me, idempotencyKey="plan")
    async with lectern.database.transaction() as session:
        file = await session.get_one(StoredFile, payload["file"]["id"])
        assert timedelta(minutes=59) < file.upload_expires_at - now() < timedelta(hours=1)
        file.upload_expires_at = now()
    answer = await put(lectern, payload["uploadUrl"], b"%PDF-", "application/pdf")
    assert (answer.status_code, answer.json()["code"]) == (403, "upload_expired")
    again = await announced(lectern, user=me, idempotencyKey="plan")
    assert (again["replayed"], again["uploadUrl"]) == (True, None)


async def test_the_same_request_is_the_same_file(lectern: World, me: str) -> None:
    first = await announced(lectern, user=me, idempotencyKey="plan")
    again = await announced(lectern, user=me, idempotencyKey="plan")
    assert again["file"] == first["file"]
    assert (first["replayed"], again["replayed"]) == (False, True)
    other = await announced(lectern, user=me, idempotencyKey="plan", path="other.pdf")
    assert [error["code"] for error in other["errors"]] == ["IDEMPOTENCY_CONFLICT"]
    assert other["file"]["id"] == first["file"]["id"]
    await put(lectern, again["uploadUrl"], b"%PDF-", "application/pdf")
    arrived = await announced(lectern, user=me, idempotencyKey="plan")
    assert (arrived["uploadUrl"], arrived["file"]["byteSize"]) == (None, 5)


OUTSIDE = [
    *("", " ", "/plan.pdf", "a//b", "a/", "./a", "a/../b", "..", "a/...", "C:/a", "c:a", "a\\b", "a\tb", "a/ /b"),
    *("x" * 501, "é" * 128 + ".pdf", "a/\u2028b"),
]


async def test_a_path_stays_inside(lectern: World, me: str) -> None:
    for path in OUTSIDE:
        payload = await announced(lectern, user=me, path=path)
        problems = [(error["path"], error["rule"]) for error in payload["errors"]]
        assert problems == [(["input", "path"], "path")], path


async def test_a_path_is_in_any_language(lectern: World, me: str) -> None:
    paths = ["a", "b b/c d.pdf", "مرحبا/😀.txt", "100%.txt", "part 1: a", ".hidden", "x" * 255]
    for path in paths:
        await store(lectern, {"userId": me}, path, path.encode())
    files = {file["path"]: file for file in await listed(lectern, {"userId": me})}
    assert files.keys() == set(paths)
    for path in paths:
        assert (await fetched(lectern, files[path]["url"])).content == path.encode()


async def test_a_download_cannot_look_like_another_file(lectern: World, me: str) -> None:
    """A name that turns the reading direction, or that some system refuses, is saved under another."""
    await store(lectern, {"userId": me}, "a/photo\u202egpj.exe", b"x")
    (file,) = await listed(lectern, {"userId": me})
    told = (await fetched(lectern, file["url"])).headers["content-disposition"]
    assert told == "attachment; filename=\"photo_gpj.exe\"; filename*=UTF-8''photo_gpj.exe"


async def test_a_path_is_the_same_however_it_is_typed(lectern: World, me: str) -> None:
    await store(lectern, {"userId": me}, "cafe\u0301.txt", b"one")
    await store(lectern, {"userId": me}, "caf\u00e9.txt", b"two")
    (file,) = await listed(lectern, {"userId": me})
    assert file["path"] == "caf\u00e9.txt"


async def test_a_file_does_not_lie_where_a_folder_is(lectern: World, me: str) -> None:
    """Nobody could unpack the zip."""
    await store(lectern, {"userId": me}, "a/b/c", b"x")
    for path in ("a", "a/b", "a/b/c/d"):
        payload = await announced(lectern, user=me, path=path)
        assert [error["rule"] for error in payload["errors"]] == ["path_taken"]
    await store(lectern, {"userId": me}, "A", b"x")


@pytest.mark.parametrize("paths", [("a/b", "a"), ("a", "a/b")])
async def test_of_a_file_and_a_folder_of_one_name_only_the_first_arrives(
    lectern: World, me: str, paths: tuple[str, str]
) -> None:
    """Announced together, before there was anything; of the second nothing is left."""
    first, second = [(await announced(lectern, user=me, path=path))["uploadUrl"] for path in paths]
    assert (await put(lectern, first, b"%PDF-", "application/pdf")).status_code == 200
    refused = await put(lectern, second, b"%PDF-", "application/pdf")
    assert (refused.status_code, refused.json()["code"]) == (409, "path_taken")
    assert [file["path"] for file in await listed(lectern, {"userId": me})] == [paths[0]]
    kept = Path(lectern.settings["blob_url"].removeprefix("file://")) / "uploads"
    assert len([path for path in kept.rglob("*") if path.is_file()]) == 1


async def test_an_announcement_has_to_make_sense(lectern: World, me: str) -> None:
    for changes, rule in (
        ({"contentType": "pdf"}, "content_type"),
        ({"contentType": "text/plain; charset=utf-8"}, "content_type"),
        ({"contentType": "text/plain\r\nx: y"}, "content_type"),
        ({"byteSize": -1}, "file_size"),
        ({"byteSize": 1_073_741_825}, "file_size"),
    ):
        payload = await announced(lectern, user=me, **changes)
        assert [error["rule"] for error in payload["errors"]] == [rule]


async def test_a_member_stores_for_itself_and_its_groups(lectern: World) -> None:
    """D8: not for other users, other groups or courses, which it cannot see either."""
    await lectern.login(lectern.keys.admin)
    users = await people_of(lectern)
    ours, theirs = await a_group(lectern, lectern.keys.member), await a_group(lectern, lectern.keys.admin)
    course = await a_course(lectern)
    seen = [{"userId": users[lectern.keys.member]}, {"groupId": ours}]
    hidden = [{"userId": users[lectern.keys.admin]}, {"groupId": theirs}, {"courseId": course}]
    files = [await store(lectern, context, "a.txt", b"x") for context in [*seen, *hidden]]

    await lectern.login(lectern.keys.member)

    assert [len(await listed(lectern, context)) for context in [*seen, *hidden]] == [1, 1, 0, 0, 0]
    nodes = [await ask(lectern, "query ($id: ID!) { node(id: $id) { id } }", id=file) for file in files]
    assert [node is not None for node in nodes] == [True, True, False, False, False]
    for context in [*seen, *hidden]:
        payload = await announced(lectern, context=context)
        assert [error["code"] for error in payload["errors"]] == ([] if context in seen else ["NOT_FOUND"])


async def test_the_other_environment_has_files_of_its_own(lectern: World, me: str) -> None:
    """D10: people belong to both, their files do not."""
    await store(lectern, {"userId": me}, "a.txt", b"x")
    test = {"X-Lectern-CSRF": "1", "X-Environment": "test"}
    assert (await lectern.graph(FILES, key="", headers=test, c={"userId": me}))["files"]["totalCount"] == 0


async def test_the_list_goes_by_path(lectern: World, me: str) -> None:
    for path in ("b/a", "a", "b/c"):
        await store(lectern, {"userId": me}, path, b"x")
    query = """query ($c: ContextInput!, $a: String) {
      files(context: $c, first: 2, after: $a) { nodes { path } pageInfo { endCursor hasNextPage } }
    }"""
    first = await ask(lectern, query, c={"userId": me})
    rest = await ask(lectern, query, c={"userId": me}, a=first["pageInfo"]["endCursor"])
    assert [file["path"] for file in [*first["nodes"], *rest["nodes"]]] == ["a", "b/a", "b/c"]
    assert rest["pageInfo"]["hasNextPage"] is False


async def test_a_context_of_two_kinds_is_refused(lectern: World, me: str) -> None:
    """R-CEX-8: HTTP 400."""
    answer = await lectern.post(FILES, key="", headers={"X-Lectern-CSRF": "1"}, c={"userId": me, "groupId": me})
    assert answer.status_code == 400
    await made(
        lectern, "createFileUpload", "file { id }", context={"userId": me}, path="a", contentType="a/b", byteSize=1
    )
