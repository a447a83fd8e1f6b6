"""What the environment tells the web process."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from storage.settings import StorageSettings


class Profile(StrEnum):
    """Whose statuses are used: those of GraphQL over HTTP today, or those of its draft of August 2026."""

    DEFAULT = "default"
    DRAFT = "draft"


class Settings(StorageSettings):
    """The names are those of the README, in lower case."""

    max_body_bytes: int = Field(default=4_194_304, ge=1024)
    max_depth: int = Field(default=12, ge=1)
    max_root_fields: int = Field(default=50, ge=1)
    max_cost: int = Field(default=10_000, ge=1)
    max_streams: int = Field(default=20, ge=1)
    max_connections: int = Field(default=4_000, ge=1)
    query_seconds: float = Field(default=15, gt=0)
    mutation_seconds: float = Field(default=60, gt=0)
    http_profile: Profile = Profile.DEFAULT
    trusted_documents: Path | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    login_per_minute: int = Field(default=10, ge=1)
    introspection: bool = True
    graphiql: bool = True
    metrics: bool = False
    otlp_url: str | None = None

    @field_validator("otlp_url")
    @classmethod
    def _known_collector(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("is an absolute http or https URL, as in http://127.0.0.1:4318/v1/traces")
        return url

    @property
    def origin(self) -> str:
        """What browsers call the pages of this gateway."""
        scheme, _, rest = self.public_url.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}".lower()

    @property
    def secure(self) -> bool:
        """Whether cookies travel over TLS only."""
        return self.public_url.startswith("https://")
