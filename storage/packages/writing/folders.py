"""Write stored files in their folders, with a manifest of checksums; a course also as pages and JSON."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from storage.packages.writing import pages
from storage.packages.writing.course import Course, File, Lesson, Question, legible
from storage.packages.writing.package import Losses, folder, lay_out

_FILES, _CONTENT = "files", "content"


@dataclass(frozen=True, slots=True)
class _Sum:
    """An entry of the manifest; the id is that of the lesson, course or file, stored under its own path."""

    path: str
    size: int
    sha256: str
    id: str
    stored_path: str | None = None


class FolderWriter:
    """What a course, a group or a user has, as files; a PackageWriter. Only a course has lessons."""

    manifest_path = "manifest.json"
    nothing = "There are no files."

    def __init__(self, course: Course | None, files: Sequence[File]) -> None:
        self.losses = Losses()
        self._course = course
        self._places = lay_out(_FILES, files, self.losses)
        self._files = sorted(files, key=self.place)
        self._sums: list[_Sum] = []
        self._lessons: list[dict[str, Any]] = []

    def take(self, lesson: Lesson) -> None:
        self._lessons.append(_about(lesson))
        for target in self._page(lesson).broken:
            message = f"The lesson links to {target[:200]!r}, which is no file of the course."
            self.losses.note("file_unknown", message, lesson.id)
        for path, data in self.entries(lesson):
            self._sums.append(_Sum(path, len(data), sha256(data).hexdigest(), lesson.id))

    @property
    def is_empty(self) -> bool:
        return not self._lessons and not self._files

    def first_entries(self) -> Iterator[tuple[str, bytes]]:
        if self._course is not None:
            yield f"{_CONTENT}/course.json", _json(self._outline(self._course))

    def entries(self, lesson: Lesson) -> list[tuple[str, bytes]]:
        language = self._course.language if self._course else "en"
        html = legible(self._page(lesson).html)
        found = [(f"{_place(lesson)}/page.html", pages.write(legible(lesson), language, html))]
        if lesson.quizzes or lesson.practice:
            found.append((f"{_place(lesson)}/questions.json", _json(_questions(lesson))))
        return found

    def place(self, file: File) -> str:
        return self._places[file.path]

    def manifest(self) -> Iterator[bytes]:
        """One entry a line, in the order of the zip."""
        first = [_Sum(path, len(data), sha256(data).hexdigest(), self._id) for path, data in self.first_entries()]
        stored = [_Sum(self.place(file), file.size, file.sha256, file.id, file.path) for file in self._files]
        yield b'{"files": ['
        for number, entry in enumerate([*first, *self._sums, *stored]):
            told = {"path": entry.path, "size": entry.size, "sha256": entry.sha256, "id": entry.id}
            if entry.stored_path is not None and entry.path != f"{_FILES}/{entry.stored_path}":
                told["storedPath"] = entry.stored_path
            yield (",\n" if number else "\n").encode() + json.dumps(told, ensure_ascii=False).encode()
        yield b"\n]}\n"

    @property
    def _id(self) -> str:
        return self._course.id if self._course else ""

    def _page(self, lesson: Lesson) -> pages.Page:
        return pages.link(lesson.lecture or "", f"{_place(lesson)}/page.html", self._places)

    def _outline(self, course: Course) -> dict[str, Any]:
        chapters = [
            {
                "id": chapter.id,
                "title": chapter.title,
                "description": chapter.description,
                "lessons": [lesson for lesson in self._lessons if lesson["chapterId"] == chapter.id],
            }
            for chapter in course.chapters
        ]
        return {
            "id": course.id,
            "title": course.title,
            "description": course.description,
            "language": course.language,
            "curriculumItemIds": course.standards,
            "chapters": chapters,
        }


def _place(lesson: Lesson) -> str:
    return f"{_CONTENT}/{folder(lesson)}"


def _about(lesson: Lesson) -> dict[str, Any]:
    return {
        "id": lesson.id,
        "chapterId": lesson.chapter_id,
        "sequence": lesson.number,
        "title": lesson.title,
        "description": lesson.description,
        "folder": _place(lesson),
    }


def _questions(lesson: Lesson) -> dict[str, Any]:
    return {
        "quizzes": [_question(question) for question in lesson.quizzes],
        "practice": [_question(question) for question in lesson.practice],
    }


def _question(question: Question) -> dict[str, Any]:
    return {
        "id": question.key,
        "title": question.title,
        "question": question.text,
        "type": question.kind,
        "options": question.options,
        "correctAnswers": question.answers,
        "explanation": question.explanation,
        "showFeedback": question.show_feedback,
    }


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()
