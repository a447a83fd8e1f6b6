"""Repeating what creates or starts something, for every mutation that takes a key, those of tomorrow too: R-IDM-2."""

import asyncio
from typing import Any

from graphql import GraphQLField, GraphQLInputObjectType, GraphQLObjectType, get_named_type, is_leaf_type
from httpx import AsyncClient

from storage import ids
from tests.test_resources import two_gateways
from tests.walls import Family, Place, family, roots, variables
from tests.world import GLOSSARY, PASSWORD, World

AT_ONCE = 3
SHOWN_ONCE = ("secret", "clientSecret")
HIDING = ("submitTest",)
"""Whoever guesses the key of another learner learns nothing."""

ASKED: dict[str, dict[str, Any]] = {
    "createExpansion": {"payload": GLOSSARY},
    "createUser": {"email": "new@example.org", "password": PASSWORD},
    "createOAuthClient": {"scopes": ["CONTENT_READ"]},
}
"""What an input says, where the smallest one would be refused for itself."""

REFUSED: dict[str, dict[str, Any]] = {
    "createExpansion": {"sourceType": ""},
    "createIngestUpload": {"itemCount": 0},
    "createWebhookEndpoint": {"events": []},
    "createUser": {"email": "x"},
    "replayWebhooks": {"deliveryIds": []},
    "submitTest": {"learnerRef": ""},
}
"""What is wrong with an input, where it names nothing and has no title."""

OTHER = ("title", "question", "script", "name", "description", "prompt", "sourceType", "path", "learnerRef")
"""Fields that may as well say something else."""


def repeatable() -> dict[str, GraphQLField]:
    """Every mutation that takes a key."""
    return {
        name: field
        for root, name, field in roots()
        if root == "Mutation" and "idempotencyKey" in fields_of_input(field)
    }


def fields_of_input(field: GraphQLField) -> dict[str, Any]:
    named = get_named_type(field.args["input"].type) if "input" in field.args else None
    return dict(named.fields) if isinstance(named, GraphQLInputObjectType) else {}


def asked(name: str, field: GraphQLField, own: Family) -> dict[str, Any]:
    """A sound input with a key."""
    smallest: dict[str, Any] = variables(Place("Mutation", name, ("input",), ""), field, "", own)["input"]
    named = {"deliveryIds": [own.id("delivery")]} if name == "replayWebhooks" else {}
    return {**smallest, **named, **ASKED.get(name, {}), "idempotencyKey": "k"}


def unknown(input: Any) -> Any:
    """The same, but every id names nothing."""
    match input:
        case dict():
            return {name: unknown(value) for name, value in input.items()}
        case list():
            return [unknown(value) for value in input]
        case str() if prefix := ids.prefix_of(input):
            return ids.new(prefix)
    return input


def refused(name: str, input: dict[str, Any]) -> dict[str, Any]:
    """What cannot be done: with something that is not there, else without a title."""
    blank: dict[str, Any] = dict.fromkeys(input.keys() & {"title", "name"}, " ") if unknown(input) == input else {}
    return {**unknown(input), **blank, **REFUSED.get(name, {})}


def another(name: str, field: GraphQLField, input: dict[str, Any]) -> dict[str, Any]:
    """Something else under the same key."""
    if words := next((word for word in OTHER if word in fields_of_input(field)), None):
        return {**input, words: "other"}
    more: dict[str, dict[str, Any]] = {
        "createIngestUpload": {"itemCount": 2},
        "createContentExport": {"skipNotifications": True},
    }
    return {**unknown(input), **more.get(name, {})}


def document(name: str, field: GraphQLField) -> str:
    """A mutation that asks for all that a payload says itself, and which objects it shows."""
    payload = get_named_type(field.type)
    assert isinstance(payload, GraphQLObjectType)
    asked = [
        key if is_leaf_type(below) else f"{key} {{ {'code' if key == 'errors' else 'id'} }}"
        for key, field in payload.fields.items()
        if (below := get_named_type(field.type)) and (is_leaf_type(below) or key == "errors" or "id" in below.fields)
    ]
    return f"mutation ($input: {field.args['input'].type}) {{ {name}(input: $input) {{ {' '.join(asked)} }} }}"


async def ask(client: AsyncClient, lectern: World, name: str, field: GraphQLField, input: dict[str, Any]) -> Any:
    """The payload, without what is shown only once."""
    headers = {"X-Lectern-CSRF": "1", "Cookie": f"lectern_session={lectern.client.cookies['lectern_session']}"}
    body = {"query": document(name, field), "variables": {"input": input}}
    answer = (await client.post("/graphql", json=body, headers=headers)).json()
    assert "errors" not in answer, f"{name}: {answer}"
    return {key: value for key, value in answer["data"][name].items() if key not in SHOWN_ONCE}


async def test_whatever_is_asked_with_a_key_is_done_once_and_answered_alike(lectern: World) -> None:
    """Issue line 3: a refusal does not use up the key, equal requests at once do it once, others are a conflict."""
    own = await family(lectern, lectern.keys.content)
    cancel = "mutation ($id: ID!) { cancelJob(input: {jobId: $id}) { errors { code } } }"
    await lectern.graph(cancel, id=own.id("job"))
    await lectern.login(lectern.keys.admin)
    wrong: list[str] = []
    async with two_gateways(lectern) as clients:
        for name, field in repeatable().items():
            input = asked(name, field, own)
            if name == "submitTest":
                input["publicUrl"] = own.public_url
            first = await ask(clients[0], lectern, name, field, refused(name, input))
            if not first["errors"]:
                wrong.append(f"{name} is not refused: {first}")
            made = await asyncio.gather(
                *(ask(clients[number % 2], lectern, name, field, input) for number in range(AT_ONCE))
            )
            replayed = sorted(payload.pop("replayed") for payload in made)
            if replayed != [False] + [True] * (AT_ONCE - 1) or made[0]["errors"]:
                wrong.append(f"{name} was done {replayed.count(False)} times: {made}")
            if made != [made[0]] * AT_ONCE:
                wrong.append(f"{name} is answered differently: {made}")
            conflict = await ask(clients[1], lectern, name, field, another(name, field, input))
            if [error["code"] for error in conflict["errors"]] != ["IDEMPOTENCY_CONFLICT"]:
                wrong.append(f"{name} with another input: {conflict}")
            elif name not in HIDING and not shown(conflict) <= shown(made[0]) != set():
                wrong.append(f"{name} does not show the original: {conflict} instead of {made[0]}")
    assert not wrong, "\n".join(wrong)


def shown(payload: dict[str, Any]) -> set[str]:
    """The ids of what a payload shows."""
    lists = [value if isinstance(value, list) else [value] for value in payload.values()]
    return {part["id"] for parts in lists for part in parts if isinstance(part, dict) and "id" in part}
