"""Write a course as a Common Cartridge 1.3: pages, quizzes, video links and files, under its chapters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from posixpath import basename
from urllib.parse import quote

from lxml import etree
from lxml.builder import ElementMaker

from storage.packages.writing import pages, qti3, qti12
from storage.packages.writing.course import Course, Exercise, File, Lesson, legible, line
from storage.packages.writing.metadata import Described, Metadata
from storage.packages.writing.package import Losses, folder, lay_out, name, readable, stream_manifest
from storage.packages.writing.pages import VideoLink

_XSD = "http://www.imsglobal.org/xsd/imsccv1p3"
_LOM = "http://ltsc.ieee.org/xsd/imsccv1p3/LOM"
_NSMAP = {
    None: f"{_XSD}/imscp_v1p1",
    "lomm": f"{_LOM}/manifest",
    "lom": f"{_LOM}/resource",
    "csm": f"{_XSD}/imscsmd_v1p0",
}
_MAKE = ElementMaker(namespace=_NSMAP[None], nsmap=_NSMAP)
_LINK = ElementMaker(namespace=f"{_XSD}/imswl_v1p3", nsmap={None: f"{_XSD}/imswl_v1p3"})

_PAGE = "webcontent"
_ASSESSMENT = "imsqti_xmlv1p2/imscc_xmlv1p3/assessment"
_WEB_LINK = "imswl_xmlv1p3"
_COMPANION = "associatedcontent/imscc_xmlv1p3/learning-application-resource"

_FILES = "web_resources"
_MISTAKEN = (".xml", ".qti")


@dataclass(frozen=True, slots=True)
class _Set:
    """Questions of a lesson: all of them in QTI 3, those that a profile can say in QTI 1.2, if there are any."""

    id: str
    name: str
    title: str
    question_ids: tuple[str, ...]
    is_assessment: bool


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the manifest says of a lesson."""

    id: str
    chapter_id: str
    folder: str
    title: str
    description: str | None
    files: tuple[str, ...]
    videos: tuple[VideoLink, ...]
    sets: tuple[_Set, ...]


class CartridgeWriter:
    """A course as a cartridge; a PackageWriter."""

    manifest_path = "imsmanifest.xml"
    nothing = "The course has no lessons and no files."

    def __init__(self, course: Course, files: Sequence[File]) -> None:
        self.losses = Losses()
        self._course = legible(course)
        self._places = lay_out(_FILES, files, self.losses, _unmistakable)
        self._files = sorted(files, key=self.place)
        self._plans: list[_Plan] = []
        self._metadata = Metadata(_NSMAP["lom"], _NSMAP["csm"], course.language, course.standards)
        if not course.standards:
            message = "The course is aligned to no CASE item, which some systems demand of what they take in."
            self.losses.note("not_aligned", message, course.id)

    def take(self, lesson: Lesson) -> None:
        lesson = readable(lesson, self.losses)
        page = self._page(lesson)
        for target in page.broken:
            message = f"The lesson links to {target[:200]!r}, which is no file of the course."
            self.losses.note("file_unknown", message, lesson.id)
        plan = _Plan(
            id=lesson.id,
            chapter_id=lesson.chapter_id,
            folder=folder(lesson),
            title=line(lesson.title),
            description=lesson.description,
            files=page.shown,
            videos=pages.find_videos(page.html),
            sets=tuple(map(self._set, lesson.exercises)),
        )
        self._plans.append(plan)

    @property
    def is_empty(self) -> bool:
        return not self._plans and not self._files

    def first_entries(self) -> Iterator[tuple[str, bytes]]:
        return iter(())

    def entries(self, lesson: Lesson) -> list[tuple[str, bytes]]:
        lesson, place, language = legible(lesson), folder(lesson), self._course.language
        page = self._page(lesson)
        found = [(f"{place}/page.html", pages.write(lesson, language, page.html))]
        for number, video in enumerate(pages.find_videos(page.html), start=1):
            found.append((f"{place}/video-{number:03d}.xml", _web_link(video)))
        for exercise in lesson.exercises:
            sayable = [question for question in exercise.questions if qti12.profile_of(question)]
            if sayable:
                assessment = qti12.write_assessment(exercise.id, exercise.title, language, sayable)
                found.append((f"{place}/{exercise.name}.xml", assessment))
            items = ((question.id, qti3.write_item(question, language)) for question in exercise.questions)
            found.extend((f"{place}/{exercise.name}/{id}.xml", item) for id, item in items)
        return sorted(found)

    def place(self, file: File) -> str:
        return self._places[file.path]

    def manifest(self) -> Iterator[bytes]:
        course = self._course
        about = Metadata(_NSMAP["lomm"], _NSMAP["csm"], course.language, course.standards)
        described = Described(line(course.title), course.description)
        root = _MAKE.manifest(
            _MAKE.metadata(
                _MAKE.schema("IMS Common Cartridge"),
                _MAKE.schemaversion("1.3.0"),
                about.lom(described),
                *about.standards(),
            ),
            _MAKE.organizations(self._organization()),
            _MAKE.resources(),
            identifier=course.id,
        )
        return stream_manifest(root, self._resources())

    def _page(self, lesson: Lesson) -> pages.Page:
        return pages.link(lesson.lecture or "", f"{folder(lesson)}/page.html", self._places)

    def _set(self, exercise: Exercise) -> _Set:
        unsaid = [question for question in exercise.questions if qti12.profile_of(question) is None]
        for question in unsaid:
            message = "QTI 1.2 has no choice without a right answer; other systems may pass over its QTI 3 file."
            self.losses.note("question_without_answer", message, name(exercise.lesson, question))
        ids = tuple(question.id for question in exercise.questions)
        return _Set(exercise.id, exercise.name, exercise.title, ids, is_assessment=len(unsaid) < len(ids))

    def _organization(self) -> etree._Element:
        root = _MAKE.item(identifier="root")
        chapters = {chapter.id: self._folder(chapter.id, chapter.title) for chapter in self._course.chapters}
        for plan in self._plans:
            chapters[plan.chapter_id].append(self._place_lesson(plan))
        for chapter in self._course.chapters:
            item = chapters[chapter.id]
            if chapter.description:
                about = self._metadata.lom(Described(line(chapter.title), chapter.description))
                item.append(_MAKE.metadata(about))
            root.append(item)
        title = _MAKE.title(line(self._course.title))
        return _MAKE.organization(title, root, identifier="organization", structure="rooted-hierarchy")

    def _folder(self, id: str, title: str) -> etree._Element:
        return _MAKE.item(_MAKE.title(line(title)), identifier=f"item_{id}")

    def _place_lesson(self, plan: _Plan) -> etree._Element:
        """A page alone stands for itself; with videos or questions it is the first in a folder of its own."""
        parts = [(_video_id(plan, number), video.title) for number, video in enumerate(plan.videos, start=1)]
        parts += [(each.id, each.title) for each in plan.sets if each.is_assessment]
        if not parts:
            return _leaf(plan.id, plan.title)
        item = self._folder(f"folder_{plan.id}", plan.title)
        item.extend(_leaf(id, title) for id, title in [(plan.id, plan.title), *parts])
        return item

    def _resources(self) -> Iterator[etree._Element]:
        ids = {file.path: file.id for file in self._files}
        for plan in self._plans:
            yield from self._lesson_resources(plan, [ids[path] for path in plan.files])
        for file in self._files:
            described = Described(line(legible(basename(file.path))))
            yield self._resource(file.id, _PAGE, described, [self.place(file)])

    def _lesson_resources(self, plan: _Plan, file_ids: list[str]) -> Iterator[etree._Element]:
        alone = [_companion_id(each) for each in plan.sets if not each.is_assessment]
        described = Described(plan.title, plan.description)
        yield self._resource(plan.id, _PAGE, described, [f"{plan.folder}/page.html"], [*file_ids, *alone])
        for number, video in enumerate(plan.videos, start=1):
            path = f"{plan.folder}/video-{number:03d}.xml"
            yield self._resource(_video_id(plan, number), _WEB_LINK, Described(video.title), [path])
        for each in plan.sets:
            described = Described(each.title)
            if each.is_assessment:
                path = f"{plan.folder}/{each.name}.xml"
                yield self._resource(each.id, _ASSESSMENT, described, [path], [_companion_id(each)])
            companions = [f"{plan.folder}/{each.name}/{id}.xml" for id in each.question_ids]
            yield self._resource(_companion_id(each), _COMPANION, described, companions)

    def _resource(
        self, id: str, type: str, described: Described, paths: Sequence[str], dependencies: Sequence[str] = ()
    ) -> etree._Element:
        resource = _MAKE.resource(identifier=id, type=type)
        if type == _PAGE:
            resource.set("href", quote(paths[0]))
        resource.append(_MAKE.metadata(self._metadata.lom(described), *self._metadata.standards()))
        resource.extend(_MAKE.file(href=quote(path)) for path in paths)
        resource.extend(_MAKE.dependency(identifierref=other) for other in dependencies)
        return resource


def _unmistakable(path: str) -> str:
    """
    A path that no reader takes for a part of the cartridge.

    An XML file of a cartridge has to be valid by one of the cartridge's schemas; a stored file need not even be
    well-formed.
    """
    return f"{path}.txt" if path.lower().endswith(_MISTAKEN) else path


def _companion_id(each: _Set) -> str:
    return f"qti3_{each.id}"


def _video_id(plan: _Plan, number: int) -> str:
    return f"video{number}_{plan.id}"


def _leaf(id: str, title: str) -> etree._Element:
    return _MAKE.item(_MAKE.title(title), identifier=f"item_{id}", identifierref=id)


def _web_link(video: VideoLink) -> bytes:
    url = _LINK.url(href=video.url, target="_blank")
    return qti3.document(_LINK.webLink(_LINK.title(video.title), url))
