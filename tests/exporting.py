"""How tests export: a course with questions, contexts, uploads, and the package at the end."""

import io
import zipfile
from typing import Any

import httpx

from tests.authoring import HAZARD, title_case
from tests.packages.builders import CASE
from tests.world import World, eventually

EXPORT = """id number exportType workflowState state createdAt completedAt userId user { email } contextId progressUrl
  skipNotifications warnings { code message subject } error { code message } progress { percent phase completedUnits
  totalUnits } attachment { url filename contentType byteSize sha256 expiresAt }"""

QUESTIONS: list[dict[str, Any]] = [
    {**HAZARD, "id": "quiz-1", "title": "Hazards", "explanation": "Whoever knows can act."},
    {
        "question": "Which are tools?",
        "type": "multiple_response",
        "options": ["a", "b", "c"],
        "correctAnswers": ["a", "c"],
    },
    {"question": "Is it safe?", "type": "true_false", "options": ["true", "false"], "correctAnswers": ["false"]},
    {"question": "Capital of France?", "type": "short_answer", "correctAnswers": ["Paris", "Lutetia"]},
    {"question": "Say why.", "type": "short_answer"},
]
LECTURE = '<h2>Look</h2><p>It is <b>simple</b>. <img src="images/exit.png" alt="Exit"></p>'


async def ask(lectern: World, query: str, **variables: Any) -> Any:
    """The answer of the one root field of an operation, with the session of the client."""
    (answer,) = (await lectern.as_user(query, **variables)).values()
    return answer


async def change(lectern: World, mutation: str, selection: str, **input: Any) -> dict[str, Any]:
    """The payload of a mutation, with its errors."""
    document = f"""mutation ($input: {title_case(mutation)}Input!) {{
      {mutation}(input: $input) {{ {selection} errors {{ code message path rule }} }}
    }}"""
    payload: dict[str, Any] = await ask(lectern, document, input=input)
    return payload


async def made(lectern: World, mutation: str, selection: str, **input: Any) -> dict[str, Any]:
    """The payload of a mutation that is expected to succeed."""
    payload = await change(lectern, mutation, selection, **input)
    assert payload["errors"] == []
    return payload


async def a_course(lectern: World, *, aligned: bool = True, lecture: str = LECTURE) -> str:
    """A course of two chapters, three lessons and six questions; the session is an administrator's."""
    about = {"title": "Safety", "curriculumItemIds": [CASE] if aligned else []}
    id = (await made(lectern, "createCourse", "course { id }", **about))["course"]["id"]
    chapters = [
        {"title": "Basics", "lessons": [{"title": "Hazards"}, {"title": "Reports"}]},
        {"title": "More", "lessons": [{"title": "Exits"}]},
    ]
    await made(lectern, "updateCourseCanonical", "course { id }", courseId=id, baseVersion=1, chapters=chapters)
    first = {"lecture": lecture, "quizzes": QUESTIONS, "practice": [{**QUESTIONS[0], "id": "practice-1"}]}
    await made(lectern, "updateLesson", "lesson { id }", courseId=id, sequence=1, **first)
    return str(id)


async def people_of(lectern: World) -> dict[str, str]:
    """The ids of the users, by address."""
    users = await ask(lectern, "{ users { nodes { id email } } }")
    return {user["email"]: user["id"] for user in users["nodes"]}


async def a_group(lectern: World, *emails: str) -> str:
    """A group of these users; the session is an administrator's."""
    known = await people_of(lectern)
    members = [known[email] for email in emails]
    return str((await made(lectern, "createGroup", "group { id }", name="Staff", memberIds=members))["group"]["id"])


async def start(lectern: World, context: dict[str, str], type: str = "common_cartridge", **more: Any) -> dict[str, Any]:
    """A new export."""
    payload = await made(
        lectern, "createContentExport", f"contentExport {{ {EXPORT} }}", context=context, exportType=type, **more
    )
    started: dict[str, Any] = payload["contentExport"]
    return started


async def shown(lectern: World, context: dict[str, str], id: str) -> Any:
    """An export as it is now."""
    query = f"query ($c: ContextInput!, $id: ID!) {{ contentExport(context: $c, id: $id) {{ {EXPORT} }} }}"
    return await ask(lectern, query, c=context, id=id)


async def finished(lectern: World, context: dict[str, str], id: str) -> dict[str, Any]:
    """An export once it is exported or failed."""

    async def look() -> Any:
        now = await shown(lectern, context, id)
        return now if now["workflowState"] in ("exported", "failed") else None

    return dict(await eventually(look, within=30))


async def exported(lectern: World, context: dict[str, str], type: str = "common_cartridge") -> dict[str, Any]:
    """An export that a worker makes, at its end."""
    (export,) = await all_exported(lectern, (context, type))
    return export


async def all_exported(lectern: World, *wanted: tuple[dict[str, str], str]) -> list[dict[str, Any]]:
    """Exports that a worker makes, at their end."""
    started = [(context, (await start(lectern, context, type))["id"]) for context, type in wanted]
    async with lectern.background():
        return [await finished(lectern, context, id) for context, id in started]


async def fetched(lectern: World, url: str, **headers: str) -> httpx.Response:
    """What is behind an address of ours, for whoever has nothing but the address."""
    async with httpx.AsyncClient(transport=lectern.client._transport, base_url="http://gateway.test") as stranger:
        return await stranger.get(url, headers=headers)


async def opened(lectern: World, export: dict[str, Any]) -> zipfile.ZipFile:
    """The package of an export."""
    assert export["workflowState"] == "exported", export["error"]
    answer = await fetched(lectern, export["attachment"]["url"])
    assert answer.status_code == 200
    return zipfile.ZipFile(io.BytesIO(answer.content))


async def put(lectern: World, url: str, data: bytes, content_type: str) -> httpx.Response:
    """Upload bytes to a signed address."""
    return await lectern.client.put(url, content=data, headers={"Content-Type": content_type})


async def store(
    lectern: World, context: dict[str, str], path: str, data: bytes, content_type: str = "text/plain"
) -> str:
    """A stored file, uploaded; answers its id."""
    about = {"context": context, "path": path, "contentType": content_type, "byteSize": len(data)}
    payload = await made(lectern, "createFileUpload", "file { id } uploadUrl", **about)
    assert (await put(lectern, payload["uploadUrl"], data, content_type)).status_code == 200
    return str(payload["file"]["id"])
