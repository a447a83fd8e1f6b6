"""What a client accepts and what it sends, by the media types of GraphQL over HTTP."""

from dataclasses import dataclass
from functools import lru_cache

JSON = "application/json"
RESPONSE = "application/graphql-response+json"
EVENTS = "text/event-stream"
HTML = "text/html"


@dataclass(frozen=True, slots=True)
class Accepted:
    """How an answer may look; media is that of a single answer, None where only a stream or a page will do."""

    media: str | None
    legacy: bool
    """application/json was named, and nothing else."""
    events: bool
    """A stream of events is acceptable."""
    prefers_events: bool
    prefers_page: bool

    @property
    def anything(self) -> bool:
        """Whether there is an answer that the client accepts."""
        return self.media is not None or self.events


@lru_cache(maxsize=256)
def negotiate(accept: str) -> Accepted:
    """
    Read an Accept header, the empty one meaning application/json.

    A named type beats a wildcard, and the newer of the two JSON types has to be named: clients that know nothing of it
    get the older.
    """
    named = _qualities(accept or JSON)
    wild = named.get("application/*", named.get("*/*", 0.0))
    old, new, events = named.get(JSON, 0.0), named.get(RESPONSE, 0.0), named.get(EVENTS, 0.0)
    media: str | None = None
    quality = 0.0
    if new and new >= old:
        media, quality = RESPONSE, new
    elif known := named.get(JSON, wild):
        media, quality = JSON, known
    elif known := named.get(RESPONSE, wild):
        media, quality = RESPONSE, known
    return Accepted(
        media=media,
        legacy=bool(accept) and media == JSON and named.keys() == {JSON},
        events=bool(events),
        prefers_events=events > quality,
        prefers_page=named.get(HTML, 0.0) > max(old, new, events),
    )


def is_json(content_type: str) -> bool:
    """Whether a Content-Type says application/json in UTF-8."""
    media, parameters = _parsed(content_type)
    return media == JSON and parameters.get("charset", "utf-8").lower() in ("utf-8", "utf8")


def _qualities(accept: str) -> dict[str, float]:
    """The quality of every type that is named; what cannot be read is left out."""
    qualities: dict[str, float] = {}
    for item in accept.split(","):
        media, parameters = _parsed(item)
        try:
            quality = float(parameters.get("q", "1"))
        except ValueError:
            continue
        if 0 <= quality <= 1:
            qualities[media] = max(quality, qualities.get(media, 0.0))
    return qualities


def _parsed(header: str) -> tuple[str, dict[str, str]]:
    """A media type in lower case, and its parameters; linear, unlike the standard library's parser of headers."""
    media, *parameters = header.split(";")
    pairs = (parameter.partition("=") for parameter in parameters)
    return media.strip().lower(), {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
