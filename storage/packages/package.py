"""Read a whole package: what each resource becomes, in manifest order, and how the items belong together."""

from collections import deque
from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass, replace
from itertools import count
from posixpath import dirname
from typing import BinaryIO

from storage.errors import JobErrorCode, JobFailed
from storage.packages import lom, manifest, standards
from storage.packages.archive import Archive, Entry
from storage.packages.kinds import Kind, kind_of
from storage.packages.manifest import Manifest, ManifestResource, OrganizationItem, PackageType
from storage.packages.outcomes import (
    Association,
    AssociationType,
    Content,
    ContentType,
    Failure,
    Outcome,
    PackageWarning,
)
from storage.packages.refusals import unreadable, unsafe
from storage.packages.resources import MAX_IDENTIFIER, MAX_TITLE, ResourceReader, cuts
from storage.packages.standards import Alignment

MANIFEST = "imsmanifest.xml"
MAX_DESCRIBED = 256 * 2**20
MAX_ASSOCIATIONS = 1_000_000

_ALIGNMENT = 150  # characters, about
_WHOLE_PACKAGE = frozenset({JobErrorCode.PACKAGE_INVALID, JobErrorCode.PACKAGE_UNSAFE})
_SILENT = frozenset({Kind.ASSET, Kind.METADATA})
_CONTENT = frozenset(Kind) - _SILENT - {Kind.UNSUPPORTED}


def read_package(file: BinaryIO) -> "Package":
    """Opens a package, checks every guard, and reads its manifest. The file is seekable and stays open while reading.

    Raises JobFailed: PACKAGE_INVALID, PACKAGE_UNSAFE, MANIFEST_MISSING, MANIFEST_INVALID.
    """
    archive = Archive(file)
    entry = archive.entries.get(MANIFEST)
    if entry is None:
        raise _missing(archive)
    if entry.size > manifest.MAX_BYTES:
        message = f"{MANIFEST} has {entry.size:,} bytes; at most {manifest.MAX_BYTES:,} are read."
        raise JobFailed(JobErrorCode.MANIFEST_INVALID, message)
    try:
        return Package(archive, manifest.read(lambda: archive.chunks(entry)))
    except JobFailed as failure:
        if failure.code is not JobErrorCode.RESOURCE_INVALID:
            raise
        raise JobFailed(JobErrorCode.MANIFEST_INVALID, failure.message) from None


def _missing(archive: Archive) -> JobFailed:
    found = next((path for path in archive.entries if path.lower().rpartition("/")[2] == MANIFEST), "")
    change = "zip what is in its folder, not the folder" if "/" in found else "write its name in small letters"
    where = f"; there is {found[:200]!r}: {change}" if found else ""
    return JobFailed(JobErrorCode.MANIFEST_MISSING, f"The package has no {MANIFEST} at its root{where}.")


@dataclass(frozen=True, slots=True)
class _Became:
    """
    The content item that stands for a resource in associations; a bank is none, it has the keys of its questions.

    `stimuli` are the paths of those that a question refers to.
    """

    key: int | None
    type: ContentType
    alignments: tuple[Alignment, ...] = ()
    stimuli: tuple[str, ...] = ()
    members: tuple[int, ...] = ()


_NOTHING = _Became(None, ContentType.CONTAINER)


class Package:
    """A package whose guards and manifest are in order.

    `total` counts the resources that are no mere assets and is known at once; `done` grows up to it as `outcomes` is
    read. Memory grows with the manifest and the number of items, never with their files.
    """

    def __init__(self, archive: Archive, read: Manifest) -> None:
        self.identifier = read.identifier
        self.format: PackageType = read.format
        self.title = read.title
        self.done = 0
        self._archive = archive
        self._organizations = read.organizations
        self._left = deque(read.resources)
        self._types = {resource.type for resource in read.resources}
        self._resources: dict[str, ManifestResource] = {}
        for resource in read.resources:
            self._resources.setdefault(resource.identifier, resource)
        self._pending = [_name(resource) for resource in read.resources if self._kind(resource) not in _SILENT]
        self.total = len(self._pending)
        self._keys = count()
        self._reader = ResourceReader(archive, self._keys)
        self._became: dict[str, _Became] = {}
        self._metadata: dict[str, tuple[lom.Lom, tuple[Alignment, ...]]] = {}
        stimuli = (resource for resource in self._resources.values() if self._kind(resource) is Kind.STIMULUS)
        self._stimulus_paths = {self._path(resource.href, resource.base) for resource in stimuli} - {None}
        self._stimuli: dict[str | None, str] = {}
        self._failed = False
        self._described = 0
        self._related = 0

    @property
    def current(self) -> str | None:
        """Identifier of the resource that is read next, or of which more outcomes may come."""
        return self._pending[self.done] if self.done < self.total else None

    @property
    def entries(self) -> Collection[Entry]:
        """Every file of the package."""
        return self._archive.entries.values()

    def outcomes(self) -> Iterator[Outcome]:
        """Once: the resources in manifest order, then containers and associations, each after the items it joins.

        Nothing but warnings and failures comes when no resource succeeds.
        Raises JobFailed: NOTHING_SUPPORTED at the end when no resource even failed; PACKAGE_UNSAFE midway when
        a file is longer than the zip declares.
        """
        while self._left:
            resource = self._left.popleft()
            kind = self._kind(resource)
            if kind not in _SILENT:
                yield from self._outcomes_of(resource, kind)
                self.done += 1
            if self._resources.get(resource.identifier) is resource:
                # Its metadata has been handed on; what is left to tell is what it depends on.
                self._resources[resource.identifier] = replace(resource, lom=lom.NOTHING, alignments=())
        if self._became:
            for organization in self._organizations:
                yield from self._organize(organization)
            for identifier in self._became:
                yield from self._associate(self._resources[identifier])
        elif not self._failed:
            raise self._nothing_supported()

    def _kind(self, resource: ManifestResource) -> Kind:
        return kind_of(resource, self.format)

    def _outcomes_of(self, resource: ManifestResource, kind: Kind) -> Iterator[Outcome]:
        if kind is Kind.UNSUPPORTED:
            yield PackageWarning("type_unsupported", _skipped(resource.type), _name(resource))
            return
        try:
            self._require_identity(resource)
            complete = self._complete(resource)
            yield from self._remember(complete, self._reader.read(complete, kind))
            if resource.identifier in self._became:
                about = complete.lom
                yield from cuts(about.title, about.description, complete.alignments, resource.identifier)
        except JobFailed as failure:
            if failure.code in _WHOLE_PACKAGE:
                raise
            self._failed = True
            yield Failure(_name(resource), failure.code, failure.message)

    def _require_identity(self, resource: ManifestResource) -> None:
        if not resource.identifier:
            raise unreadable("The resource has no identifier; give it one that no other has.")
        if len(resource.identifier) > MAX_IDENTIFIER:
            raise unreadable(f"The identifier of the resource has more than {MAX_IDENTIFIER} characters.")
        if self._resources[resource.identifier] is not resource:
            raise unreadable(
                f"The identifier {resource.identifier!r} is used twice; the first was kept, give this one its own."
            )

    def _complete(self, resource: ManifestResource) -> ManifestResource:
        """With what is missing, from the metadata files that the resource depends on."""
        others = (self._resources.get(identifier) for identifier in resource.dependencies)
        for other in others:
            if resource.lom.title and resource.alignments:
                break
            if other and self._kind(other) is Kind.METADATA:
                description, alignments = self._described_by(other)
                resource = replace(
                    resource,
                    lom=resource.lom if resource.lom.title else description,
                    alignments=resource.alignments or alignments,
                )
        return resource

    def _described_by(self, metadata: ManifestResource) -> tuple[lom.Lom, tuple[Alignment, ...]]:
        """What a metadata file says; it is read once."""
        if metadata.identifier not in self._metadata:
            root = self._reader.file(metadata).root()
            self._metadata[metadata.identifier] = (lom.read(root), standards.read(root))
        return self._metadata[metadata.identifier]

    def _remember(self, resource: ManifestResource, outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
        """The same outcomes; of items only what associations need is kept."""
        members: list[tuple[int, tuple[Alignment, ...]]] = []
        for outcome in outcomes:
            unknown: list[str] = []
            match outcome:
                case Failure():
                    self._failed = True
                case Content(source_identifier=resource.identifier):
                    stimuli, unknown = self._find_stimuli(outcome)
                    alignments = outcome.alignments if self._organizations else ()
                    became = _Became(outcome.key, outcome.type, alignments, stimuli)
                    self._became[resource.identifier] = became
                    if outcome.type is ContentType.STIMULUS:
                        self._stimuli.setdefault(outcome.path, resource.identifier)
                case Content():
                    members.append((outcome.key, outcome.alignments))
            if isinstance(outcome, Content):
                self._weigh(outcome)
            yield outcome
            if unknown:
                more = f" and to {len(unknown) - 1:,} more" if len(unknown) > 1 else ""
                message = f"The question refers to {unknown[0][:200]!r}{more}; the manifest lists no such stimulus."
                yield PackageWarning("stimulus_unknown", message, resource.identifier)
        if members and resource.identifier not in self._became:
            keys, several = zip(*members, strict=True)
            bank = _Became(None, ContentType.QUESTION, standards.join(*several), members=keys)
            self._became[resource.identifier] = bank

    def _weigh(self, content: Content) -> None:
        """One file of metadata, or one resource in many folders, may describe any number of items."""
        self._described += len(content.description or "") + _ALIGNMENT * len(content.alignments)
        if self._described > MAX_DESCRIBED:
            raise unsafe(f"The package describes its items with more than {MAX_DESCRIBED:,} characters.")

    def _relate(self, type: AssociationType, source: int, target: int, sort_order: int | None = None) -> Association:
        """A bank of many questions may be placed any number of times."""
        self._related += 1
        if self._related > MAX_ASSOCIATIONS:
            raise unsafe(f"The package relates its items more than {MAX_ASSOCIATIONS:,} times.")
        return Association(type, source, target, sort_order)

    def _find_stimuli(self, content: Content) -> tuple[tuple[str, ...], list[str]]:
        """The files of stimulus resources that a question refers to, and its references to anything else."""
        found: list[str] = []
        unknown: list[str] = []
        for reference in dict.fromkeys(content.question.stimulus_refs if content.question else ()):
            path = self._path(reference, dirname(content.path or "")) if self._stimulus_paths else None
            if path is not None and path in self._stimulus_paths:
                found.append(path)
            else:
                unknown.append(reference)
        return tuple(found), unknown

    def _path(self, href: str | None, base: str) -> str | None:
        try:
            return self._archive.find(href or "", base).path
        except JobFailed:
            return None

    def _organize(self, organization: OrganizationItem) -> Iterator[Outcome]:
        """Rule P9: below one root container, which is the root item, or the organization where there is none."""
        items = organization.items
        if items:
            root = items[0] if len(items) == 1 and not items[0].identifierref else organization
            yield from self._contain(root, organization.title or self.title or root.title)

    def _contain(
        self, folder: OrganizationItem, title: str | None
    ) -> Generator[Outcome, None, tuple[int, tuple[Alignment, ...]]]:
        """The containers below a folder, its own, and who is in it; its key and the standards of everything in it."""
        members: list[int | None] = []
        below: list[tuple[Alignment, ...]] = []
        places = [replace(folder, items=()), *folder.items] if folder.identifierref else folder.items
        for place in places:
            if place.items or not place.identifierref:
                key, alignments = yield from self._contain(place, place.title)
                members.append(key)
                below.append(alignments)
                continue
            yield from self._check(place)
            became = self._became.get(place.identifierref, _NOTHING)
            members += became.members or (became.key,)
            below.append(became.alignments)
        found = standards.join(*{id(each): each for each in below}.values())  # one resource may be in many places
        container = self._container(folder, title, found)
        yield from cuts(title, None, found, container.source_identifier)
        self._weigh(container)
        yield container
        for order, member in enumerate(members):
            if member is not None:
                yield self._relate(AssociationType.IS_CHILD_OF, member, container.key, order)
        return container.key, container.alignments

    def _container(self, folder: OrganizationItem, title: str | None, alignments: tuple[Alignment, ...]) -> Content:
        identifier = folder.identifier[:MAX_IDENTIFIER] or "untitled"
        return Content(
            key=next(self._keys),
            type=ContentType.CONTAINER,
            source_identifier=identifier,
            title=(title or identifier)[:MAX_TITLE],
            alignments=alignments[: standards.MOST],
        )

    def _check(self, place: OrganizationItem) -> Iterator[Outcome]:
        if place.identifierref not in self._resources:
            message = f"The organization refers to {(place.identifierref or '')[:200]!r}, which is no resource."
            yield PackageWarning("reference_unknown", message, place.identifier[:MAX_IDENTIFIER])

    def _associate(self, resource: ManifestResource) -> Iterator[Outcome]:
        """Rule P13."""
        source = self._became[resource.identifier]
        stimuli = filter(None, map(self._stimuli.get, source.stimuli))
        for identifier in dict.fromkeys((*resource.dependencies, *stimuli)):
            target = self._became.get(identifier)
            if identifier not in self._resources:
                message = f"The resource depends on {identifier[:200]!r}, which is no resource."
                yield PackageWarning("dependency_unknown", message, resource.identifier)
            elif target and target.key is not None and source.key is not None and target.key != source.key:
                is_stimulus = target.type is ContentType.STIMULUS
                relation = AssociationType.STIMULUS if is_stimulus else AssociationType.SEE_ALSO
                yield self._relate(relation, source.key, target.key)

    def _holds_cartridge_content(self) -> bool:
        kinds = (kind_of(resource, PackageType.COMMON_CARTRIDGE) for resource in self._resources.values())
        return not _CONTENT.isdisjoint(kinds)

    def _nothing_supported(self) -> JobFailed:
        types = sorted(self._types)
        shown = ", ".join(stated[:100] or "no type" for stated in types[:5])
        message = f"The package has no resource that becomes a content item; found were resources of type {shown}."
        if any(stated.startswith("imsqti_test") for stated in types):
            message += " Items that only a test file mentions are not read: list them in the manifest."
        if self.format is PackageType.QTI_3_0 and self._holds_cartridge_content():
            message += " It was read as QTI 3.0; if it is a Common Cartridge, say so in the <schema> of its metadata."
        return JobFailed(JobErrorCode.NOTHING_SUPPORTED, message)


def _skipped(type: str) -> str:
    if not type:
        return "The resource has no type and was skipped; give it the one of its file, such as imsqti_item_xmlv3p0."
    older = "; convert it from QTI 2 to QTI 3" if type.startswith("imsqti_item_xmlv2p") else ""
    return f"Resources of type {type[:200]!r} are not ingested; this one was skipped{older}."


def _name(resource: ManifestResource) -> str:
    return (resource.identifier or resource.href or "unnamed")[:MAX_IDENTIFIER]
