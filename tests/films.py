"""Films, seen and heard: what a file holds, decoded again."""

import io
from array import array
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import av
from PIL import Image, ImageChops, ImageStat

from storage.tables import VisualType
from storage.tables.jobs import PlannedScene, RenderParameters

OUTPUT = Path(__file__).parent / "output"
SAFETY = (
    (VisualType.title, "Safety on the building site", "Welcome to the safety training."),
    (VisualType.text, "Always wear a helmet, even on a short visit.", "Always wear a helmet on the site."),
    (VisualType.bullets, "Helmet\nGloves\nSafety shoes", "You need a helmet, gloves and safety shoes."),
)


def plan(
    *durations: float, aspect_ratio: str = "16:9", language: str = "en", script: str | None = None
) -> RenderParameters:
    """A plan with a scene for each duration, of all visual types in turn."""
    scenes = []
    for number, duration in enumerate(durations):
        visual_type, text, said = SAFETY[number % len(SAFETY)]
        spoken = said if script is None else script
        scenes.append(
            PlannedScene(
                id=f"scene_{number}", script=spoken, display_text=text, duration=duration, visual_type=visual_type
            )
        )
    return RenderParameters(
        plan_version=1, title="Safety summary", language=language, aspect_ratio=aspect_ratio, scenes=scenes
    )


@dataclass(frozen=True, slots=True)
class Film:
    """A decoded film: codecs by type of stream, how long it lasts, the frames that were asked for, and the sound."""

    codecs: dict[str, str]
    seconds: float
    frame_count: int
    size: tuple[int, int]
    pictures: dict[int, Image.Image]
    samples: "array[int]"
    sample_rate: int

    def loudness(self, start: float, end: float) -> float:
        """Root mean square of the sound between two seconds; 32767 is the loudest, silence is next to nothing."""
        part = self.samples[int(start * self.sample_rate) : int(end * self.sample_rate)]
        return sqrt(sum(sample * sample for sample in part) / max(1, len(part)))


def watch(source: Path | bytes, *frames: int) -> Film:
    """Decode a whole film and keep the pictures of some frames."""
    with av.open(io.BytesIO(source) if isinstance(source, bytes) else str(source), "r") as file:
        codecs = {str(stream.type): stream.codec_context.name for stream in file.streams}
        seconds = (file.duration or 0) / 1_000_000
        pictures, count = {}, 0
        for number, frame in enumerate(file.decode(video=0)):
            count += 1
            if number in frames:
                pictures[number] = frame.to_image()  # type: ignore[no-untyped-call]
        video = file.streams.video[0]
        size = video.width, video.height
    samples, rate = listen(source)
    return Film(codecs, seconds, count, size, pictures, samples, rate)


def listen(source: Path | bytes) -> tuple["array[int]", int]:
    """The sound of a film as 16-bit samples of one channel."""
    heard = array("h")
    with av.open(io.BytesIO(source) if isinstance(source, bytes) else str(source), "r") as file:
        rate = file.streams.audio[0].rate
        resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
        for frame in file.decode(audio=0):
            for part in resampler.resample(frame):
                heard.frombytes(bytes(part.planes[0])[: part.samples * 2])
    return heard, rate


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of two pictures, 0 to 255."""
    return sum(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean) / 3
