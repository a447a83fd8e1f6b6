"""Turn one resource of a package into its content items."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import count
from typing import NamedTuple

from lxml import etree

from storage.errors import JobErrorCode, JobFailed
from storage.packages import cartridge, html, qti3, qti12, standards, xml
from storage.packages.archive import Archive
from storage.packages.kinds import Kind
from storage.packages.manifest import ManifestResource
from storage.packages.outcomes import (
    Association,
    AssociationType,
    Content,
    ContentType,
    Failure,
    Outcome,
    PackageWarning,
)
from storage.packages.questions import Question
from storage.packages.refusals import unreadable
from storage.packages.standards import Alignment

MAX_FILE_BYTES = 16 * 2**20
MAX_TITLE = 500
MAX_DESCRIPTION = 10_000
MAX_IDENTIFIER = 255

_MAX_DIFFICULTY = 100
_MAX_LANGUAGE = 35
_PAGES = (".html", ".htm", ".xhtml")
_HOW_TO_SHOW = "if it is one, give its metadata a LOM technical/format such as video/mp4"
_HOW_TO_LINK = "if it is one, write its URL in full, beginning with https://"
_HOW_TO_TITLE = "give its metadata a LOM general/title; the title in the organization is no substitute"
_HOW_TO_ALIGN = (
    "give its metadata a curriculumStandardsMetadataSet whose GUID is the UUID of a CASE item, "
    "or whose caseItemURI ends in it"
)


def cuts(
    title: str | None, description: str | None, alignments: tuple[Alignment, ...], subject: str
) -> Iterator[PackageWarning]:
    """A warning for each of these of which only the beginning is kept."""
    for code, value, most in (("title", title, MAX_TITLE), ("description", description, MAX_DESCRIPTION)):
        if value and len(value) > most:
            message = f"The {code} has {len(value):,} characters; {most:,} were kept."
            yield PackageWarning(f"{code}_cut", message, subject)
    if len(alignments) > standards.MOST:
        message = f"There are more than {standards.MOST:,} CASE standards; the first {standards.MOST:,} were kept."
        yield PackageWarning("alignments_cut", message, subject)


class File(NamedTuple):
    """A file of the package, or what stands in the manifest instead of one."""

    path: str | None
    data: bytes
    sha256: str

    def root(self) -> etree._Element:
        """The root element of an XML file; what is wrong with it is told by its name."""
        return xml.parse(self.data, self.path)


def _file(path: str | None, data: bytes) -> File:
    return File(path, data, sha256(data).hexdigest())


class ResourceReader:
    """Reads resources; keys are counted over the whole package."""

    def __init__(self, archive: Archive, keys: "count[int]") -> None:
        self._archive = archive
        self._keys = keys

    def read(self, resource: ManifestResource, kind: Kind) -> Iterator[Outcome]:
        """The content items of a resource, with their warnings and failures.

        Raises JobFailed for the resource as a whole: METADATA_MISSING, CASE_ALIGNMENT_MISSING, RESOURCE_INVALID;
        PACKAGE_UNSAFE when its file turns out to be a bomb.
        """
        match kind:
            case Kind.ITEM:
                return self._read_item(resource)
            case Kind.STIMULUS:
                return self._read_stimulus(resource)
            case Kind.ARTICLE:
                return self._read_article(resource)
            case Kind.PAGE:
                return self._read_page(resource)
            case Kind.WEB_LINK:
                return self._read_link(resource)
            case Kind.ASSESSMENT:
                return self._read_assessment(resource)
            case _:
                return iter(())

    def file(self, resource: ManifestResource) -> File:
        """The file of a resource."""
        if resource.href is None:
            raise unreadable("The resource names no file: give it an href or a <file>.")
        entry = self._archive.find(resource.href, resource.base)
        return _file(entry.path, self._archive.read(entry, MAX_FILE_BYTES))

    def _read_item(self, resource: ManifestResource) -> Iterator[Outcome]:
        require_metadata(resource)
        file = self.file(resource)
        yield self._ask(resource, file, qti3.read_item(file.root()))

    def _read_stimulus(self, resource: ManifestResource) -> Iterator[Outcome]:
        require_metadata(resource)
        file = self.file(resource)
        root = file.root()
        yield self._show(resource, ContentType.STIMULUS, file, qti3.read_stimulus(root), qti3.language(root))

    def _read_article(self, resource: ManifestResource) -> Iterator[Outcome]:
        require_metadata(resource)
        file = self.file(resource)
        if (file.path or "").lower().endswith(_PAGES):
            body, language = self._page(file), html.language(file.data)
        else:
            root = file.root()
            body, language = qti3.read_stimulus(root), qti3.language(root)
        yield self._show(resource, ContentType.ARTICLE, file, body, language)

    def _read_page(self, resource: ManifestResource) -> Iterator[Outcome]:
        require_metadata(resource)
        file = self.file(resource)
        yield self._show(resource, ContentType.ARTICLE, file, self._page(file), html.language(file.data))

    def _read_link(self, resource: ManifestResource) -> Iterator[Outcome]:
        # Whether metadata is due depends on the link: only a video becomes content.
        file = _file(None, resource.inline) if resource.inline else self.file(resource)
        link = cartridge.read_link(file.root())
        video = cartridge.read_video(link.url, resource.lom)
        if video is None:
            hint = _HOW_TO_SHOW if link.url.lower().startswith(("http://", "https://")) else _HOW_TO_LINK
            message = f"The web link to {link.url[:200]} is no video and was skipped; {hint}."
            yield PackageWarning("not_video", message, resource.identifier)
            return
        require_metadata(resource)
        content = self._content(resource, ContentType.VIDEO, file, text=link.title or "")
        yield replace(content, video_url=video.url, provider=video.provider)

    def _read_assessment(self, resource: ManifestResource) -> Iterator[Outcome]:
        require_title(resource)
        file = self.file(resource)
        assessment = qti12.read(file.root())
        if not any(_aligned(resource, item) for item in assessment.items):
            require_metadata(resource)
        if len(assessment.items) == 1:
            yield self._read_question(resource, file, assessment.items[0])
            return
        members: list[tuple[int, tuple[Alignment, ...]]] = []
        for outcome in self._read_questions(resource, file, assessment.items):
            if isinstance(outcome, Content):
                members.append((outcome.key, outcome.alignments))
            yield outcome
        if members and not assessment.is_bank and not cartridge.is_bank(resource.type):
            yield from self._contain(resource, assessment.title or resource.lom.title or "", members)

    def _read_questions(
        self, resource: ManifestResource, file: File, items: tuple[etree._Element, ...]
    ) -> Iterator[Outcome]:
        """Each question with an outcome of its own."""
        seen: set[str] = set()
        sources = xml.cut(file.data, "item")
        if len(sources) != len(items):  # another parser, another opinion of where they are
            sources = [etree.tostring(item, encoding="utf-8", with_tail=False) for item in items]
        for position, (item, source) in enumerate(zip(items, sources, strict=True), start=1):
            name = (item.get("ident") or str(position)).strip()[:MAX_IDENTIFIER]
            identifier = f"{resource.identifier}#{name}"
            try:
                if name in seen:
                    raise unreadable(
                        f"A question {name!r} has come before; that was kept, give this one an ident of its own."
                    )
                seen.add(name)
                content = self._read_question(resource, file, item)
                yield replace(content, source_identifier=identifier, xml=source)
            except JobFailed as failure:
                yield Failure(identifier, failure.code, failure.message)

    def _read_question(self, resource: ManifestResource, file: File, item: etree._Element) -> Content:
        alignments = _aligned(resource, item)
        if not alignments:
            raise _unaligned(resource)
        question = qti12.read_item(item, lambda text: self._relocate(text, file.path or ""))
        return replace(self._ask(resource, file, question), alignments=alignments[: standards.MOST])

    def _contain(
        self, resource: ManifestResource, title: str, members: list[tuple[int, tuple[Alignment, ...]]]
    ) -> Iterator[Outcome]:
        container = Content(
            key=next(self._keys),
            type=ContentType.CONTAINER,
            source_identifier=resource.identifier,
            title=title[:MAX_TITLE],
            alignments=standards.join(*(alignments for _, alignments in members))[: standards.MOST],
        )
        yield container
        for order, (key, _) in enumerate(members):
            yield Association(AssociationType.IS_CHILD_OF, key, container.key, order)

    def _page(self, file: File) -> str:
        return html.clean(self._relocate(xml.decode(file.data, page=True), file.path or ""))

    def _relocate(self, text: str, path: str) -> str:
        return html.relocate(text, path, self._archive.entries.__contains__)

    def _ask(self, resource: ManifestResource, file: File, question: Question) -> Content:
        return self._content(
            resource,
            ContentType.QUESTION,
            file,
            body=question.body,
            text=question.text,
            language=question.language,
            question=question,
        )

    def _show(
        self, resource: ManifestResource, type: ContentType, file: File, body: str, language: str | None
    ) -> Content:
        text = html.plain(body)[: html.MAX_TEXT]
        return self._content(resource, type, file, body=body, text=text, language=language)

    def _content(
        self,
        resource: ManifestResource,
        type: ContentType,
        file: File,
        *,
        text: str,
        body: str | None = None,
        language: str | None = None,
        question: Question | None = None,
    ) -> Content:
        """A content item with the metadata of its resource; a document's own language is the second choice."""
        lom = resource.lom
        return Content(
            key=next(self._keys),
            type=type,
            source_identifier=resource.identifier,
            title=(lom.title or "")[:MAX_TITLE],
            description=lom.description and lom.description[:MAX_DESCRIPTION],
            language=_tag(lom.language) or _tag(language),
            difficulty=lom.difficulty and lom.difficulty[:_MAX_DIFFICULTY],
            alignments=resource.alignments[: standards.MOST],
            path=file.path,
            sha256=file.sha256,
            body=body,
            text=text,
            question=question,
        )


def _tag(language: str | None) -> str | None:
    return language if language and len(language) <= _MAX_LANGUAGE else None


def require_title(resource: ManifestResource) -> None:
    """Rule P8."""
    if not resource.lom.title:
        also = "" if resource.alignments else f" It has no CASE standard either: {_HOW_TO_ALIGN}."
        message = f"Resource {resource.identifier!r} has no title: {_HOW_TO_TITLE}.{also}"
        raise JobFailed(JobErrorCode.METADATA_MISSING, message)


def require_metadata(resource: ManifestResource) -> None:
    """Rules P7 and P8: what becomes content has a title and a CASE standard."""
    require_title(resource)
    if not resource.alignments:
        raise _unaligned(resource)


def _unaligned(resource: ManifestResource) -> JobFailed:
    found = f" {resource.stated!r} is no such UUID." if resource.stated else ""
    message = f"Resource {resource.identifier!r} has no CASE standard: {_HOW_TO_ALIGN}.{found}"
    return JobFailed(JobErrorCode.CASE_ALIGNMENT_MISSING, message)


def _aligned(resource: ManifestResource, item: etree._Element) -> tuple[Alignment, ...]:
    """The standards of a QTI 1.2 question: those of its resource, and its own."""
    metadata = item.find("{*}itemmetadata")
    own = () if metadata is None else standards.read(metadata)
    return standards.join(resource.alignments, own) if own else resource.alignments
