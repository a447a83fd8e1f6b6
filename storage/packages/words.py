"""Words as searches compare them: letters and digits, without case and without accents."""

import unicodedata
from collections import Counter
from dataclasses import dataclass

LONGEST = 64
OFTEN = 3


class _Characters(dict[int, int | str | None]):
    """A table for str.translate, filled as characters are met: what is no part of a word becomes a space."""

    def __missing__(self, code: int) -> int | str | None:
        self[code] = _translated(chr(code))
        return self[code]


def _translated(character: str) -> int | str | None:
    category = unicodedata.category(character)
    if category.startswith("M") or (category == "Cf" and character != _SPACE_OF_NO_WIDTH):
        return None  # accents, and what nobody sees: hyphens where a line may end, joiners, directions
    if not character.isalnum():
        return " "
    unspaced = _UNSPACED[0] <= character <= _UNSPACED[1] or character >= "\U00020000"
    return f" {character} " if unspaced else ord(character)


# From hiragana to the last common ideograph: Chinese and Japanese put no spaces between words, each character is one.
_UNSPACED = ("\u3040", "\u9fff")
_SPACE_OF_NO_WIDTH = "\u200b"
_CHARACTERS = _Characters()


def words(text: str) -> list[str]:
    """The words of a text in their order, cut at 64 characters. Indexing and searching must both come through here."""
    if not text.isascii():
        # Both, since either uncovers work for the other: a bold letter is a capital one inside, as a ligature is two.
        text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    text = text.casefold()
    found = text.translate(_CHARACTERS).split()
    return [word[:LONGEST] for word in found] if max(map(len, found), default=0) > LONGEST else found


@dataclass(frozen=True, slots=True)
class Entry:
    """
    The different words of an item, each set within the next: those of its title; those that it is about, which are the
    ones of its description and those that its text uses three times; all.
    """

    title: str
    about: str
    everything: str

    @classmethod
    def of(cls, title: str, description: str, text: str) -> "Entry":
        """Words separated by spaces."""
        in_title = dict.fromkeys(words(title))
        used = Counter(words(text))
        often = (word for word, times in used.items() if times >= OFTEN)
        about = {**in_title, **dict.fromkeys(words(description)), **dict.fromkeys(often)}
        return cls(" ".join(in_title), " ".join(about), " ".join({**about, **used}))
