"""Expansion: finished drafts that say only what their source says."""

from dispatcher.jobs.drafting.bounds import spread, within
from dispatcher.jobs.drafting.drafts import AssessmentDraft, ModuleDraft, QuestionDraft, VideoDraft
from dispatcher.jobs.drafting.languages import phrases
from dispatcher.jobs.drafting.lectures import lecture
from dispatcher.jobs.drafting.phrases import enumerated
from dispatcher.jobs.drafting.questions import all_questions, chosen_questions
from dispatcher.jobs.drafting.scenes import scenes
from dispatcher.jobs.drafting.source import Source
from dispatcher.jobs.drafting.wording import shortened
from storage.errors import JobErrorCode, JobFailed
from storage.limits import LONGEST, MOST


def draft_module(source: Source) -> ModuleDraft:
    """A lecture section per lesson; every given question, and as many made ones as keep it short."""
    title = phrases(source.language).module_title.format(title=source.title)
    taught, asked = lecture(source), chosen_questions(source)
    if len(taught) > LONGEST["lecture"]:
        raise _too_much(f"A lecture has at most {LONGEST['lecture']} characters, this one would have {len(taught)}")
    quizzes = within(asked, _given(source), MOST["quizzes"])
    return ModuleDraft(title, _description(source), taught, quizzes, len(asked) - len(quizzes))


def draft_video(source: Source) -> VideoDraft:
    """A title, a scene per lesson or group of entries, a recap."""
    title = phrases(source.language).video_title.format(title=source.title)
    first, *taught, recap = scenes(source)
    shown = spread(taught, MOST["scenes"] - 2)
    return VideoDraft(title, _description(source), (first, *shown, recap), left_out=len(taught) - len(shown))


def draft_test(source: Source) -> AssessmentDraft:
    """Every question that the source holds or allows."""
    title = phrases(source.language).test_title.format(title=source.title)
    asked = all_questions(source)
    items = within(asked, _given(source), MOST["items"])
    if not items:
        raise _too_much("None of the questions fits into a test, so long are the texts they are made of")
    return AssessmentDraft(title, _description(source), items, len(asked) - len(items))


def _given(source: Source) -> frozenset[QuestionDraft]:
    """The questions that the source brings along."""
    return frozenset(question for lesson in source.lessons for question in lesson.questions)


def _too_much(what: str) -> JobFailed:
    return JobFailed(JobErrorCode.SOURCE_INVALID, f"{what}; split the level.")


def _description(source: Source) -> str:
    """The source's own, else the titles of its lessons."""
    said = phrases(source.language)
    titles = tuple(lesson.title for lesson in source.lessons)
    told = source.description or said.covers.format(titles=enumerated(said, titles))
    return told if len(told) <= LONGEST["description"] else shortened(told, LONGEST["description"])
