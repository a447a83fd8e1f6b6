"""Speech by espeak-ng."""

from array import array
from math import sqrt

import pytest

from dispatcher.jobs.rendering.speech import Spoken, candidates, voice

SCRIPT = "Always wear a helmet on the site, even on a short visit."


def loudness(spoken: Spoken) -> float:
    samples = array("h", spoken.samples)
    return sqrt(sum(sample * sample for sample in samples) / max(1, len(samples)))


@pytest.mark.parametrize("language", ["en", "de-AT", "fr-CA", "zh-Hant-TW", "ar", "uk", "pt-BR"])
def test_a_language_has_a_voice(language: str) -> None:
    speaker = voice(language)
    assert speaker.notices == ()
    assert loudness(speaker.say(SCRIPT, 20)) > 500


def test_a_language_without_a_voice_is_read_in_english_with_a_warning() -> None:
    speaker = voice("qaa")
    assert [notice.code for notice in speaker.notices] == ["voice_substituted"]
    assert loudness(speaker.say(SCRIPT, 20)) > 500


def test_a_script_that_takes_longer_than_its_scene_is_spoken_faster() -> None:
    speaker = voice("en")
    calm, quick = speaker.say(SCRIPT, 20), speaker.say(SCRIPT, 2.5)
    assert not calm.cut
    assert not quick.cut
    assert 2.5 < calm.seconds < 20
    assert 2 < quick.seconds <= 2.5


def test_what_does_not_fit_even_then_is_cut() -> None:
    spoken = voice("en").say(SCRIPT, 0.5)
    assert spoken.cut
    assert spoken.seconds == 0.5
    assert len(spoken.samples) == 2 * 11025


@pytest.mark.parametrize("script", ["", "   ", "\n"])
def test_nothing_to_say_is_silence(script: str) -> None:
    spoken = voice("en").say(script, 5)
    assert not spoken.cut
    assert loudness(spoken) == 0


def test_markup_is_read_and_not_obeyed() -> None:
    """SSML and phoneme codes are text to a script."""
    speaker = voice("en")
    assert speaker.say('<audio src="/etc/passwd"/> [[hEl@U]]', 20).seconds > speaker.say("hello", 20).seconds


@pytest.mark.parametrize(
    ("language", "names"),
    [
        ("de-AT", ["de-at", "de", "en"]),
        ("zh_Hant", ["zh-hant", "zh", "cmn", "en"]),
        ("../../etc", ["en"]),
        ("", ["en"]),
    ],
)
def test_less_and_less_of_a_tag_is_asked_for(language: str, names: list[str]) -> None:
    assert list(candidates(language)) == names
