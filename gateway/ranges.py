"""Parts of files: what a Range header asks for (RFC 9110, section 14)."""

import re

ONE_RANGE = re.compile(r"bytes=\s*(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))\s*", re.IGNORECASE | re.ASCII)


class RangeUnsatisfiable(Exception):  # noqa: N818
    """Nothing of what is asked for is in the file."""


def span(header: str | None, size: int) -> tuple[int, int] | None:
    """
    First byte and the one behind the last; None for the whole file.

    A header that is malformed, or asks for several ranges, is ignored, as the specification allows.
    """
    match = ONE_RANGE.fullmatch(header or "")
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = max(0, size - int(suffix)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= end:
        raise RangeUnsatisfiable
    return start, end
