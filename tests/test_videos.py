"""Videos and their scenes through the front door: R-VID-1 to 5, R-CHK-4."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from storage import tables
from tests.authoring import call, create, done, problems, show
from tests.world import World

SCENE = "id order script displayText duration visualType"
SEED_SCENE: dict[str, Any] = {
    "order": 3,
    "script": "Report hazards immediately so the team can act.",
    "displayText": "Report hazards immediately",
    "duration": 8,
    "visualType": "text",
}


async def a_video(lectern: World, count: int = 3) -> tuple[str, list[str]]:
    """A video with some scenes of five seconds; answers its id and theirs."""
    id = (await create(lectern, "video"))["id"]
    scenes = []
    for number in range(1, count + 1):
        added = await done(lectern, "addScene", "scene { id }", videoId=id, script=f"Scene {number}.")
        scenes.append(added["scene"]["id"])
    return id, scenes


async def orders(lectern: World, id: str) -> list[tuple[int, str]]:
    return [
        (scene["order"], scene["id"]) for scene in (await show(lectern, "video", id, "scenes { order id }"))["scenes"]
    ]


async def test_the_scene_of_the_document_becomes_the_third_and_the_others_move_down(lectern: World) -> None:
    """R-VID-3."""
    video, ids = await a_video(lectern)
    added = await done(
        lectern,
        "addScene",
        f"scene {{ {SCENE} }} video {{ sceneCount totalDurationSeconds }}",
        videoId=video,
        **SEED_SCENE,
    )
    id = added["scene"].pop("id")
    assert added["scene"] == SEED_SCENE
    assert added["video"] == {"sceneCount": 4, "totalDurationSeconds": 23.0}
    assert await orders(lectern, video) == list(enumerate([ids[0], ids[1], id, ids[2]], start=1))
    read = await lectern.graph(
        f"query ($id: ID!) {{ node(id: $id) {{ ... on Scene {{ {SCENE} video {{ id }} }} }} }}", id=id
    )
    assert read["node"] == {"id": id, **SEED_SCENE, "video": {"id": video}}


async def test_an_order_behind_the_end_is_the_end(lectern: World) -> None:
    """The document's scene is accepted by an empty video too."""
    video, _ = await a_video(lectern, 0)
    added = await done(lectern, "addScene", "scene { order }", videoId=video, **SEED_SCENE)
    assert added["scene"] == {"order": 1}


async def test_a_scene_is_changed_moved_and_deleted(lectern: World) -> None:
    """R-VID-4."""
    video, ids = await a_video(lectern)
    changed = await done(
        lectern, "updateScene", "scene { order duration script } video { version }", id=ids[2], duration=6.5
    )
    assert changed["scene"] == {"order": 3, "duration": 6.5, "script": "Scene 3."}
    assert changed["video"] == {"version": 5}
    await done(lectern, "updateScene", "scene { order }", id=ids[2], order=1)
    assert await orders(lectern, video) == list(enumerate([ids[2], ids[0], ids[1]], start=1))
    deleted = await done(lectern, "deleteScene", "deletedId video { sceneCount }", id=ids[0])
    assert (deleted["deletedId"], deleted["video"]) == (ids[0], {"sceneCount": 2})
    assert await orders(lectern, video) == [(1, ids[2]), (2, ids[1])]


async def test_scenes_are_reordered_by_a_permutation_and_by_nothing_else(lectern: World) -> None:
    """R-VID-5."""
    video, ids = await a_video(lectern)
    await done(lectern, "reorderScenes", "video { id }", videoId=video, sceneIds=ids[::-1])
    assert [id for _, id in await orders(lectern, video)] == ids[::-1]
    for wrong in (ids[:2], [*ids, ids[0]], ["x", *ids[1:]]):
        refused = await call(lectern, "reorderScenes", "video { id }", videoId=video, sceneIds=wrong)
        assert problems(refused) == [("VALIDATION_FAILED", "not_a_permutation", ["input", "sceneIds"])]
    assert [id for _, id in await orders(lectern, video)] == ids[::-1]


@pytest.mark.parametrize(
    ("change", "rule", "field"),
    [
        ({"duration": 0}, "duration_positive", "duration"),
        ({"duration": -1}, "duration_positive", "duration"),
        ({"duration": 3601}, "duration_range", "duration"),
        ({"order": 0}, "positive", "order"),
        ({"script": "x" * 10_001}, "too_long", "script"),
        ({"displayText": "x" * 2_001}, "too_long", "displayText"),
    ],
)
async def test_a_scene_that_cannot_be_is_refused(lectern: World, change: dict[str, Any], rule: str, field: str) -> None:
    """R-VID-3."""
    video, (id,) = await a_video(lectern, 1)
    problem = [("VALIDATION_FAILED", rule, ["input", field])]
    assert (
        problems(await call(lectern, "addScene", "scene { id }", videoId=video, **{**SEED_SCENE, **change})) == problem
    )
    assert problems(await call(lectern, "updateScene", "scene { id }", id=id, **change)) == problem
    assert await orders(lectern, video) == [(1, id)]


@pytest.mark.parametrize(
    ("input", "rule", "field"),
    [
        ({"aspectRatio": "16x9"}, "aspect_ratio", "aspectRatio"),
        ({"aspectRatio": ""}, "aspect_ratio", "aspectRatio"),
        ({"targetDurationSeconds": 0}, "duration_positive", "targetDurationSeconds"),
        ({"targetDurationSeconds": 7201}, "duration_range", "targetDurationSeconds"),
    ],
)
async def test_a_video_that_cannot_be_is_refused(lectern: World, input: dict[str, Any], rule: str, field: str) -> None:
    """R-VID-1, R-VID-2."""
    problem = [("VALIDATION_FAILED", rule, ["input", field])]
    assert problems(await call(lectern, "createVideo", "video { id }", title="A video", **input)) == problem
    video, _ = await a_video(lectern, 0)
    assert problems(await call(lectern, "updateVideo", "video { id }", id=video, **input)) == problem


async def test_a_video_is_changed_by_what_is_sent(lectern: World) -> None:
    """R-VID-2."""
    video, _ = await a_video(lectern, 0)
    changed = await done(
        lectern,
        "updateVideo",
        "video { version aspectRatio targetDurationSeconds editable renderStatus }",
        id=video,
        aspectRatio="9:16",
        targetDurationSeconds=30,
    )
    assert changed["video"] == {
        "version": 2,
        "aspectRatio": "9:16",
        "targetDurationSeconds": 30,
        "editable": True,
        "renderStatus": "NOT_RENDERED",
    }
    cleared = await done(
        lectern, "updateVideo", "video { targetDurationSeconds }", id=video, targetDurationSeconds=None
    )
    assert cleared["video"] == {"targetDurationSeconds": None}


async def test_a_rendered_video_is_locked_for_every_edit(lectern: World) -> None:
    """R-CHK-4, D22."""
    video, ids = await a_video(lectern, 2)
    async with lectern.database.transaction() as session:
        row = (await session.scalars(select(tables.Resource))).one()
        row.details = row.details.model_copy(update={"editable": False})
    for mutation, input in (
        ("updateVideo", {"id": video, "title": "New"}),
        ("addScene", {"videoId": video, "script": "More."}),
        ("updateScene", {"id": ids[0], "duration": 1}),
        ("deleteScene", {"id": ids[0]}),
        ("reorderScenes", {"videoId": video, "sceneIds": ids[::-1]}),
    ):
        assert problems(await call(lectern, mutation, "video { id }", **input)) == [("RESOURCE_LOCKED", None, [])]
    assert [id for _, id in await orders(lectern, video)] == ids


async def test_a_repeated_scene_is_added_once(lectern: World) -> None:
    """R-IDM-1, R-IDM-2."""
    video, _ = await a_video(lectern, 0)
    selection = "scene { id } video { sceneCount } replayed"
    first = await done(lectern, "addScene", selection, videoId=video, idempotencyKey="scene:1", **SEED_SCENE)
    again = await done(lectern, "addScene", selection, videoId=video, idempotencyKey="scene:1", **SEED_SCENE)
    assert again == {**first, "replayed": True}
    assert again["video"] == {"sceneCount": 1}


STEP = st.tuples(st.sampled_from(["add", "move", "delete", "reorder"]), st.integers(1, 9), st.randoms())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=3, max_size=10))
async def test_any_sequence_of_changes_leaves_scenes_dense_and_themselves(
    lectern: World, steps: list[tuple[str, int, Any]]
) -> None:
    """Issue line 2: scenes are 1 to n after any operation, and ids survive."""
    video, model = await a_video(lectern, 1)
    for verb, place, random in steps:
        chosen = random.choice(model) if model else None
        if verb == "add" or chosen is None:
            added = await done(lectern, "addScene", "scene { id }", videoId=video, order=place, script="x")
            model.insert(place - 1, added["scene"]["id"])
        elif verb == "move":
            await done(lectern, "updateScene", "scene { id }", id=chosen, order=place)
            model.remove(chosen)
            model.insert(place - 1, chosen)
        elif verb == "delete":
            await done(lectern, "deleteScene", "deletedId", id=chosen)
            model.remove(chosen)
        else:
            random.shuffle(model)
            await done(lectern, "reorderScenes", "video { id }", videoId=video, sceneIds=model)
        assert await orders(lectern, video) == list(enumerate(model, start=1))
