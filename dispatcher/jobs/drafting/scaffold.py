"""Scaffolds: honest outlines from a prompt, with exact counts and marked places to fill."""

from collections.abc import Iterator
from dataclasses import dataclass

from dispatcher.jobs.drafting.commissions import (
    EXERCISES,
    QUIZZES,
    AssessmentCommission,
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
    LessonDraft,
    ModuleDraft,
    QuestionDraft,
    SceneDraft,
    SlideDeckDraft,
    VideoDraft,
)
from dispatcher.jobs.drafting.languages import patterns, phrases
from dispatcher.jobs.drafting.lessons import lecture, outline, quiz
from dispatcher.jobs.drafting.markup import bullets, element, leaf
from dispatcher.jobs.drafting.outline import Intent
from dispatcher.jobs.drafting.parts import Part, chapters, durations, parts
from dispatcher.jobs.drafting.patterns import Patterns
from dispatcher.jobs.drafting.phrases import Phrases, enumerated
from dispatcher.jobs.drafting.shells import shells
from storage.tables import VisualType

LINES = 5


@dataclass(frozen=True, slots=True)
class Brief:
    """A request as it was understood, with the words to answer it."""

    title: str
    intent: Intent
    pattern: Patterns
    said: Phrases

    @property
    def about(self) -> str:
        """One or two sentences that describe the outline."""
        audience = self.pattern.audience.format(audience=self.intent.audience) if self.intent.audience else ""
        return f"{self.pattern.about.format(subject=self.intent.subject)} {audience}".strip()

    def parts(self, count: int, *, summed_up: bool = False) -> tuple[Part, ...]:
        """Exactly so many parts of the subject."""
        return parts(self.intent.topics, count, self.pattern, summed_up=summed_up)

    def place(self, what: str) -> str:
        """A marked place."""
        return self.pattern.place.format(what=what)


def draft_module(asked: ModuleCommission) -> ModuleDraft:
    """A lecture in outline; when asked for, quizzes on what it says."""
    brief = _brief(asked.request)
    lesson = outline(brief.intent.subject, brief.intent.topics, brief.pattern)
    quizzes = quiz(lesson, brief.title, asked.quizzes, brief.pattern, brief.said)
    return ModuleDraft(brief.title, brief.about, lecture(lesson, brief.intent.audience, brief.pattern), quizzes)


def draft_lesson(asked: LessonCommission) -> LessonDraft:
    """One lesson; when asked for, quizzes on what it says and exercises to fill in."""
    brief = _brief(asked.request)
    part = Part(brief.title, topics=brief.intent.topics)
    return _lesson(brief, part, brief.intent.subject, has_quiz=asked.has_quiz, has_practice=asked.has_practice)


def draft_course(asked: CourseCommission) -> CourseDraft:
    """Exactly so many lessons in chapters: one chapter per topic of the prompt, or four lessons each."""
    brief = _brief(asked.request)
    found = []
    for title, group in chapters(brief.parts(asked.lessons), brief.intent.subject, brief.pattern):
        about = brief.pattern.chapter_about.format(titles=enumerated(brief.said, tuple(part.title for part in group)))
        lessons = (
            _lesson(brief, part, _subject(brief, part), has_quiz=asked.has_quiz, has_practice=asked.has_practice)
            for part in group
        )
        found.append(ChapterDraft(title, about, tuple(lessons)))
    return CourseDraft(brief.title, brief.about, tuple(found))


def draft_video(asked: VideoCommission) -> VideoDraft:
    """Exactly so many scenes; with a target their durations add up to it exactly, else they follow the scripts."""
    brief = _brief(asked.request)
    told = tuple(_told(brief, asked.scenes))
    lengths = durations([script for script, _, _ in told], asked.seconds)
    scenes = (
        SceneDraft(script, shown, length, visual) for (script, shown, visual), length in zip(told, lengths, strict=True)
    )
    return VideoDraft(brief.title, brief.about, tuple(scenes), asked.aspect_ratio)


def draft_deck(asked: DeckCommission) -> SlideDeckDraft:
    """Exactly so many slides: a title, an overview, the parts of the subject, a summary."""
    brief = _brief(asked.request)
    pages = (element("slide", *page) for page in _slides(brief, asked.slides))
    return SlideDeckDraft(brief.title, brief.about, "".join(pages))


def draft_assessment(asked: AssessmentCommission) -> AssessmentDraft:
    """Exactly so many questions whose form is ready and whose content is to be filled in."""
    brief = _brief(asked.request)
    about = brief.pattern.test.format(count=asked.items, subject=brief.intent.subject)
    return AssessmentDraft(brief.title, about, draft_items(ItemsCommission(asked.request, asked.items)))


def draft_items(asked: ItemsCommission) -> tuple[QuestionDraft, ...]:
    """Exactly so many more such questions, none of which has the text of a known one."""
    brief = _brief(asked.request)
    subject, topics = brief.intent.subject, brief.intent.topics
    groups = [topics] if topics else [(subject,), *((f"{subject} – {theme}",) for theme in brief.pattern.themes)]
    return shells(groups, asked.count, brief.pattern, brief.said, existing=asked.known)


def _brief(request: Request) -> Brief:
    return Brief(request.title, request.intent, patterns(request.language), phrases(request.language))


def _subject(brief: Brief, part: Part) -> str:
    """A topic of the prompt speaks for itself; a usual theme needs the subject beside it."""
    return part.title if brief.intent.topics else f"{brief.intent.subject} – {part.title}"


def _lesson(brief: Brief, part: Part, subject: str, *, has_quiz: bool, has_practice: bool) -> LessonDraft:
    lesson = outline(subject, part.topics, brief.pattern)
    practice = shells([(subject,)], EXERCISES, brief.pattern, brief.said) if has_practice else ()
    return LessonDraft(
        title=part.title,
        description=brief.pattern.about.format(subject=subject),
        lecture=lecture(lesson, brief.intent.audience, brief.pattern),
        quizzes=quiz(lesson, part.title, QUIZZES if has_quiz else 0, brief.pattern, brief.said),
        practice=practice,
    )


def _told(brief: Brief, count: int) -> Iterator[tuple[str, str, VisualType]]:
    """Script, text on the screen and look of each scene; the first opens, and from three on the last closes."""
    pattern, subject = brief.pattern, brief.intent.subject
    closes = count > 2
    found = brief.parts(count - 1 - closes, summed_up=closes) if count > 1 else ()
    yield pattern.welcome.format(subject=subject), " ".join(brief.title.split()), VisualType.title
    for part in found:
        yield (
            f"{pattern.scene.format(heading=part.title)} {brief.place(pattern.scene_place)}",
            part.title,
            VisualType.text,
        )
    if closes:
        shown = "\n".join(part.title for part in found[:LINES])
        yield (
            f"{pattern.farewell.format(subject=subject)} {brief.place(pattern.farewell_place)}",
            shown,
            VisualType.bullets,
        )


def _slides(brief: Brief, count: int) -> Iterator[tuple[str, ...]]:
    """The inside of each slide; a short deck does without overview, then without summary."""
    pattern = brief.pattern
    closes, surveys = count > 2, count > 3
    found = brief.parts(count - 1 - closes - surveys, summed_up=closes) if count > 1 else ()
    yield leaf("h1", brief.title), leaf("p", brief.about)
    if surveys:
        names = tuple(dict.fromkeys(part.group or part.title for part in found))
        yield leaf("h2", pattern.overview), bullets(names)
    for part in found:
        yield leaf("h2", part.title), bullets((*part.topics, *map(brief.place, pattern.slide_places)))
    if closes:
        yield leaf("h2", pattern.summary), bullets([brief.place(pattern.remember)])
