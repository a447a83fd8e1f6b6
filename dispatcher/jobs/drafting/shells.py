"""Shells: questions whose form is ready and whose content a person fills in."""

from collections.abc import Collection, Iterator, Sequence
from itertools import count as counting
from itertools import islice

from dispatcher.jobs.drafting.drafts import QuestionDraft
from dispatcher.jobs.drafting.forms import choice, verdict
from dispatcher.jobs.drafting.patterns import Patterns, Shell
from dispatcher.jobs.drafting.phrases import Phrases
from storage.tables import QuestionType


def shells(
    topics: Sequence[Sequence[str]], count: int, pattern: Patterns, said: Phrases, *, existing: Collection[str] = ()
) -> tuple[QuestionDraft, ...]:
    """Exactly so many questions, on one group of topics after the other; none has the text of an existing one."""
    taken = {_plain(question) for question in existing}
    new = (shell for shell in _endless(topics, pattern, said) if _plain(shell.question) not in taken)
    return tuple(islice(new, count))


def _endless(groups: Sequence[Sequence[str]], pattern: Patterns, said: Phrases) -> Iterator[QuestionDraft]:
    """Every form with every topic, neighbours differing in the form; at the end the same again as variants."""
    forms = pattern.shells
    once = [
        (forms[(turn + place) % len(forms)], topic)
        for group in groups
        for turn in range(len(forms))
        for place, topic in enumerate(group)
    ]
    for number in counting(1):
        yield from (_question(form, topic, number, pattern, said) for form, topic in once)


def _question(shell: Shell, topic: str, number: int, pattern: Patterns, said: Phrases) -> QuestionDraft:
    marked = [pattern.place.format(what=what) for what in shell.answers]
    stem = shell.stem.format(topic=topic, place=pattern.place.format(what=shell.place))
    stem = stem if number == 1 else pattern.variant.format(question=stem, number=number)
    right, wrong = tuple(marked[: shell.right]), tuple(marked[shell.right :])
    why = pattern.place.format(what=pattern.shell_reason)
    match shell.type:
        case QuestionType.true_false:
            return verdict(topic, stem, why, said, holds=shell.right > 0)
        case QuestionType.short_answer:
            return QuestionDraft(topic, stem, shell.type, (), right, why)
    return choice(topic, stem, right, wrong, why, several=shell.type is QuestionType.multiple_response)


def _plain(question: str) -> str:
    return " ".join(question.casefold().split())
