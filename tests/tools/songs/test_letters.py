"""Letters of texts without a stated encoding are guessed as they were meant."""

import pytest

from tools.songs.letters import guess_letters, mend_escaped, mend_latin_1


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("Группа крови", "cp1251"),
        ("Ёлка - Прованс (live)", "cp1251"),
        ("Группа крови", "utf-8"),
        ("Grüße aus Łódź 東京", "utf-8"),
        ("Björk - Jóga “live” – 1997", "cp1252"),
        ("Öine jäääär, créée à l'été", "cp1252"),
        ("Nothing but ASCII", "ascii"),
    ],
)
def test_a_text_is_what_was_meant(text: str, page: str) -> None:
    data = text.encode(page)
    assert guess_letters(data) == text
    assert mend_latin_1(data.decode("latin-1")) == text
    assert mend_escaped(data.decode("utf-8", "surrogateescape")) == text


@pytest.mark.parametrize("text", ["Łódź 東京", "", "🎵"])
def test_other_letters_stay_as_they_are(text: str) -> None:
    assert mend_latin_1(text) == text


@pytest.mark.parametrize("data", [bytes(range(256)), b"\x81\x8d", b"a\0b\0"])
def test_any_bytes_are_some_text(data: bytes) -> None:
    assert isinstance(guess_letters(data), str)
