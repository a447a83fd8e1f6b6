"""Questions that a source brings along, as the many systems spell them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dispatcher.jobs.drafting.bounds import excess
from dispatcher.jobs.drafting.drafts import QuestionDraft
from dispatcher.jobs.drafting.phrases import Phrases
from dispatcher.jobs.drafting.values import Unreadable, fields, first_text, kind, quoted, required, text
from dispatcher.jobs.drafting.wording import fold
from storage.limits import MOST
from storage.tables import QuestionType

PROMPTS = ("question", "prompt", "text", "stem")
OPTIONS = ("options", "choices")
RIGHT = ("correctanswers", "correctanswer", "answer", "correct")
POSITIONS = ("correctindex", "answerindex", "correctanswerindex")
EXPLANATIONS = ("explanation", "feedback", "rationale")
TEXTS = ("text", "option", "content", "answer", "label", "value")
NAMES = ("id", "key", "letter", "label", "value")
FLAGS = ("correct", "iscorrect")
LETTER = re.compile(r"\(?([A-Za-z])[).:]?")
MOST_OPTIONS = MOST["options"]
PAIR = 2

TYPES = {
    "multiplechoice": QuestionType.multiple_choice,
    "singlechoice": QuestionType.multiple_choice,
    "multipleresponse": QuestionType.multiple_response,
    "multipleselect": QuestionType.multiple_response,
    "multiselect": QuestionType.multiple_response,
    "truefalse": QuestionType.true_false,
    "boolean": QuestionType.true_false,
    "shortanswer": QuestionType.short_answer,
}
VERDICTS = {
    **dict.fromkeys(("true", "wahr", "vrai", "verdadero"), True),
    **dict.fromkeys(("false", "falsch", "faux", "falso"), False),
}


@dataclass(frozen=True, slots=True)
class Option:
    """A possible answer, with the names by which a right answer may refer to it."""

    text: str
    names: tuple[str, ...] = ()
    right: bool = False


def read_question(value: object, place: str, said: Phrases) -> QuestionDraft:
    """The question of one entry; raises Unreadable when it lacks text or a right answer, or names one that is none."""
    if not isinstance(value, dict):
        raise Unreadable(f'{place} is {kind(value)}; send an object with "question", "options" and "answer"')
    entry = fields(value)
    prompt = required(entry, place, *PROMPTS)
    try:
        return _question(entry, prompt, said)
    except Unreadable as problem:
        raise Unreadable(f"the question {quoted(prompt)} {problem}") from problem


def is_question(value: object) -> bool:
    """Whether an entry of a list that may hold terms as well is a question."""
    names = fields(value).keys() if isinstance(value, dict) else set()
    return not {"term", "word"} & names and bool({"question", "prompt", "stem", *OPTIONS, *RIGHT} & names)


def _question(entry: Mapping[str, object], prompt: str, said: Phrases) -> QuestionDraft:
    asked = TYPES.get(re.sub("[^a-z]", "", first_text(entry, "type").lower()))
    options = _options(entry)
    if not options and (asked is QuestionType.true_false or isinstance(_answer(entry), bool)):
        options, right = _verdict(entry, said)
    else:
        right = _right(entry, options)
    question = QuestionDraft(
        title=first_text(entry, "title") or None,
        question=prompt,
        type=_type(asked, options, right),
        options=tuple(option.text for option in options),
        correct_answers=right,
        explanation=first_text(entry, *EXPLANATIONS) or None,
    )
    if problem := excess(question):
        raise Unreadable(problem)
    return question


def _type(asked: QuestionType | None, options: tuple[Option, ...], right: tuple[str, ...]) -> QuestionType:
    """The type as asked for, as far as options and answers allow it."""
    if not options:
        return QuestionType.short_answer
    if len(right) > 1 or asked is QuestionType.multiple_response:
        return QuestionType.multiple_response
    verdicts = {VERDICTS.get(fold(option.text)) for option in options} == {True, False}
    if len(options) == PAIR and (asked is QuestionType.true_false or (asked is None and verdicts)):
        return QuestionType.true_false
    return QuestionType.multiple_choice


def _options(entry: Mapping[str, object]) -> tuple[Option, ...]:
    name = next((name for name in OPTIONS if name in entry), "answers" if _offers_answers(entry) else None)
    match entry.get(name) if name else None:
        case None:
            return ()
        case dict() as lettered:
            options = [Option(text(said, "options"), (str(key),)) for key, said in lettered.items()]
        case list() as listed:
            options = [_option(said, f"option {number}") for number, said in enumerate(listed, 1)]
        case other:
            raise Unreadable(f'has {kind(other)} as "{name}"; send a list')
    _check([option.text for option in options])
    return tuple(options)


def _offers_answers(entry: Mapping[str, object]) -> bool:
    """Whether "answers" are options: beside a right answer, or as objects; otherwise they are the right answers."""
    answers = entry.get("answers")
    objects = isinstance(answers, list) and any(isinstance(answer, dict) for answer in answers)
    return answers is not None and (objects or any(name in entry for name in (*RIGHT, *POSITIONS)))


def _option(value: object, place: str) -> Option:
    if not isinstance(value, dict):
        return Option(text(value, place))
    entry = fields(value)
    names = tuple(text(entry[name], name) for name in NAMES if name in entry)
    return Option(first_text(entry, *(name for name in TEXTS if name in entry)), names, _flagged(entry))


def _flagged(entry: Mapping[str, object]) -> bool:
    return any(entry.get(flag) is True for flag in FLAGS)


def _check(options: list[str]) -> None:
    if len(options) > MOST_OPTIONS:
        raise Unreadable(f"has more than {MOST_OPTIONS} options; remove some")
    if not all(options):
        raise Unreadable("has an empty option; give it a text or remove it")
    if repeated := next((option for option in options if options.count(option) > 1), None):
        raise Unreadable(f"has the option {quoted(repeated)} twice; remove one")
    if len(options) < PAIR:
        raise Unreadable("has only one option; give it at least two")


def _right(entry: Mapping[str, object], options: tuple[Option, ...]) -> tuple[str, ...]:
    """The right answers in their options' own words; raises Unreadable for none or for one that is not offered."""
    right = [_at(position, options) for position in _listed(_first(entry, POSITIONS))]
    right = right or [_named(answer, options) for answer in _listed(_answer(entry))]
    right = right or [option.text for option in options if option.right]
    if not any(right):
        raise Unreadable('has no right answer; give it an "answer"')
    return tuple(dict.fromkeys(filter(None, right)))


def _answer(entry: Mapping[str, object]) -> object:
    names = RIGHT if _offers_answers(entry) and not any(name in entry for name in OPTIONS) else (*RIGHT, "answers")
    return _first(entry, names)


def _first(entry: Mapping[str, object], names: tuple[str, ...]) -> object:
    return next((entry[name] for name in names if name in entry), None)


def _listed(value: object) -> list[object]:
    listed = value if isinstance(value, list) else [value]
    if len(listed) > MOST_OPTIONS:
        raise Unreadable(f"has more than {MOST_OPTIONS} answers; remove some")
    return [answer for answer in listed if answer is not None]


def _named(value: object, options: tuple[Option, ...]) -> str:
    """The option that an answer means: by its text, its name, its position counted from 0, or its letter."""
    if isinstance(value, dict):
        value = first_text(fields(value), *TEXTS, "id")
    said = str(value) if isinstance(value, bool) else text(value, "answer")
    if not options or not said:
        return said
    means: tuple[Callable[[Option], bool], ...] = (
        lambda option: option.text == said,
        lambda option: said in option.names,
        lambda option: fold(option.text) == fold(said),
    )
    for meant in means:
        if found := next(filter(meant, options), None):
            return found.text
    position = _position(said)
    if position is None or position >= len(options):
        raise Unreadable(f"has the answer {quoted(said)}, which is not among its options; make it one of them")
    return options[position].text


def _position(said: str) -> int | None:
    if said.isascii() and said.isdigit():
        return int(said[:9])
    letter = LETTER.fullmatch(said)
    return ord(letter[1].lower()) - ord("a") if letter else None


def _at(position: object, options: tuple[Option, ...]) -> str:
    if isinstance(position, bool) or not isinstance(position, int) or not 0 <= position < len(options):
        raise Unreadable("has an answer index that is no position in its options; count them from 0")
    return options[position].text


def _verdict(entry: Mapping[str, object], said: Phrases) -> tuple[tuple[Option, ...], tuple[str, ...]]:
    """True and false in the words of the language, and which of them is right."""
    answer = next(iter(_listed(_answer(entry))), None)
    verdict = answer if isinstance(answer, bool) else VERDICTS.get(fold(text(answer, "answer")))
    if verdict is None:
        raise Unreadable('is answered by true or false; make its "answer" one of them')
    return (Option(said.true), Option(said.false)), (said.true if verdict else said.false,)
