"""How reading fails: the whole package, or one file of it."""

from storage.errors import JobErrorCode, JobFailed


def invalid(message: str) -> JobFailed:
    """The package is no readable zip, or over a limit."""
    return JobFailed(JobErrorCode.PACKAGE_INVALID, message)


def unsafe(message: str) -> JobFailed:
    """The package tries to escape or to explode."""
    return JobFailed(JobErrorCode.PACKAGE_UNSAFE, message)


def unreadable(message: str) -> JobFailed:
    """One file of the package cannot be used; the others can."""
    return JobFailed(JobErrorCode.RESOURCE_INVALID, message)
