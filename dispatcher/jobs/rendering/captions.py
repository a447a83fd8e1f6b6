"""Captions: what is said in each scene as WebVTT, in cues of two short lines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from dispatcher.jobs.rendering.lines import columns, wrapped

LINE_COLUMNS = 42
CUE_LINES = 2
SHORTEST_SECONDS = 0.8


@dataclass(frozen=True, slots=True)
class Said:
    """The script of a scene, how long the scene lasts, and how much of it the voice speaks; in seconds."""

    script: str
    seconds: float
    spoken_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Cue:
    """A piece of text and when it is shown, in milliseconds."""

    start: int
    end: int
    lines: tuple[str, ...]


def webvtt(scenes: Sequence[Said]) -> str:
    """A WebVTT file; times are those of the film, and no word of a script is left out."""
    blocks = (f"{_clock(cue.start)} --> {_clock(cue.end)}\n{_escaped(cue.lines)}" for cue in cues(scenes))
    return "\n\n".join(("WEBVTT", *blocks)) + "\n"


def cues(scenes: Sequence[Said]) -> Iterator[Cue]:
    """The cues of a film, in order, none over another."""
    start = 0.0
    for scene in scenes:
        yield from _cues(scene, start)
        start += scene.seconds


def _cues(scene: Said, start: float) -> Iterator[Cue]:
    """The cues of a scene share the time of the speech by their length; the last stays until the scene ends."""
    texts = _texts(scene)
    if not texts:
        return
    share = (scene.spoken_seconds or scene.seconds) / sum(map(_length, texts))
    edges = list(accumulate((_length(lines) * share for lines in texts), initial=start))
    edges[-1] = start + scene.seconds
    for lines, (begin, end) in zip(texts, pairwise(round(edge * 1000) for edge in edges), strict=True):
        if begin < end:
            yield Cue(begin, end, lines)


def _texts(scene: Said) -> list[tuple[str, ...]]:
    """Groups of lines: as many as the time allows to be read."""
    lines = wrapped(" ".join(scene.script.split()), lambda line: columns(line) <= LINE_COLUMNS)
    most = max(1, int((scene.spoken_seconds or scene.seconds) / SHORTEST_SECONDS))
    size = max(CUE_LINES, -(-len(lines) // most))
    return [tuple(lines[index : index + size]) for index in range(0, len(lines), size)]


def _length(lines: tuple[str, ...]) -> int:
    return sum(map(len, lines))


def _clock(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"


def _escaped(lines: tuple[str, ...]) -> str:
    return "\n".join(line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for line in lines)
