"""Write the quizzes of a course as a QTI 3.0 package: an item for every question, a test for every list of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from lxml import etree
from lxml.builder import ElementMaker

from storage.packages.writing import qti3
from storage.packages.writing.course import Course, Exercise, File, Lesson, legible, line
from storage.packages.writing.metadata import Described, Metadata
from storage.packages.writing.package import Losses, folder, readable, stream_manifest

_XSD = "http://www.imsglobal.org/xsd/qti/qtiv3p0"
_NSMAP = {None: f"{_XSD}/imscp_v1p1", "csm": f"{_XSD}/imscsmd_v1p1", "lom": "http://ltsc.ieee.org/xsd/LOM"}
_MAKE = ElementMaker(namespace=_NSMAP[None], nsmap=_NSMAP)

_ITEM, _TEST = "imsqti_item_xmlv3p0", "imsqti_test_xmlv3p0"


@dataclass(frozen=True, slots=True)
class _Test:
    """What the manifest says of a list of questions: ids, headings and the folder of their files."""

    id: str
    title: str
    folder: str
    items: tuple[tuple[str, str], ...]


class QtiWriter:
    """The questions of a course as a package; a PackageWriter. Files have no place in it."""

    manifest_path = "imsmanifest.xml"
    nothing = "The course has no questions."

    def __init__(self, course: Course, files: Sequence[File]) -> None:
        self.losses = Losses()
        self._course = legible(course)
        self._metadata = Metadata(_NSMAP["lom"], _NSMAP["csm"], course.language, course.standards)
        self._tests: list[_Test] = []
        if not course.standards:
            message = "The course is aligned to no CASE item, which some systems demand of what they take in."
            self.losses.note("not_aligned", message, course.id)

    def take(self, lesson: Lesson) -> None:
        for exercise in readable(lesson, self.losses).exercises:
            items = tuple((question.id, question.heading) for question in exercise.questions)
            self._tests.append(_Test(exercise.id, exercise.title, f"{folder(lesson)}/{exercise.name}", items))

    @property
    def is_empty(self) -> bool:
        return not self._tests

    def first_entries(self) -> Iterator[tuple[str, bytes]]:
        return iter(())

    def entries(self, lesson: Lesson) -> list[tuple[str, bytes]]:
        return sorted(entry for exercise in legible(lesson).exercises for entry in self._entries(exercise))

    def place(self, file: File) -> str:
        raise LookupError(file.path)

    def manifest(self) -> Iterator[bytes]:
        described = Described(line(self._course.title), self._course.description)
        root = _MAKE.manifest(
            _MAKE.metadata(
                _MAKE.schema("QTI Package"),
                _MAKE.schemaversion("3.0.0"),
                *self._metadata.standards(),
                self._metadata.lom(described),
            ),
            _MAKE.organizations(),
            _MAKE.resources(),
            identifier=self._course.id,
        )
        return stream_manifest(root, self._resources())

    def _entries(self, exercise: Exercise) -> Iterator[tuple[str, bytes]]:
        place = f"{folder(exercise.lesson)}/{exercise.name}"
        for question in exercise.questions:
            yield f"{place}/{question.id}.xml", qti3.write_item(question, self._course.language)
        references = [(question.id, f"{exercise.name}/{question.id}.xml") for question in exercise.questions]
        yield f"{place}.xml", qti3.write_test(exercise.id, exercise.title, references)

    def _resources(self) -> Iterator[etree._Element]:
        for test in self._tests:
            for id, heading in test.items:
                yield self._resource(id, _ITEM, heading, f"{test.folder}/{id}.xml")
            ids = [id for id, _ in test.items]
            yield self._resource(test.id, _TEST, test.title, f"{test.folder}.xml", ids)

    def _resource(self, id: str, type: str, title: str, path: str, dependencies: Sequence[str] = ()) -> etree._Element:
        metadata = _MAKE.metadata(*self._metadata.standards(), self._metadata.lom(Described(title)))
        resource = _MAKE.resource(metadata, _MAKE.file(href=quote(path)), identifier=id, type=type, href=quote(path))
        resource.extend(_MAKE.dependency(identifierref=other) for other in dependencies)
        return resource
