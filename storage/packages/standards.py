"""CASE standards that metadata attaches to a resource."""

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from lxml import etree

from storage.packages.xml import line, local, text

MOST = 1_000
"""Of one item; who looks for them finds one more, which tells that there are more."""

MAX_LABEL = 500
MAX_URI = 2048

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WEB = re.compile(r"https?://\S+", re.IGNORECASE)
_CARRIERS = ("{*}GUID", "{*}caseItemURI")


@dataclass(frozen=True, slots=True)
class Alignment:
    """A CASE item: its UUID in lower case, and how the package links and names it."""

    curriculum_item_id: str
    uri: str | None = None
    label: str | None = None


def read(metadata: etree._Element) -> tuple[Alignment, ...]:
    """The alignments anywhere below a metadata element, each standard once, in document order. Never raises."""
    holders = dict.fromkeys(carrier.getparent() for carrier in metadata.iter(*_CARRIERS))
    labelled = _once(found for holder in holders if holder is not None for found in _of_guids(holder))
    return labelled or _once(_of_classifications(metadata))


def join(*several: tuple[Alignment, ...]) -> tuple[Alignment, ...]:
    """All of them in order, each standard once."""
    return _once(alignment for alignments in several for alignment in alignments)


def case_id(value: str) -> str | None:
    """The CASE UUID that a GUID, a URN or the last step of a URL is; None when it is none."""
    if _UUID.fullmatch(value):
        return value
    bare = _bare(value)
    if not _UUID.fullmatch(bare) and _WEB.fullmatch(value.strip()):
        bare = _bare(unquote(re.split(r"[?#]", value.strip(), maxsplit=1)[0].rstrip("/").rpartition("/")[2]))
    return bare if _UUID.fullmatch(bare) else None


def stated(metadata: etree._Element) -> str | None:
    """The first value where a standard was to be found, valid or not, for a message to the author."""
    values = ((carrier.text or "").strip() for carrier in metadata.iter(*_CARRIERS))
    return next((value[:100] for value in values if value), None)


def _bare(value: str) -> str:
    return value.strip().strip("{}").strip().lower().removeprefix("urn:uuid:").strip("{}")


def _of_guids(holder: etree._Element) -> tuple[Alignment, ...]:
    """The standards of one labelled GUID."""
    values: dict[str, list[str]] = {"label": [], "GUID": [], "caseItemURI": []}
    for child in holder:
        name = local(child)
        if name in values:
            values[name].append((child.text or "").strip()[:MAX_URI])
    return _of_values(*map(tuple, values.values()))


@lru_cache(maxsize=4096)
def _of_values(labels: tuple[str, ...], guids: tuple[str, ...], uris: tuple[str, ...]) -> tuple[Alignment, ...]:
    """Those of the GUIDs, else those of the URIs; remembered, as packages repeat few standards on many resources."""
    label = sys.intern(next(filter(None, labels), "")[:MAX_LABEL]) or None
    links = {case_id(value): value for value in (*guids, *uris) if _is_link(value)}
    found = [identifier for value in guids if (identifier := case_id(value))]
    found = found or [identifier for value in uris if (identifier := case_id(value))]
    return tuple(Alignment(identifier, links.get(identifier), label) for identifier in found)


def _of_classifications(metadata: etree._Element) -> Iterator[Alignment]:
    """The taxons of LOM classifications that state an educational objective, or CASE as their source."""
    for classification in metadata.iter("{*}classification"):
        purposes = (line(value).lower() for value in classification.iterfind("{*}purpose/{*}value"))
        is_objective = "educational objective" in purposes
        for path in classification.iterchildren("{*}taxonPath", "{*}taxonpath"):
            if is_objective or re.search(r"\bCASE\b", text(path.find("{*}source"))):
                yield from _of_taxons(path)


def _of_taxons(path: etree._Element) -> Iterator[Alignment]:
    for taxon in path.iter("{*}taxon"):  # older LOM puts each into the one above it
        value = text(taxon.find("{*}id"))
        identifier = case_id(value)
        if identifier:
            label = text(taxon.find("{*}entry"))[:MAX_LABEL] or None
            yield Alignment(identifier, value if _is_link(value) else None, label)


def _is_link(value: str) -> bool:
    return len(value) <= MAX_URI and _WEB.fullmatch(value) is not None


def _once(alignments: Iterable[Alignment]) -> tuple[Alignment, ...]:
    first: dict[str, Alignment] = {}
    for alignment in alignments:
        first.setdefault(alignment.curriculum_item_id, alignment)
        if len(first) > MOST:
            break
    return tuple(first.values())
