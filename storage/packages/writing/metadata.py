"""Metadata of resources: LOM titles and CASE standards, in the namespaces of each format."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lxml import etree
from lxml.builder import ElementMaker

XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


@dataclass(frozen=True, slots=True)
class Described:
    """What is said about a resource; the title is not blank."""

    title: str
    description: str | None = None


class Metadata:
    """Makes the metadata elements of one format for one course."""

    def __init__(self, lom: str, standards: str, language: str, case_ids: Sequence[str]) -> None:
        self._lom = ElementMaker(namespace=lom)
        self._csm = ElementMaker(namespace=standards)
        self._language = language
        self._case_ids = case_ids

    def lom(self, described: Described) -> etree._Element:
        """Title, language and description."""
        make = self._lom
        general = make.general(make.title(self._string(described.title)), make.language(self._language))
        if described.description and described.description.strip():
            general.append(make.description(self._string(described.description)))
        return make.lom(general)

    def standards(self) -> Iterator[etree._Element]:
        """One set of the CASE items that the course is aligned to, or nothing."""
        if self._case_ids:
            make = self._csm
            guids = [make.labelledGUID(make.GUID(case_id)) for case_id in self._case_ids]
            stated = make.curriculumStandardsMetadata(make.setOfGUIDs(*guids), providerId="CASE")
            yield make.curriculumStandardsMetadataSet(stated)

    def _string(self, text: str) -> etree._Element:
        return self._lom.string(text, language=self._language)
