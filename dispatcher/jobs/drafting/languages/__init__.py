"""What we say ourselves, by language: a module for each, English for all others."""

from dispatcher.jobs.drafting.languages import english, french, german, spanish
from dispatcher.jobs.drafting.patterns import Patterns
from dispatcher.jobs.drafting.phrases import Phrases

PHRASES = {"en": english.PHRASES, "de": german.PHRASES, "fr": french.PHRASES, "es": spanish.PHRASES}
PATTERNS = {"en": english.PATTERNS, "de": german.PATTERNS, "fr": french.PATTERNS, "es": spanish.PATTERNS}


def phrases(language: str) -> Phrases:
    """The sentences around the words of a source; de-CH is de."""
    return PHRASES.get(_primary(language), english.PHRASES)


def patterns(language: str) -> Patterns:
    """The sentences of outlines; de-CH is de."""
    return PATTERNS.get(_primary(language), english.PATTERNS)


def _primary(language: str) -> str:
    return language.partition("-")[0].lower()
