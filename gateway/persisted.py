"""Documents that are named by their hash: those that clients leave here, and those that an installation trusts."""

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Protocol, Self

import orjson
import structlog
from redis.exceptions import RedisError

from gateway import patience
from gateway.parameters import Parameters
from gateway.recent import Recent
from gateway.refusals import Refused
from storage.settings import SettingsInvalid

log = structlog.get_logger(__name__)

PLACES = 4_096
"""Where documents stand in Redis; a hash has one place, so a newer document may take that of an older one."""

LONGEST = 16_384
"""Bytes of a document that Redis keeps, so all of them together never take more than 64 MB."""

KEPT_SECONDS = 7 * 24 * 3600


class DocumentUnknown(Refused):
    """Nobody has left a document with this hash; message and code are those that clients of Apollo's protocol know."""

    def __init__(self) -> None:
        super().__init__(400, "PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")


class Source(Protocol):
    """Where the document of a request comes from."""

    async def find(self, parameters: Parameters) -> str:
        """The document that a request is about; Refused when there is none that may be executed."""

    async def keep(self, parameters: Parameters) -> None:
        """Remember the document of a request that came with its hash, once it has proved to be good."""


class Persisted:
    """
    Documents left by clients, Apollo's automatic persisted queries: in this process, and in Redis for the others.

    Whatever is lost is sent again by the client that misses it.
    """

    def __init__(self, redis_url: str | None, *, entries: int = 1_000, characters: int = 500_000) -> None:
        self._recent: Recent[str] = Recent(entries, characters)
        self._redis = patience.connected(redis_url) if redis_url is not None else None

    async def find(self, parameters: Parameters) -> str:
        """The document that a request is about; DocumentUnknown when it has to be sent."""
        if parameters.query is not None:
            return parameters.query
        digest = parameters.digest or ""
        text = self._recent.get(digest)
        if text is None:
            if (text := await self._fetch(digest)) is None:
                raise DocumentUnknown
            self._recent.keep(digest, text, len(text))
        return text

    async def keep(self, parameters: Parameters) -> None:
        """Remember the document for those who send its hash alone."""
        text, digest = parameters.query, parameters.digest
        if text is None or digest is None or self._recent.get(digest) is not None:
            return
        self._recent.keep(digest, text, len(text))
        if self._redis is not None and len(text.encode()) <= LONGEST:
            try:
                await patience.aside(self._redis.set(_place(digest), text, ex=KEPT_SECONDS))
            except (RedisError, OSError):
                log.warning("a document is known to this process alone")

    async def close(self) -> None:
        """Let go of Redis."""
        if self._redis is not None:
            await self._redis.aclose()

    async def _fetch(self, digest: str) -> str | None:
        """The document in its place, unless it is another one's by now."""
        if self._redis is None:
            return None
        try:
            found: bytes | None = await patience.aside(self._redis.get(_place(digest)))
        except (RedisError, OSError):
            return None
        return found.decode() if found is not None and sha256(found).hexdigest() == digest else None


class Trusted:
    """A list of documents; no others are executed."""

    def __init__(self, documents: Mapping[str, str]) -> None:
        """The documents by the SHA-256 that clients send."""
        self._documents = documents
        self._texts = frozenset(documents.values())

    @classmethod
    def read(cls, path: Path, own: Iterable[str] = ()) -> Self:
        """The list in a JSON file, {hash: text}, and documents of our own; SettingsInvalid when it is none."""
        try:
            documents = orjson.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise SettingsInvalid(f"LECTERN_TRUSTED_DOCUMENTS: {path} cannot be read: {error}") from None
        if not isinstance(documents, dict) or not all(isinstance(text, str) for text in documents.values()):
            raise SettingsInvalid(f"LECTERN_TRUSTED_DOCUMENTS: {path} is no object of hashes and documents.")
        for digest, text in documents.items():
            if digest != _digest(text):
                raise SettingsInvalid(f"LECTERN_TRUSTED_DOCUMENTS: {digest} is not the SHA-256 of its document.")
        return cls({**documents, **{_digest(text): text for text in own}})

    def check(self, load: Callable[[str], object]) -> None:
        """Have each document read; SettingsInvalid says which one could never run, and why."""
        for digest, text in self._documents.items():
            try:
                load(text)
            except Refused as refused:
                raise SettingsInvalid(f"LECTERN_TRUSTED_DOCUMENTS: {digest}: {refused.message}") from None

    async def find(self, parameters: Parameters) -> str:
        """The document, named by its hash or sent word for word."""
        if parameters.query in self._texts:
            return parameters.query or ""
        if parameters.query is None and parameters.digest in self._documents:
            return self._documents[parameters.digest or ""]
        raise Refused(403, "DOCUMENT_NOT_TRUSTED", "This document is not in the list of this installation.")

    async def keep(self, parameters: Parameters) -> None:
        """The list is what it is."""


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _place(digest: str) -> str:
    return f"lectern:document:{int(digest[:8], 16) % PLACES}"
