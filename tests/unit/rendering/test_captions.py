"""Captions as WebVTT."""

import html
import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.jobs.rendering.captions import CUE_LINES, LINE_COLUMNS, Said, cues, webvtt
from dispatcher.jobs.rendering.lines import columns

TIMING = re.compile(r"(\d\d+):(\d\d):(\d\d)\.(\d{3}) --> (\d\d+):(\d\d):(\d\d)\.(\d{3})")
SCRIPTS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=400)
SCENES = st.lists(st.builds(Said, SCRIPTS, st.floats(0.05, 600)), max_size=6)


def parsed(captions: str) -> list[tuple[int, int, str]]:
    """Start, end and text of every cue, as a player reads them."""
    header, *blocks = captions.strip("\n").split("\n\n")
    assert header == "WEBVTT"
    found = []
    for block in blocks:
        timing, _, text = block.partition("\n")
        match = TIMING.fullmatch(timing)
        assert match is not None
        numbers = [int(number) for number in match.groups()]
        start, end = (((h * 60 + m) * 60 + s) * 1000 + ms for h, m, s, ms in (numbers[:4], numbers[4:]))
        found.append((start, end, html.unescape(text)))
    return found


def test_a_scene_becomes_cues_of_two_short_lines() -> None:
    script = "Always wear a helmet on the site, even on a short visit. Report every accident <at once> & in writing."
    assert webvtt([Said("Welcome!", 2), Said(script, 6.5)]) == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:02.000\nWelcome!\n\n"
        "00:00:02.000 --> 00:00:07.265\nAlways wear a helmet on the site, even on\n"
        "a short visit. Report every accident &lt;at\n\n"
        "00:00:07.265 --> 00:00:08.500\nonce&gt; &amp; in writing.\n"
    )


def test_a_scene_without_a_script_has_no_captions() -> None:
    assert webvtt([Said("", 3), Said(" \n ", 3)]) == "WEBVTT\n"


def test_cues_follow_the_voice_and_the_last_one_stays() -> None:
    starts = [(cue.start, cue.end) for cue in cues([Said("word " * 40, 20, spoken_seconds=8)])]
    assert starts[0][0] == 0
    assert starts[-1][0] < 8000
    assert starts[-1][1] == 20_000


def test_hours_are_counted() -> None:
    assert "01:00:00.000 --> 01:00:04.000\nEnd" in webvtt([Said("", 3600), Said("End", 4)])


@given(SCENES)
def test_every_word_is_shown_in_its_scene_and_no_cue_overlaps(scenes: list[Said]) -> None:
    found = parsed(webvtt(scenes))
    assert all(start < end for start, end, _ in found)
    assert all(one[1] <= other[0] for one, other in pairwise(found))
    said = "".join("".join(scene.script for scene in scenes).split())
    assert "".join("".join(text for _, _, text in found).split()) == said
    assert all(columns(line) <= LINE_COLUMNS for _, _, text in found for line in text.split("\n"))
    begin = 0.0
    for scene in scenes:
        inside = [cue for cue in found if round(begin * 1000) <= cue[0] < round((begin + scene.seconds) * 1000)]
        begin += scene.seconds
        shown = "".join("".join(text for _, _, text in inside).split())
        assert shown == "".join(scene.script.split())
        assert all(cue[1] <= round(begin * 1000) for cue in inside)


@given(st.text(alphabet="ab &<>-", min_size=1, max_size=300))
def test_given_time_a_cue_has_at_most_two_lines(script: str) -> None:
    found = parsed(webvtt([Said(script, 60)]))
    assert all(text.count("\n") < CUE_LINES for _, _, text in found)
    assert webvtt([Said(script, 60)]).count("-->") == len(found)
