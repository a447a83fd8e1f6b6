"""Cards: pictures of scenes. What they look like is in tests/output/cards.png after a run."""

from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageColor, ImageFont

from dispatcher.jobs.rendering.cards import DARK, LIGHT, SIZES, Cards, rightward
from dispatcher.jobs.rendering.fonts import OURS, SHAPES, Fonts
from storage.tables import VisualType
from storage.tables.jobs import PlannedScene, RenderParameters
from tests.films import OUTPUT

LONG_TITLE = "Safety training for new colleagues on building sites"
TEXTS = {
    "title": (VisualType.title, LONG_TITLE),
    "text": (VisualType.text, "Always wear a helmet.\nReport every accident to your team lead on the same day."),
    "bullets": (
        VisualType.bullets,
        "• Helmet – protects the head\n- Gloves\nSafety shoes with a steel cap, S3 or better",
    ),
    "long word": (VisualType.text, "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz"),
    "much": (VisualType.text, "word " * 390),
    "arabic": (VisualType.bullets, "السلامة أولاً: ارتدِ الخوذة دائماً.\nأبلغ عن كل حادث (24 hours)."),
    "hebrew": (VisualType.text, "שלום עולם, this is mixed טקסט 2024!"),
    "cyrillic": (VisualType.text, "Привет, мир! Ελληνικά — naïve façade Å…"),
    "one letter": (VisualType.title, "x"),
}


def cards(
    *texts: tuple[VisualType, str | None], aspect_ratio: str = "16:9", script: str = "", title: str = "Safety"
) -> Cards:
    scenes = [
        PlannedScene(id=f"scene_{number}", script=script, display_text=text, duration=1, visual_type=visual_type)
        for number, (visual_type, text) in enumerate(texts)
    ]
    plan = RenderParameters(plan_version=1, title=title, language="en", aspect_ratio=aspect_ratio, scenes=scenes)
    return Cards(plan)


def inked(image: Image.Image) -> tuple[int, int, int, int]:
    """The box around everything that is not background."""
    box = ImageChops.difference(image, Image.new("RGB", image.size, image.getpixel((0, 0)))).getbbox()
    assert box is not None
    return box


def luminance(colour: str) -> float:
    """As WCAG 2.2 defines it."""
    channels = [value / 255 for value in ImageColor.getrgb(colour)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_everything_can_be_read_against_its_background(theme: object) -> None:
    assert isinstance(theme, type(LIGHT))
    assert contrast(theme.text, theme.background) >= 7
    assert contrast(theme.faint, theme.background) >= 4.5
    assert contrast(theme.accent, theme.background) >= 3


@pytest.mark.parametrize("aspect_ratio", SIZES)
def test_text_of_every_kind_stays_inside_the_margins(aspect_ratio: str) -> None:
    set_ = cards(*TEXTS.values(), aspect_ratio=aspect_ratio)
    width, height = SIZES[aspect_ratio]
    assert width % 2 == height % 2 == 0
    assert min(width, height) == 720
    for number, name in enumerate(TEXTS):
        left, top, right, bottom = inked(set_.draw(number))
        assert left >= 66, name
        assert top >= 66, name
        assert right <= width - 66, name
        assert bottom <= height - 30, name


def test_short_text_is_large_and_long_text_is_small() -> None:
    set_ = cards(TEXTS["title"], (VisualType.title, LONG_TITLE * 4))
    short, long = (inked(set_.draw(number)) for number in (0, 1))
    assert short[3] - short[1] > 150
    assert long[3] - long[1] > short[3] - short[1]


def test_what_no_card_can_hold_is_cut_with_a_warning() -> None:
    set_ = cards((VisualType.text, "word " * 390), aspect_ratio="1:1")
    set_.draw(0)
    assert [(notice.code, notice.subject) for notice in set_.notices] == [("text_cut", "scene_0")]


def test_a_scene_without_a_text_shows_its_script_else_the_title() -> None:
    with_script = cards((VisualType.text, None), script="Wear a helmet.").draw(0)
    with_text = cards((VisualType.text, "Wear a helmet.")).draw(0)
    assert with_script.tobytes() == with_text.tobytes()
    with_nothing = cards((VisualType.title, " \n "), title="Safety").draw(0)
    assert with_nothing.tobytes() == cards((VisualType.title, "Safety")).draw(0).tobytes()


def test_the_same_plan_gives_the_same_pictures() -> None:
    assert cards(TEXTS["bullets"]).draw(0).tobytes() == cards(TEXTS["bullets"]).draw(0).tobytes()


def test_characters_without_a_glyph_are_named_once() -> None:
    set_ = cards((VisualType.text, "cuneiform 𒀀𒀁𒀀"))
    set_.draw(0)
    assert [notice.code for notice in set_.notices] == ["glyphs_missing"]
    assert set_.notices[0].message.endswith("𒀀𒀁")


@pytest.mark.skipif(not SHAPES, reason="libraqm is not here")
def test_arabic_begins_at_the_right_and_its_letters_join() -> None:
    set_ = cards((VisualType.text, "السلامة"))
    left, _, right, _ = inked(set_.draw(0).crop((0, 0, 1280, 600)))
    assert right > 1180
    assert left > 640
    joined = set_.fonts.runs("سلا", 60)[0][1].getlength("سلا", direction="rtl")
    apart = sum(set_.fonts.runs(letter, 60)[0][1].getlength(letter) for letter in "سلا")
    assert joined < apart


@pytest.mark.parametrize(
    ("text", "rtl"), [("abc", False), ("שלום abc", True), ("(24) سلام", True), ("24 abc שלום", False), ("", False)]
)
def test_the_first_letter_says_where_a_line_begins(text: str, rtl: bool) -> None:
    assert rightward(text) is rtl


def test_other_typefaces_help_out_where_one_lacks_glyphs(tmp_path: Path) -> None:
    """The Latin typeface that Pillow brings, helped by a folder with ours in it."""
    latin = tmp_path / "latin.ttf"
    latin.write_bytes(ImageFont.load_default(20).path.getvalue())  # type: ignore[union-attr]
    assert Fonts("Hello Привет", latin, []).missing == "Першивт"[0] + "веирт"
    fonts = Fonts("Hello Привет 𒀀", latin, [OURS.parent])
    assert fonts.missing == "𒀀"
    runs = fonts.runs("Hello Привет!", 30)
    assert [text for text, _ in runs] == ["Hello ", "Привет", "!"]
    assert runs[0][1] is runs[2][1] is not runs[1][1]


def test_a_folder_may_hold_anything(tmp_path: Path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"no typeface")
    (tmp_path / "notes.txt").write_text("no typeface")
    assert Fonts("世", folders=[tmp_path, tmp_path / "none"]).missing == "世"


def test_the_cards_can_be_looked_at() -> None:
    """Writes a sheet of samples; whether they are beautiful is for people to say."""
    sheet = Image.new("RGB", (3 * 640, 3 * 360))
    set_ = cards(*TEXTS.values(), title=LONG_TITLE)
    for number in range(len(TEXTS)):
        sheet.paste(set_.draw(number).resize((636, 356)), (number % 3 * 640 + 2, number // 3 * 360 + 2))
    OUTPUT.mkdir(exist_ok=True)
    sheet.save(OUTPUT / "cards.png")
