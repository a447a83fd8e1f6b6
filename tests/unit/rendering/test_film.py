"""Films, decoded again: streams, duration, pictures, sound."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from dispatcher.jobs.rendering import film
from dispatcher.jobs.rendering.cards import Cards
from storage.errors import JobFailed
from storage.tables.jobs import RenderParameters
from tests.films import OUTPUT, difference, plan, watch

FRAME = 1 / film.FRAMES_PER_SECOND


def made(scenes: RenderParameters, folder: Path, codec: str | None = None) -> tuple[film.Film, list[tuple[int, float]]]:
    """A film, and what was told on the way."""
    told: list[tuple[int, float]] = []
    return film.make(scenes, folder, codec, lambda done, seconds: told.append((done, seconds))), told


@pytest.mark.parametrize(
    ("codec", "codecs"), [(None, ("h264", "aac")), ("vp9", ("vp9", "opus")), ("mpeg4", ("mpeg4", "aac"))]
)
def test_a_film_plays_shows_its_cards_and_speaks(codec: str | None, codecs: Sequence[str], tmp_path: Path) -> None:
    """R-VID-6, R-VID-8."""
    scenes = plan(2.5, 3.0, 4.04)
    film_, told = made(scenes, tmp_path, codec)
    seen = watch(film_.video, 5, 40, 80)
    assert [seen.codecs["video"], seen.codecs["audio"].removeprefix("lib")] == list(codecs)
    assert seen.seconds == pytest.approx(9.54, abs=FRAME)
    assert seen.frame_count == 95
    assert seen.size == (1280, 720)
    drawn = Cards(scenes)
    for number, frame in enumerate((5, 40, 80)):
        assert difference(seen.pictures[frame], drawn.draw(number)) < 3, number
        assert difference(seen.pictures[frame], drawn.draw((number + 1) % 3)) > 5
    for start, end in ((0.2, 1.5), (2.7, 4.0), (5.7, 7.5)):
        assert seen.loudness(start, end) > 500
    assert film_.notices == []
    assert told == sorted(told)
    assert told[-1][0] == 3
    assert told[-1][1] == pytest.approx(9.54)
    captions = film_.captions.read_text()
    assert all(scene.script in " ".join(captions.split()) for scene in scenes.scenes)
    assert film_.poster.read_bytes().startswith(b"\x89PNG")
    keep(film_, seen.pictures[40], codec)


def keep(film_: film.Film, picture: object, codec: str | None) -> None:
    """For people to look at."""
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / f"film-{codec or 'default'}{film_.video.suffix}").write_bytes(film_.video.read_bytes())
    (OUTPUT / "film.vtt").write_bytes(film_.captions.read_bytes())
    picture.save(OUTPUT / f"frame-{codec or 'default'}.png")  # type: ignore[attr-defined]


@pytest.mark.parametrize(("aspect_ratio", "size"), [("9:16", (720, 1280)), ("1:1", (720, 720)), ("4:3", (960, 720))])
def test_a_film_has_the_shape_of_its_plan(aspect_ratio: str, size: tuple[int, int], tmp_path: Path) -> None:
    assert watch(made(plan(0.5, aspect_ratio=aspect_ratio), tmp_path)[0].video).size == size


def test_a_scene_with_an_empty_script_is_silent(tmp_path: Path) -> None:
    seen = watch(made(plan(2.0, script=""), tmp_path)[0].video)
    assert seen.loudness(0, 2) < 5
    assert seen.seconds == pytest.approx(2, abs=FRAME)


@pytest.mark.parametrize("durations", [(0.01,), (0.05, 0.05, 0.05, 0.05), (1 / 3,) * 10, (0.1, 1.23456, 2.0)])
def test_durations_are_kept_within_a_frame_however_odd(durations: Sequence[float], tmp_path: Path) -> None:
    seen = watch(made(plan(*durations, script=""), tmp_path)[0].video)
    assert seen.seconds == pytest.approx(sum(durations), abs=FRAME)
    assert seen.frame_count == max(1, round(sum(durations) * film.FRAMES_PER_SECOND))


def test_a_script_that_does_not_fit_is_cut_in_sound_but_not_in_the_captions(tmp_path: Path) -> None:
    script = "This is much more than anybody can say in two seconds, however fast the voice is made to speak."
    film_, _ = made(plan(2.0, 2.0, script=script), tmp_path)
    assert [(notice.code, notice.subject) for notice in film_.notices] == [
        ("narration_cut", "scene_0"),
        ("narration_cut", "scene_1"),
    ]
    assert watch(film_.video).seconds == pytest.approx(4, abs=FRAME)
    assert " ".join(film_.captions.read_text().split()).count("made to speak.") == 2


def test_a_codec_that_is_not_there_is_named() -> None:
    assert film.available(None) is film.CODECS["h264"]
    film.CODECS["none"] = film.Codec(".mp4", "no-such-codec", "aac", {})
    try:
        with pytest.raises(JobFailed, match="cannot encode none"):
            film.available("none")
    finally:
        del film.CODECS["none"]


def rendered(folder: Path, **environment: str) -> list[dict[str, object]]:
    """What the renderer tells, run as a process as the worker runs it."""
    (folder / "plan.json").write_text(plan(1.0).model_dump_json())
    command = [sys.executable, "-m", "dispatcher.jobs.rendering", str(folder)]
    path = os.pathsep.join([*environment.values(), *sys.path])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PYTHONPATH": path}) as process:
        assert process.stdout is not None
        return [orjson.loads(line) for line in process.stdout]


def test_the_renderer_tells_what_it_made(tmp_path: Path) -> None:
    *_, last = rendered(tmp_path)
    assert last == {"video": "video.mp4", "captions": "captions.vtt", "poster": "poster.png", "notices": []}


@pytest.mark.parametrize("library", ["av", "PIL"])
def test_without_the_video_extra_it_says_what_to_install(library: str, tmp_path: Path) -> None:
    """D23."""
    (tmp_path / f"{library}.py").write_text(f'raise ModuleNotFoundError("No module named {library!r}")')
    (told,) = rendered(tmp_path, before=str(tmp_path))
    assert told == {
        "failed": f'Rendering needs the extra "video" (pip install "lectern[video]"): No module named \'{library}\'.'
    }


def test_without_the_voice_extra_the_film_is_silent_and_says_so(tmp_path: Path) -> None:
    """D23."""
    (tmp_path / "espeakng_loader.py").write_text("raise ModuleNotFoundError('espeakng_loader')")
    *_, last = rendered(tmp_path, before=str(tmp_path))
    assert [notice["code"] for notice in last["notices"]] == ["voice_missing"]  # type: ignore[attr-defined]
    assert watch(tmp_path / "video.mp4").loudness(0, 1) < 5


def memory(folder: Path, *durations: float) -> int:
    """The most that a renderer takes for a film of such scenes."""
    folder.mkdir()
    (folder / "plan.json").write_text(plan(*durations, script="").model_dump_json())
    command = [sys.executable, "-m", "dispatcher.jobs.rendering", str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    _, process.returncode, usage = os.wait4(process.pid, 0)
    assert process.stdin is not None
    process.stdin.close()
    assert process.returncode == 0
    return usage.ru_maxrss


def test_a_longer_film_takes_no_more_memory(tmp_path: Path) -> None:
    short = memory(tmp_path / "short", 10.0)
    assert memory(tmp_path / "long", *[5.0] * 5, 30.0) < 1.1 * short, "neither with many scenes nor with a long one"


def test_the_renderer_ends_with_whoever_started_it(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "plan.json").write_text(plan(*[60.0] * 50).model_dump_json())
    command = [sys.executable, "-m", "dispatcher.jobs.rendering", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        process.stdin.close()
        assert process.wait(timeout=5) == 1
    assert not folder.exists()
