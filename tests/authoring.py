"""How tests write resources: one call per mutation, with what a sample of each kind looks like."""

from typing import Any

from tests.world import World, eventually

KINDS = ["module", "course", "video", "slide", "test"]

SEED: dict[str, dict[str, Any]] = {
    "module": {
        "title": "Introduction to safety",
        "prompt": "Create an interactive lesson about workplace safety basics.",
        "language": "en",
        "type": "markdown",
        "hasQuiz": True,
    },
    "course": {
        "title": "Customer onboarding",
        "prompt": "Create a 5 lesson onboarding course for customer success teams.",
        "language": "en",
        "lessonCount": 5,
        "hasQuiz": True,
        "hasPractice": True,
    },
    "video": {
        "title": "Safety summary",
        "prompt": "Create a 60 second summary video for workplace safety.",
        "language": "en",
        "sceneCount": 5,
        "aspectRatio": "16:9",
        "targetDurationSeconds": 60,
    },
    "slide": {
        "title": "Safety training",
        "prompt": "Create a 10 slide workplace safety training deck.",
        "language": "en",
        "slideCount": 10,
        "theme": "minimal",
    },
    "test": {
        "title": "Safety check",
        "prompt": "Create a 10 question safety assessment.",
        "language": "en",
        "itemCount": 10,
        "timeLimit": 20,
    },
}
"""The create requests of the Content Resource document, field by field."""

HAZARD: dict[str, Any] = {
    "question": "What should you do when you see a hazard?",
    "type": "multiple_choice",
    "options": ["Ignore it", "Report it", "Hide it"],
    "correctAnswers": ["Report it"],
}
"""A sound question."""


def title_case(name: str) -> str:
    return name[0].upper() + name[1:]


async def call(
    lectern: World, mutation: str, selection: str, *, key: str | None = None, **input: Any
) -> dict[str, Any]:
    """The payload of a mutation, with its errors."""
    document = f"""mutation ($input: {title_case(mutation)}Input!) {{
      {mutation}(input: $input) {{ {selection} errors {{ code message path rule }} }}
    }}"""
    payload: dict[str, Any] = (await lectern.graph(document, key=key, input=input))[mutation]
    return payload


async def done(lectern: World, mutation: str, selection: str, **input: Any) -> dict[str, Any]:
    """The payload of a mutation that is expected to succeed."""
    payload = await call(lectern, mutation, selection, **input)
    assert payload["errors"] == []
    return payload


async def create(lectern: World, kind: str, selection: str = "id", *, key: str | None = None, **input: Any) -> Any:
    """A new resource of a kind, without a prompt unless one is given."""
    name = f"create{title_case(kind)}"
    payload = await call(lectern, name, f"{kind} {{ {selection} }}", key=key, **{"title": f"A {kind}", **input})
    assert payload["errors"] == []
    return payload[kind]


async def show(lectern: World, kind: str, id: str, selection: str, *, key: str | None = None) -> Any:
    """A resource as it is now."""
    query = f"query ($id: ID!) {{ {kind}(id: $id) {{ {selection} }} }}"
    return (await lectern.graph(query, key=key, id=id))[kind]


async def generated(lectern: World, kind: str, id: str, selection: str = "status") -> Any:
    """A resource once it is no longer being generated; a background process is running."""

    async def ended() -> bool:
        return bool((await show(lectern, kind, id, "status"))["status"] != "GENERATING")

    await eventually(ended)
    return await show(lectern, kind, id, selection)


def problems(payload: dict[str, Any]) -> list[tuple[str, str | None, list[str]]]:
    """Code, rule and path of every error."""
    return [(error["code"], error["rule"], error["path"]) for error in payload["errors"]]


def rules(payload: dict[str, Any]) -> list[str | None]:
    """The violated rules."""
    return [error["rule"] for error in payload["errors"]]
