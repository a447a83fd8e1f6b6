"""Whatever is asked: no fault of ours, and nothing of the system or of other tenants in an answer. Issue 8, line 5."""

import re
from dataclasses import dataclass, field
from random import Random

import httpx
import pytest
import sqlmodel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import col

from schema import schema
from storage import tables
from tests.operations import Operations
from tests.schemathesis_operations import documents
from tests.world import GLOSSARY, World

SECRET_TITLE = "Nobody else may read this"

LEAKS = re.compile(
    r"Traceback|sqlalchemy|sqlite3?\.|aiosqlite|asyncpg|postgresql://|site-packages|\.py\b|<class '|object at"
    r"|(?<!\w)0x[0-9a-f]{8}|SELECT |INSERT INTO|UPDATE \w+ SET|\bdispatcher\.|\bstorage\.|" + SECRET_TITLE
)

ID = re.compile(r"\b[a-z]+_[0-9a-z]{26}\b")


@dataclass
class Neighbourhood:
    """Two tenants, and who of ours asks."""

    lectern: World
    operations: Operations
    theirs: frozenset[str]
    headers: list[dict[str, str]] = field(default_factory=list)

    async def ask(self, rng: Random, bent: bool) -> httpx.Response:
        """One operation of one of ours, or of nobody."""
        body = self.operations.make(rng)
        if bent:
            body = self.operations.bend(rng, body)
        return await self.send(rng, body)

    async def send(self, rng: Random, body: dict[str, object]) -> httpx.Response:
        """A request of one of ours, or of nobody."""
        response = await self.lectern.client.post("/graphql", json=body, headers=rng.choice(self.headers))
        self.check(str(body), response)
        return response

    def check(self, sent: str, response: httpx.Response) -> None:
        """What holds for every answer."""
        assert response.status_code < 500, response.text
        assert '"code":"INTERNAL"' not in response.text, response.text
        assert response.json().keys() & {"data", "errors"}
        assert not LEAKS.search(response.text), LEAKS.search(response.text)
        foreign = set(ID.findall(response.text)) & self.theirs
        assert not {id for id in foreign if id not in sent}, "an id of another tenant that nobody has sent"


SETTLE = """mutation ($title: String!, $payload: JSON!) {
  createModule(input: { title: $title }) { module { id } }
  createTest(input: { title: $title }) { test { id } }
  createExpansion(input: {
    sourceType: "floco", requestedOutputs: [interactive_module, summary_video, expanded_quiz], payload: $payload
  }) { job { id } }
}"""


async def neighbourhood(lectern: World) -> Neighbourhood:
    """Both tenants have something."""
    for key, title in ((lectern.keys.content, "Ours"), (lectern.keys.stranger, SECRET_TITLE)):
        made = await lectern.graph(SETTLE, key=key, title=title, payload=GLOSSARY)
        assert all(any(payload.values()) for payload in made.values()), made
    await lectern.login(lectern.keys.admin)
    keys = [lectern.keys.content] * 5 + [lectern.keys.workspace, lectern.keys.test, lectern.keys.test, "nobody's"]
    headers = [{"Authorization": f"Bearer {key}"} for key in keys]
    session = {"X-Lectern-CSRF": "1"}
    theirs = await ids_of(lectern, "theirs")
    ours = [id for id in await ids_of(lectern, "ours") if not id.startswith("key_")]  # one would revoke another
    return Neighbourhood(
        lectern,
        Operations(schema._schema, [*ours, *theirs]),
        frozenset(theirs),
        [*headers, session, {**session, "X-Environment": "test"}],
    )


async def ids_of(lectern: World, name: str) -> list[str]:
    """Every id in the database that belongs to a tenant."""
    async with lectern.database.snapshot() as session:
        workspace = await session.scalar(select(col(tables.Workspace.id)).where(col(tables.Workspace.name) == name))
        found: list[str] = []
        for table in sqlmodel.SQLModel.metadata.tables.values():
            if "workspace_id" in table.c and "id" in table.c:
                found += await session.scalars(select(table.c.id).where(table.c.workspace_id == workspace))
    return found


@pytest.fixture
async def neighbours(lectern: World) -> Neighbourhood:
    return await neighbourhood(lectern)


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(rng=st.randoms(use_true_random=False), bent=st.booleans())
async def test_no_operation_makes_us_fail_or_talk(neighbours: Neighbourhood, rng: Random, bent: bool) -> None:
    await neighbours.ask(rng, bent)


async def test_most_of_the_fuzzed_operations_are_executed(neighbours: Neighbourhood) -> None:
    """Otherwise they would prove little."""
    answers = [(await neighbours.ask(Random(seed), bent=False)).json() for seed in range(60)]
    assert sum("data" in answer for answer in answers) > 20


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_whatever_schemathesis_makes_of_our_sdl_is_answered_well(neighbours: Neighbourhood) -> None:
    """Ten thousand of them are sent by `python -m tests.benchmarks.fuzz_operations`."""
    rng = Random(1)
    answers = [await neighbours.send(rng, {"query": document}) for document in documents(2)]
    assert len(answers) > 150
    assert sum("data" in answer.json() for answer in answers) > 10
