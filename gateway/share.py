"""Public pages of resources: what publicUrl leads to, and where learners hand in."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway import forms, pages
from gateway.admission import Admission, hand_in
from gateway.limits import RateLimited
from gateway.negotiation import HTML, JSON, negotiate
from gateway.problems import problem
from storage import idempotency, resources, submissions
from storage.database import Database
from storage.errors import NotFound, Problem, Problems, ValidationFailed
from storage.submissions import Answer, HandIn
from storage.tables.columns import dump, now

HIDDEN = {"X-Robots-Tag": "noindex"}
HEADERS = {**HIDDEN, "Cache-Control": "private, max-age=60", "Vary": "Accept"}

MOST_BYTES = 2_000_000
"""Of a form: 200,000 characters, each of which may take nine bytes."""

ANSWER = "answers."
GONE = "This page does not exist, or is closed."
TITLES = {404: "There is nothing here", 422: "Your answers were not handed in", 429: "Too many attempts"}


class SharePages:
    """What stands behind /share/{type}/{code}."""

    def __init__(self, database: Database, admission: Admission) -> None:
        self.database = database
        self.admission = admission

    async def show(self, request: Request) -> Response:
        """The page, or its content as JSON; 404 for anything but an active page of a READY resource."""
        async with self.database.snapshot() as session:
            resource = await resources.shared(session, request.path_params["type"], request.path_params["code"])
            content = await pages.content(session, resource) if resource is not None else None
        if content is None:
            return _refused(request, 404, GONE)
        accept = request.headers.get("accept", "")
        if JSON in accept and not negotiate(accept).prefers_page:
            return Response(await asyncio.to_thread(dump, content), headers=HEADERS, media_type=JSON)
        page = await asyncio.to_thread(_page, content)  # a course can have a hundred megabytes of lectures
        return Response(page, headers=HEADERS, media_type=HTML)

    async def hand_in(self, request: Request) -> Response:
        """Grade the answers of a form and show the score; what is wrong with them is 422."""
        try:
            await self.admission.of_address(hand_in(request.path_params["code"]), request)
            form = await forms.read(request, MOST_BYTES)
            page = await self._grade(request.path_params["code"], form)
        except RateLimited as limited:
            return _refused(request, 429, limited.message, headers=limited.headers)
        except HTTPException as wrong:
            return _refused(request, wrong.status_code, wrong.detail, headers=wrong.headers)
        except NotFound:
            return _refused(request, 404, GONE)
        except Problems as several:
            return _refused(request, 422, several.problems[0].message, errors=several.problems)
        except ValidationFailed as found:
            return _refused(request, 422, found.message, errors=[found])
        return Response(page, headers=HIDDEN, media_type=HTML)

    async def _grade(self, code: str, form: Sequence[tuple[str, str]]) -> str:
        """
        Keep what was handed in, and answer with the page that says how it went.

        The same form sent twice, by a double click or by reloading, is handed in once.
        """
        async with self.database.transaction() as session:
            test, items = await submissions.open_test(session, code)
            handed = read(form, {item.id for item in items})
            key = f"form:{idempotency.fingerprint(asdict(handed))}" if handed.started_at else None
            submission, _ = await submissions.hand_in(session, test, items, handed, key)
        content = {"title": test.title, "description": None, "language": test.language}
        return pages.render("submission", content, submission=submission)


def _page(content: pages.Content) -> bytes:
    return pages.render(content["type"], content, now=now()).encode()


def read(form: Sequence[tuple[str, str]], item_ids: Collection[str]) -> HandIn:
    """
    What a form says; ValidationFailed for what cannot be read.

    Empty fields were left empty. Answers to items that the test no longer has are passed over: the learner cannot
    help that it was changed meanwhile.
    """
    answers: dict[str, list[str]] = {}
    for name, value in form:
        item_id = name.removeprefix(ANSWER)
        if name.startswith(ANSWER) and item_id in item_ids and value.strip():
            answers.setdefault(item_id, []).append(value.replace("\r\n", "\n"))  # as browsers send line breaks
    fields = {name: value.strip() for name, value in form if value.strip()}
    started_at = _instant(fields["startedAt"]) if "startedAt" in fields else None
    return HandIn([Answer(id, given) for id, given in answers.items()], fields.get("learnerRef"), started_at)


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        message = "startedAt is an RFC 3339 instant with an offset, e.g. 2026-02-19T14:00:00.000Z."
        raise ValidationFailed("started_at_format", message, "input", "startedAt")
    return instant


def _refused(
    request: Request,
    status: int,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Problem] = (),
) -> Response:
    """A problem, as a page for whoever reads pages."""
    if not negotiate(request.headers.get("accept", "")).prefers_page:
        return problem(request, status, detail, headers=headers, errors=errors)
    messages = [found.message for found in errors] or [detail]
    content = {"title": TITLES.get(status, "This did not work"), "description": None, "language": "en"}
    page = pages.render("problem", content, messages=messages)
    return Response(page, status, {**HIDDEN, **(headers or {})}, HTML)
