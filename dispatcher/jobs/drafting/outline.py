"""What a prompt asks for: the subject, for whom, which topics, and the numbers in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from dispatcher.jobs.drafting.wording import EDGE, fold, shortened, word_count

LONGEST_SUBJECT = 10
LONGEST_NAME = 80
BARE_SUBJECT = 6
MOST_TOPICS = 100
NEAR = 3


class Unit(StrEnum):
    """What is counted in a prompt."""

    lesson = "lesson"
    question = "question"
    slide = "slide"
    scene = "scene"
    second = "second"
    minute = "minute"


WORDS = {
    Unit.lesson: "lesson lessons lektion lektionen leçon leçons lección lecciones",
    Unit.question: "question questions item items frage fragen pregunta preguntas",
    Unit.slide: "slide slides folie folien diapositive diapositives diapositiva diapositivas",
    Unit.scene: "scene scenes szene szenen scène scènes escena escenas",
    Unit.second: "second seconds sec secs s sekunde sekunden seconde secondes segundo segundos",
    Unit.minute: "minute minutes min mins minuten minuto minutos",
}
UNITS = {word: unit for unit, words in WORDS.items() for word in words.split()}

NUMBERS = {
    word: number
    for number, words in enumerate(
        (
            "one",
            "two zwei deux dos",
            "three drei trois tres",
            "four vier quatre cuatro",
            "five fünf cinq cinco",
            "six sechs seis",
            "seven sieben sept siete",
            "eight acht huit ocho",
            "nine neun neuf nueve",
            "ten zehn dix diez",
            "eleven elf onze once",
            "twelve zwölf douze doce",
        ),
        1,
    )
    for word in words.split()
}

TOKEN = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d{1,2}(?!\d))?")
SENTENCE = re.compile(r"(?<=[.!?])\s+|\n|(?<=[。！？])")
LISTED = re.compile(r"^(?:[-*•–]|\d{1,3}[.)]) (.+)$", re.MULTILINE)
PARTING = re.compile(r" ?[,;、，] ?(?:(?:and|und|et|y) )?| (?:and|und|et|y|&) ", re.IGNORECASE)


def _phrase(*words: str, follows: str = " ") -> re.Pattern[str]:
    return re.compile(rf"(?:^| )(?:{'|'.join(words)}){follows}", re.IGNORECASE)


ABOUT = _phrase(
    "about", "regarding", "explaining", "introducing", "über", "zum Thema", "au sujet de", "sobre", "acerca de"
)
ON = _phrase("on", "zu", "zum", "zur", "sur")
FOR = _phrase("for", "aimed at", "für", "pour", "para")
COVERING = re.compile(
    r"[,:]? (?:(?:that|which) covers?|covering|including|mit den Themen|couvrant|notamment|incluyendo|que incluya):? "
    r"|(?:^|[ \n])(?:topics|themen|thèmes|temas): ",
    re.IGNORECASE,
)
COUNTED = re.compile(r" (?:with|in|of|mit|avec|en|de|con) (?=\d)", re.IGNORECASE)
REQUEST = re.compile(
    r"(?:please |bitte )?(?:can you |could you )?(?:create|make|write|build|generate|design|draft|prepare|develop"
    r"|produce|give me|(?:i|we) (?:need|want)|erstelle(?:n Sie)?|schreibe|baue|entwirf|créez|crée|créer|rédigez"
    r"|préparez|faites|crea|cree|crear|haz|escribe|prepara)\b",
    re.IGNORECASE,
)
KINDS = frozenset(
    fold(word)
    for words in (
        "a an the me us ein eine einen der die das un une le la los las el una l",
        "interactive short brief quick simple complete new full kurz kurzes kurze kurzen interaktive interaktiven",
        "lesson module course curriculum video clip slide slides deck presentation test quiz exam assessment summary",
        "modul kurs lektion präsentation prüfung zusammenfassung cours leçon vidéo présentation examen module",
        "curso lección vídeo presentación prueba cuestionario resumen módulo de d",
    )
    for word in words.split()
)


@dataclass(frozen=True, slots=True)
class Intent:
    """Subject and topics in the author's words; an empty audience and counts of None where the prompt names none."""

    subject: str
    audience: str = ""
    topics: tuple[str, ...] = ()
    lessons: int | None = None
    questions: int | None = None
    slides: int | None = None
    scenes: int | None = None
    seconds: int | None = None


def read_intent(prompt: str | None, title: str) -> Intent:
    """Read a prompt; what it does not say is in the title."""
    lines = (" ".join(line.split()) for line in (prompt or "").splitlines())
    text = "\n".join(filter(None, lines))
    first = next(iter(SENTENCE.split(text)), "").rstrip(EDGE)
    subject, audience = _subject(first)
    subject = subject or shortened(title, LONGEST_NAME) or shortened(text, LONGEST_NAME) or "…"
    counted = _counted(text)
    minutes = counted.get(Unit.minute)
    return Intent(
        subject=subject,
        audience=audience,
        topics=_topics(text, subject),
        lessons=_whole(counted.get(Unit.lesson)),
        questions=_whole(counted.get(Unit.question)),
        slides=_whole(counted.get(Unit.slide)),
        scenes=_whole(counted.get(Unit.scene)),
        seconds=_whole(counted.get(Unit.second, minutes and minutes * 60)),
    )


def _subject(sentence: str) -> tuple[str, str]:
    """What follows "about", else what a request leaves when its own words are taken away; and for whom."""
    request = REQUEST.match(sentence)
    if about := ABOUT.search(sentence) or ON.search(sentence):
        subject, audience = _parted(sentence[about.end() :])
        return _named(subject), _named(audience or _parted(sentence[: about.start()])[1])
    if request:
        body, audience = _parted(sentence[request.end() :])
        subject = _named(_bare(body))
        return (subject, _named(audience)) if subject else (_named(audience), "")
    bare = word_count(sentence) <= BARE_SUBJECT and not any(map(str.isdigit, sentence))
    return (_named(sentence) if bare else ""), ""


def _parted(text: str) -> tuple[str, str]:
    """What a part of the sentence is about, and for whom."""
    aimed = FOR.search(text)
    audience = _before(text[aimed.end() :], COVERING, COUNTED) if aimed else ""
    return _before(text, FOR, COVERING, COUNTED), audience


def _before(text: str, *marks: re.Pattern[str]) -> str:
    starts = [found.start() for mark in marks if (found := mark.search(text))]
    return text[: min(starts, default=len(text))]


def _bare(text: str) -> str:
    """Without the numbers, what they count, and the words for the kind of thing that is wanted."""
    words = text.replace("-", " ").split()
    plain = [word for word in words if not word.isdigit() and fold(word) not in {*KINDS, *UNITS, *NUMBERS}]
    return " ".join(plain)


def _named(text: str) -> str:
    """A text that can stand as a name; empty when it is too long for one."""
    name = " ".join(text.split()).strip(EDGE)
    return name if len(name) <= LONGEST_NAME and word_count(name) <= LONGEST_SUBJECT else ""


def _topics(text: str, subject: str) -> tuple[str, ...]:
    """The lines of a list, else what is enumerated after "covering", else a subject that enumerates."""
    found = LISTED.findall(text) or _enumerated(text) or (_pieces(subject) if "," in subject else [])
    names = {fold(name): name for topic in reversed(found) if (name := shortened(topic.strip(EDGE), LONGEST_NAME))}
    return tuple(reversed(names.values()))[:MOST_TOPICS]


def _enumerated(text: str) -> list[str]:
    covering = COVERING.search(text)
    if not covering:
        return []
    listed = next(iter(SENTENCE.split(text[covering.end() :])), "")
    pieces = _pieces(FOR.split(listed, maxsplit=1)[0])
    return pieces if len(pieces) > 1 and all(map(_named, pieces)) else []


def _pieces(text: str) -> list[str]:
    return [piece for piece in PARTING.split(text.rstrip(EDGE)) if piece.strip(EDGE)]


def _counted(text: str) -> dict[Unit, float]:
    """The first number before each unit; up to two words may stand between them."""
    found: dict[Unit, float] = {}
    for number, unit in _numbered(TOKEN.findall(text.lower())):
        found.setdefault(unit, number)
    return found


def _numbered(tokens: list[str]) -> Iterator[tuple[float, Unit]]:
    for place, token in enumerate(tokens):
        number = _number(token)
        for after in tokens[place + 1 : place + 1 + NEAR]:
            if not number or _number(after):
                break
            if after in UNITS:
                yield number, UNITS[after]
                break


def _number(token: str) -> float | None:
    if token[0].isascii() and token[0].isdigit():
        return float(token.replace(",", ".")[:9])
    return NUMBERS.get(token)


def _whole(number: float | None) -> int | None:
    return max(1, round(number)) if number else None
