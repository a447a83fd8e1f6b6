"""Secrets that must be shown or used again are sealed with the secret key; those that only must be known, hashed."""

import base64
import hashlib
import secrets
import string
from collections.abc import Sequence

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LETTERS = string.ascii_letters + string.digits


class Sealer:
    """Encrypts with the first key, opens with any."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(derived(key, b"seal"))) for key in keys])

    def seal(self, secret: str) -> str:
        """Authenticated encryption (Fernet) of a short text."""
        return self._fernet.encrypt(secret.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """The text again; InvalidToken when no key fits."""
        return self._fernet.decrypt(sealed.encode()).decode()


def derived(key: str, purpose: bytes) -> bytes:
    """32 bytes for one purpose, so that no key serves two."""
    return HKDF(SHA256(), 32, None, b"lectern:" + purpose).derive(key.encode())


def hashed(secret: str) -> str:
    """SHA-256 in hex: enough for secrets that are random and long, wrong for passwords."""
    return hashlib.sha256(secret.encode()).hexdigest()


def random_letters(length: int) -> str:
    """Letters and digits, 5.95 random bits each."""
    return "".join(secrets.choice(LETTERS) for _ in range(length))
