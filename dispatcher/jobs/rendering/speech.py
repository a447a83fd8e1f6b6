"""Speech: a script as sound, by espeak-ng. Its state is global: one voice at a time, in a process of its own."""

import ctypes
from collections.abc import Iterator
from ctypes import c_char_p, c_int, c_size_t, c_uint, c_void_p
from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import Any

from storage.tables.jobs import Notice

try:
    import espeakng_loader
except ImportError:
    espeakng_loader = None

SAMPLE_BYTES = 2
NORMAL, FASTEST = 165, 300  # words per minute; faster than that nobody follows
SYNCHRONOUS, DO_NOT_EXIT, RATE, UTF8 = 2, 0x8000, 1, 1  # speak_lib.h
ALIASES = {"zh": "cmn", "no": "nb", "nn": "nb", "iw": "he", "in": "id", "sh": "hr"}

Heard = ctypes.CFUNCTYPE(c_int, c_void_p, c_int, c_void_p)


@dataclass(frozen=True, slots=True)
class Spoken:
    """Sound as signed 16-bit mono samples, how long something is heard, and whether the end had to be left out."""

    samples: bytes = b""
    seconds: float = 0.0
    cut: bool = False


class Silence:
    """Stands in for a voice."""

    sample_rate = 22050

    def __init__(self, *notices: Notice) -> None:
        self.notices = notices

    def say(self, script: str, room: float) -> Spoken:
        """Nothing."""
        return Spoken()


class Voice(Silence):
    """A voice of espeak-ng in some language."""

    def __init__(self, language: str) -> None:
        self._library, self.sample_rate = started()
        self._heard: Any = Heard(self._hear)  # kept: the library holds no reference
        self._library.espeak_SetSynthCallback(self._heard)
        super().__init__(*self._choose(language))

    def say(self, script: str, room: float) -> Spoken:
        """The script in at most `room` seconds: spoken as fast as that takes, and cut where even that is too slow."""
        rate, seconds = NORMAL, self._speak(script, NORMAL, room)
        while seconds > room and rate < FASTEST:
            rate = min(FASTEST, ceil(rate * seconds / room) + 4)
            seconds = self._speak(script, rate, room)
        size = int(min(seconds, room) * self.sample_rate) * SAMPLE_BYTES
        return Spoken(bytes(self._samples[:size]), min(seconds, room), cut=seconds > room)

    def _choose(self, language: str) -> Iterator[Notice]:
        """Take the voice that is nearest to a language tag."""
        for name in candidates(language):
            if self._library.espeak_SetVoiceByName(name.encode()) == 0:
                if name == "en" and not language.lower().startswith("en"):
                    message = f"There is no voice for the language {language}; an English one reads the scripts."
                    yield Notice(code="voice_substituted", message=message)
                return

    def _speak(self, script: str, rate: int, room: float) -> float:
        """Speak into the buffer and tell the seconds; stops where even the fastest voice would be too slow."""
        self._samples = bytearray()
        self._end = 0
        self._most = int(room * FASTEST / rate * self.sample_rate * SAMPLE_BYTES)
        text = script.encode() + b"\0"
        self._library.espeak_SetParameter(RATE, rate, 0)
        self._library.espeak_Synth(text, len(text), 0, 1, 0, UTF8, None, None)
        self._library.espeak_Synchronize()
        return self._end / SAMPLE_BYTES / self.sample_rate

    def _hear(self, samples: int | None, count: int, _events: int | None) -> int:
        """Called by the library with each piece of sound; what it answers tells whether to stop."""
        if samples and count:
            piece = ctypes.string_at(samples, count * SAMPLE_BYTES)
            if heard := len(piece.rstrip(b"\0")):
                self._end = len(self._samples) + heard
            self._samples += piece
        return int(self._end > self._most)


@cache
def started() -> tuple[ctypes.CDLL, int]:
    """The library, and its samples per second; a second start would leave it with pointers to freed memory."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_Synth.argtypes = [c_char_p, c_size_t, c_uint, c_int, c_uint, c_uint, c_void_p, c_void_p]
    data = espeakng_loader.get_data_path().encode()
    sample_rate = library.espeak_Initialize(SYNCHRONOUS, 0, data, DO_NOT_EXIT)
    if sample_rate <= 0:
        raise OSError("espeak-ng does not start")
    return library, sample_rate


def voice(language: str) -> Silence:
    """A voice for the language, or silence with a notice that says what to install."""
    if espeakng_loader is None:
        message = 'The film is silent: narration needs the extra "voice" (pip install "lectern[voice]").'
        return Silence(Notice(code="voice_missing", message=message))
    try:
        return Voice(language)
    except OSError as error:
        return Silence(Notice(code="voice_missing", message=f"The film is silent: {error}."))


def candidates(language: str) -> Iterator[str]:
    """What espeak-ng may call a language: the whole tag, then less and less of it, what it is near to, and English."""
    subtags = [subtag for subtag in language.lower().replace("_", "-").split("-") if subtag.isalnum()]
    for length in range(len(subtags), 0, -1):
        yield "-".join(subtags[:length])
    yield from (ALIASES[subtag] for subtag in subtags[:1] if subtag in ALIASES)
    yield "en"
