"""Which media type a client gets, and which it may send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.negotiation import EVENTS, HTML, JSON, RESPONSE, is_json, negotiate


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (RESPONSE, RESPONSE),
        (f"{RESPONSE}, {JSON};q=0.9", RESPONSE),
        (f"{JSON}, {RESPONSE}", RESPONSE),
        (f"{JSON}, {RESPONSE};q=0.5", JSON),
        (f"{RESPONSE};q=0.5, */*", RESPONSE),
        (f"{RESPONSE};q=0, */*", JSON),
        (f"{JSON};q=0, */*", RESPONSE),
        (f" {RESPONSE.upper()} ; charset=utf-8 ; Q=0.7", RESPONSE),
        ("*/*;q=0", None),
        ("image/png", None),
        (f"{JSON};q=2", None),
        (f"{JSON};q=nan", None),
        (EVENTS, None),
        (f"{EVENTS}, {JSON}", JSON),
    ],
)
def test_a_named_type_beats_a_wildcard(accept: str, media: str | None) -> None:
    assert negotiate(accept).media == media


@pytest.mark.parametrize(
    ("accept", "prefers", "accepts"),
    [
        (EVENTS, True, True),
        (f"{EVENTS}, {JSON};q=0.9", True, True),
        (f"{EVENTS}, {JSON}", False, True),
        ("*/*", False, False),
        (f"{EVENTS};q=0, */*", False, False),
    ],
)
def test_a_stream_has_to_be_named(accept: str, prefers: bool, accepts: bool) -> None:
    assert (negotiate(accept).prefers_events, negotiate(accept).events) == (prefers, accepts)


def test_a_browser_gets_the_page_and_a_program_does_not() -> None:
    assert negotiate(f"{HTML},application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8").prefers_page
    assert not negotiate(f"{HTML}, {JSON}").prefers_page
    assert not negotiate("*/*").prefers_page


@pytest.mark.parametrize(
    ("accept", "legacy"),
    [
        (JSON, True),
        (f"{JSON}; charset=utf-8", True),
        ("*/*", False),
        ("", False),
        (RESPONSE, False),
        (f"{JSON}, {RESPONSE};q=0.5", False),
        (f"{JSON}, text/plain, */*", False),
    ],
)
def test_only_who_names_the_old_type_alone_is_legacy(accept: str, legacy: bool) -> None:
    assert negotiate(accept).legacy is legacy


@pytest.mark.parametrize(
    ("content_type", "suits"),
    [
        (JSON, True),
        ("Application/JSON ; Charset=UTF-8", True),
        (f'{JSON}; charset="utf-8"', True),
        (f"{JSON}; charset=latin-1", False),
        ("foo-application/json-bar", False),
        (RESPONSE, False),
        ("text/plain", False),
        ("", False),
    ],
)
def test_a_content_type_is_a_media_type_and_no_substring(content_type: str, suits: bool) -> None:
    assert is_json(content_type) is suits


@given(st.text(alphabet=st.characters(max_codepoint=255)) | st.text(alphabet='aq*/;,=.019" '))
def test_any_header_can_be_read(header: str) -> None:
    negotiate(header)
    is_json(header)
