"""A title is one line that every receiver can take, and comes apart where it was joined."""

from urllib.parse import quote

import pytest

from stream.outputs.listeners.icy import IcyTitles
from stream.outputs.titles import TitleParts, joined_title, one_line, shortened_title, title_parts
from stream.service.moment import stream_title
from tests.support.moments import a_moment, a_song


@pytest.mark.parametrize(
    ("artist", "title", "joined", "apart"),
    [
        ("A", "B", "A - B", ("A", "B")),
        ("", "B", "B", ("", "B")),
        ("A", "B - C", "A - B - C", ("A", "B - C")),
        ("A - Z", "B", "A-Z - B", ("A-Z", "B")),
        ("A-Z", "B – C", "A-Z - B – C", ("A-Z", "B – C")),
        ("A\nB", "C\x00\tD\u2028E", "A B - C D E", ("A B", "C D E")),
        ("\udcfcA", "B", "?A - B", ("?A", "B")),
    ],
)
def test_joined_and_apart(artist: str, title: str, joined: str, apart: tuple[str, str]) -> None:
    assert joined_title(artist, title) == joined
    assert title_parts(joined) == TitleParts(artist=apart[0], title=apart[1])


@pytest.mark.parametrize("text", ["a" * 5000, "ü€🎵" * 900, "%&= /" * 999, "short", ""])
def test_what_is_shortened_fits_and_is_not_shorter_than_it_has_to_be(text: str) -> None:
    kept = shortened_title(text, 1000)
    assert text.startswith(kept)
    assert len(quote(kept, safe="")) <= 1000
    assert kept == text or len(quote(text[: len(kept) + 1], safe="")) > 1000


def test_names_that_are_no_text_reach_status_and_outputs() -> None:
    song = a_song("M\udcfcll", "K\udce4se\n", 60.0)
    assert stream_title(song) == "K?se - M?ll"
    str(a_moment((), song, song).as_json()).encode()
    assert IcyTitles(4).weave(b"1234", "M\udcfcll")[5:].rstrip(b"\0") == b"StreamTitle='M?ll';"


def test_one_line() -> None:
    assert one_line("  a\r\n b\u202ec ") == "a b c"
