"""Expected problems, as payloads carry them."""

from typing import Self

import strawberry

from schema.types.scalars import described
from storage.errors import ErrorCode, JobErrorCode, Problem
from storage.tables.jobs import Failure, Notice

described(
    ErrorCode,
    "ErrorCode",
    "What kind of problem a client has to handle.",
    NOT_FOUND="Does not exist, or belongs to somebody else: the two are never told apart.",
    IDEMPOTENCY_CONFLICT="The key was used with another input; the payload carries what it was used for.",
    IDEMPOTENCY_ORIGINAL_DELETED="The key was used before and what it created has been deleted since.",
    VERSION_CONFLICT="baseVersion or reviewedVersion is stale; the payload carries the current object.",
    RESOURCE_LOCKED="The video has been rendered; reopenVideo unlocks it.",
    JOB_STATE_INVALID="The job is in a state in which this cannot be done.",
    UNSUPPORTED_EXPORT_TYPE="This context can only be exported as zip.",
    LOGIN_FAILED="Wrong e-mail address or password.",
)
described(
    JobErrorCode,
    "JobErrorCode",
    "Machine-readable reason of a failure.",
    PACKAGE_INVALID="Not a zip file, damaged, encrypted, or over a limit.",
    PACKAGE_UNSAFE="The package tries to escape, to explode or to reach out.",
    NOTHING_SUPPORTED="No resource of the package is of a supported type.",
    METADATA_MISSING="The resource has no title.",
    RESOURCE_INVALID="The resource's file is missing, unreadable or not what its type says.",
    SOURCE_INVALID="The source of an expansion cannot be used.",
    EXPORT_EMPTY="There is nothing to export.",
)


@strawberry.type(description="An expected problem; several are reported at once.")
class UserError:
    code: ErrorCode
    message: str = strawberry.field(description="For people; never needed to decide what to do.")
    path: list[str] = strawberry.field(
        description="Where in the arguments, e.g. [input, quizzes, 0, correctAnswers]; empty when the whole request is "
        "meant."
    )
    rule: str | None = strawberry.field(
        description="The violated rule when code is VALIDATION_FAILED, e.g. answer_not_in_options."
    )

    @classmethod
    def from_problem(cls, problem: Problem) -> Self:
        """The graph's form of a problem."""
        return cls(code=problem.code, message=problem.message, path=list(problem.path), rule=problem.rule)


@strawberry.type(description="Why a job, an output or an item failed.")
class JobError:
    code: JobErrorCode
    message: str

    @classmethod
    def from_failure(cls, failure: Failure | None) -> Self | None:
        """The graph's form of a failure, if there is one."""
        return cls(code=failure.code, message=failure.message) if failure else None


@strawberry.type(name="Warning", description="Something was left out, guessed or repaired.")
class JobWarning:
    code: str = strawberry.field(description="Machine-readable, e.g. not_video.")
    message: str
    subject: str | None = strawberry.field(
        description="What it is about, e.g. a resource identifier of a manifest.", default=None
    )

    @classmethod
    def from_notice(cls, notice: Notice) -> Self:
        """The graph's form of a notice."""
        return cls(code=notice.code, message=notice.message, subject=notice.subject)
