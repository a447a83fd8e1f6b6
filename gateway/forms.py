"""Bodies of HTML forms and of OAuth requests: application/x-www-form-urlencoded, read with limits."""

from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

FORM = "application/x-www-form-urlencoded"


async def read(request: Request, most_bytes: int, most_fields: int = 1000) -> list[tuple[str, str]]:
    """The fields of a form in their order; HTTPException with 415, 413 or 400 for anything else."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise HTTPException(415, f"The body has to be {FORM}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise HTTPException(413, f"The body has more than {most_bytes} bytes.", {"Connection": "close"})
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=most_fields, errors="strict")
    except ValueError:
        raise HTTPException(400, f"The body is no form in UTF-8 of at most {most_fields} fields.") from None
    if any("\0" in text for field in fields for text in field):
        raise HTTPException(400, "Text cannot hold the character U+0000.")
    return fields
