"""Tags say title, artist, album and cover picture of a song, whichever reader has them."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tools.songs.tag_readers import TAG_READERS, FoundTags

COVER_BYTES = 2_000_000
"""A larger cover picture is left out."""
TEXT_LENGTH = 300
"""Longer texts are cut off."""


@dataclass(frozen=True, kw_only=True)
class Tags:
    """What a file says about itself; `title` is never empty."""

    title: str
    artist: str = ""
    album: str = ""
    cover: bytes | None = None


def read_tags(path: Path) -> Tags:
    """Read the tags of `path`; a file without a title has its stem for one.

    Each field is taken from the first reader that has it, so that damage costs what is damaged and no more: a
    song is never lost for its tags.
    """
    title = artist = album = ""
    cover: bytes | None = None
    for read in TAG_READERS:
        if title and artist and album and cover:
            break
        found = FoundTags()
        # The parsers meet arbitrary bytes and raise whatever those lead to, not only their own errors.
        with suppress(Exception):
            found = read(path)
        title, artist = title or _clean(found.title), artist or _clean(found.artist)
        album, cover = album or _clean(found.album), cover or _bounded(found.cover)
    return Tags(title=title or file_title(path), artist=artist, album=album, cover=cover)


def file_title(path: Path) -> str:
    """Return what a file without a title is called."""
    return _clean(path.stem) or "untitled"


def _bounded(cover: bytes | None) -> bytes | None:
    return cover if cover and len(cover) <= COVER_BYTES else None


def _clean(text: str) -> str:
    # Line breaks and other control characters would break a status line, an ICY title or a terminal.
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())[:TEXT_LENGTH]
