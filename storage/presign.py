"""Expiring permission to do one thing with one object: a code that nobody can make without the secret key."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from itsdangerous import BadSignature, URLSafeSerializer
from itsdangerous.encoding import base64_decode, base64_encode

from storage.sealing import derived
from storage.tables.columns import now

DOWNLOAD_TIME = timedelta(minutes=10)


class Purpose(StrEnum):
    """What a code permits; a code for one purpose is none for another."""

    DOWNLOAD = "download"
    UPLOAD = "upload"
    SESSION = "session"
    CONTENT = "content"


class SignatureInvalid(Exception):  # noqa: N818
    """The code was not made here, or not for this."""


class PermissionExpired(Exception):  # noqa: N818
    """The code was good once."""


@dataclass(frozen=True, slots=True)
class Permission:
    """An object, the workspace that it belongs to, and until when, to the second."""

    workspace_id: str
    object_id: str
    expires_at: datetime

    @classmethod
    def lasting(cls, workspace_id: str, object_id: str, time: timedelta) -> "Permission":
        """From now on, for some time."""
        return cls(workspace_id, object_id, (now() + time).replace(microsecond=0))


class Presigner:
    """Signs with the first secret key, accepts all."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [derived(key, b"presign") for key in reversed(keys)]  # itsdangerous signs with the last

    def code(self, purpose: Purpose, permission: Permission) -> str:
        """The permission as part of a URL."""
        expires = int(permission.expires_at.timestamp())
        return str(self._serializer(purpose).dumps([permission.workspace_id, permission.object_id, expires]))

    def read(self, purpose: Purpose, code: str) -> Permission:
        """What a code permits; SignatureInvalid or PermissionExpired when it is nothing."""
        try:
            workspace_id, object_id, expires = self._serializer(purpose).loads(code)
        except BadSignature:
            raise SignatureInvalid from None
        signature = code.rpartition(".")[2]
        if base64_encode(base64_decode(signature)).decode() != signature:  # the last sign of base64 has spare bits
            raise SignatureInvalid
        permission = Permission(workspace_id, object_id, datetime.fromtimestamp(expires, UTC))
        if permission.expires_at <= now():
            raise PermissionExpired
        return permission

    def _serializer(self, purpose: Purpose) -> URLSafeSerializer:
        return URLSafeSerializer(self._keys, salt=f"lectern:{purpose}", signer_kwargs={"digest_method": sha256})
