"""
Operations made from the schema, so that a field that is added later is tested without anybody thinking of it.

Whoever adds a field that takes an id of a new kind adds the kind to `Family`; whoever adds an input that has to say
something sensible adds it to `SENSIBLE`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
    is_union_type,
)

from schema import schema
from storage import credentials, exports, files, ids, ingestions, jobs, people, resources, search, tables
from storage.contexts import Context
from storage.database import Transaction
from storage.tables import ApiKeyKind, Environment, Realm, Scope, UserRole
from storage.tables.jobs import ContentExportParameters, ExportType
from storage.tables.resources import ModuleDetails
from tests.test_share import QUIZZES, change, create, share
from tests.test_submissions import ITEMS
from tests.world import GLOSSARY, World

GRAPH = schema._schema

CHOSEN_BY_THE_AUTHOR = frozenset({"QuizInput.id"})
"""Ids that name nothing outside of their own list."""

KINDS = {
    "resource": "module",
    "subject": "job",
    "member": "user",
    "contentItem": "content",
    "ingestionJob": "ingestion",
    "Query.ingestionJob": "ingestion",
    "TestItem": "item",
    "CanonicalChapter": "chapter",
    "CanonicalLesson": "lesson",
    "Resource": "module",
    "WebhookEndpoint": "endpoint",
    "webhookEndpoint": "endpoint",
    "ApiKey": "key",
    "OAuthClient": "client",
    "contentExport": "export",
    "ExportClassroomLessonInput.lessonId": "standalone",
}
"""What an argument names, where its own name, that of its input or of its field does not say so."""

SENSIBLE: Mapping[str, Any] = {
    "CreateExpansionInput.requestedOutputs": ["interactive_module"],
    "UpdateCourseCanonicalInput.baseVersion": 2,
    **{f"{input}.options": ["a", "b"] for input in ("TestItemInput", "AddTestItemInput")},
    **{f"{input}.correctAnswers": ["a"] for input in ("TestItemInput", "AddTestItemInput")},
    "CreateFileUploadInput.path": "handouts/plan.pdf",
    "CreateFileUploadInput.contentType": "application/pdf",
}
"""What an input says, required or not, where just any value of the type would be refused for itself."""

COMPANIONS = {"Mutation.updateLesson.input.courseId": ("sequence",)}
"""Optional fields that come along when the id is at this place."""

SCALARS: Mapping[str, Any] = {
    "String": "x",
    "Int": 1,
    "Float": 1.0,
    "Boolean": False,
    "JSON": {},
    "URL": "https://127.0.0.1/x",
    "HTML": "<p>x</p>",
    "DateTime": "2026-07-02T09:30:00.000Z",
    "BigInt": 1,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operation takes an id: root type, field, argument, and the way through the inputs."""

    root: str
    field: str
    steps: tuple[str, ...]
    owner: str

    def __str__(self) -> str:
        return ".".join((self.root, self.field, *self.steps))

    @property
    def kind(self) -> str:
        """What the id names, by the prefix of ids."""
        name = self.steps[-1]
        for whole in (f"{self.owner}.{name}", *([] if self.owner else [f"{self.root}.{self.field}"])):
            if whole in KINDS:
                return KINDS[whole]
        if stem := re.fullmatch(r"(\w+)Ids?", name):
            return KINDS.get(stem[1], stem[1])
        thing = re.sub(r"^(Update|Delete|Revoke)|Input$", "", self.owner) if self.owner else self.field
        return KINDS.get(thing, thing[0].lower() + thing[1:])


def roots() -> Iterator[tuple[str, str, GraphQLField]]:
    """Every root field: type, name, definition."""
    for root in (GRAPH.query_type, GRAPH.mutation_type, GRAPH.subscription_type):
        assert root is not None
        for name, field in root.fields.items():
            yield root.name, name, field


def places(scalar: str = "ID") -> list[Place]:
    """Every place of the contract that takes a value of this scalar; of ids, only those that we make."""
    return [
        Place(root, name, steps, owner)
        for root, name, field in roots()
        for argument, definition in field.args.items()
        for steps, owner in _leaves(scalar, definition.type, (argument,), "")
        if f"{owner}.{steps[-1]}" not in CHOSEN_BY_THE_AUTHOR
    ]


def _leaves(
    scalar: str, type: GraphQLInputType, steps: tuple[str, ...], owner: str
) -> Iterator[tuple[tuple[str, ...], str]]:
    named = get_named_type(type)
    if named.name == scalar:
        yield steps, owner
    if isinstance(named, GraphQLInputObjectType):
        for name, field in named.fields.items():
            yield from _leaves(scalar, field.type, (*steps, name), named.name)


@dataclass
class Family:
    """One thing of each kind in one realm, made to belong together; ids by kind, and the address of its test."""

    ids: dict[str, str]
    public_url: str = ""

    def id(self, place: Place | str) -> str:
        kind = place.kind if isinstance(place, Place) else place
        assert kind in self.ids, f"{place} takes the id of a {kind}: let tests/walls.py make one"
        return self.ids[kind]


async def family(lectern: World, key: str) -> Family:
    """A family of its own, in the realm of a content key."""
    realm = await realm_of(lectern, key)
    made: dict[str, str] = {}

    async def ask(query: str, **variables: Any) -> Any:
        (answer,) = (await lectern.graph(query, key=key, **variables)).values()
        return answer

    content, lectern.keys.content = lectern.keys.content, key
    try:
        hook = """mutation {
          createWebhookEndpoint(input: {url: "https://127.0.0.1/x", events: [RESOURCE_CREATED]}) { endpoint { id } }
        }"""
        made["endpoint"] = (await ask(hook))["endpoint"]["id"]
        for kind in ("module", "course", "video", "slide", "test"):
            made[kind] = await create(lectern, kind)
        await change(lectern, "AddLesson", courseId=made["course"], title="x")
        await change(lectern, "AddScene", videoId=made["video"], script="x")
        await change(lectern, "UpdateTest", id=made["test"], items=ITEMS[:1])
        await change(lectern, "UpdateModule", id=made["module"], quizzes=QUIZZES)
        url = (await share(lectern, made["test"], active=True))["publicUrl"]
        expansion = "mutation ($i: CreateExpansionInput!) { createExpansion(input: $i) { job { id } } }"
        expanded = {"sourceType": "x", "requestedOutputs": ["expanded_quiz"], "payload": GLOSSARY}
        made["job"] = (await ask(expansion, i=expanded))["job"]["id"]
    finally:
        lectern.keys.content = content
    parts = """query ($c: ID!, $v: ID!, $t: ID!, $e: ID!) {
      course(id: $c) { chapters { id lessons { id } } }
      video(id: $v) { scenes { id } }
      test(id: $t) { items { id } }
      webhookEndpoint(id: $e) { deliveries { nodes { id event { id } } } }
    }"""
    variables: dict[str, Any] = {"c": made["course"], "v": made["video"], "t": made["test"], "e": made["endpoint"]}
    found = await lectern.graph(parts, key=key, **variables)
    (chapter,) = found["course"]["chapters"]
    delivery = found["webhookEndpoint"]["deliveries"]["nodes"][0]
    made |= {
        "chapter": chapter["id"],
        "lesson": chapter["lessons"][0]["id"],
        "scene": found["video"]["scenes"][0]["id"],
        "item": found["test"]["items"][0]["id"],
        "delivery": delivery["id"],
        "event": delivery["event"]["id"],
    }
    submit = "mutation ($i: SubmitTestInput!) { submitTest(input: $i) { errors { code } } }"
    assert (await ask(submit, i={"publicUrl": url, "answers": []}))["errors"] == []
    listed = await ask("query ($id: ID!) { test(id: $id) { submissions { nodes { id } } } }", id=made["test"])
    made["submission"] = listed["submissions"]["nodes"][0]["id"]
    made |= await _ingested(lectern, realm) | await _people(lectern, realm.workspace_id)
    return Family(made | await _taken_out(lectern, realm, made), url)


async def realm_of(lectern: World, key: str) -> Realm:
    """Whose data a key sees."""
    async with lectern.database.snapshot() as session:
        found = await credentials.find_key(session, key)
    assert found is not None
    return found.realm


async def _ingested(lectern: World, realm: Realm) -> dict[str, str]:
    """An ingestion that waits for its package, and an item in a container as if it had come."""
    job = ingestions.awaiting(realm, jobs.new_id(), 1, 1, None)
    item, container = (
        tables.ContentItem(
            id=ids.new(ids.Prefix.CONTENT),
            workspace_id=realm.workspace_id,
            environment=realm.environment,
            job_id=job.id,
            type=type,
            source_identifier=type,
            title="x",
            alignments="[]",
        )
        for type in (tables.ContentType.ARTICLE, tables.ContentType.CONTAINER)
    )
    child = tables.AssociationType.IS_CHILD_OF
    async with lectern.database.transaction() as session:
        await jobs.add(session, job)
        session.add_all([item, container])
        await session.flush()
        session.add(tables.Association(source_id=item.id, type=child, target_id=container.id, position=0))
        facets = search.facets(realm, item.type, None, job.id, [])
        await search.add(session, [{"item_id": item.id, "facets": facets, "title": "x", "about": "", "everything": ""}])
    return {"ingestion": job.id, "content": item.id, "container": container.id}


async def _taken_out(lectern: World, realm: Realm, made: Mapping[str, str]) -> dict[str, str]:
    """A classroom with a lesson; a file and an export of the course, the group and the user."""
    ours: dict[str, Any] = {"workspace_id": realm.workspace_id, "environment": realm.environment}
    classroom = tables.Classroom(id=ids.new(ids.Prefix.CLASSROOM), title="x", **ours)
    lesson = tables.Resource(
        id=ids.new(ids.Prefix.MODULE),
        kind=tables.ResourceKind.module,
        origin=tables.ResourceOrigin.UI,
        title="x",
        details=ModuleDetails(),
        classroom_id=classroom.id,
        **ours,
    )
    async with lectern.database.transaction() as session:
        session.add(classroom)
        await session.flush()
        await resources.add(session, lesson)
        taken = [await _export(session, realm, made[kind], made["user"]) for kind in ("user", "group", "course")]
    job_id, file_id = taken[-1]
    return {"classroom": classroom.id, "standalone": lesson.id, "export": job_id, "file": file_id}


async def _export(session: Transaction, realm: Realm, context_id: str, user_id: str) -> tuple[str, str]:
    """An export of a context, and a file of it."""
    asked = ContentExportParameters(export_type=ExportType.zip, title="x")
    job = await exports.planned(session, realm, Context(context_id, "x"), user_id, asked, jobs.new_id())
    await jobs.add(session, job)
    file = tables.StoredFile(
        id=files.new_id(),
        workspace_id=realm.workspace_id,
        environment=realm.environment,
        context_id=context_id,
        path="x",
        content_type="x/x",
        byte_size=1,
        upload_expires_at=job.created_at,
        sha256="x",
    )
    session.add(file)
    return job.id, file.id


async def _people(lectern: World, workspace_id: str) -> dict[str, str]:
    """What belongs to both environments of a workspace."""
    made = {kind: ids.new(ids.Prefix(kind)) for kind in ("user", "group", "key", "client")}
    production = Environment.PRODUCTION
    async with lectern.database.transaction() as session:
        people.create_user(
            session, workspace_id, f"{made['user']}@example.org", "x", UserRole.MEMBER, "x", id=made["user"]
        )
        await session.flush()
        await people.create_group(session, workspace_id, "x", [made["user"]], id=made["group"])
        credentials.create_key(session, workspace_id, ApiKeyKind.CONTENT, production, "x", id=made["key"])
        scopes = [Scope.CONTENT_READ]
        credentials.create_client(session, workspace_id, production, "x", scopes, id=made["client"])
    return made


def document(root: str, name: str, field: GraphQLField) -> str:
    """An operation that asks one root field for everything that takes no arguments, two levels deep."""
    given = ", ".join(f"${argument}: {definition.type}" for argument, definition in field.args.items())
    passed = ", ".join(f"{argument}: ${argument}" for argument in field.args)
    return (
        f"{root.lower()} Walls{f'({given})' if given else ''} "
        f"{{ {name}{f'({passed})' if passed else ''} {selection(get_named_type(field.type))} }}"
    )


def selection(type: GraphQLNamedType, depth: int = 2) -> str:
    """All leaves of a type and of what is directly below it."""
    if is_leaf_type(type):
        return ""
    if is_union_type(type):
        return "{ __typename }"
    fields = ["__typename"]
    for name, field in getattr(type, "fields", {}).items():
        below = get_named_type(field.type)
        if any(is_required_argument(argument) for argument in field.args.values()):
            continue
        if is_leaf_type(below):
            fields.append(name)
        elif depth > 1 and is_composite_type(below):
            fields.append(f"{name} {selection(below, depth - 1)}")
    return f"{{ {' '.join(fields)} }}"


def variables(place: Place, field: GraphQLField, id: str, own: Family) -> dict[str, Any]:
    """The smallest arguments with an id (or text) at one place; other ids that are needed are of the own family."""
    return {
        name: value(argument.type, (name,), place, id, own)
        for name, argument in field.args.items()
        if name == place.steps[0] or is_required_argument(argument)
    }


def value(type: GraphQLInputType, steps: tuple[str, ...], place: Place, id: str, own: Family) -> Any:
    """A value of a type; what is on the way to the place holds the id."""
    nullable = get_nullable_type(type)
    if isinstance(nullable, GraphQLList):
        return [value(nullable.of_type, steps, place, id, own)]
    if isinstance(nullable, GraphQLInputObjectType):
        return _object(nullable, steps, place, id, own)
    if steps == place.steps:
        return id
    if nullable.name == "ID":
        return own.id(Place(place.root, place.field, steps, _owner(place, steps)))
    if isinstance(nullable, GraphQLEnumType):
        return next(iter(nullable.values))
    assert isinstance(nullable, GraphQLScalarType)
    assert nullable.name in SCALARS, f"{place} needs a {nullable}: let tests/walls.py know one"
    return SCALARS[nullable.name]


def _object(type: GraphQLInputObjectType, steps: tuple[str, ...], place: Place, id: str, own: Family) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if type.extensions["strawberry-definition"].is_one_of:
        name = place.steps[len(steps)] if place.steps[: len(steps)] == steps else next(iter(type.fields))
        return {name: value(type.fields[name].type, (*steps, name), place, id, own)}
    for name, field in type.fields.items():
        key, on_the_way = f"{type.name}.{name}", (*steps, name) == place.steps[: len(steps) + 1]
        if key == "SubmitTestInput.publicUrl":
            made[name] = own.public_url
        elif key in SENSIBLE and not on_the_way:
            made[name] = SENSIBLE[key]
        elif on_the_way or is_required_input_field(field) or name in COMPANIONS.get(str(place), ()):
            made[name] = value(field.type, (*steps, name), place, id, own)
    return made


def _owner(place: Place, steps: tuple[str, ...]) -> str:
    """The input type that holds the field at the end of these steps."""
    root = GRAPH.get_type(place.root)
    assert isinstance(root, GraphQLObjectType)
    named = get_named_type(root.fields[place.field].args[steps[0]].type)
    for step in steps[1:-1]:
        assert isinstance(named, GraphQLInputObjectType)
        named = get_named_type(named.fields[step].type)
    return named.name if isinstance(named, GraphQLInputObjectType) else ""
