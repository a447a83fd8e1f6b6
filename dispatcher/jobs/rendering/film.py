"""Film: the cards and the speech of a plan as one video file, written as it is made; memory does not grow with it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import ceil
from pathlib import Path
from typing import Self, cast

import av
from av.error import FFmpegError
from PIL.Image import Image

from dispatcher.jobs.rendering.captions import Said, webvtt
from dispatcher.jobs.rendering.cards import Cards
from dispatcher.jobs.rendering.speech import SAMPLE_BYTES, Spoken, voice
from storage.errors import JobErrorCode, JobFailed
from storage.tables.jobs import Notice, PlannedScene, RenderParameters

FRAMES_PER_SECOND = 10
KEY_FRAME_SECONDS = 10
OPUS_RATE = 48_000
BITS_PER_SECOND = 64_000
BT709 = LIMITED_RANGE = 1


@dataclass(frozen=True, slots=True)
class Codec:
    """How a film is encoded."""

    suffix: str
    picture: str
    sound: str
    options: dict[str, str]


CODECS = {
    "h264": Codec(".mp4", "libx264", "aac", {"preset": "veryfast", "tune": "stillimage", "crf": "20"}),
    "vp9": Codec(".webm", "libvpx-vp9", "libopus", {"deadline": "realtime", "cpu-used": "8", "crf": "30", "b": "0"}),
    "mpeg4": Codec(".mp4", "mpeg4", "aac", {"b": "2000k"}),
}

Tell = Callable[[int, float], None]
"""Hears how many scenes are done, and how many seconds of the film."""


@dataclass(frozen=True, slots=True)
class Film:
    """Where the files are, and what could not be done as it should be."""

    video: Path
    captions: Path
    poster: Path
    notices: list[Notice]


def make(plan: RenderParameters, folder: Path, codec: str | None, tell: Tell) -> Film:
    """The film, its captions and its poster, in a folder; JobFailed when the codecs are not there or break."""
    chosen = available(codec)
    cards, narrator = Cards(plan), voice(plan.language)
    video, captions, poster = folder / f"video{chosen.suffix}", folder / "captions.vtt", folder / "poster.png"
    notices = list(narrator.notices)
    said: list[Said] = []
    try:
        with Reel(video, chosen, cards.size, narrator.sample_rate) as reel:
            for number, scene in enumerate(plan.scenes):
                card = cards.draw(number)
                if number == 0:
                    card.save(poster)
                spoken = narrator.say(scene.script, scene.duration)
                reel.shoot(_frame(card), spoken, scene.duration, partial(tell, number))
                said.append(Said(scene.script, scene.duration, spoken.seconds))
                notices += [_cut(scene)] if spoken.cut else []
                tell(number + 1, reel.seconds)
    except FFmpegError as error:
        raise JobFailed(JobErrorCode.RENDER_FAILED, f"The film cannot be encoded: {error}.") from None
    captions.write_text(webvtt(said), encoding="utf-8")
    return Film(video, captions, poster, [*cards.notices, *notices])


def available(wanted: str | None) -> Codec:
    """The codec that is wanted, or the first that the library has; JobFailed when there is none."""
    for name in [wanted] if wanted else CODECS:
        codec = CODECS[name]
        if {codec.picture, codec.sound} <= av.codecs_available:
            return codec
    names = wanted or ", ".join(CODECS)
    message = f"The installed PyAV cannot encode {names}; LECTERN_RENDER_CODEC chooses another codec."
    raise JobFailed(JobErrorCode.RENDER_FAILED, message)


class Reel:
    """A file that is being filled, second by second, with still pictures and sound."""

    def __init__(self, path: Path, codec: Codec, size: tuple[int, int], sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.seconds = 0.0
        self._file = av.open(str(path), "w", options={"movflags": "+faststart"} if path.suffix == ".mp4" else {})
        self._picture = self._pictures(codec, size)
        rate = OPUS_RATE if codec.sound == "libopus" else sample_rate
        sound = self._file.add_stream(codec.sound, rate=rate, layout="mono", bit_rate=BITS_PER_SECOND)
        self._sound = cast("av.AudioStream", sound)
        self._shown = self._heard = 0

    def _pictures(self, codec: Codec, size: tuple[int, int]) -> av.VideoStream:
        stream = cast(
            "av.VideoStream", self._file.add_stream(codec.picture, rate=FRAMES_PER_SECOND, options=codec.options)
        )
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.gop_size = KEY_FRAME_SECONDS * FRAMES_PER_SECOND
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED_RANGE
        return stream

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._file.mux(self._picture.encode(None))
            self._file.mux(self._sound.encode(None))
        self._file.close()

    def shoot(self, picture: av.VideoFrame, spoken: Spoken, seconds: float, tell: Callable[[float], None]) -> None:
        """Show a picture for some seconds while something is said."""
        still = picture.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        sound = memoryview(spoken.samples)
        begin = self._heard
        for end in _steps(self.seconds, self.seconds + seconds):
            self._show(still, end)
            start = (self._heard - begin) * SAMPLE_BYTES
            count = round(end * self.sample_rate) - self._heard
            self._play(bytes(sound[start : start + count * SAMPLE_BYTES]), count)
            tell(end)
        self.seconds += seconds

    def _show(self, still: av.VideoFrame, end: float) -> None:
        """The picture up to this second of the film."""
        for number in range(self._shown, max(1, round(end * FRAMES_PER_SECOND))):
            still.pts, still.time_base = number, Fraction(1, FRAMES_PER_SECOND)
            self._file.mux(self._picture.encode(still))
            self._shown = number + 1

    def _play(self, samples: bytes, count: int) -> None:
        """Some samples, and silence where there are none."""
        if count == 0:
            return
        frame = av.AudioFrame(format="s16", layout="mono", samples=count)
        frame.planes[0].update(samples.ljust(frame.planes[0].buffer_size, b"\0"))
        frame.sample_rate, frame.pts, frame.time_base = self.sample_rate, self._heard, Fraction(1, self.sample_rate)
        self._file.mux(self._sound.encode(frame))
        self._heard += count


def _frame(card: Image) -> av.VideoFrame:
    frame: av.VideoFrame = av.VideoFrame.from_image(card)  # type: ignore[no-untyped-call]
    return frame


def _steps(start: float, end: float) -> Iterator[float]:
    """The whole seconds after the start, and the end."""
    yield from range(int(start) + 1, ceil(end))
    yield end


def _cut(scene: PlannedScene) -> Notice:
    message = "The script cannot be spoken in the time that its scene lasts; its end is only in the captions."
    return Notice(code="narration_cut", message=message, subject=scene.id)
