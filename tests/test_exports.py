"""Content exports through the front door: R-CEX-1 to R-CEX-19, R-IMP-7, R-IMP-15, D8, D9."""

import asyncio
import io
import json
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from storage import jobs, uploads
from storage.blobs import Blobs
from storage.packages.outcomes import Failure
from storage.packages.package import read_package
from storage.presign import Permission, Presigner, Purpose
from storage.retention import Housekeeping
from storage.tables import Attachment, Job, Resource, StoredFile
from storage.tables.columns import now
from tests.exporting import (
    EXPORT,
    QUESTIONS,
    a_course,
    a_group,
    all_exported,
    ask,
    change,
    exported,
    fetched,
    finished,
    made,
    opened,
    people_of,
    shown,
    start,
    store,
)
from tests.receivers import Receiver
from tests.world import SECRET, World, eventually

LIST = f"""query ($c: ContextInput!, $after: String) {{
  contentExports(context: $c, first: 2, after: $after) {{ totalCount nodes {{ {EXPORT} }} pageInfo {{ endCursor }} }}
}}"""


@pytest.fixture
async def course(lectern: World) -> dict[str, str]:
    """A course as a context; an administrator is signed in."""
    await lectern.login(lectern.keys.admin)
    return {"courseId": await a_course(lectern)}


async def test_an_export_is_created_first(lectern: World, course: dict[str, str]) -> None:
    """R-CEX-2, R-CEX-3, R-CEX-4, R-CEX-6, R-CEX-7, R-CEX-11: nothing runs in the web process."""
    before = datetime.now(UTC) - timedelta(seconds=1)
    export = await start(lectern, course, "qti")
    assert (export["workflowState"], export["state"], export["attachment"]) == ("created", "QUEUED", None)
    assert (export["exportType"], export["contextId"]) == ("qti", course["courseId"])
    assert before < datetime.fromisoformat(export["createdAt"]) < datetime.now(UTC)
    assert export["createdAt"].endswith("Z")
    assert export["userId"] == (await people_of(lectern))[lectern.keys.admin]
    assert export["user"] == {"email": lectern.keys.admin}
    assert export["skipNotifications"] is False


async def test_a_cartridge_holds_the_whole_course(lectern: World, course: dict[str, str]) -> None:
    """R-CEX-4, R-CEX-13: *.imscc with the manifest at its root; the download has the hash that was told."""
    await store(lectern, course, "images/exit.png", b"\x89PNG", "image/png")
    export = await exported(lectern, course)
    assert (export["workflowState"], export["state"]) == ("exported", "COMPLETED")
    assert export["progress"]["percent"] == 100
    attachment = export["attachment"]
    assert attachment["filename"] == "Safety.imscc"
    download = await fetched(lectern, attachment["url"])
    assert sha256(download.content).hexdigest() == attachment["sha256"]
    assert len(download.content) == attachment["byteSize"]
    assert 'filename="Safety.imscc"' in download.headers["content-disposition"]
    with await opened(lectern, export) as package:
        assert package.namelist()[0] == "imsmanifest.xml"
        assert package.read("web_resources/images/exit.png") == b"\x89PNG"
        assert b'src="../../web_resources/images/exit.png"' in package.read("lessons/000001/page.html")
    assert export["warnings"] == []


async def test_a_qti_package_has_one_item_for_every_question(lectern: World, course: dict[str, str]) -> None:
    """R-CEX-14."""
    export = await exported(lectern, course, "qti")
    assert export["attachment"]["filename"] == "Safety.zip"
    with await opened(lectern, export) as package:
        items = [name for name in package.namelist() if re.fullmatch(r"lessons/\d+/(quiz|practice)/\w+\.xml", name)]
    assert len(items) == len(QUESTIONS) + 1


async def test_a_course_without_quizzes_has_nothing_for_qti(lectern: World) -> None:
    """R-CEX-14: failed, EXPORT_EMPTY; an attachment is never made."""
    await lectern.login(lectern.keys.admin)
    id = (await made(lectern, "createCourse", "course { id }", title="Empty"))["course"]["id"]
    wanted = [({"courseId": id}, type) for type in ("qti", "common_cartridge", "zip")]
    for export in await all_exported(lectern, *wanted):
        assert (export["workflowState"], export["error"]["code"]) == ("failed", "EXPORT_EMPTY")
        assert export["attachment"] is None


async def test_a_zip_holds_the_files_in_their_folders(lectern: World, course: dict[str, str]) -> None:
    """R-CEX-15: byte for byte, with a manifest of checksums; of a course its content, too."""
    contents = {"images/exit.png": b"\x89PNG", "a b/notes.txt": "Grüße".encode(), "empty": b""}
    ids = {path: await store(lectern, course, path, data) for path, data in contents.items()}
    with await opened(lectern, await exported(lectern, course, "zip")) as package:
        manifest = {entry["path"]: entry for entry in json.loads(package.read("manifest.json"))["files"]}
        assert set(manifest) == set(package.namelist()) - {"manifest.json"}
        for path, data in contents.items():
            assert package.read(f"files/{path}") == data
            expected = {"path": f"files/{path}", "size": len(data), "sha256": sha256(data).hexdigest()}
            assert manifest[f"files/{path}"] == {**expected, "id": ids[path]}
        for path, entry in manifest.items():
            assert entry["sha256"] == sha256(package.read(path)).hexdigest()
        outline = json.loads(package.read("content/course.json"))
        questions = json.loads(package.read("content/lessons/000001/questions.json"))
    assert [chapter["title"] for chapter in outline["chapters"]] == ["Basics", "More"]
    assert questions["quizzes"][0]["id"] == "quiz-1"
    assert [quiz["type"] for quiz in questions["quizzes"]][:2] == ["multiple-choice", "multiple-response"]


async def test_groups_and_users_become_zips_of_their_files(lectern: World) -> None:
    """R-CEX-15."""
    await lectern.login(lectern.keys.admin)
    contexts = [{"groupId": await a_group(lectern, lectern.keys.admin)}]
    contexts.append({"userId": (await people_of(lectern))[lectern.keys.member]})
    for context in contexts:
        await store(lectern, context, "plans/a.txt", b"x")
    for export in await all_exported(lectern, *((context, "zip") for context in contexts)):
        with await opened(lectern, export) as package:
            assert package.namelist() == ["manifest.json", "files/plans/a.txt"]


async def test_only_courses_become_packages(lectern: World) -> None:
    """R-CEX-16: UNSUPPORTED_EXPORT_TYPE, and no job."""
    await lectern.login(lectern.keys.admin)
    contexts = [{"groupId": await a_group(lectern)}, {"userId": (await people_of(lectern))[lectern.keys.admin]}]
    for context in contexts:
        for type in ("common_cartridge", "qti"):
            payload = await change(
                lectern, "createContentExport", "contentExport { id }", context=context, exportType=type
            )
            assert payload["contentExport"] is None
            assert [error["code"] for error in payload["errors"]] == ["UNSUPPORTED_EXPORT_TYPE"]
        assert (await ask(lectern, LIST, c=context))["totalCount"] == 0


async def test_what_the_format_cannot_hold_is_told(lectern: World) -> None:
    """D8: never a silent loss."""
    await lectern.login(lectern.keys.admin)
    course = await a_course(lectern, aligned=False, lecture='<p><a href="gone.pdf">x</a></p>')
    await store(lectern, {"courseId": course}, "data.xml", b"<open>", "text/xml")
    export = await exported(lectern, {"courseId": course})
    assert export["state"] == "COMPLETED"
    codes = [(warning["code"], warning["subject"][:7]) for warning in export["warnings"]]
    assert codes == [("file_renamed", "file_06"), ("not_aligned", "course_"), ("file_unknown", "lesson_")]
    with await opened(lectern, export) as package:
        assert package.read("web_resources/data.xml.txt") == b"<open>"


async def test_every_system_can_unpack_what_people_store(lectern: World, course: dict[str, str]) -> None:
    """R-CEX-15: a name that some system refuses is changed, which is told; nothing is under another's name."""
    changed = {
        "con/AUX.txt": "con_/AUX_.txt",
        "end. /dots..": "end__/dots__",
        "what: a \u202egpj?.exe": "what_ a _gpj_.exe",
        "photo.JPG": "photo (2).JPG",
        "PLAN": "PLAN (2)",
        f"{'deep/' * 60}{'é' * 100}.pdf": f"{'deep/' * 20}{'é' * 48}.pdf",
    }
    paths = ["Photo.jpg", "plan/a.txt", "console.txt", "مرحبا/😀.txt", *changed]
    ids = {path: await store(lectern, course, path, path.encode()) for path in paths}
    for export in await all_exported(lectern, (course, "zip"), (course, "common_cartridge")):
        folder = "files" if export["exportType"] == "zip" else "web_resources"
        with await opened(lectern, export) as package:
            for path in paths:
                assert package.read(f"{folder}/{changed.get(path, path)}") == path.encode()
            names = [name.casefold() for name in package.namelist()]
            if folder == "files":
                manifest = json.loads(package.read("manifest.json"))["files"]
                told = {entry["storedPath"]: entry["path"] for entry in manifest if "storedPath" in entry}
                assert told == {path: f"files/{place}" for path, place in changed.items()}
        assert len(set(names)) == len(names)
        warned = {each["subject"] for each in export["warnings"] if each["code"] == "file_renamed"}
        assert warned == {ids[path] for path in changed}


async def test_a_file_whose_bytes_are_lost_is_left_out(lectern: World, course: dict[str, str]) -> None:
    """One bad object never aborts an export."""
    lost = await store(lectern, course, "lost.txt", b"x")
    await store(lectern, course, "there.txt", b"x")
    async with lectern.database.snapshot() as session:
        row = await session.get_one(StoredFile, lost)
    await Blobs(lectern.settings["blob_url"]).delete(row.key or "")
    export = await exported(lectern, course, "zip")
    assert [(warning["code"], warning["subject"]) for warning in export["warnings"][:1]] == [("file_lost", "lost.txt")]
    with await opened(lectern, export) as package:
        assert "files/there.txt" in package.namelist()
        assert "files/lost.txt" not in package.namelist()


async def test_two_exports_of_the_same_content_are_equal(lectern: World, course: dict[str, str]) -> None:
    await store(lectern, course, "a.txt", b"x" * 1000)
    wanted = [(course, type) for type in ("common_cartridge", "qti", "zip")]
    exports = await all_exported(lectern, *wanted, *wanted)
    sums = [export["attachment"]["sha256"] for export in exports]
    assert sums[:3] == sums[3:]
    assert len(set(sums)) == 3


async def test_numbers_grow_and_the_newest_comes_first(lectern: World, course: dict[str, str]) -> None:
    """R-CEX-1, R-CEX-8, R-CEX-9: past and pending ones, of this context only."""
    done = await exported(lectern, course)
    user = {"userId": done["userId"]}
    pending = [await start(lectern, course), await start(lectern, user, "zip"), await start(lectern, course, "zip")]
    assert [export["number"] for export in [done, *pending]] == [1, 2, 3, 4]
    first = await ask(lectern, LIST, c=course)
    rest = await ask(lectern, LIST, c=course, after=first["pageInfo"]["endCursor"])
    listed = [*first["nodes"], *rest["nodes"]]
    assert [export["number"] for export in listed] == [4, 2, 1]
    assert [export["workflowState"] for export in listed] == ["created", "created", "exported"]
    assert (first["totalCount"], (await ask(lectern, LIST, c=user))["totalCount"]) == (3, 1)


async def test_equal_requests_at_once_get_different_numbers(lectern: World, course: dict[str, str]) -> None:
    """R-CEX-1."""
    exports = await asyncio.gather(*(start(lectern, course) for _ in range(8)))
    assert sorted(export["number"] for export in exports) == list(range(1, 9))


async def test_an_export_is_shown_under_its_own_context_only(lectern: World, course: dict[str, str]) -> None:
    """R-CEX-10."""
    export = await start(lectern, course)
    assert await shown(lectern, course, export["id"]) == export
    assert await shown(lectern, {"userId": export["userId"]}, export["id"]) is None
    assert await shown(lectern, {"courseId": await a_course(lectern)}, export["id"]) is None
    assert await shown(lectern, {"groupId": course["courseId"]}, export["id"]) is None
    assert await ask(lectern, "query ($id: ID!) { job(id: $id) { kind } }", id=export["id"]) == {
        "kind": "CONTENT_EXPORT"
    }


@pytest.mark.parametrize(
    "input",
    [
        {"context": {"courseId": "x"}},
        {"context": {"courseId": "x"}, "exportType": "pdf"},
        {"context": {"courseId": "x", "userId": "y"}, "exportType": "zip"},
        {"context": {}, "exportType": "zip"},
    ],
)
async def test_what_makes_no_sense_is_no_request(lectern: World, input: dict[str, Any]) -> None:
    """R-CEX-8, R-CEX-12: HTTP 400, nothing executed."""
    await lectern.login(lectern.keys.admin)
    query = """mutation ($input: CreateContentExportInput!) {
      createContentExport(input: $input) { contentExport { id } }
    }"""
    assert (await lectern.post(query, key="", headers={"X-Lectern-CSRF": "1"}, input=input)).status_code == 400


async def test_progress_is_polled_as_the_progress_api_tells_it(lectern: World, course: dict[str, str]) -> None:
    """R-CEX-5: with the session alone, and the same percent as in the graph."""
    export = await start(lectern, course)
    path = urlsplit(export["progressUrl"]).path
    waiting = await lectern.client.get(path)
    assert waiting.headers["content-type"] == "application/json"
    assert waiting.json() == {
        "id": export["id"],
        "context_id": course["courseId"],
        "user_id": export["userId"],
        "tag": "content_export",
        "completion": 0.0,
        "workflow_state": "queued",
        "seconds_remaining": None,
        "message": None,
        "created_at": export["createdAt"],
        "updated_at": waiting.json()["updated_at"],
        "url": export["progressUrl"],
    }
    async with lectern.background():
        done = await finished(lectern, course, export["id"])
    told = (await lectern.client.get(path)).json()
    assert (told["workflow_state"], told["completion"]) == ("completed", done["progress"]["percent"])
    follow = "subscription ($id: ID!) { jobProgress(jobId: $id, after: 0) { state progress { percent } } }"
    headers = {"X-Lectern-CSRF": "1", "Accept": "text/event-stream"}
    stream = await lectern.post(follow, key="", headers=headers, id=export["id"])
    data = [json.loads(line[6:]) for line in stream.text.splitlines() if line.startswith("data: {")]
    steps = [each["data"]["jobProgress"] for each in data]
    assert (steps[0]["state"], steps[-1]["state"]) == ("QUEUED", "COMPLETED")
    percents = [step["progress"]["percent"] for step in steps]
    assert percents == sorted(percents)
    assert percents[-1] == told["completion"] == 100


async def test_progress_is_for_those_who_may_read_the_job(lectern: World, course: dict[str, str]) -> None:
    """R-CEX-5: 401 without a credential, 404 for everybody else."""
    path = urlsplit((await start(lectern, course))["progressUrl"]).path
    key = {"Authorization": f"Bearer {lectern.keys.content}"}
    assert (await lectern.client.get(path, headers=key)).status_code == 404
    assert (await lectern.client.get(path, headers={"Authorization": "Bearer nonsense"})).status_code == 401
    await lectern.login(lectern.keys.member)
    assert (await lectern.client.get(path)).status_code == 404
    lectern.client.cookies.clear()
    nobody = await lectern.client.get(path)
    assert (nobody.status_code, nobody.json()["code"]) == (401, "unauthenticated")
    assert nobody.headers["www-authenticate"] == "Bearer"


async def test_progress_of_other_jobs_has_no_context(lectern: World) -> None:
    """R-CEX-5, HTTP.md: any job that the credential may read."""
    query = 'mutation { createModule(input: {title: "x", prompt: "x"}) { job { id } } }'
    job = (await lectern.graph(query))["createModule"]["job"]
    headers = {"Authorization": f"Bearer {lectern.keys.content}"}
    told = (await lectern.client.get(f"/api/v1/progress/{job['id']}", headers=headers)).json()
    assert (told["tag"], told["context_id"], told["user_id"]) == ("generation", None, None)


async def test_an_address_is_fresh_and_expires(lectern: World, course: dict[str, str]) -> None:
    """R-CEX-4, R-CEX-17: a new signed URL on each read; tampered 403, expired 410."""
    export = await exported(lectern, course)
    first = export["attachment"]
    assert datetime.fromisoformat(first["expiresAt"]) <= datetime.now(UTC) + timedelta(minutes=10)
    url = first["url"]
    assert (await fetched(lectern, url, Range="bytes=0-3")).content == b"PK\x03\x04"
    tampered = await fetched(lectern, url[:-1] + ("a" if url[-1] != "a" else "b"))
    assert (tampered.status_code, tampered.json()["code"]) == (403, "signature_invalid")
    presigner = Presigner([SECRET])
    permission = presigner.read(Purpose.DOWNLOAD, url.rpartition("/")[2])
    over = Permission.lasting(permission.workspace_id, permission.object_id, timedelta(seconds=-1))
    expired = await fetched(lectern, f"/downloads/{presigner.code(Purpose.DOWNLOAD, over)}")
    assert (expired.status_code, expired.json()["code"]) == (410, "expired")

    async def later() -> Any:
        again = (await shown(lectern, course, export["id"]))["attachment"]
        return again if again["expiresAt"] > first["expiresAt"] else None

    again = await eventually(later)
    assert again["url"] != url


async def test_a_package_is_removed_after_its_retention(lectern: World, course: dict[str, str]) -> None:
    """LECTERN_EXPORT_DAYS: then the attachment is null, and the bytes are gone."""
    export = await exported(lectern, course)
    async with lectern.database.snapshot() as session:
        row = (await session.scalars(select(Attachment))).one()
    assert row.expires_at is not None
    assert timedelta(days=29, hours=23) < row.expires_at - now() < timedelta(days=30)
    blobs = Blobs(lectern.settings["blob_url"])
    assert await Housekeeping(lectern.database, blobs).sweep() == {}

    async with lectern.database.transaction() as changing:
        await changing.execute(update(Attachment).values(expires_at=now()))

    assert (await fetched(lectern, export["attachment"]["url"])).status_code == 404
    assert (await shown(lectern, course, export["id"]))["attachment"] is None
    assert await blobs.has(row.key)
    assert await Housekeeping(lectern.database, blobs).sweep() == {"attachments": 1}
    assert not await blobs.has(row.key)
    assert (await shown(lectern, course, export["id"]))["workflowState"] == "exported"


async def test_what_was_replaced_or_never_came_is_removed_a_day_later(lectern: World, course: dict[str, str]) -> None:
    await store(lectern, course, "a.txt", b"one")
    await store(lectern, course, "a.txt", b"two")
    about = {"context": course, "path": "b", "contentType": "a/b", "byteSize": 1}
    awaited = (await made(lectern, "createFileUpload", "file { id }", **about))["file"]["id"]
    blobs = Blobs(lectern.settings["blob_url"])
    await blobs.put(f"{uploads.folder(awaited)}died", pieces_of(b"x"))
    assert await Housekeeping(lectern.database, blobs).sweep() == {}
    async with lectern.database.transaction() as session:
        yesterday = now() - timedelta(days=1, minutes=1)
        await session.execute(update(StoredFile).values(upload_expires_at=yesterday))
        replaced = update(StoredFile).where(col(StoredFile.replaced_at).is_not(None))
        await session.execute(replaced.values(replaced_at=yesterday))
    assert await Housekeeping(lectern.database, blobs).sweep() == {"stored_files": 2}
    assert not await blobs.has(f"{uploads.folder(awaited)}died"), "the bytes of an upload that died before its commit"
    with await opened(lectern, await exported(lectern, course, "zip")) as package:
        assert package.read("files/a.txt") == b"two"


async def test_the_files_of_a_deleted_course_go_with_it(lectern: World, course: dict[str, str]) -> None:
    """D3: a month later; whoever reads one of them then has another day."""
    file = await store(lectern, course, "a.txt", b"x")
    async with lectern.database.snapshot() as session:
        key = (await session.get_one(StoredFile, file)).key or ""
    await made(lectern, "deleteResource", "deletedId", id=course["courseId"])
    blobs = Blobs(lectern.settings["blob_url"])
    for table, changes, removed in (
        (Resource, {"deleted_at": now() - timedelta(days=31)}, "resources"),
        (StoredFile, {"replaced_at": now() - timedelta(days=1, minutes=1)}, "stored_files"),
    ):
        assert await blobs.has(key)
        async with lectern.database.transaction() as changing:
            await changing.execute(update(table).values(**changes))
        assert await Housekeeping(lectern.database, blobs).sweep() == {removed: 1}
    assert not await blobs.has(key)


async def pieces_of(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_the_same_key_is_the_same_export(lectern: World, course: dict[str, str]) -> None:
    """R-IDM-2."""
    input = {"context": course, "exportType": "qti", "idempotencyKey": "nightly"}
    selection = "contentExport { id number idempotencyKey } replayed"
    first, again = [await made(lectern, "createContentExport", selection, **input) for _ in range(2)]
    assert again["contentExport"] == first["contentExport"]
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert first["contentExport"]["idempotencyKey"] == "nightly"
    other = await change(lectern, "createContentExport", selection, **{**input, "exportType": "zip"})
    assert [error["code"] for error in other["errors"]] == ["IDEMPOTENCY_CONFLICT"]
    assert other["contentExport"] == first["contentExport"]


async def test_a_course_is_exported_by_administrators_only(lectern: World, course: dict[str, str]) -> None:
    """D8: it holds answers. For a member it does not exist, and neither do its exports."""
    export = await start(lectern, course)
    await lectern.login(lectern.keys.member)
    payload = await change(
        lectern, "createContentExport", "contentExport { id }", context=course, exportType="common_cartridge"
    )
    assert [(error["code"], error["path"]) for error in payload["errors"]] == [("NOT_FOUND", ["input", "context"])]
    assert (await ask(lectern, LIST, c=course))["totalCount"] == 0
    assert await shown(lectern, course, export["id"]) is None
    assert await ask(lectern, "query ($id: ID!) { node(id: $id) { id } }", id=export["id"]) is None
    for key in (lectern.keys.content, lectern.keys.workspace):
        answer = await lectern.post(LIST, key=key, c=course)
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")


async def test_a_member_sees_the_exports_it_started(lectern: World) -> None:
    """R-IMP-15, D8: of itself and its groups; an administrator sees all of a context."""
    await lectern.login(lectern.keys.admin)
    group = {"groupId": await a_group(lectern, lectern.keys.admin, lectern.keys.member)}
    member = {"userId": (await people_of(lectern))[lectern.keys.member]}
    theirs = await start(lectern, group, "zip")
    hidden = [{"groupId": await a_group(lectern)}, {"userId": theirs["userId"]}]

    await lectern.login(lectern.keys.member)
    own = [await start(lectern, context, "zip") for context in (group, member)]
    for context in hidden:
        payload = await change(lectern, "createContentExport", "errors { code }", context=context, exportType="zip")
        assert [error["code"] for error in payload["errors"]] == ["NOT_FOUND"]
    assert [export["number"] for export in (await ask(lectern, LIST, c=group))["nodes"]] == [2]
    assert await shown(lectern, group, own[0]["id"]) == own[0]
    assert await shown(lectern, group, theirs["id"]) is None
    jobs = await ask(lectern, "{ jobs { nodes { id } } }")
    assert {job["id"] for job in jobs["nodes"]} == {export["id"] for export in own}
    assert await ask(lectern, "query ($id: ID!) { job(id: $id) { id } }", id=theirs["id"]) is None
    for mutation in ("cancelJob", "retryJob"):
        payload = await change(lectern, mutation, "job { id }", jobId=theirs["id"])
        assert [error["code"] for error in payload["errors"]] == ["NOT_FOUND"]

    await lectern.login(lectern.keys.admin)
    assert [export["number"] for export in (await ask(lectern, LIST, c=group))["nodes"]] == [2, 1]
    assert await shown(lectern, group, own[0]["id"]) == own[0]
    assert (await ask(lectern, LIST, c=member))["totalCount"] == 1


async def test_every_end_is_a_webhook(lectern: World, course: dict[str, str]) -> None:
    """R-CEX-18, D9, HTTP.md section 3: export.completed and export.failed, with and without notifications."""
    async with Receiver() as receiver:
        about = {"url": receiver.url, "events": ["EXPORT_COMPLETED", "EXPORT_FAILED"]}
        await made(lectern, "createWebhookEndpoint", "endpoint { id }", **about)
        done = await start(lectern, course, skipNotifications=True)
        failed = await start(lectern, {"userId": done["userId"]}, "zip")
        async with lectern.background():
            done = await finished(lectern, course, done["id"])
            failed = await finished(lectern, {"userId": done["userId"]}, failed["id"])
            await receiver.wait(2)
    bodies = {body["type"]: body for body in (json.loads(request.body) for request in receiver.requests)}
    assert len(receiver.requests) == 2
    envelope = {"id", "type", "timestamp", "environment", "subjectId", "sequence"}
    told = bodies["export.completed"]
    assert {key: told[key] for key in told.keys() - envelope} == {
        "jobId": done["id"],
        "number": done["number"],
        "exportType": "common_cartridge",
        "workflowState": "exported",
        "contextId": course["courseId"],
        "userId": done["userId"],
        "skipNotifications": True,
        "completedAt": done["completedAt"],
    }
    told = bodies["export.failed"]
    assert (told["workflowState"], told["error"], told["skipNotifications"]) == ("failed", failed["error"], False)
    assert failed["error"] == {"code": "EXPORT_EMPTY", "message": "There are no files."}
    query = "{ viewer { notifications { nodes { contentExport { id } } } } }"
    notified = (await ask(lectern, query))["notifications"]["nodes"]
    assert notified == [{"contentExport": {"id": failed["id"]}}]


async def test_an_export_can_be_cancelled_and_made_again(lectern: World, course: dict[str, str]) -> None:
    """R-IMP-7: cancelled it has failed, in the words of the API; made again it is exported."""
    export = await start(lectern, course)
    await made(lectern, "cancelJob", "job { state }", jobId=export["id"])
    cancelled = await shown(lectern, course, export["id"])
    assert (cancelled["workflowState"], cancelled["error"]["code"]) == ("failed", "CANCELED")
    await made(lectern, "retryJob", "job { state attempt }", jobId=export["id"])
    async with lectern.background():
        done = await finished(lectern, course, export["id"])
    assert (done["workflowState"], done["number"], done["error"]) == ("exported", export["number"], None)
    for mutation in ("cancelJob", "retryJob"):
        payload = await change(lectern, mutation, "job { id }", jobId=export["id"])
        assert [error["code"] for error in payload["errors"]] == ["JOB_STATE_INVALID"]


async def test_a_running_export_stops_within_two_seconds_and_leaves_nothing(lectern: World) -> None:
    """R-IMP-7."""
    await lectern.login(lectern.keys.admin)
    me = {"userId": (await people_of(lectern))[lectern.keys.admin]}
    for number in range(3):
        await store(lectern, me, f"{number}.bin", bytes(40_000_000))
    export = await start(lectern, me, "zip")

    async def running() -> Any:
        found = await shown(lectern, me, export["id"])
        return found if found["workflowState"] == "exporting" else None

    async with lectern.background():
        assert (await eventually(running))["attachment"] is None
        began = time.monotonic()
        await made(lectern, "cancelJob", "job { state }", jobId=export["id"])
        ended = await finished(lectern, me, export["id"])
    assert time.monotonic() - began < 2
    assert ended["state"] == "CANCELED"
    kept = Path(lectern.settings["blob_url"].removeprefix("file://")) / "jobs"
    assert not [path for path in kept.rglob("*") if path.is_file()]


async def test_an_export_whose_worker_died_is_made_by_the_next(lectern: World, course: dict[str, str]) -> None:
    """The same bytes as ever, told once; of what the dead one had written nothing is left."""
    export, other = [await start(lectern, course) for _ in range(2)]
    blobs = Blobs(lectern.settings["blob_url"])
    async with lectern.database.transaction() as session:
        claimed = await jobs.claim(session, export["id"])
        assert claimed is not None
    await blobs.put(f"jobs/{export['id']}/{claimed.attempt}/package", pieces_of(b"half of it"))
    async with lectern.database.transaction() as session:
        over = update(Job).where(col(Job.id) == export["id"]).values(due_at=now() - timedelta(seconds=1))
        await session.execute(over)
    async with lectern.background():
        done, same = [await finished(lectern, course, each["id"]) for each in (export, other)]
    assert done["workflowState"] == "exported"
    assert done["attachment"]["sha256"] == same["attachment"]["sha256"]
    kept = Path(lectern.settings["blob_url"].removeprefix("file://")) / "jobs" / export["id"]
    assert [path.stat().st_size for path in kept.rglob("*") if path.is_file()] == [done["attachment"]["byteSize"]]
    query = "{ viewer { notifications { totalCount } } }"
    assert (await ask(lectern, query))["notifications"]["totalCount"] == 2


async def test_deleting_a_course_cancels_its_exports(lectern: World, course: dict[str, str]) -> None:
    export = await start(lectern, course)
    await made(lectern, "deleteResource", "deletedId", id=course["courseId"])
    job = await ask(lectern, "query ($id: ID!) { job(id: $id) { state } }", id=export["id"])
    assert job == {"state": "CANCELED"}
    assert await shown(lectern, course, export["id"]) is None


async def test_what_changes_meanwhile_does_not_tear_an_export(lectern: World, course: dict[str, str]) -> None:
    """Both passes see the same course: the manifest lists what is there, and nothing else."""

    async def edit() -> None:
        for number in range(30):
            chapters = [{"title": f"{number}", "lessons": [{"title": f"{number}-{one}"} for one in range(5)]}]
            query = "query ($id: ID!) { course(id: $id) { version } }"
            version = (await ask(lectern, query, id=course["courseId"]))["version"]
            about = {"courseId": course["courseId"], "baseVersion": version, "removeMissing": True}
            await made(lectern, "updateCourseCanonical", "course { id }", chapters=chapters, **about)

    exports = [await start(lectern, course) for _ in range(5)]
    async with lectern.background():
        editing = asyncio.create_task(edit())
        done = [await finished(lectern, course, export["id"]) for export in exports]
        await editing
    for export in done:
        content = (await fetched(lectern, export["attachment"]["url"])).content
        package = read_package(io.BytesIO(content))
        assert not [each for each in package.outcomes() if isinstance(each, Failure)]
