"""The built-in author: an honest scaffold, the same for the same prompt (decision D1)."""

import asyncio

from dispatcher.jobs.authors.watch import Watch
from dispatcher.jobs.drafting import scaffold
from dispatcher.jobs.drafting.commissions import (
    AssessmentCommission,
    Commission,
    CourseCommission,
    DeckCommission,
    ItemsCommission,
    LessonCommission,
    ModuleCommission,
    VideoCommission,
)
from dispatcher.jobs.drafting.drafts import Draft, LessonDraft, QuestionDraft
from dispatcher.jobs.fill import BUILT_IN


class BuiltIn:
    """Writes on a thread, so that nothing else waits."""

    generator = BUILT_IN

    async def write(self, asked: Commission, watch: Watch) -> Draft:
        """The scaffold of a resource."""
        return await asyncio.to_thread(_draft, asked)

    async def write_lesson(self, asked: LessonCommission, watch: Watch) -> LessonDraft:
        """The scaffold of a lesson."""
        return await asyncio.to_thread(scaffold.draft_lesson, asked)

    async def write_items(self, asked: ItemsCommission, watch: Watch) -> tuple[QuestionDraft, ...]:
        """Questions to fill in."""
        return await asyncio.to_thread(scaffold.draft_items, asked)


def _draft(asked: Commission) -> Draft:
    match asked:
        case ModuleCommission():
            return scaffold.draft_module(asked)
        case CourseCommission():
            return scaffold.draft_course(asked)
        case VideoCommission():
            return scaffold.draft_video(asked)
        case DeckCommission():
            return scaffold.draft_deck(asked)
        case AssessmentCommission():
            return scaffold.draft_assessment(asked)
