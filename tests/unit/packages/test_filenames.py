"""Names that every system can unpack."""

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage import files
from storage.packages import filenames

steps = st.lists(
    st.sampled_from(["a", "A", "é", "e\u0301", "ß", "ss", ".", " ", ":", "con", "COM¹", ".xml", "x" * 90, "文" * 60])
    | st.characters(exclude_categories=["Cs"]),
    min_size=1,
    max_size=4,
).map("".join)
paths = st.lists(steps, min_size=1, max_size=5).map("/".join).map(files.normal).filter(files.is_path)


def marked(path: str) -> str:
    """What a cartridge does with XML."""
    return f"{path}.txt" if path.endswith(".xml") else path


@settings(max_examples=40)
@given(st.lists(paths, unique=True, max_size=12))
def test_whatever_people_store_can_be_unpacked_side_by_side(stored: list[str]) -> None:
    """By the rules of Windows, and where neither case nor the form of a letter is seen."""
    places = filenames.lay_out(stored, marked)
    assert places.keys() == set(stored)
    assert places == filenames.lay_out(reversed(stored), marked)
    seen = [unicodedata.normalize("NFC", place).casefold() for place in places.values()]
    assert len(set(seen)) == len(seen)
    for place in places.values():
        assert not place.endswith(".xml")
        assert len(place) <= 220
        for name in place.split("/"):
            assert len(name.encode()) <= 255
            assert not re.search(r'[\x00-\x1f<>:"|?*\\]', name)
            assert name == name.rstrip(". ")
            assert name.partition(".")[0].rstrip().upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "COM¹"}
    folders = {one[: at.start()] for one in seen for at in re.finditer("/", one)}
    assert not folders & set(seen)


@settings(max_examples=20)
@given(st.lists(st.text("abc", min_size=1, max_size=3), unique=True, max_size=12))
def test_names_that_nobody_minds_stay(stored: list[str]) -> None:
    assert filenames.lay_out(stored) == {path: path for path in stored}


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("con", "con_"),
        ("CON .txt", "CON_ .txt"),
        ("con\u00a0", "con_\u00a0"),
        ("lpt1.a.b", "lpt1_.a.b"),
        ("cons", "cons"),
    ],
)
def test_devices_of_windows_are_no_names_of_files(name: str, place: str) -> None:
    assert filenames.portable(name) == place


def test_many_of_one_name_take_no_time() -> None:
    """A number is tried once, however many files want the name."""
    count = 3_000
    stored = [
        "".join(sign.upper() if number >> at & 1 else sign for at, sign in enumerate("a" * 12))
        for number in range(count)
    ]
    places = filenames.lay_out(stored)
    assert len({place.casefold() for place in places.values()}) == count
