"""The model author: a chat model writes, and what it writes is checked before it counts."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from itertools import count as counting
from typing import Any, TypeVar

from dispatcher.jobs.authors.chat import Chat, Message
from dispatcher.jobs.authors.watch import Watch
from dispatcher.jobs.drafting import answers, prompts
from dispatcher.jobs.drafting.answers import (
    PlannedLesson,
    Shape,
    Unsuitable,
    WrittenDeck,
    WrittenItems,
    WrittenLesson,
    WrittenModule,
    WrittenOutline,
    WrittenQuestion,
    WrittenVideo,
)
from dispatcher.jobs.drafting.commissions import (
    AssessmentCommission,
    Commission,
    CourseCommission,
    DeckCommission,
    ItemsCommission,
    LessonCommission,
    ModuleCommission,
    Request,
    VideoCommission,
)
from dispatcher.jobs.drafting.drafts import (
    AssessmentDraft,
    ChapterDraft,
    CourseDraft,
    Draft,
    LessonDraft,
    ModuleDraft,
    QuestionDraft,
    SlideDeckDraft,
    VideoDraft,
)
from dispatcher.jobs.drafting.parts import durations
from storage.errors import JobErrorCode, JobFailed
from storage.tables.resources import Generator

ROUNDS = 3
"""How often a model may try to give a usable answer."""

AT_ONCE = 4
ITEMS_AT_ONCE = 20
QUOTED = 600

Written = TypeVar("Written", bound=Shape)
Faults = Callable[[Written], Iterable[str]]


class Model:
    """Writes with a model; counts are as exact as those of the built-in author."""

    def __init__(self, chat: Chat) -> None:
        self.generator = Generator(name="chat-completion", version="1", model=chat.model)
        self._chat = chat

    async def write(self, asked: Commission, watch: Watch) -> Draft:
        """The content of a resource; long ones are written piece by piece."""
        match asked:
            case ModuleCommission():
                return await self._module(asked, watch)
            case CourseCommission():
                return await self._course(asked, watch)
            case VideoCommission():
                return await self._video(asked, watch)
            case DeckCommission():
                return await self._deck(asked, watch)
            case AssessmentCommission(request):
                about, items = await self._items(ItemsCommission(request, asked.items), watch)
                return AssessmentDraft(request.title, about, items)

    async def write_lesson(self, asked: LessonCommission, watch: Watch) -> LessonDraft:
        """One lesson that stands alone."""
        return await self._lesson(asked, prompts.lesson(asked), watch)

    async def write_items(self, asked: ItemsCommission, watch: Watch) -> tuple[QuestionDraft, ...]:
        """More items, none of which repeats another."""
        return (await self._items(asked, watch))[1]

    async def _module(self, asked: ModuleCommission, watch: Watch) -> ModuleDraft:
        count = asked.quizzes
        written = await self._ask(
            WrittenModule, asked.request, prompts.module(count), lambda it: it.faults(quizzes=count), watch
        )
        quizzes = _drafts(written.quizzes, asked.request.title)
        return ModuleDraft(asked.request.title, written.description, written.lecture, quizzes)

    async def _course(self, asked: CourseCommission, watch: Watch) -> CourseDraft:
        """A plan first, then its lessons, some at a time."""
        count = asked.lessons
        plan = await self._ask(
            WrittenOutline, asked.request, prompts.outline(count), lambda it: it.faults(lessons=count), watch
        )
        room, pieces = asyncio.Semaphore(AT_ONCE), counting(2)
        await watch.wrote(1, count + 1)

        async def write(planned: PlannedLesson) -> LessonDraft:
            async with room:
                lesson = LessonCommission(
                    replace(asked.request, title=planned.title), asked.has_quiz, asked.has_practice
                )
                draft = await self._lesson(lesson, prompts.lesson_of(plan, planned, lesson), watch)
                await watch.wrote(next(pieces), count + 1)
                return draft

        lessons = iter(await _together([write(planned) for planned in plan.lessons]))
        chapters = (
            ChapterDraft(chapter.title, chapter.description, tuple(next(lessons) for _ in chapter.lessons))
            for chapter in plan.chapters
        )
        return CourseDraft(asked.request.title, plan.description, tuple(chapters))

    async def _lesson(self, asked: LessonCommission, text: str, watch: Watch) -> LessonDraft:
        written = await self._ask(
            WrittenLesson,
            asked.request,
            text,
            lambda it: it.faults(quizzes=asked.quizzes, exercises=asked.exercises),
            watch,
        )
        title = asked.request.title
        quizzes, practice = _drafts(written.quizzes, title), _drafts(written.practice, title)
        return LessonDraft(title, written.description, written.lecture, quizzes, practice)

    async def _video(self, asked: VideoCommission, watch: Watch) -> VideoDraft:
        count, seconds = asked.scenes, asked.seconds
        written = await self._ask(
            WrittenVideo, asked.request, prompts.video(count, seconds), lambda it: it.faults(scenes=count), watch
        )
        lengths = durations([scene.script for scene in written.scenes], seconds)
        scenes = tuple(scene.draft(length) for scene, length in zip(written.scenes, lengths, strict=True))
        return VideoDraft(asked.request.title, written.description, scenes, asked.aspect_ratio)

    async def _deck(self, asked: DeckCommission, watch: Watch) -> SlideDeckDraft:
        count = asked.slides
        written = await self._ask(
            WrittenDeck, asked.request, prompts.deck(count), lambda it: it.faults(slides=count), watch
        )
        content = "".join(slide.markup for slide in written.slides)
        return SlideDeckDraft(asked.request.title, written.description, content)

    async def _items(self, asked: ItemsCommission, watch: Watch) -> tuple[str, tuple[QuestionDraft, ...]]:
        """Some at a time, so that no answer gets too long; each time it is told what is there."""
        about, found = "", list[QuestionDraft]()
        while len(found) < asked.count:
            known = [*asked.known, *(draft.question for draft in found)]
            written = await self._some_items(asked.request, min(ITEMS_AT_ONCE, asked.count - len(found)), known, watch)
            about = about or written.description
            found += _drafts(written.items, None)
            await watch.wrote(len(found), asked.count)
        return about, tuple(found)

    async def _some_items(self, request: Request, count: int, known: Sequence[str], watch: Watch) -> WrittenItems:
        return await self._ask(
            WrittenItems, request, prompts.items(count, known), lambda it: it.faults(items=count, known=known), watch
        )

    async def _ask(
        self, shape: type[Written], request: Request, text: str, faults: Faults[Written], watch: Watch
    ) -> Written:
        """A usable answer; what is wrong with the others is said to the model, and at last to whoever asked."""
        messages: list[Message] = [
            {"role": "system", "content": f"{prompts.AUTHOR}\n{prompts.QUESTIONS}"},
            {"role": "user", "content": f"{prompts.brief(request)}\n\n{text}"},
        ]
        schema = answers.schema_of(shape)
        for _ in range(ROUNDS):
            said = await self._chat.complete(messages, shape.__name__, schema, watch.spent)
            try:
                return _checked(shape, said, faults)
            except Unsuitable as wrong:
                unsuitable = wrong
            messages[2:] = [
                {"role": "assistant", "content": said},
                {"role": "user", "content": prompts.again(unsuitable.complaints)},
            ]
        message = f"The model gave no usable answer in {ROUNDS} tries: {unsuitable}"
        raise JobFailed(JobErrorCode.GENERATION_FAILED, message[:QUOTED])


def _checked(shape: type[Written], text: str, faults: Faults[Written]) -> Written:
    written = answers.read(shape, text)
    if complaints := list(faults(written)):
        raise Unsuitable(complaints)
    return written


def _drafts(questions: Sequence[WrittenQuestion], title: str | None) -> tuple[QuestionDraft, ...]:
    return tuple(question.draft(title) for question in questions)


async def _together(work: Sequence[Coroutine[Any, Any, LessonDraft]]) -> Sequence[LessonDraft]:
    """All of them, or the first failure; nothing of it goes on afterwards."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
