"""Words: comparing, blanking, measuring and cutting text in any script."""

import re
import unicodedata
import zlib
from collections.abc import Iterator
from functools import lru_cache

BLANK = "____"
WORDS_PER_SECOND = 2.5
LETTERS_PER_UNSPACED_WORD = 2
SHORTEST_SENTENCE = 3
JOINER = "\u200d"
SKIN_TONES = range(0x1F3FB, 0x1F400)

# Scripts that write no spaces between words: Thai to Burmese, Khmer, kana, bopomofo, ideographs.
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
CJK_TEXT = re.compile("[\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]$")
EDGE = " \t\n.,;:!?…。！？、，،؛؟।'\"“”„«»‘’()¿¡"
SENTENCE_END = re.compile(r"(?<=[.!?…؟।])\s+|(?<=[。！？])\s*|\n+")
CLOSED = re.compile("[.!?…。！？؟।:][\"'”“’»)]*\\s*$")


@lru_cache(maxsize=16384)
def fold(said: str) -> str:
    """What two texts have in common when a reader takes them for the same: no case, width, outer punctuation."""
    plain = " ".join(unicodedata.normalize("NFKC", said).casefold().split())
    return plain.strip(EDGE) or plain


def stable(said: str) -> int:
    """A number that varies with the text and never with the run."""
    return zlib.crc32(said.encode())


def blanked(sentence: str, word: str) -> str | None:
    """The sentence with a blank for every occurrence of the word, whole where words are spaced; None without one."""
    found = [start for start in _occurrences(sentence, word) if _whole(sentence, start, start + len(word))]
    if not found:
        return None
    ends = [0, *(start + len(word) for start in found)]
    return BLANK.join(sentence[end:start] for end, start in zip(ends, [*found, len(sentence)], strict=True))


def sentences(said: str) -> tuple[str, ...]:
    """The sentences of a text; a very short one, most often an abbreviation, is kept with the next."""
    found: list[str] = []
    for piece in filter(None, (piece.strip() for piece in SENTENCE_END.split(said))):
        if found and word_count(found[-1]) < SHORTEST_SENTENCE:
            found[-1] = f"{found[-1]} {piece}"
        else:
            found.append(piece)
    return tuple(found)


def closed(said: str) -> str:
    """The text with a full stop, unless it ends a sentence already."""
    if CLOSED.search(said):
        return said
    return said + ("。" if CJK_TEXT.search(said) else ".")


def word_count(said: str) -> float:
    """Words, where scripts without spaces count two letters as one."""
    return len(UNSPACED.sub(" ", said).split()) + len(UNSPACED.findall(said)) / LETTERS_PER_UNSPACED_WORD


def seconds(script: str) -> float:
    """How long a narrator needs: at least 3 seconds, in halves."""
    return max(3.0, round(word_count(script) / WORDS_PER_SECOND * 2) / 2)


def shortened(said: str, limit: int = 90) -> str:
    """The text on one line, cut between words where it is longer than the limit."""
    line = " ".join(said.split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    return (cut[: cut.rfind(" ")] if " " in cut[limit // 2 :] else cut).rstrip(EDGE) + "…"


def _occurrences(sentence: str, word: str) -> Iterator[int]:
    """Where the word stands in any case, without overlaps."""
    where, what = sentence.lower(), word.lower()
    if len(where) != len(sentence) or len(what) != len(word):
        where, what = sentence, word  # İ is two letters in lower case, and positions would shift
    start = where.find(what) if what else -1
    while start >= 0:
        yield start
        start = where.find(what, start + len(what))


def _whole(sentence: str, start: int, end: int) -> bool:
    """Whether words start and end there, and no character is torn from its marks."""
    before, after = sentence[max(start - 1, 0) : start], sentence[end : end + 1]
    torn = after and (unicodedata.category(after)[0] == "M" or after == JOINER or ord(after) in SKIN_TONES)
    if torn or before == JOINER:
        return False
    return not (_joined(before, sentence[start]) or _joined(sentence[end - 1], after))


def _joined(left: str, right: str) -> bool:
    """Whether two neighbours belong to one word of a script with spaces."""
    return _in_spaced_word(left) and _in_spaced_word(right)


def _in_spaced_word(letter: str) -> bool:
    return bool(letter) and (letter == "_" or unicodedata.category(letter)[0] in "LNM") and not UNSPACED.match(letter)
