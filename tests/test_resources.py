"""What all kinds of resources have in common, through the front door: R-RES-*, R-IDM-*, R-CHK-*, R-IMP-4, 6 and 10."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from httpx import ASGITransport
from sqlalchemy import Engine, event, func, select
from sqlmodel import col

from gateway.app import create_app
from gateway.settings import Settings
from storage import ids, resources, tables
from storage.tables import Environment, ResourceKind, ResourceStatus
from storage.tables.resources import DETAILS
from tests.authoring import HAZARD, KINDS, SEED, call, create, done, problems, rules, show, title_case
from tests.world import World

STANDARD = "5C5A1F3E-9B1D-4D0C-8A57-0F1D7D2A9D3B"
COMMON = """id resourceType title description language prompt status origin environment version idempotencyKey
  externalRef { system id version } curriculumItemIds share { publicUrl } generator { name } job { id }"""


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_is_created_read_changed_and_deleted(lectern: World, kind: str) -> None:
    """R-RES-1, R-RES-3, R-RES-6, R-MOD-7, R-CHK-6."""
    source = {"system": "floco", "id": "glossary-a1", "version": "7"}
    made = await create(
        lectern,
        kind,
        COMMON,
        title="Safety",
        language="pt-BR",
        externalRef=source,
        curriculumItemIds=[STANDARD, STANDARD.lower()],
        idempotencyKey=f"{kind}:a:1",
    )
    assert made == {
        "id": made["id"],
        "resourceType": kind,
        "title": "Safety",
        "description": None,
        "language": "pt-BR",
        "prompt": None,
        "status": "READY",
        "origin": "API",
        "environment": "PRODUCTION",
        "version": 1,
        "idempotencyKey": f"{kind}:a:1",
        "externalRef": source,
        "curriculumItemIds": [STANDARD.lower()],
        "share": None,
        "generator": None,
        "job": None,
    }
    assert ids.prefix_of(made["id"]) == kind
    assert await show(lectern, kind, made["id"], COMMON) == made
    node = "query ($id: ID!) { node(id: $id) { __typename id } }"
    assert (await lectern.graph(node, id=made["id"]))["node"] == {"__typename": title_case(kind), "id": made["id"]}

    update = {"title": "Safer", "description": "All of it.", "language": "en", "curriculumItemIds": []}
    changed = await done(lectern, f"update{title_case(kind)}", f"{kind} {{ {COMMON} }}", id=made["id"], **update)
    assert changed[kind] == {**made, **update, "version": 2}

    deleted = await done(lectern, "deleteResource", "deletedId", id=made["id"])
    assert deleted["deletedId"] == made["id"]
    assert await show(lectern, kind, made["id"], "id") is None
    assert (await lectern.graph(node, id=made["id"]))["node"] is None
    assert (await lectern.graph(f"{{ {kind}s {{ totalCount }} }}"))[f"{kind}s"]["totalCount"] == 0
    again = await call(lectern, "deleteResource", "deletedId", id=made["id"])
    assert problems(again) == [("NOT_FOUND", None, [])]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_request_of_the_document_is_accepted_as_it_stands_and_read_back(lectern: World, kind: str) -> None:
    """R-MOD-1, R-CRS-1, R-VID-1, R-SLD-1, R-TST-1."""
    counted = {"lessonCount", "sceneCount", "slideCount", "itemCount"}  # of what is there, which is nothing yet
    sent = {name: value for name, value in SEED[kind].items() if name not in counted}
    made = await create(lectern, kind, f"id {' '.join(sent)}", **SEED[kind])
    assert made == {"id": made["id"], **sent}
    assert await show(lectern, kind, made["id"], f"id {' '.join(sent)}") == made


async def test_one_query_answers_with_all_five_kinds_mixed_newest_first_and_one_each_with_its_own(
    lectern: World,
) -> None:
    """R-RES-1, and the lists of R-MOD-2, R-CRS-2, R-VID-2, R-SLD-2 and R-TST-2."""
    made = [(await create(lectern, kind))["id"] for kind in KINDS * 2]
    query = "{ resources(first: 100) { totalCount nodes { __typename id resourceType } } }"
    found = (await lectern.graph(query))["resources"]
    assert [node["id"] for node in found["nodes"]] == made[::-1]
    assert found["totalCount"] == 10
    assert {node["resourceType"] for node in found["nodes"]} == set(KINDS)
    for kind, older, newer in zip(KINDS, made[:5], made[5:], strict=True):
        query = f"""query ($after: String, $offset: Int) {{ {kind}s(first: 1, after: $after, offset: $offset) {{
          totalCount edges {{ cursor node {{ id }} }}
        }} }}"""
        first = (await lectern.graph(query))[f"{kind}s"]
        assert (first["totalCount"], first["edges"][0]["node"]["id"]) == (2, newer)
        for way in ({"after": first["edges"][0]["cursor"]}, {"offset": 1}):
            assert (await lectern.graph(query, **way))[f"{kind}s"]["edges"][0]["node"]["id"] == older


async def test_a_session_of_an_admin_writes_by_hand(lectern: World) -> None:
    """R-RES-3: an ADMIN session holds the resource scopes, for the console."""
    await lectern.login(lectern.keys.admin)
    mutation = 'mutation { createModule(input: { title: "By hand" }) { module { origin } } }'
    assert (await lectern.as_user(mutation))["createModule"]["module"] == {"origin": "UI"}
    refused = await lectern.post(mutation, key=lectern.keys.workspace)
    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("kind", "field", "most"),
    [
        ("course", "lessonCount", 50),
        ("video", "sceneCount", 60),
        ("slide", "slideCount", 100),
        ("test", "itemCount", 200),
    ],
)
async def test_counts_are_limited_and_need_a_prompt(lectern: World, kind: str, field: str, most: int) -> None:
    """R-CRS-1, D2."""
    name = f"create{title_case(kind)}"
    rule = {"course": "lesson_count", "video": "scene_count", "slide": "slide_count", "test": "item_count"}[kind]
    for count in (0, most + 1):
        asked: dict[str, Any] = {"title": "x", "prompt": "About x.", field: count}
        refused = await call(lectern, name, f"{kind} {{ id }}", **asked)
        assert problems(refused) == [("VALIDATION_FAILED", f"{rule}_range", ["input", field])]
    asked = {"title": "x", field: 5}
    refused = await call(lectern, name, f"{kind} {{ id }}", **asked)
    assert problems(refused) == [("VALIDATION_FAILED", "prompt_missing", ["input", field])]
    assert (await lectern.graph(f"{{ {kind}s {{ totalCount }} }}"))[f"{kind}s"]["totalCount"] == 0


@pytest.mark.parametrize(
    ("input", "rule", "path"),
    [
        ({"title": ""}, "required", ["title"]),
        ({"title": " \n"}, "required", ["title"]),
        ({"title": "x" * 501}, "too_long", ["title"]),
        ({"prompt": "x" * 20_001}, "too_long", ["prompt"]),
        ({"language": "english"}, "language", ["language"]),
        ({"language": "en_US"}, "language", ["language"]),
        ({"language": "a"}, "language", ["language"]),
        ({"language": ""}, "language", ["language"]),
        ({"curriculumItemIds": ["urn:x"]}, "curriculum_item_id", ["curriculumItemIds", "0"]),
        ({"curriculumItemIds": [STANDARD] * 101}, "too_many", ["curriculumItemIds"]),
        ({"externalRef": {"system": "", "id": "x"}}, "required", ["externalRef", "system"]),
        ({"externalRef": {"system": "x", "id": "y" * 256}}, "too_long", ["externalRef", "id"]),
        ({"externalRef": {"system": "x", "id": "y", "version": "z" * 256}}, "too_long", ["externalRef", "version"]),
        ({"idempotencyKey": ""}, "idempotency_key_format", ["idempotencyKey"]),
        ({"idempotencyKey": "a\nb"}, "idempotency_key_format", ["idempotencyKey"]),
        ({"idempotencyKey": "x" * 256}, "idempotency_key_format", ["idempotencyKey"]),
    ],
)
async def test_what_cannot_be_created_is_a_precise_problem(
    lectern: World, input: dict[str, Any], rule: str, path: list[str]
) -> None:
    """R-IMP-5, R-IDM-3."""
    refused = await call(lectern, "createModule", "module { id } job { id } replayed", **{"title": "x", **input})
    assert (refused["module"], refused["job"], refused["replayed"]) == (None, None, False)
    assert problems(refused) == [("VALIDATION_FAILED", rule, ["input", *path])]


@pytest.mark.parametrize(
    "language", ["en", "pt-BR", "zh-Hant-TW", "de-CH-1996", "es-419", "sl-rozaj", "x-pirate", "EN-us"]
)
async def test_tags_of_bcp_47_are_languages(lectern: World, language: str) -> None:
    made = await create(lectern, "module", "language", language=language)
    assert made["language"] == language


async def test_a_wrong_key_is_reported_with_everything_else(lectern: World) -> None:
    """R-IMP-5."""
    refused = await call(lectern, "createModule", "module { id }", title="", language="?", idempotencyKey="")
    assert rules(refused) == ["idempotency_key_format", "required", "language"]


# Idempotency


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("module", "module:intro-to-safety:v1"),
        ("course", "course:customer-onboarding:v1"),
        ("video", "video:level-1:summary:v1"),
        ("slide", "slides:safety-training:v1"),
        ("test", "test:safety-check:v1"),
    ],
)
async def test_the_same_request_is_answered_with_the_original_as_it_is_now(lectern: World, kind: str, key: str) -> None:
    """R-RES-4, R-IDM-1 to 3, R-CHK-2."""
    name, selection = f"create{title_case(kind)}", f"{kind} {{ id title version }} job {{ id }} replayed"
    first = await done(lectern, name, selection, idempotencyKey=key, **SEED[kind])
    assert first["replayed"] is False
    await done(lectern, f"update{title_case(kind)}", f"{kind} {{ id }}", id=first[kind]["id"], title="Renamed")

    again = await done(lectern, name, selection, idempotencyKey=key, **SEED[kind])
    assert again["replayed"] is True
    assert again[kind] == {"id": first[kind]["id"], "title": "Renamed", "version": 2}
    assert again["job"] == first["job"]

    other = await call(lectern, name, selection, idempotencyKey=key, **{**SEED[kind], "title": "Other"})
    assert problems(other) == [("IDEMPOTENCY_CONFLICT", None, [])]
    assert other[kind]["id"] == first[kind]["id"]
    assert (await lectern.graph(f"{{ {kind}s {{ totalCount }} }}"))[f"{kind}s"]["totalCount"] == 1

    found = await lectern.graph(
        "query ($f: ResourceFilter) { resources(filter: $f) { nodes { id } } }", f={"idempotencyKey": key}
    )
    assert found["resources"]["nodes"] == [{"id": first[kind]["id"]}]

    await done(lectern, "deleteResource", "deletedId", id=first[kind]["id"])
    gone = await call(lectern, name, selection, idempotencyKey=key, **SEED[kind])
    assert problems(gone) == [("IDEMPOTENCY_ORIGINAL_DELETED", None, [])]
    assert gone[kind] is None


async def test_a_key_means_nothing_to_other_workspaces_environments_and_mutations(lectern: World) -> None:
    """R-IDM-2, R-CHK-2."""
    made = [
        (await create(lectern, "module", key=key, idempotencyKey="k"))["id"]
        for key in (None, lectern.keys.test, lectern.keys.stranger)
    ]
    made.append((await create(lectern, "course", idempotencyKey="k"))["id"])
    assert len(set(made)) == 4
    query = '{ resources(filter: { idempotencyKey: "k" }) { nodes { id } } }'
    found = (await lectern.graph(query, key=lectern.keys.stranger))["resources"]["nodes"]
    assert found == [{"id": made[2]}]


async def test_the_key_may_come_as_a_header_and_must_agree_with_the_field(lectern: World) -> None:
    """R-IDM-1."""
    query = """mutation ($k: String) { createModule(input: { title: "A", idempotencyKey: $k }) {
      module { id idempotencyKey } replayed errors { rule path }
    } }"""
    header = {"Idempotency-Key": "module:a:1"}
    first = (await lectern.graph(query, headers=header))["createModule"]
    assert first["module"]["idempotencyKey"] == "module:a:1"
    for variables in ({}, {"k": "module:a:1"}):
        again = (await lectern.graph(query, headers=header, **variables))["createModule"]
        assert (again["module"], again["replayed"]) == (first["module"], True)
    assert (await lectern.graph(query))["createModule"]["replayed"] is False
    refused = (await lectern.graph(query, headers=header, k="module:b:1"))["createModule"]
    assert refused["errors"] == [{"rule": "idempotency_key_mismatch", "path": ["input", "idempotencyKey"]}]


async def test_a_refused_request_does_not_use_up_its_key(lectern: World) -> None:
    """R-IDM-2, D12."""
    refused = await call(lectern, "createModule", "module { id }", title="", idempotencyKey="k")
    assert rules(refused) == ["required"]
    made = await done(lectern, "createModule", "module { id } replayed", title="A", idempotencyKey="k")
    assert made["replayed"] is False


@contextlib.asynccontextmanager
async def two_gateways(lectern: World) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Two web processes' worth of application on one database."""
    async with contextlib.AsyncExitStack() as stack:
        clients = []
        for _ in range(2):
            app = create_app(Settings(**lectern.settings))
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = ASGITransport(app=app)
            client = httpx.AsyncClient(transport=transport, base_url="http://gateway.test")
            clients.append(await stack.enter_async_context(client))
        yield clients


async def test_of_twenty_equal_requests_at_once_one_creates_and_all_are_answered_alike(lectern: World) -> None:
    """R-IDM-2: on two applications."""
    query = """mutation ($input: CreateModuleInput!) { createModule(input: $input) {
      module { id title status } job { id } replayed errors { code }
    } }"""
    body = {"query": query, "variables": {"input": {**SEED["module"], "idempotencyKey": "module:intro-to-safety:v1"}}}
    headers = {"Authorization": f"Bearer {lectern.keys.content}"}
    async with two_gateways(lectern) as clients:
        answers = await asyncio.gather(
            *(clients[number % 2].post("/graphql", json=body, headers=headers) for number in range(20))
        )
    made = [answer.json()["data"]["createModule"] for answer in answers]
    assert sorted(answer.pop("replayed") for answer in made) == [False] + [True] * 19
    assert made == [made[0]] * 20
    async with lectern.database.snapshot() as session:
        for table in (tables.Resource, tables.Job, tables.IdempotencyKey):
            assert await session.scalar(select(func.count()).select_from(table)) == 1


# Locking


@pytest.mark.parametrize("kind", KINDS)
async def test_the_second_of_two_editors_gets_the_current_object(lectern: World, kind: str) -> None:
    """R-IMP-6."""
    id = (await create(lectern, kind))["id"]
    name, selection = f"update{title_case(kind)}", f"{kind} {{ id title version }}"
    await done(lectern, name, selection, id=id, baseVersion=1, title="First")
    for stale in (1, 3):
        refused = await call(lectern, name, selection, id=id, baseVersion=stale, title="Second")
        assert problems(refused) == [("VERSION_CONFLICT", None, [])]
        assert refused[kind] == {"id": id, "title": "First", "version": 2}


async def test_of_equal_edits_at_once_one_wins(lectern: World) -> None:
    """R-IMP-6."""
    id = (await create(lectern, "module"))["id"]
    edits = await asyncio.gather(
        *(call(lectern, "updateModule", "module { id }", id=id, baseVersion=1, title=str(n)) for n in range(8))
    )
    assert sorted(len(edit["errors"]) for edit in edits) == [0] + [1] * 7
    assert (await show(lectern, "module", id, "version"))["version"] == 2


# Lists


async def fill(lectern: World, count: int, quizzes: int = 0) -> None:
    """Many modules at once, aligned when they have quizzes."""
    asked: dict[str, Any] = {
        "question": HAZARD["question"],
        "options": HAZARD["options"],
        "correct_answers": HAZARD["correctAnswers"],
    }
    async with lectern.database.transaction() as session:
        workspace = (await session.scalars(select(tables.Workspace).where(col(tables.Workspace.name) == "ours"))).one()
        for number in range(count):
            module = tables.Resource(
                id=resources.new_id(ResourceKind.module),
                workspace_id=workspace.id,
                environment=Environment.PRODUCTION,
                kind=ResourceKind.module,
                status=ResourceStatus.READY,
                title=f"Module {number}",
                details=DETAILS[ResourceKind.module](),
            )
            await resources.add(session, module, [STANDARD.lower()] if quizzes else [])
            for place in range(1, quizzes + 1):
                key = ids.new(ids.Prefix.QUIZ)
                here: dict[str, Any] = {
                    "id": key,
                    "key": key,
                    "resource_id": module.id,
                    "owner_id": module.id,
                    "sequence": place,
                }
                session.add(tables.Quiz(**here, **asked))


PAGE = """query ($first: Int, $after: String, $offset: Int) {
  modules(first: $first, after: $after, offset: $offset) {
    totalCount nodes { id title } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""


async def walk(lectern: World, size: int) -> list[str]:
    """The titles of all pages, by cursor."""
    titles: list[str] = []
    after = None
    while True:
        page = (await lectern.graph(PAGE, first=size, after=after))["modules"]
        titles += [node["title"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return titles


async def test_pages_by_offset_and_by_cursor_tell_the_same(lectern: World) -> None:
    """R-MOD-2."""
    await fill(lectern, 45)
    pages = [(await lectern.graph(PAGE, first=20, offset=offset))["modules"] for offset in (0, 20, 40)]
    assert [len(page["nodes"]) for page in pages] == [20, 20, 5]
    assert [page["totalCount"] for page in pages] == [45] * 3
    assert [page["pageInfo"]["hasNextPage"] for page in pages] == [True, True, False]
    assert [page["pageInfo"]["hasPreviousPage"] for page in pages] == [False, True, True]
    by_offset = [node["title"] for page in pages for node in page["nodes"]]
    assert by_offset == [f"Module {number}" for number in reversed(range(45))]
    assert await walk(lectern, 20) == by_offset
    assert await walk(lectern, 7) == by_offset


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"first": 0}, "page_size"),
        ({"first": 101}, "page_size"),
        ({"first": -1}, "page_size"),
        ({"offset": -1}, "page_size"),
        ({"after": "?", "offset": 1}, "page_mode"),
        ({"after": "nonsense"}, "cursor"),
    ],
)
async def test_a_wrong_page_is_refused_by_its_rule(lectern: World, arguments: dict[str, Any], rule: str) -> None:
    """R-MOD-2, R-IMP-4."""
    answer = (await lectern.post(PAGE, **arguments)).json()
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
    assert answer["errors"][0]["extensions"]["rule"] == rule


async def test_a_walk_by_cursor_neither_skips_nor_repeats_while_rows_come_and_go(lectern: World) -> None:
    """R-IMP-4."""
    await fill(lectern, 30)
    seen: list[str] = []
    after = None
    for _ in range(6):
        page = (await lectern.graph(PAGE, first=5, after=after))["modules"]
        seen += [node["title"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        await create(lectern, "module", title="New")
        await done(lectern, "deleteResource", "deletedId", id=page["nodes"][-1]["id"])
    assert seen == [f"Module {number}" for number in reversed(range(30))]


async def test_resources_are_found_by_every_condition(lectern: World) -> None:
    """R-CHK-1, R-CHK-2, R-CARD-1."""
    other = "00000000-0000-4000-8000-000000000001"
    source = {"system": "floco", "id": "glossary-a1"}
    module = await create(
        lectern,
        "module",
        title="Über Straßen",
        prompt="Write ABOUT roads",
        externalRef={**source, "version": "1"},
        curriculumItemIds=[STANDARD],
    )
    course = await create(
        lectern, "course", title="100% safe_ty", externalRef={**source, "version": "2"}, curriculumItemIds=[other]
    )
    test = await create(lectern, "test", idempotencyKey="k", externalRef={"system": "x", "id": "glossary-a1"})
    await done(lectern, "updateCourse", "course { id }", id=course["id"], description="Roads, too.")

    async def found(**conditions: Any) -> list[str]:
        query = "query ($f: ResourceFilter) { resources(filter: $f) { totalCount nodes { id } } }"
        page = (await lectern.graph(query, f=conditions))["resources"]
        assert page["totalCount"] == len(page["nodes"])
        return [node["id"] for node in page["nodes"]]

    m, c, t = module["id"], course["id"], test["id"]
    for conditions, expected in (
        ({}, [t, c, m]),
        ({"types": ["course", "test"]}, [t, c]),
        ({"types": []}, []),
        ({"status": "READY"}, [t, c]),
        ({"status": "GENERATING"}, [m]),
        ({"text": "ROADS"}, [c, m]),
        ({"text": "about straßen"}, [m]),
        ({"text": "über STRASSEN"}, [m]),
        ({"text": "100%"}, [c]),
        ({"text": "%"}, [c]),
        ({"text": "_"}, [c]),
        ({"text": "nothing of that"}, []),
        ({"externalRef": source}, [c, m]),
        ({"externalRef": {**source, "version": "2"}}, [c]),
        ({"idempotencyKey": "k"}, [t]),
        ({"curriculumItemIds": [STANDARD]}, [m]),
        ({"curriculumItemIds": [STANDARD.lower(), other]}, [c, m]),
        ({"curriculumItemIds": [STANDARD], "types": ["course"]}, []),
    ):
        assert await found(**conditions) == expected, conditions
    for key in (lectern.keys.stranger, lectern.keys.test):
        nothing = await lectern.graph('{ resources(filter: { text: "roads" }) { nodes { id } } }', key=key)
        assert nothing["resources"]["nodes"] == []


async def test_a_wrong_condition_is_refused_by_its_rule(lectern: World) -> None:
    """D34."""
    query = "query ($f: ResourceFilter) { resources(filter: $f) { totalCount } }"
    for conditions, rule in (
        ({"curriculumItemIds": ["x"]}, "curriculum_item_id"),
        ({"text": "x" * 201}, "too_long"),
    ):
        answer = (await lectern.post(query, f=conditions)).json()
        assert answer["errors"][0]["extensions"]["rule"] == rule


async def test_page_ten_thousand_costs_what_page_one_costs(lectern: World) -> None:
    """Issue line 5: the database steps into an index at the cursor and reads on, without sorting."""
    for kind in KINDS * 2:
        await create(lectern, kind, prompt="Exits")
    slow: dict[str, list[str]] = {}
    for field in ("resources", *(f"{kind}s" for kind in KINDS), "jobs", "events"):
        query = f"query ($after: String) {{ {field}(first: 1, after: $after) {{ pageInfo {{ endCursor }} }} }}"
        cursor = (await lectern.graph(query))[field]["pageInfo"]["endCursor"]
        with counted() as statements:
            await lectern.graph(query, after=cursor)
        (read,) = (statement for statement in statements if "LIMIT" in statement[0])
        slow |= {field: found} if (found := await slow_steps(lectern, *read)) else {}
    assert slow == {}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_resources_are_found_by_their_ids_alone(lectern: World) -> None:
    """However many others a workspace has; SQLite plans without knowing how many, PostgreSQL would of a small table."""
    for kind in KINDS:
        await create(lectern, kind, prompt="Exits")
    with counted() as statements:
        await lectern.graph("{ jobs { nodes { ... on GenerationJob { resource { id } } } } }")
    (read,) = (it for it in statements if "resource.id IN" in it[0])
    assert not [step for step in await steps(lectern, *read) if "ix_resource" in step]


async def slow_steps(lectern: World, statement: str, parameters: tuple[Any, ...]) -> list[str]:
    """The steps of a statement that take the longer the longer a table is: to sort it, and to read all of it."""
    found = await steps(lectern, statement, parameters)
    return [step for step in found if any(words in step for words in ("SCAN ", "B-TREE", "Sort", "Seq Scan"))]


async def steps(lectern: World, statement: str, parameters: tuple[Any, ...]) -> list[str]:
    """How the database goes about a statement when it does not take a short cut through a small table."""
    on_sqlite = lectern.settings["database_url"].startswith("sqlite")
    async with lectern.database.reader.connect() as connection:
        for way in () if on_sqlite else ("seqscan", "bitmapscan", "sort"):  # the fastest while a table is small
            await connection.exec_driver_sql(f"SET enable_{way} = off")
        explain = "EXPLAIN QUERY PLAN" if on_sqlite else "EXPLAIN"
        return [str(tuple(row)) for row in await connection.exec_driver_sql(f"{explain} {statement}", parameters)]


# Statements


Read = tuple[str, tuple[Any, ...]]
"""A statement and its parameters."""


@contextlib.contextmanager
def counted() -> Iterator[list[Read]]:
    """The statements that read meanwhile, in this process."""
    statements: list[Read] = []

    def note(*arguments: Any) -> None:
        statements.extend([(arguments[2], arguments[3])] if arguments[2].startswith("SELECT") else [])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


MODULES = f"""query ($first: Int) {{ modules(first: $first) {{
  totalCount
  nodes {{ {COMMON} quizzes {{ id question options }} lecture }}
}} }}"""
COURSES = """query ($first: Int) { courses(first: $first) {
  nodes {
    id lessonCount curriculumItemIds
    chapters { id lessons { id title quizzes { id } practice { id } chapter { id } course { id } } }
    lessons { id }
    lesson(sequence: 1) { id quizzes { id } }
  }
} }"""
MIXED = """query ($first: Int) { resources(first: $first) { nodes {
  __typename curriculumItemIds job { id }
  ... on Video { sceneCount totalDurationSeconds scenes { id video { id } } }
  ... on Test { itemCount totalScore items { id test { id } } }
  ... on Slide { slideCount pages { heading } }
  ... on Course { lessonCount chapters { course { id } lessons { chapter { title } } } }
} } }"""


CHANCE = 4
"""Whether keys that come to a loader from several paths are asked for together is a matter of microseconds."""


async def statements_of(lectern: World, query: str, first: int) -> list[Read]:
    with counted() as statements:
        await lectern.graph(query, first=first)
    return statements


async def test_fifty_modules_with_quizzes_take_the_statements_of_two(lectern: World) -> None:
    """R-IMP-10."""
    await fill(lectern, 50, quizzes=2)
    few, many = [await statements_of(lectern, MODULES, first) for first in (2, 50)]
    assert len(many) == len(few) < 10, many
    read = (await lectern.graph(MODULES, first=50))["modules"]["nodes"]
    assert all(len(module["quizzes"]) == 2 for module in read)


async def test_objects_that_are_executed_in_several_turns_are_still_asked_for_together(lectern: World) -> None:
    """R-IMP-10, of an answer that takes longer than one operation may hold the loop."""
    await fill(lectern, 90, quizzes=1)
    wide = " ".join(f"a{number}: title" for number in range(80))
    query = f"query ($first: Int) {{ modules(first: $first) {{ nodes {{ {wide} quizzes {{ id question }} }} }} }}"
    few, many = [await statements_of(lectern, query, first) for first in (2, 90)]
    assert len(many) == len(few), many


async def test_twenty_courses_with_chapters_lessons_and_quizzes_take_the_statements_of_two(lectern: World) -> None:
    """R-IMP-10."""
    for _ in range(20):
        course = await create(lectern, "course")
        chapters = [{"title": "A", "lessons": [{"title": "1"}, {"title": "2"}]}, {"title": "B", "lessons": []}]
        await done(
            lectern, "updateCourseCanonical", "course { id }", courseId=course["id"], baseVersion=1, chapters=chapters
        )
        await done(
            lectern,
            "updateLesson",
            "lesson { id }",
            courseId=course["id"],
            sequence=2,
            quizzes=[HAZARD],
            practice=[HAZARD],
        )
    few, many = [await statements_of(lectern, COURSES, first) for first in (2, 20)]
    assert len(many) <= len(few) + CHANCE < 25, many
    read = (await lectern.graph(COURSES, first=20))["courses"]["nodes"]
    assert all(len(course["chapters"][0]["lessons"][1]["practice"]) == 1 for course in read)


async def test_a_mixed_list_takes_as_many_statements_for_twenty_as_for_five(lectern: World) -> None:
    """R-IMP-10."""
    for _ in range(4):
        for kind in KINDS:
            made = await create(lectern, kind)
            if kind == "video":
                await done(lectern, "addScene", "scene { id }", videoId=made["id"], script="x")
            if kind == "test":
                await done(lectern, "addTestItem", "item { id }", testId=made["id"], **HAZARD)
            if kind == "course":
                await done(lectern, "addLesson", "lesson { id }", courseId=made["id"], title="x")
    few, many = [await statements_of(lectern, MIXED, first) for first in (5, 20)]
    assert len(many) <= len(few) + CHANCE < 25, many


SUBMISSIONS = """query ($first: Int) { tests(first: $first) { nodes {
  id submissions(first: 2) { totalCount nodes { id score } pageInfo { hasNextPage } }
} } }"""
EVENTS = """query ($first: Int) { modules(first: $first) { nodes {
  job { events(first: 3) { totalCount nodes { id sequence jobEvent { state } } pageInfo { endCursor } } }
} } }"""
DELIVERIES = """{ webhookEndpoints {
  deliveries(first: 2) { totalCount nodes { id event { type } attempts { number } } }
  failed: deliveries(first: 2, status: FAILED) { totalCount nodes { id } }
} }"""


async def hand_in(lectern: World, test: str) -> None:
    """A learner of a test."""
    link = await done(lectern, "updateShareLink", "resource { share { publicUrl } }", resourceId=test, active=True)
    await done(lectern, "submitTest", "score", publicUrl=link["resource"]["share"]["publicUrl"], answers=[])


async def test_lists_below_lists_take_one_statement_for_all_parents(lectern: World) -> None:
    """R-IMP-10: submissions of tests, events of jobs, deliveries of endpoints."""
    for number in range(8):
        test = await create(lectern, "test")
        await done(lectern, "updateTest", "test { id }", id=test["id"], items=[HAZARD])
        for _ in range(number % 4):
            await hand_in(lectern, test["id"])
        await create(lectern, "module", prompt="Exits")
        await done(lectern, "createWebhookEndpoint", "endpoint { id }", url=f"https://127.0.0.1/{number}")
    for query in (SUBMISSIONS, EVENTS):
        few, many = [await statements_of(lectern, query, first) for first in (2, 8)]
        assert len(many) <= len(few) + 1 < 12, many
    tests = (await lectern.graph(SUBMISSIONS, first=8))["tests"]["nodes"]
    pages = [test["submissions"] for test in reversed(tests)]
    assert [page["totalCount"] for page in pages] == [0, 1, 2, 3] * 2
    assert [len(page["nodes"]) for page in pages] == [0, 1, 2, 2] * 2
    assert [page["pageInfo"]["hasNextPage"] for page in pages] == [False, False, False, True] * 2
    newest_first = [[node["id"] for node in page["nodes"]] for page in pages]
    assert all(ids == sorted(ids, reverse=True) for ids in newest_first)
    for module in (await lectern.graph(EVENTS, first=8))["modules"]["nodes"]:
        assert [event["sequence"] for event in module["job"]["events"]["nodes"]] == [1]
    assert len(await statements_of(lectern, DELIVERIES, 0)) < 12


# Deleting and watching


async def test_a_deleted_resource_is_gone_from_everywhere_at_once(lectern: World) -> None:
    """R-MOD-7, D3: also its parts, its page and its job."""
    made = await done(lectern, "createTest", "test { id } job { id }", **SEED["test"])
    test, job = made["test"]["id"], made["job"]["id"]
    item = (await done(lectern, "addTestItem", "item { id }", testId=test, **HAZARD))["item"]["id"]
    await done(lectern, "deleteResource", "deletedId", id=test)
    node = "query ($id: ID!) { node(id: $id) { id } }"
    for id in (test, item):
        assert (await lectern.graph(node, id=id))["node"] is None
    assert (await lectern.graph("{ resources { totalCount } }"))["resources"]["totalCount"] == 0
    for mutation, input in (
        ("updateTest", {"id": test, "title": "x"}),
        ("addTestItem", {"testId": test, **HAZARD}),
        ("updateTestItem", {"id": item, "score": 2}),
        ("deleteTestItem", {"id": item}),
        ("reorderTestItems", {"testId": test, "itemIds": [item]}),
        ("generateTestItems", {"testId": test}),
    ):
        assert problems(await call(lectern, mutation, "__typename", **input)) == [("NOT_FOUND", None, [])]
    query = """query ($id: ID!) { job(id: $id) {
      state error { code } ... on GenerationJob { resource { id } generatedItems { id } }
    } }"""
    assert (await lectern.graph(query, id=job))["job"] == {
        "state": "CANCELED",
        "error": {"code": "CANCELED"},
        "resource": None,
        "generatedItems": [],
    }


WATCH = """subscription ($id: ID, $types: [ResourceType!], $after: String) {
  resourceChanged(resourceId: $id, types: $types, after: $after) {
    cursor type subjectId payload subject { ... on ContentResource { title status version } }
  }
}"""


async def watched(lectern: World, address: str, count: int, **variables: Any) -> list[dict[str, Any]]:
    """The first events of a stream."""
    headers = {"Authorization": f"Bearer {lectern.keys.content}", "Accept": "text/event-stream"}
    body = {"query": WATCH, "variables": variables}
    told: list[dict[str, Any]] = []
    async with (
        httpx.AsyncClient(timeout=20) as client,
        client.stream("POST", f"http://{address}/graphql", json=body, headers=headers) as answer,
    ):
        async for line in answer.aiter_lines():
            if line.startswith("data: ") and len(line) > 8:
                told.append(json.loads(line.removeprefix("data: "))["data"]["resourceChanged"])
                if len(told) == count:
                    return told
    return told


async def test_changes_of_resources_can_be_watched_from_any_cursor(lectern: World) -> None:
    """R-CHK-3, R-CARD-3: what was missed is told first, then what happens; strangers see nothing."""
    module, video = await create(lectern, "module"), await create(lectern, "video")
    await create(lectern, "slide")
    await create(lectern, "module", key=lectern.keys.stranger)
    start = (await lectern.graph("{ events(first: 1) { nodes { cursor } } }"))["events"]["nodes"][0]["cursor"]

    async def change() -> None:
        await done(lectern, "updateModule", "module { id }", id=module["id"], title="New")
        await create(lectern, "test")
        await done(lectern, "deleteResource", "deletedId", id=video["id"])

    async with lectern.another_gateway() as address:
        told, _ = await asyncio.gather(
            watched(lectern, address, 3, types=["module", "video"], after=start),
            change(),
        )
        assert [(event["type"], event["subjectId"]) for event in told] == [
            ("RESOURCE_CREATED", video["id"]),
            ("RESOURCE_UPDATED", module["id"]),
            ("RESOURCE_DELETED", video["id"]),
        ]
        assert told[1]["subject"] == {"title": "New", "status": "READY", "version": 2}
        assert told[2]["subject"] is None
        payload = {key: told[1]["payload"][key] for key in ("resourceType", "resourceId", "version", "status")}
        assert payload == {"resourceType": "module", "resourceId": module["id"], "version": 2, "status": "READY"}
        one = await watched(lectern, address, 1, id=video["id"], after=told[0]["cursor"])
        assert [event["type"] for event in one] == ["RESOURCE_DELETED"]
