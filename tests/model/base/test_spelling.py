"""A text is the same however its accents are written, and in small letters where it is searched."""

import unicodedata

import pytest

from model.base.spelling import as_searched, as_spelt


@pytest.mark.parametrize("text", ["Été", "ÉTÉ", "plain", "", "\u0345\u0390", "Ｆull", "Straße"])
def test_a_text_is_the_same_however_its_accents_are_written(text: str) -> None:
    spellings = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]  # type: ignore[arg-type]
    assert len(set(map(as_spelt, spellings))) == len(set(map(as_searched, spellings))) == 1


def test_what_is_searched_is_in_small_letters() -> None:
    assert as_searched("ÉTÉ") == as_searched("été") != as_searched("ete")
    assert as_searched("STRASSE") == as_searched("Straße")
