"""Authors: who writes what a commission asks for. The built-in one needs nobody; a model may take its place."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from dispatcher.jobs.authors.built_in import BuiltIn
from dispatcher.jobs.authors.chat import Chat
from dispatcher.jobs.authors.model import Model
from dispatcher.jobs.authors.watch import Watch
from dispatcher.jobs.drafting.commissions import Commission, ItemsCommission, LessonCommission
from dispatcher.jobs.drafting.drafts import Draft, LessonDraft, QuestionDraft
from dispatcher.settings import Settings
from storage.tables.resources import Generator


class Author(Protocol):
    """Whoever turns a commission into a draft of its kind."""

    generator: Generator

    async def write(self, asked: Commission, watch: Watch) -> Draft:
        """The content of a resource, with exactly the counts that were asked for; JobFailed when there is none."""

    async def write_lesson(self, asked: LessonCommission, watch: Watch) -> LessonDraft:
        """One lesson."""

    async def write_items(self, asked: ItemsCommission, watch: Watch) -> tuple[QuestionDraft, ...]:
        """More items for a test."""


@asynccontextmanager
async def engaged(settings: Settings) -> AsyncIterator[Author]:
    """The author of this installation: a model where LECTERN_MODEL_URL names one."""
    if settings.model_url is None or settings.model_name is None:
        yield BuiltIn()
        return
    key = settings.model_key.get_secret_value() if settings.model_key else None
    async with Chat(settings.model_url, key, settings.model_name, settings.model_seconds, settings.model_pause) as chat:
        yield Model(chat)
