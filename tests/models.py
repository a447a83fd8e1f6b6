"""A chat completion service on loopback: it speaks the protocol, and can fail in every way."""

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import Any, Self

import orjson
from aiohttp import web

KEY = "sk-local-0123456789"
MODEL = "scribe-1"
TOKENS = {"prompt_tokens": 100, "completion_tokens": 40, "total_tokens": 140}

Reply = web.StreamResponse
Fault = Callable[["Model", web.Request], Any]
"""What the service does instead of writing; answers the response, or None to write all the same."""


class Model:
    """Listens on a free port while entered; `faults` are for the requests to come, in order."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.faults: list[Fault] = []
        self.hanging = asyncio.Event()
        self._released = asyncio.Event()

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_post("/v1/chat/completions", self._complete)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/v1"  # type: ignore[union-attr]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._released.set()
        await self._runner.cleanup()

    def settings(self, **others: Any) -> dict[str, Any]:
        """What a background process is told of it."""
        return {"model_url": self.url, "model_key": KEY, "model_name": MODEL, **others}

    async def hang(self) -> None:
        """As long as the service is there."""
        self.hanging.set()
        await self._released.wait()

    async def _complete(self, request: web.Request) -> Reply:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"error": {"message": f"Incorrect API key: {KEY}"}}, status=401)
        body = orjson.loads(await request.read())
        check(body)
        self.requests.append(body)
        if self.faults:
            answer = self.faults.pop(0)(self, request)
            reply: Reply | None = await answer if asyncio.iscoroutine(answer) else answer
            if reply is not None:
                return reply
        return said(orjson.dumps(write(body)).decode())


def said(text: str | None, reason: str = "stop", **message: Any) -> web.Response:
    """An answer as the protocol has it."""
    choice = {
        "index": 0,
        "finish_reason": reason,
        "message": {"role": "assistant", "content": text, "refusal": None, **message},
    }
    return web.json_response({"object": "chat.completion", "model": MODEL, "choices": [choice], "usage": TOKENS})


def check(body: dict[str, Any]) -> None:
    """What services refuse: unknown roles, blank messages, and schemas that strict structured outputs do not take."""
    assert body["model"] == MODEL
    roles = [message["role"] for message in body["messages"]]
    assert roles[:2] == ["system", "user"]
    assert all(message["content"] for message in body["messages"])
    form = body["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["strict"] is True
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", form["json_schema"]["name"])
    for node in nodes(form["json_schema"]["schema"]):
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
            assert set(node["required"]) == set(node["properties"])


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object of a schema."""
    if isinstance(schema, dict):
        yield schema
    for below in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from nodes(below)


def write(body: dict[str, Any]) -> dict[str, Any]:
    """What the last commission asks for, as somebody writes who reads numbers and nothing else."""
    text = body["messages"][1]["content"]
    counts = {name: int(number) for number, name in re.findall(r"exactly (\d+) (\w+)", text)}
    known = len(re.findall(r"^- ", text, re.MULTILINE))
    about = {"description": "Written by a model."}
    lecture = {"lecture": "<h2>Exits</h2><p onclick='x()'>Know them.</p><script>alert(1)</script>"}
    quizzes = {"quizzes": questions(counts.get("quizzes", 0))}
    match body["response_format"]["json_schema"]["name"]:
        case "WrittenModule":
            return {**about, **lecture, **quizzes}
        case "WrittenLesson":
            return {**about, **lecture, **quizzes, "practice": questions(counts.get("exercises", 0), 100)}
        case "WrittenOutline":
            return {**about, "chapters": list(chapters(counts["lessons"]))}
        case "WrittenVideo":
            return {**about, "scenes": [scene(number) for number in range(1, counts["scenes"] + 1)]}
        case "WrittenDeck":
            return {**about, "slides": [slide(number) for number in range(1, counts["slides"] + 1)]}
        case "WrittenItems":
            return {**about, "items": questions(counts["items"], known)}
    raise AssertionError("nobody asks for this")


def questions(count: int, after: int = 0) -> list[dict[str, Any]]:
    """So many different ones, of every type."""
    forms: list[tuple[str, list[str], list[str]]] = [
        ("multiple-choice", ["Red", "Green", "Blue"], ["Green"]),
        ("multiple-response", ["Red", "Green", "Blue"], ["Green", "Blue"]),
        ("true-false", ["True", "False"], ["True"]),
        ("short-answer", [], ["Green", "Dark green"]),
    ]
    return [
        {
            "question": f"Which colour does exit {number} have?",
            "type": form,
            "options": options,
            "correctAnswers": right,
            "explanation": "The signs say so.",
        }
        for number in range(after + 1, after + count + 1)
        for form, options, right in [forms[number % len(forms)]]
    ]


def chapters(lessons: int) -> Iterator[dict[str, Any]]:
    """Two lessons in each."""
    for first in range(1, lessons + 1, 2):
        planned = [
            {"title": f"Lesson {number}", "covers": f"Part {number}."}
            for number in range(first, min(first + 2, lessons + 1))
        ]
        yield {"title": f"Chapter from {first}", "description": "Two lessons.", "lessons": planned}


def scene(number: int) -> dict[str, str]:
    """A short one."""
    return {"script": f"This is scene {number}. " * number, "displayText": f"Scene {number}", "visualType": "text"}


def slide(number: int) -> dict[str, Any]:
    """With markup that is text."""
    return {"heading": f"Slide {number} & <more>", "points": ["One", "Two <b>"]}
