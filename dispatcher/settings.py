"""What the environment tells the background process."""

import math
import os
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from storage.settings import StorageSettings

HARMLESS = frozenset({"PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ"})


def harmless_environment() -> dict[str, str]:
    """What a process that reads files of strangers may know of our environment, which holds every secret there is."""
    return {name: value for name, value in os.environ.items() if name in HARMLESS}


class Settings(StorageSettings):
    """The names are those of the README, in lower case."""

    webhook_schedule: Annotated[tuple[float, ...], NoDecode] = (0, 5, 30, 300, 1800, 7200, 18000, 36000)
    job_attempts: int = Field(default=3, ge=1)
    job_timeout: float = Field(default=3600, gt=0)
    job_slots: int = Field(default=10, ge=1)
    idle_readers: int = Field(default=1, ge=0)
    export_days: int = Field(default=30, ge=1)
    delivery_days: int = Field(default=90, ge=1)
    event_days: int = Field(default=400, ge=1)
    job_days: int = Field(default=400, ge=1)
    model_url: str | None = None
    model_key: SecretStr | None = None
    model_name: str | None = Field(default=None, validate_default=True)
    model_seconds: float = Field(default=120, gt=0)
    model_pause: float = Field(default=0.5, gt=0)
    render_codec: Literal["h264", "vp9", "mpeg4"] | None = None

    @field_validator("webhook_schedule", mode="before")
    @classmethod
    def _seconds(cls, value: object) -> object:
        return tuple(value.split(",")) if isinstance(value, str) else value

    @field_validator("webhook_schedule")
    @classmethod
    def _pauses(cls, seconds: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 <= pause < math.inf for pause in seconds):
            raise ValueError("is a list of seconds of which none is negative")
        if seconds[:1] != (0,):
            raise ValueError("begins with 0, because the first attempt is made at once")
        return seconds

    @field_validator("model_url")
    @classmethod
    def _known_service(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("is an absolute http or https URL, as in https://models.example.org/v1")
        return url

    @field_validator("model_name")
    @classmethod
    def _named(cls, name: str | None, others: ValidationInfo) -> str | None:
        if others.data.get("model_url") and not name:
            raise ValueError("names the model to ask at LECTERN_MODEL_URL")
        return name
