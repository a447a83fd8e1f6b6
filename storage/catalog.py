"""The catalogue of events for those who receive them: what each type means, its JSON Schema, and an example. Pure."""

from functools import cache
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from storage.bodies import BODIES
from storage.tables import Environment, EventType


class Entry(NamedTuple):
    """What a type means, and the keys of one event of it besides the envelope."""

    meaning: str
    example: dict[str, Any]


AT = "2026-07-02T09:30:00.000Z"
_ID = "06f2k3v9w0x8y7z6a5b4c3d2e1"
JOB, MODULE, COURSE, VIDEO, USER, ENDPOINT = (
    f"{prefix}_{_ID}" for prefix in ("job", "module", "course", "video", "user", "endpoint")
)
CANCELED = {"code": "CANCELED", "message": "The job was cancelled."}

_glossary = {"jobId": JOB, "sourceType": "floco", "requestedOutputs": ["interactive_module"], "completedAt": AT}
_module = {"outputType": "interactive_module", "resourceType": "module"}
_export = {
    "jobId": JOB,
    "number": 101,
    "exportType": "common_cartridge",
    "contextId": COURSE,
    "userId": USER,
    "skipNotifications": False,
    "completedAt": AT,
}
_ingestion = {"jobId": JOB, "packageType": "QTI_3_0", "completedAt": AT}
_render = {"jobId": JOB, "videoId": VIDEO, "planVersion": 7, "completedAt": AT}
_generation = {"jobId": JOB, "resourceType": "course", "resourceId": COURSE, "completedAt": AT}
_resource = {"resourceType": "module", "resourceId": MODULE, "status": "READY"}

CATALOG: dict[EventType, Entry] = {
    EventType.CONTENT_COMPLETED: Entry(
        "An expansion or classroom export completed, at least in part.",
        {
            **_glossary,
            "status": "completed",
            "outputs": [{**_module, "status": "completed", "resourceId": MODULE}],
        },
    ),
    EventType.CONTENT_FAILED: Entry(
        "An expansion failed or was cancelled.",
        {**_glossary, "status": "failed", "outputs": [{**_module, "status": "queued"}], "error": CANCELED},
    ),
    EventType.EXPORT_COMPLETED: Entry("A content export can be downloaded.", {**_export, "workflowState": "exported"}),
    EventType.EXPORT_FAILED: Entry(
        "A content export failed or was cancelled.", {**_export, "workflowState": "failed", "error": CANCELED}
    ),
    EventType.INGESTION_COMPLETED: Entry(
        "A package was ingested; also with errors in some items, or cancelled when some were done.",
        {**_ingestion, "status": "COMPLETED_WITH_ERRORS", "completed": 120, "failed": 2, "skipped": 3},
    ),
    EventType.INGESTION_FAILED: Entry(
        "Nothing of a package became a content item, or it never came.",
        {**_ingestion, "status": "FAILED", "completed": 0, "failed": 0, "skipped": 0, "error": CANCELED},
    ),
    EventType.RENDER_COMPLETED: Entry("A video was rendered.", {**_render, "state": "COMPLETED"}),
    EventType.RENDER_FAILED: Entry(
        "A render failed or was cancelled.", {**_render, "state": "CANCELED", "error": CANCELED}
    ),
    EventType.GENERATION_COMPLETED: Entry("What a prompt asked for is written.", {**_generation, "state": "COMPLETED"}),
    EventType.GENERATION_FAILED: Entry(
        "A generation failed or was cancelled.", {**_generation, "state": "CANCELED", "error": CANCELED}
    ),
    EventType.RESOURCE_CREATED: Entry("A resource was created.", {**_resource, "version": 1}),
    EventType.RESOURCE_UPDATED: Entry(
        "Metadata, content, structure or status of a resource changed.", {**_resource, "version": 2}
    ),
    EventType.RESOURCE_DELETED: Entry("A resource was deleted.", {**_resource, "version": 2}),
    EventType.JOB_PROGRESS: Entry(
        "A job was created, moved or finished a part; webhooks get at most one per job and 5 seconds.",
        {
            "jobId": JOB,
            "kind": "INGESTION",
            "state": "RUNNING",
            "percent": 42.5,
            "phase": "reading",
            "secondsRemaining": 12.0,
            "itemId": "question-17",
        },
    ),
    EventType.WEBHOOK_TEST: Entry(
        "Asked for by sendTestWebhook; goes to the tested endpoint only, subscribed or not.", {"endpointId": ENDPOINT}
    ),
    EventType.ENDPOINT_DISABLED: Entry(
        "An endpoint was disabled; goes to the other endpoints.",
        {"endpointId": ENDPOINT, "reason": "The receiver answered 410 Gone."},
    ),
}


class Envelope(BaseModel):
    """What every event says."""

    model_config = ConfigDict(alias_generator=to_camel)

    id: str = Field(description="The same on every attempt and replay: the key for ignoring repetitions.")
    type: str
    timestamp: str = Field(description="RFC 3339 in UTC with milliseconds.", json_schema_extra={"format": "date-time"})
    environment: Environment
    subject_id: str = Field(description="What the event is about.")
    sequence: int = Field(description="Counts the events of the subject from 1, without gaps.")


@cache
def schema(type: EventType) -> dict[str, Any]:
    """The JSON Schema of a type's payload. More keys may come one day; those that are there stay."""
    envelope, body = (_tidy(shape.model_json_schema()) for shape in (Envelope, BODIES[type]))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": type.value,
        "description": CATALOG[type].meaning,
        "type": "object",
        "properties": {**envelope["properties"], **body["properties"], "type": {"const": type.value}},
        "required": [*envelope["required"], *body["required"]],
        "$defs": {**envelope["$defs"], **body.get("$defs", {})},
    }


@cache
def example(type: EventType) -> dict[str, Any]:
    """A payload as it may come."""
    keys = CATALOG[type].example
    subject_id = next(keys[name] for name in ("jobId", "resourceId", "endpointId") if name in keys)
    envelope = {"id": f"event_{_ID}", "type": type.value, "timestamp": AT, "environment": "PRODUCTION"}
    return {**envelope, "subjectId": subject_id, "sequence": 9, **keys}


def _tidy(node: Any) -> Any:
    """Without what only we hold against new keys, without null, since what is none is left out, and without titles."""
    match node:
        case {"anyOf": [one, {"type": "null"}]}:
            return _tidy(one)
        case {"properties": dict(properties)}:
            kept = {name: _tidy(value) for name, value in node.items() if name not in ("additionalProperties", "title")}
            return {**kept, "properties": {name: _tidy(value) for name, value in properties.items()}}
        case dict():
            return {name: _tidy(value) for name, value in node.items() if name != "title"}
        case list():
            return [_tidy(value) for value in node]
    return node
