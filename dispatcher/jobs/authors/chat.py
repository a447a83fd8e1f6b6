"""Asking a chat completion service that speaks the OpenAI-compatible API, whatever it answers, within limits."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, Self

import httpx
import orjson
import structlog

from dispatcher.jobs.authors.watch import Spent
from storage.errors import JobErrorCode, JobFailed

log = structlog.get_logger(__name__)

ATTEMPTS = 5
LONGEST_PAUSE_SECONDS = 30.0
MOST_BYTES = 8 << 20
QUOTED = 500

BUSY = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Statuses after which the same request may succeed a little later."""

Message = dict[str, str]
"""role (system, user, assistant) and content."""


Told = Callable[[Spent], Awaitable[None]]
"""Who is told what an answer took."""


class _Busy(Exception):  # noqa: N818
    """No answer this time, for a reason that may pass; `seconds` is how long the service asks to wait."""

    def __init__(self, what: str, seconds: float = 0.0) -> None:
        super().__init__(what)
        self.seconds = seconds


class Chat:
    """A client of one service and one model."""

    def __init__(self, url: str, key: str | None, model: str, seconds: float, pause: float) -> None:
        """A request may take so many seconds; after the first one that fails there is a pause, which then doubles."""
        self.model = model
        self._seconds = seconds
        self._pause = pause
        self._url = url if url.endswith("/chat/completions") else f"{url.rstrip('/')}/chat/completions"
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # The total is kept by complete(); these only end connections on which nothing moves at all.
        self._client = httpx.AsyncClient(headers=headers, timeout=httpx.Timeout(seconds, connect=10), http2=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def complete(self, messages: Sequence[Message], name: str, schema: dict[str, Any], spent: Told) -> str:
        """
        What the model answers, as JSON of a schema; of each answer, usable or not, it is told what it took.

        An outage is waited for, a little longer each time; JobFailed when it lasts, when the service or the model
        refuses, and when the answer is cut off, too large or none of the protocol.
        """
        body = {
            "model": self.model,
            "messages": list(messages),
            "response_format": {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}},
        }
        pause = self._pause
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = await self._answer(body)
                await spent(_spent(answer))
                return _read(answer)
            except _Busy as error:
                busy = error
            log.warning("the model service is busy", attempt=attempt, reason=str(busy))
            if attempt < ATTEMPTS:
                await asyncio.sleep(min(max(busy.seconds, pause * random.uniform(0.8, 1.2)), LONGEST_PAUSE_SECONDS))  # noqa: S311
                pause *= 2
        raise _failed(f"The model service did not answer {ATTEMPTS} times; the last time: {busy}.")

    async def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._post(body)
        except TimeoutError:
            raise _Busy(f"no answer within {self._seconds:g} seconds") from None
        except httpx.TransportError as error:
            raise _Busy(f"it cannot be reached ({type(error).__name__})") from error

    async def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        """One request; the body of its answer as far as it is not too large."""
        request = self._client.build_request(
            "POST", self._url, content=orjson.dumps(body), headers={"Content-Type": "application/json"}
        )
        response = await self._client.send(request, stream=True)
        try:
            data = bytearray()
            async for chunk in response.aiter_bytes(1 << 16):
                data += chunk
                if len(data) > MOST_BYTES:
                    raise _failed(f"The model service sent more than {MOST_BYTES >> 20} MB.")
        finally:
            await response.aclose()
        _check(response, bytes(data))
        try:
            answer = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise _Busy("its answer was no JSON") from None
        if not isinstance(answer, dict):
            raise _Busy("its answer was no JSON object")
        return answer


def _check(response: httpx.Response, data: bytes) -> None:
    """Only 200 has an answer. What a service says of a refused request may name keys, so it goes into the log only."""
    status = response.status_code
    if status == HTTPStatus.OK:
        return
    if status in BUSY:
        raise _Busy(f"HTTP {status}", _seconds(response.headers.get("retry-after", "")))
    log.error("the model service refused", status=status, said=data[:QUOTED].decode(errors="replace"))
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise _failed(f"The model service refused our credential (HTTP {status}); check LECTERN_MODEL_KEY.")
    if status == HTTPStatus.NOT_FOUND:
        raise _failed("The model service knows no such model; check LECTERN_MODEL_URL and LECTERN_MODEL_NAME.")
    raise _failed(f"The model service refused the request (HTTP {status}); its reason is in the log.")


def _spent(answer: dict[str, Any]) -> Spent:
    usage = answer.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return Spent(_count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens")))


def _read(answer: dict[str, Any]) -> str:
    """The text of the first choice."""
    match answer:
        case {"choices": [{"message": dict(message), **choice}, *_]}:
            pass
        case _:
            raise _Busy("its answer had no choices")
    if refusal := message.get("refusal"):
        raise _failed(f"The model refused: {str(refusal)[:QUOTED]}")
    match choice.get("finish_reason"):
        case "length":
            raise _failed("The model's answer was cut off because it got too long; ask for less at once.")
        case "content_filter":
            raise _failed("The content filter of the model service stopped the answer; change the prompt.")
    text = message.get("content")
    if not isinstance(text, str) or not text.strip():
        raise _Busy("its answer was empty")
    return text


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _seconds(retry_after: str) -> float:
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 6 else 0.0


def _failed(message: str) -> JobFailed:
    return JobFailed(JobErrorCode.GENERATION_FAILED, message)
