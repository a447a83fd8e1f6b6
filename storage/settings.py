"""What the environment tells both processes: database, Redis, blobs, public address and secret key."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

SECRET_FILE = Path("var/secret.key")


class SettingsInvalid(Exception):  # noqa: N818
    """A setting has a wrong value; the message names it."""


class StorageSettings(BaseSettings):
    """The settings that web and background process share; the names are those of the README, in lower case."""

    model_config = SettingsConfigDict(env_prefix="LECTERN_", extra="ignore")

    database_url: str = "sqlite+aiosqlite:///var/lectern.db"
    redis_url: str | None = None
    blob_url: str = "file://var/blobs"
    public_url: str = "http://127.0.0.1:8000"
    secret_key: Annotated[tuple[SecretStr, ...], NoDecode] = Field(default=(), validate_default=True)
    webhook_allow_private: bool = False
    max_zip_bytes: int = Field(default=1_073_741_824, ge=1)
    max_file_bytes: int = Field(default=1_073_741_824, ge=1)

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        if not url.startswith(("sqlite+aiosqlite:///", "postgresql+asyncpg://")):
            raise ValueError("begins with sqlite+aiosqlite:/// or postgresql+asyncpg://")
        return url

    @field_validator("redis_url")
    @classmethod
    def _known_redis(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("begins with redis://, rediss:// or unix://")
        return url

    @field_validator("blob_url")
    @classmethod
    def _known_blobs(cls, url: str) -> str:
        if not url.startswith(("file://", "s3://")):
            raise ValueError("begins with file:// or s3://")
        return url

    @field_validator("public_url")
    @classmethod
    def _absolute(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("is an absolute http or https URL")
        return url.rstrip("/")

    @field_validator("secret_key", mode="before")
    @classmethod
    def _several_keys(cls, value: object) -> object:
        """Several keys are separated by commas; without one the file that `lectern up` made is read."""
        if not value and SECRET_FILE.exists():
            value = SECRET_FILE.read_text().strip()
        return tuple(value.split(",")) if isinstance(value, str) else value

    @field_validator("secret_key")
    @classmethod
    def _long_keys(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value().encode()) < 32 for key in keys):
            raise ValueError("has at least 32 bytes")
        return keys

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The keys as text, the signing one first; refuses to be without one."""
        if not self.secret_key:
            raise SettingsInvalid("LECTERN_SECRET_KEY is not set: it takes at least 32 random bytes.")
        return tuple(key.get_secret_value() for key in self.secret_key)

    @property
    def shared_redis_url(self) -> str:
        """Where web and background process meet; refuses to be without it."""
        if self.redis_url is None:
            raise SettingsInvalid("LECTERN_REDIS_URL is not set; `lectern up` brings a Valkey of its own.")
        return self.redis_url

    @classmethod
    def read(cls) -> Self:
        """The settings of this environment; a wrong value is a SettingsInvalid that names it."""
        try:
            return cls()
        except ValidationError as invalid:
            wrong = invalid.errors()[0]
            name = f"LECTERN_{'_'.join(str(step) for step in wrong['loc'][:1])}".upper()
            raise SettingsInvalid(f"{name}: {wrong['msg'].removeprefix('Value error, ')}") from None
