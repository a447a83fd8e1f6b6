"""Signatures, against the published vector and against two libraries that receivers use."""

import json
import time
from datetime import UTC, datetime

import pytest
import standardwebhooks
import svix
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.webhooks import signing
from dispatcher.webhooks.signing import Refusal, Secrets

SECRET = "whsec_bGVjdGVybi10ZXN0LXNlY3JldC0wMTIzNDU2Nzg5YWI="
OTHER = "whsec_YW5vdGhlci10ZXN0LXNlY3JldC0wMTIzNDU2Nzg5YWI="
ID = "event_06f2k3v9w0x8y7z6a5b4c3d2e1"
TYPE = "content.completed"
BODY = b'{"id":"event_06f2k3v9w0x8y7z6a5b4c3d2e1","type":"content.completed"}'
AT = 1790000000
STANDARD = "v1,S1a8DhdeVizScPlnYdlfV5qltnlnHQQJisjb5LbwKNI="
OLDER = "c8f80e62fb065214e6ac5b17e2ab4b8fba1781ffa1fdeaa9576eaa979a62bfb3"

HEADERS = signing.headers(Secrets(SECRET), ID, TYPE, BODY, AT)
OLDER_ONLY = {"X-Content-Integration-Signature": OLDER}


def test_the_published_vector() -> None:
    assert HEADERS == {
        "Content-Type": "application/json",
        "User-Agent": "Lectern-Webhooks/1",
        "webhook-id": ID,
        "webhook-timestamp": "1790000000",
        "webhook-signature": STANDARD,
        "X-Content-Integration-Event": TYPE,
        "X-Content-Integration-Signature": OLDER,
    }


def test_during_a_rotation_the_new_secret_comes_first_and_the_older_header_stays_with_the_previous_one() -> None:
    headers = signing.headers(Secrets(current=OTHER, previous=SECRET), ID, TYPE, BODY, AT)
    new = signing.headers(Secrets(OTHER), ID, TYPE, BODY, AT)["webhook-signature"]
    assert headers["webhook-signature"] == f"{new} {STANDARD}"
    assert headers["X-Content-Integration-Signature"] == OLDER


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.Webhook])
@pytest.mark.parametrize("secrets", [Secrets(SECRET), Secrets(OTHER, SECRET), Secrets(SECRET, OTHER)])
@settings(max_examples=20)
@given(body=st.dictionaries(st.text(), st.integers() | st.text()).map(lambda value: json.dumps(value).encode()))
def test_the_libraries_of_receivers_verify_it(library: type[svix.Webhook], secrets: Secrets, body: bytes) -> None:
    headers = signing.headers(secrets, ID, TYPE, body, int(time.time()))
    library(SECRET).verify(body, headers)  # raises otherwise


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.Webhook])
def test_a_signature_of_such_a_library_is_verified(library: type[svix.Webhook]) -> None:
    now = datetime.fromtimestamp(AT, UTC)
    headers = {"webhook-id": ID, "webhook-timestamp": str(AT), "webhook-signature": library(SECRET).sign(ID, now, "{}")}
    assert signing.verify(SECRET, headers, b"{}", AT) is None


@given(secrets=st.sampled_from([Secrets(SECRET), Secrets(OTHER, SECRET)]), body=st.binary(), at=st.integers(0, 2**33))
def test_what_is_signed_is_verified_in_both_families(secrets: Secrets, body: bytes, at: int) -> None:
    headers = signing.headers(secrets, ID, TYPE, body, at)
    older = {"X-Content-Integration-Signature": headers["X-Content-Integration-Signature"]}
    assert signing.verify(SECRET, headers, body, at) is None
    assert signing.verify(SECRET, older, body, at) is None


def test_during_a_rotation_the_new_secret_verifies_too() -> None:
    headers = signing.headers(Secrets(current=OTHER, previous=SECRET), ID, TYPE, BODY, AT)
    assert signing.verify(OTHER, headers, BODY, AT) is None


def test_the_names_of_headers_may_be_in_any_case() -> None:
    assert signing.verify(SECRET, {name.upper(): value for name, value in HEADERS.items()}, BODY, AT) is None


@pytest.mark.parametrize("position", range(len(BODY)))
@pytest.mark.parametrize("headers", [HEADERS, OLDER_ONLY], ids=["standard", "older"])
def test_one_flipped_byte_is_refused(headers: dict[str, str], position: int) -> None:
    flipped = bytearray(BODY)
    flipped[position] ^= 1
    assert signing.verify(SECRET, headers, bytes(flipped), AT) is Refusal.FORGED


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"webhook-id": "event_other"}, Refusal.FORGED),
        ({"webhook-id": None}, Refusal.FORGED),
        ({"webhook-timestamp": str(AT + 1)}, Refusal.FORGED),
        ({"webhook-timestamp": None}, Refusal.FORGED),
        ({"webhook-timestamp": "yesterday"}, Refusal.MALFORMED),
        ({"webhook-timestamp": "-1"}, Refusal.MALFORMED),
        ({"webhook-timestamp": "٣"}, Refusal.MALFORMED),
        ({"webhook-timestamp": "9" * 400}, Refusal.STALE),
        ({"webhook-signature": STANDARD.removeprefix("v1,")}, Refusal.FORGED),
        ({"webhook-signature": STANDARD.replace("v1,", "v1a,")}, Refusal.FORGED),
        ({"webhook-signature": "v1,"}, Refusal.FORGED),
        ({"webhook-signature": " "}, Refusal.FORGED),
        ({"webhook-signature": "v1,\udcff"}, Refusal.FORGED),
        ({"webhook-signature": None, "X-Content-Integration-Signature": OLDER.upper()}, Refusal.FORGED),
        ({"webhook-signature": None, "X-Content-Integration-Signature": None}, Refusal.UNSIGNED),
        ({"webhook-signature": None}, None),
        ({"webhook-signature": f"v1,x {STANDARD} v2,y"}, None),
        ({"X-Content-Integration-Signature": None}, None),
    ],
)
def test_a_changed_header(changed: dict[str, str | None], refusal: Refusal | None) -> None:
    headers = {name: value for name, value in {**HEADERS, **changed}.items() if value is not None}
    assert signing.verify(SECRET, headers, BODY, AT) == refusal


def test_a_repetition_under_a_new_time_is_refused_although_the_body_is_signed() -> None:
    assert signing.verify(SECRET, HEADERS | {"webhook-timestamp": str(AT + 3600)}, BODY, AT + 3600) is Refusal.FORGED


@pytest.mark.parametrize(
    ("seconds", "refusal"), [(-301, Refusal.STALE), (-300, None), (0, None), (300, None), (300.5, Refusal.STALE)]
)
def test_five_minutes_of_difference_are_tolerated(seconds: float, refusal: Refusal | None) -> None:
    assert signing.verify(SECRET, HEADERS, BODY, AT + seconds) == refusal


def test_another_secret_does_not_verify() -> None:
    assert signing.verify(OTHER, HEADERS, BODY, AT) is Refusal.FORGED
    assert signing.verify(OTHER, OLDER_ONLY, BODY, AT) is Refusal.FORGED


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!", "bGVjdGVybg==", "whsec_bGVjdGVyb", "whsec_ü"])
def test_what_is_no_secret_is_an_error(secret: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        signing.key(secret)
