"""This module reads title, artist, album and cover picture of any audio file."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mutagen
from mutagen.apev2 import APEv2
from mutagen.asf import ASFTags
from mutagen.flac import Picture
from mutagen.id3 import ID3
from mutagen.mp4 import MP4Tags

COVER_BYTES = 2_000_000
"""A larger cover picture is left out."""
TEXT_LENGTH = 300
"""Longer texts are cut off."""

FRONT_COVER = 3  # the picture type of ID3v2 and FLAC


@dataclass(frozen=True, kw_only=True)
class Tags:
    """What a file says about itself; `title` is never empty."""

    title: str
    artist: str = ""
    album: str = ""
    cover: bytes | None = None


def read_tags(path: Path) -> Tags:
    """Read the tags of `path`; a file without a title has its stem for one.

    Damaged tags count as none: a song is never lost for its tags.
    """
    untitled = Tags(title=_clean(path.stem) or "untitled")
    try:
        file = mutagen.File(path)
        if file is None or file.tags is None:
            return untitled
        title, artist, album = (_clean(text) for text in _texts(file.tags))
        return Tags(title=title or untitled.title, artist=artist, album=album, cover=_bounded(_cover(file)))
    # The parser meets arbitrary bytes and raises whatever those lead to, not only its own errors.
    except Exception:
        return untitled


def _texts(tags: Any) -> tuple[str, str, str]:
    if isinstance(tags, ID3):
        return _three(lambda key: [str(text) for text in tags[key].text], tags, "TIT2", "TPE1", "TALB")
    if isinstance(tags, MP4Tags):
        return _three(tags.__getitem__, tags, "\xa9nam", "\xa9ART", "\xa9alb")
    if isinstance(tags, ASFTags):
        return _three(tags.__getitem__, tags, "Title", "Author", "WM/AlbumTitle")
    return _three(tags.__getitem__, tags, "title", "artist", "album")


def _three(get: Callable[[str], Any], tags: Any, title: str, artist: str, album: str) -> tuple[str, str, str]:
    def text(key: str) -> str:
        # Each once: some writers name an artist twice.
        return ", ".join(dict.fromkeys(str(value) for value in get(key))) if key in tags else ""

    return text(title), text(artist), text(album)


def _cover(file: Any) -> bytes | None:
    tags: Any = file.tags
    if isinstance(tags, ID3):
        return _front(file.tags.getall("APIC"))
    if isinstance(tags, MP4Tags):
        covers = file.tags.get("covr")
        return bytes(covers[0]) if covers else None
    if isinstance(tags, (APEv2, ASFTags)):
        return None
    parse: Callable[[bytes], Any] = Picture
    blocks = [parse(base64.b64decode(block)) for block in tags.get("metadata_block_picture", [])]
    return _front([*getattr(file, "pictures", []), *blocks])


def _front(pictures: list[Any]) -> bytes | None:
    if not pictures:
        return None
    return bytes(min(pictures, key=lambda picture: picture.type != FRONT_COVER).data)


def _bounded(cover: bytes | None) -> bytes | None:
    return cover if cover and len(cover) <= COVER_BYTES else None


def _clean(text: str) -> str:
    # Line breaks and other control characters would break a status line, an ICY title or a terminal.
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())[:TEXT_LENGTH]
