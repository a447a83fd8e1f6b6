"""
Expected problems, as values that travel to whoever asked.

    Problem                         what was asked cannot be done
    ├── ValidationFailed            a rule is violated; names the rule and the place
    ├── NotFound                    does not exist, or belongs to somebody else
    ├── IdempotencyConflict         the key was used with another input
    ├── IdempotencyOriginalDeleted  the key was used, and what it made is gone
    ├── VersionConflict             somebody else changed it first
    ├── ResourceLocked              a rendered video
    ├── JobStateInvalid             the job is in a state in which this cannot be done
    ├── UnsupportedExportType       only courses become packages
    └── LoginFailed                 wrong address or password
    Problems                        several of them at once
    JobFailed                       a job, an output or an item failed; names the JobErrorCode

The docstring of a class is its default message. Whatever is no Problem is a fault of ours and is masked.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, ClassVar, Self


class ErrorCode(StrEnum):
    """What kind of problem a client has to handle."""

    VALIDATION_FAILED = "VALIDATION_FAILED"
    NOT_FOUND = "NOT_FOUND"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    IDEMPOTENCY_ORIGINAL_DELETED = "IDEMPOTENCY_ORIGINAL_DELETED"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    RESOURCE_LOCKED = "RESOURCE_LOCKED"
    JOB_STATE_INVALID = "JOB_STATE_INVALID"
    UNSUPPORTED_EXPORT_TYPE = "UNSUPPORTED_EXPORT_TYPE"
    LOGIN_FAILED = "LOGIN_FAILED"


class JobErrorCode(StrEnum):
    """Machine-readable reason of a failure."""

    CANCELED = "CANCELED"
    UPLOAD_EXPIRED = "UPLOAD_EXPIRED"
    PACKAGE_INVALID = "PACKAGE_INVALID"
    PACKAGE_UNSAFE = "PACKAGE_UNSAFE"
    MANIFEST_MISSING = "MANIFEST_MISSING"
    MANIFEST_INVALID = "MANIFEST_INVALID"
    NOTHING_SUPPORTED = "NOTHING_SUPPORTED"
    METADATA_MISSING = "METADATA_MISSING"
    CASE_ALIGNMENT_MISSING = "CASE_ALIGNMENT_MISSING"
    RESOURCE_INVALID = "RESOURCE_INVALID"
    SOURCE_INVALID = "SOURCE_INVALID"
    GENERATION_FAILED = "GENERATION_FAILED"
    RENDER_FAILED = "RENDER_FAILED"
    EXPORT_EMPTY = "EXPORT_EMPTY"
    TIMEOUT = "TIMEOUT"
    INTERNAL = "INTERNAL"


class Problem(Exception):  # noqa: N818  (a problem of the request, not an error of the program)
    """This cannot be done."""

    code: ClassVar[ErrorCode]

    def __init__(self, message: str | None = None, *, path: Iterable[str | int] = (), rule: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.path = tuple(str(step) for step in path)
        self.rule = rule
        super().__init__(self.message)


class ValidationFailed(Problem):
    """A value breaks a rule."""

    code = ErrorCode.VALIDATION_FAILED

    def __init__(self, rule: str, message: str, *path: str | int) -> None:
        super().__init__(message, path=path, rule=rule)


class NotFound(Problem):
    """There is no such object."""

    code = ErrorCode.NOT_FOUND


class _AboutAnOriginal(Problem):
    """Names the object that stands in the way, for the payload."""

    def __init__(self, original: Any = None) -> None:
        super().__init__()
        self.original = original


class IdempotencyConflict(_AboutAnOriginal):
    """This idempotency key was used before with another input."""

    code = ErrorCode.IDEMPOTENCY_CONFLICT


class IdempotencyOriginalDeleted(Problem):
    """This idempotency key was used before, and what it created has been deleted since."""

    code = ErrorCode.IDEMPOTENCY_ORIGINAL_DELETED


class VersionConflict(_AboutAnOriginal):
    """It has been changed since the version you read."""

    code = ErrorCode.VERSION_CONFLICT


class ResourceLocked(Problem):
    """The video has been rendered; reopenVideo unlocks it."""

    code = ErrorCode.RESOURCE_LOCKED


class JobStateInvalid(Problem):
    """The job is in a state in which this cannot be done."""

    code = ErrorCode.JOB_STATE_INVALID


class UnsupportedExportType(Problem):
    """Groups and users can only be exported as zip."""

    code = ErrorCode.UNSUPPORTED_EXPORT_TYPE


class LoginFailed(Problem):
    """Wrong e-mail address or password."""

    code = ErrorCode.LOGIN_FAILED


class JobFailed(Exception):  # noqa: N818  (an outcome that becomes a row)
    """A job, an output or an item failed, for a reason its author can act on."""

    def __init__(self, code: JobErrorCode, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(message)


class Problems(Exception):  # noqa: N818
    """Several problems of one request."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.message for problem in self.problems))


class Checks:
    """Collects what is wrong with an input, so that everything is reported at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self.problems:
            raise Problems(self.problems)

    def require(self, holds: object, rule: str, message: str, *path: str | int) -> bool:
        """Note the violated rule unless it holds; answers whether it does."""
        if not holds:
            self.problems.append(ValidationFailed(rule, message, *path))
        return bool(holds)
