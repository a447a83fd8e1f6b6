"""What the writers of all formats have in common: two passes over the lessons, and the losses of the first."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from lxml import etree

from storage.packages import filenames
from storage.packages.outcomes import PackageWarning
from storage.packages.writing.course import File, Lesson, Question, QuestionKind, legible

MOST_LOSSES = 500
BATCH = 50


class Losses:
    """What a format cannot hold; the first of many are listed, the others counted."""

    def __init__(self) -> None:
        self._noted: list[PackageWarning] = []
        self._others: Counter[str] = Counter()

    def note(self, code: str, message: str, subject: str | None = None) -> None:
        """Something was left out or changed."""
        if len(self._noted) < MOST_LOSSES:
            self._noted.append(PackageWarning(code, message, subject))
        else:
            self._others[code] += 1

    def listed(self) -> list[PackageWarning]:
        """All that was noted, of a long list the beginning and how many there are of what more."""
        further = [
            PackageWarning("further_losses", f"{count:,} more warnings of the kind {code} are not listed.")
            for code, count in sorted(self._others.items())
        ]
        return [*self._noted, *further]


class PackageWriter(Protocol):
    """
    One package in the making.

    First every lesson is taken, in order; then the manifest is known; then the entries of every lesson are asked for,
    in the same order, and at last the files come at their places. Written in this order all paths are sorted. Between
    the passes only what the manifest needs is kept, never a lecture. `nothing` tells what is missing when it is empty.
    """

    manifest_path: str
    nothing: str
    losses: Losses

    def take(self, lesson: Lesson) -> None:
        """The first pass."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to export, once every lesson was taken."""

    def manifest(self) -> Iterator[bytes]:
        """The manifest, piece by piece."""

    def first_entries(self) -> Iterator[tuple[str, bytes]]:
        """What stands before the lessons."""

    def entries(self, lesson: Lesson) -> list[tuple[str, bytes]]:
        """The second pass: paths and contents, sorted."""

    def place(self, file: File) -> str:
        """Where a stored file is in the package."""


def readable(lesson: Lesson, losses: Losses) -> Lesson:
    """The lesson as XML can hold it, and what of its questions cannot be told at all."""
    legibly = legible(lesson)
    if legibly is not lesson:
        losses.note("characters_replaced", "Characters that XML cannot hold were replaced by U+FFFD.", lesson.id)
    for question in (*lesson.quizzes, *lesson.practice):
        _note_losses(question, name(lesson, question), losses)
    return legibly


def name(lesson: Lesson, question: Question) -> str:
    """A question as its author can find it: the id that it has in its lesson."""
    return f"{lesson.id}#{question.key or question.id}"


def _note_losses(question: Question, subject: str, losses: Losses) -> None:
    if not question.can_be_asked:
        losses.note("question_without_options", "A question without options was left out.", subject)
    if question.kind is QuestionKind.SHORT_ANSWER and question.options:
        losses.note("options_left_out", "The options of a short answer, which nobody is shown, were left out.", subject)


def lay_out(folder: str, files: Iterable[File], losses: Losses, rename: Callable[[str], str] = str) -> dict[str, str]:
    """Where the file of each path is in the package, in this folder; notes those that are under another."""
    ids = {file.path: file.id for file in files}
    places = filenames.lay_out(ids, rename)
    for path, place in sorted(places.items()):
        if place != path:
            message = f"Not every system could unpack or read {path!r}; it is in the package as {place!r}."
            losses.note("file_renamed", message, ids[path])
    return {path: f"{folder}/{place}" for path, place in places.items()}


def folder(lesson: Lesson) -> str:
    """The folder of a lesson: sorts as the lessons do."""
    return f"lessons/{lesson.number:06d}"


def stream_manifest(manifest: etree._Element, resources: Iterable[etree._Element]) -> Iterator[bytes]:
    """A manifest with an empty element `resources` at its end, filled with these, however many."""
    written = etree.tostring(manifest, encoding="UTF-8", xml_declaration=True)
    head, gap, tail = written.rpartition(b"<resources/>")
    yield head + b"<resources>" if gap else written
    holder = etree.Element(manifest[-1].tag, nsmap=manifest.nsmap)
    for resource in resources:
        holder.append(resource)
        if len(holder) == BATCH:
            yield _inside(holder)
            holder.clear()
    yield _inside(holder) + b"</resources>" + tail


def _inside(holder: etree._Element) -> bytes:
    """The children alone: their namespaces are declared by the manifest, as they are by the holder."""
    written = etree.tostring(holder, encoding="UTF-8")
    return written[written.index(b">") + 1 : written.rindex(b"<")] if len(holder) else b""
