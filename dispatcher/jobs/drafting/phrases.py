"""Phrases: the sentences that we write ourselves around the words of a source."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrases:
    """Templates for str.format; what stands in braces comes from the source."""

    true: str
    false: str
    module_title: str
    video_title: str
    test_title: str
    covers: str
    and_more: str
    lesson: str
    terms: str
    examples: str
    dialogue: str
    notes: str
    questions: str
    question_count: str
    what_means: str
    which_term: str
    complete: str
    which_illustrated: str
    is_example: str
    means: str
    example: str
    what_sentence_means: str
    which_sentence: str
    who_says: str
    says: str
    lesson_says: str
    is_it_true: str
    welcome: str
    spoken_term: str
    spoken_example: str
    spoken_translation: str
    think: str
    recap: str


def enumerated(said: Phrases, titles: tuple[str, ...], limit: int = 5) -> str:
    """The titles as a list in running text; more than the limit are counted."""
    shown = ", ".join(titles[:limit])
    rest = len(titles) - limit
    return said.and_more.format(titles=shown, count=rest) if rest > 0 else shown
