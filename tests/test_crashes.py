"""What happens when machines die: real processes, real signals, a real Valkey. R-CARD-4."""

import os
import signal
from pathlib import Path
from typing import Any

import httpx
import redis

from gateway import valkey
from tests.processes import Installation, installation, running
from tests.world import GLOSSARY, eventually

CREATE = """mutation ($payload: JSON!) {
  createExpansion(input: {
    sourceType: "floco", requestedOutputs: [interactive_module, summary_video, expanded_quiz], payload: $payload
  }) { job { id } errors { message } }
}"""
JOB = """query ($id: ID!) {
  job(id: $id) {
    state attempt sequence
    events(first: 100) { nodes { sequence type jobEvent { state progress { percent completedUnits } } } }
    ... on ExpansionJob { outputs { status resourceId } }
  }
}"""


def large(lessons: int = 80, terms: int = 12) -> dict[str, Any]:
    """A source that takes a while."""
    return {
        "level": {
            "title": "Everything",
            "lessons": [
                {
                    "type": "term",
                    "title": f"Lesson {lesson}",
                    "terms": [
                        {
                            "term": f"word {lesson} {term}",
                            "meaning": f"the meaning {lesson} {term}",
                            "example": f"Say word {lesson} {term} twice.",
                        }
                        for term in range(terms)
                    ],
                }
                for lesson in range(lessons)
            ],
        }
    }


async def start(lectern: Installation, payload: dict[str, Any]) -> str:
    """A new job's id."""
    made = await lectern.graph(CREATE, payload=payload)
    return str(made["createExpansion"]["job"]["id"])


async def job(lectern: Installation, id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await lectern.graph(JOB, id=id))["job"]
    return found


async def until(lectern: Installation, id: str, *states: str, within: float = 15) -> dict[str, Any]:
    """The job once it is in one of the states."""

    async def there() -> Any:
        found = await job(lectern, id)
        return found if found["state"] in states else None

    found: dict[str, Any] = await eventually(there, within=within)
    return found


async def until_one_output_is_done(lectern: Installation, id: str) -> None:
    async def done() -> bool:
        outputs = (await job(lectern, id))["outputs"]
        return any(output["status"] == "completed" for output in outputs)

    await eventually(done)


def check_the_story(found: dict[str, Any]) -> None:
    """Every sequence number once, in order, one last event, three different resources."""
    events = found["events"]["nodes"]
    assert [event["sequence"] for event in events] == list(range(1, found["sequence"] + 1))
    assert [event["type"] for event in events].count("CONTENT_COMPLETED") == 1
    assert events[-1]["type"] == "CONTENT_COMPLETED"
    assert len({output["resourceId"] for output in found["outputs"]}) == 3


async def test_a_killed_worker_loses_nothing_and_another_goes_on_within_15_seconds(tmp_path: Path) -> None:
    async with installation(tmp_path) as lectern:
        id = await start(lectern, large())
        await until_one_output_is_done(lectern, id)
        lectern.kill("-m dispatcher")
        found = await until(lectern, id, "COMPLETED", within=15)
        assert found["attempt"] == 2
        check_the_story(found)
        events = await lectern.graph("{ events(first: 100, types: [RESOURCE_CREATED]) { totalCount } }")
        assert events["events"]["totalCount"] == 3, "no output twice"


async def test_everything_killed_at_once_goes_on_at_the_next_start(tmp_path: Path) -> None:
    async with installation(tmp_path) as lectern:
        keys = lectern.keys
        id = await start(lectern, large())
        await until_one_output_is_done(lectern, id)
        await lectern.stop(signal.SIGKILL)
        await lectern.gone()
    async with installation(tmp_path) as lectern:
        assert lectern.keys == keys, "keys are made and shown only once"
        assert lectern.output().count("First start") == 1
        check_the_story(await until(lectern, id, "COMPLETED", within=20))


async def test_a_stopped_installation_gives_its_jobs_back_and_exits_well(tmp_path: Path) -> None:
    async with installation(tmp_path) as lectern:
        id = await start(lectern, large())
        await until(lectern, id, "RUNNING", "COMPLETED")
        assert await lectern.stop(signal.SIGTERM) == 0
        await lectern.gone()
    async with installation(tmp_path) as lectern:
        found = await until(lectern, id, "COMPLETED", within=10)
        check_the_story(found)


async def test_a_killed_and_a_flushed_valkey_lose_no_job(tmp_path: Path) -> None:
    async with installation(tmp_path) as lectern:
        lectern.kill("valkey-server")
        first = await start(lectern, GLOSSARY)
        await until(lectern, first, "COMPLETED")
        with redis.Redis.from_url(f"unix://{valkey.socket_path(tmp_path / 'var' / 'valkey')}") as server:
            server.flushall()
        second = await start(lectern, GLOSSARY)
        check_the_story(await until(lectern, second, "COMPLETED"))


async def test_work_goes_on_without_valkey_and_what_waited_for_it_is_done_afterwards(tmp_path: Path) -> None:
    async with installation(tmp_path) as lectern:
        before = await start(lectern, large())
        await until(lectern, before, "RUNNING", "COMPLETED")
        pid = lectern.kill("valkey-server", signal.SIGSTOP)
        await until(lectern, before, "COMPLETED")
        meanwhile = await start(lectern, GLOSSARY)
        assert (await job(lectern, meanwhile))["state"] == "QUEUED"
        os.kill(pid, signal.SIGCONT)
        check_the_story(await until(lectern, meanwhile, "COMPLETED"))


async def test_a_web_process_that_dies_is_started_again(tmp_path: Path) -> None:
    async with installation(tmp_path) as lectern:
        id = await start(lectern, GLOSSARY)
        await until(lectern, id, "COMPLETED")
        lectern.kill("-m gateway.server")

        async def answers() -> bool:
            return bool(running(tmp_path, "-m gateway.server")) and await _answers(lectern)

        await eventually(answers, within=15)
        check_the_story(await job(lectern, id))


async def _answers(lectern: Installation) -> bool:
    try:
        return bool(await lectern.graph("{ viewer { workspaceName } }"))
    except httpx.TransportError:
        return False
