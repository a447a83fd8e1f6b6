"""Courses to be written: whatever a client can say, and packages of it in memory."""

import functools
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from hypothesis import strategies as st

from storage.packages import html
from storage.packages.writing.archive import ZipWriter
from storage.packages.writing.course import Chapter, Course, File, Lesson, Question, QuestionKind
from storage.packages.writing.package import PackageWriter
from tests.packages.builders import CASE, CASE_2

SHARED = Path(__file__).resolve().parents[3] / "shared" / "packages"

FILES = (
    File("file_1", "images/map of é.png", "image/png", 3, "0" * 64),
    File("file_2", "notes.XML", "application/xml", 3, "0" * 64),
    File("file_3", "100%25.pdf", "application/pdf", 3, "0" * 64),
)

LINKS = (
    '<img src="images/map%20of%20%C3%A9.png" alt="A &quot;map&quot;">',
    '<a href="notes.XML#here">notes</a>',
    '<a href="100%2525.pdf">costs</a>',
    '<a href="gone.pdf">gone</a>',
    '<a href="https://youtu.be/abc?t=1&amp;l=2">A talk</a>',
    '<video src="https://films.example.org/one.mp4" controls></video>',
    '<a href="mailto:min@example.org">Min</a>',
    "<script>alert(1)</script><p onclick=x>said <b>&amp; done</p>",
)

words = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from("مرحبا؟ \u202e\n\t<>&\"'é😀")
)
said = words.filter(lambda text: bool(text.strip()))
long_words = st.builds(lambda text, times: (text * times)[:300], said, st.integers(1, 300)).filter(
    lambda text: bool(text.strip())
)
lectures = st.lists(st.sampled_from(LINKS) | words, max_size=6).map(" ".join).map(html.clean)


@st.composite
def questions(draw: st.DrawFn, number: int) -> Question:
    """What the graph lets a client say of a quiz."""
    kind = draw(st.sampled_from(QuestionKind))
    least = 0 if kind is QuestionKind.SHORT_ANSWER else 2
    options = draw(st.lists(said | long_words, min_size=least, max_size=6, unique=True))
    if kind is QuestionKind.SHORT_ANSWER:
        answers = draw(st.lists(said, max_size=3))
    else:
        most = None if kind is QuestionKind.MULTIPLE_RESPONSE else 1
        answers = draw(st.lists(st.sampled_from(options), unique=True, max_size=most))
    return Question(
        id=f"quiz_{number}",
        kind=kind,
        text=draw(said | long_words),
        options=tuple(options),
        answers=tuple(answers),
        title=draw(st.none() | words),
        explanation=draw(st.none() | words),
        show_feedback=draw(st.booleans()),
        key=draw(said),
    )


@st.composite
def courses(draw: st.DrawFn) -> tuple[Course, list[Lesson]]:
    """A course with its lessons in order."""
    chapters = tuple(
        Chapter(f"chapter_{number}", draw(said), draw(st.none() | words))
        for number in range(1, draw(st.integers(1, 3)) + 1)
    )
    lessons: list[Lesson] = []
    for chapter in chapters:
        for _ in range(draw(st.integers(0, 3))):
            number = len(lessons) + 1
            lists = [
                tuple(draw(questions(1000 * number + 100 * which + one)) for one in range(draw(st.integers(0, 3))))
                for which in range(2)
            ]
            described = draw(said), draw(st.none() | words), draw(st.none() | lectures)
            lessons.append(Lesson(f"lesson_{number}", chapter.id, number, *described, *lists))
    standards = draw(st.sampled_from([(), (CASE,), (CASE, CASE_2)]))
    language = draw(st.sampled_from(["en", "ar", "pt-BR", "zh-Hant-TW", "x-klingon"]))
    return Course("course_1", draw(said), draw(st.none() | words), language, standards, chapters), lessons


def written(
    writer: PackageWriter, lessons: Sequence[Lesson], files: Sequence[File] = (), contents: Mapping[str, bytes] = {}
) -> bytes:
    """A whole package, as a worker writes it."""
    for lesson in lessons:
        writer.take(lesson)
    archive = ZipWriter()
    manifest = archive.open(writer.manifest_path, compress=True)
    pieces = [manifest.feed(piece) for piece in writer.manifest()]
    pieces.append(manifest.end())
    pieces.extend(archive.add(path, data) for path, data in writer.first_entries())
    pieces.extend(archive.add(path, data) for lesson in lessons for path, data in writer.entries(lesson))
    for file in sorted(files, key=writer.place):
        entry = archive.open(writer.place(file), size=file.size)
        pieces += [entry.feed(contents.get(file.path, b"abc")), entry.end()]
    return b"".join([*pieces, archive.close()])


@functools.cache
def validator() -> ModuleType:
    """The check of exported packages that lies beside the project; once, because it takes seconds to read schemas."""
    spec = importlib.util.spec_from_file_location("validate_package", SHARED / "validate_package.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
