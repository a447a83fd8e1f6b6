"""What reading a package yields."""

from dataclasses import dataclass
from enum import StrEnum

from storage.errors import JobErrorCode
from storage.packages.questions import Question
from storage.packages.standards import Alignment


class ContentType(StrEnum):
    """What a content item is."""

    QUESTION = "QUESTION"
    STIMULUS = "STIMULUS"
    ARTICLE = "ARTICLE"
    CONTAINER = "CONTAINER"
    VIDEO = "VIDEO"


class AssociationType(StrEnum):
    """What a dependency or an organization of a package meant."""

    STIMULUS = "STIMULUS"
    SEE_ALSO = "SEE_ALSO"
    IS_CHILD_OF = "IS_CHILD_OF"


@dataclass(frozen=True, slots=True)
class Content:
    """A content item; `key` names it within one reading of its package, counted from 0.

    `path` and `sha256` are those of its file in the package; `xml` is that of a question which is only a part of its
    file, letter by letter, in UTF-8;
    `body` is sanitised HTML whose relative links start at `path`; `text` is what a search finds.
    """

    key: int
    type: ContentType
    source_identifier: str
    title: str
    description: str | None = None
    language: str | None = None
    difficulty: str | None = None
    alignments: tuple[Alignment, ...] = ()
    path: str | None = None
    sha256: str | None = None
    body: str | None = None
    text: str = ""
    question: Question | None = None
    xml: bytes | None = None
    video_url: str | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A resource, or one question of it, that should have become a content item."""

    source_identifier: str
    code: JobErrorCode
    message: str


@dataclass(frozen=True, slots=True)
class PackageWarning:
    """Something was left out, guessed or repaired; `subject` is mostly a resource identifier."""

    code: str
    message: str
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Association:
    """A relation between two content items that were yielded before, by their keys."""

    type: AssociationType
    source: int
    target: int
    sort_order: int | None = None


Outcome = Content | Failure | PackageWarning | Association
