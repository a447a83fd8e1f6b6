import pytest

from dispatcher.jobs.drafting.wording import blanked, closed, fold, seconds, sentences, shortened, word_count


@pytest.mark.parametrize(
    ("sentence", "word", "gap"),
    [
        ("Hello, Min.", "hello", "____, Min."),
        ("The cat sat by the other cat.", "cat", "The ____ sat by the other ____."),
        ("Category cat", "cat", "Category ____"),
        ("My cats sleep.", "cat", None),
        ("cat2 cat_ cat", "cat", "cat2 cat_ ____"),
        ("Say good morning!", "good morning", "Say ____!"),
        ("黒い猫です", "猫", "黒い____です"),
        ("これはAIです", "AI", "これは____です"),
        ("ฉันชอบแมวมาก", "แมว", "ฉันชอบ____มาก"),
        ("나는 학교에 가요", "학교", None),
        ("أنا أحب القراءة", "القراءة", "أنا أحب ____"),
        ("יש לי ספר", "ספר", "יש לי ____"),
        ("कला और कल", "कल", "कला और ____"),
        ("I say 👋 to you", "👋", "I say ____ to you"),
        ("I say 👋🏽 to you", "👋", None),
        ("İstanbul is big", "istanbul", None),
        ("İyi is not ok", "ok", "İyi is not ____"),
        ("Straße und Strasse", "straße", "____ und Strasse"),
        ("C++ is not C", "C++", "____ is not C"),
        ("anything", "", None),
    ],
)
def test_a_word_is_blanked_whole_where_words_are_spaced(sentence: str, word: str, gap: str | None) -> None:
    assert blanked(sentence, word) == gap


@pytest.mark.parametrize(
    ("one", "other"),
    [("A greeting.", "a  greeting"), ("ＡＢＣ", "abc"), ("¿Qué?", "qué"), ("Straße", "STRASSE"), ("“hi”", "hi")],
)
def test_texts_that_read_the_same_fold_the_same(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("?", "!"), ("C++", "C"), ("10", "1.0"), ("", "?")])
def test_texts_that_differ_fold_differently(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One is. Two is! Three is?", ("One is. Two is!", "Three is?")),
        ("Dr. Smith came home. He slept all day.", ("Dr. Smith came home.", "He slept all day.")),
        ("First line here\nSecond line here", ("First line here", "Second line here")),
        ("今日は雨です。明日は晴れです。", ("今日は雨です。", "明日は晴れです。")),
        ("...", ("...",)),
    ],
)
def test_sentences_are_found(text: str, found: tuple[str, ...]) -> None:
    assert sentences(text) == found


@pytest.mark.parametrize(
    ("script", "duration"), [("One.", 3.0), ("word " * 25, 10.0), ("word " * 24, 9.5), ("字" * 50, 10.0)]
)
def test_a_script_lasts_as_long_as_it_takes_to_say(script: str, duration: float) -> None:
    assert seconds(script) == duration


def test_words_of_scripts_without_spaces_are_counted_too() -> None:
    assert word_count("AI と 人間") == 1 + 3 / 2


@pytest.mark.parametrize(("said", "sentence"), [("Hi", "Hi."), ("Hi!”", "Hi!”"), ("猫", "猫。"), ("نعم؟", "نعم؟")])
def test_a_sentence_is_closed_once(said: str, sentence: str) -> None:
    assert closed(said) == sentence


def test_a_long_text_is_cut_between_words_and_says_so() -> None:
    assert shortened("word " * 30) == "word " * 16 + "word…"
    assert shortened("字" * 100) == "字" * 89 + "…"
    assert shortened("short") == "short"
