"""The headers of a delivery and their verification: Standard Webhooks, and the older header over the body alone."""

import functools
import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "whsec_"
TOLERANCE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Secrets:
    """What an endpoint's deliveries are signed with; `previous` only until the overlap of a rotation ends."""

    current: str
    previous: str | None = None


class Refusal(StrEnum):
    """Why a request is not taken for a delivery."""

    UNSIGNED = "no signature"
    MALFORMED = "no readable timestamp"
    STALE = "timestamp more than 5 minutes away"
    FORGED = "wrong signature"


def headers(secrets: Secrets, id: str, type: str, body: bytes, at: int) -> dict[str, str]:
    """All headers of one attempt; `at` is its time in seconds since 1970.

    The older header has room for one value: it stays with the previous secret until the overlap ends.
    """
    secrets_in_use = [secrets.current] if secrets.previous is None else [secrets.current, secrets.previous]
    return {
        "Content-Type": "application/json",
        "User-Agent": "Lectern-Webhooks/1",
        "webhook-id": id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(_standard(secret, id, str(at), body) for secret in secrets_in_use),
        "X-Content-Integration-Event": type,
        "X-Content-Integration-Signature": _of_body(secrets_in_use[-1], body),
    }


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> Refusal | None:
    """None for a genuine delivery of this secret's endpoint, else why not.

    Where the Standard Webhooks headers are present they decide, because only they sign the time;
    the header over the body alone decides where they are absent.
    """
    given = {name.lower(): value for name, value in headers.items()}
    timestamp = given.get("webhook-timestamp")
    if timestamp is not None:
        if not (timestamp.isascii() and timestamp.isdigit()):
            return Refusal.MALFORMED
        if abs(now - float(timestamp)) > TOLERANCE_SECONDS:
            return Refusal.STALE
    if standard := given.get("webhook-signature"):
        expected = _standard(secret, given.get("webhook-id", ""), timestamp or "", body)
        genuine = _is_among(expected, standard.split())
    elif older := given.get("x-content-integration-signature"):
        genuine = _is_among(_of_body(secret, body), [older])
    else:
        return Refusal.UNSIGNED
    return None if genuine else Refusal.FORGED


@functools.lru_cache(maxsize=1024)
def key(secret: str) -> bytes:
    """The bytes behind `whsec_`; ValueError when it is no secret of an endpoint."""
    decoded = b64decode(secret.removeprefix(PREFIX), validate=True)
    if not secret.startswith(PREFIX) or not decoded:
        raise ValueError("a secret is whsec_ and base64")
    return decoded


def _standard(secret: str, id: str, timestamp: str, body: bytes) -> str:
    signed = _bytes(f"{id}.{timestamp}.") + body
    return f"v1,{b64encode(_mac(key(secret), signed).digest()).decode()}"


def _of_body(secret: str, body: bytes) -> str:
    return _mac(secret.encode(), body).hexdigest()


def _mac(secret: bytes, signed: bytes) -> hmac.HMAC:
    mac = _keyed(secret).copy()
    mac.update(signed)
    return mac


@functools.lru_cache(maxsize=2048)
def _keyed(secret: bytes) -> hmac.HMAC:
    """Begun with the key, which takes longer than to sign a body."""
    return hmac.new(secret, digestmod=hashlib.sha256)


def _is_among(expected: str, candidates: Iterable[str]) -> bool:
    """Compare with every candidate, and in constant time, so that the answer's delay tells nothing."""
    return sum(hmac.compare_digest(_bytes(expected), _bytes(candidate)) for candidate in candidates) > 0


def _bytes(header: str) -> bytes:
    """A header as it came over the wire, bytes that are no UTF-8 included."""
    return header.encode("utf-8", "surrogateescape")
