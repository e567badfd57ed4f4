"""Tag readers take title, artist, album and cover from a file, each as one library or kind of tag has it."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import av
import mutagen
from av.stream import Disposition
from mutagen.apev2 import APEv2
from mutagen.asf import ASFTags
from mutagen.flac import Picture
from mutagen.id3 import ID3, Encoding
from mutagen.mp4 import MP4Tags

from tools.songs.letters import mend_escaped, mend_latin_1
from tools.songs.matroska import OF_ALBUM, OF_TRACK, matroska_tags

_FRONT_COVER = 3  # the picture type of ID3v2 and FLAC
_LINK = "-->"  # in place of a picture's type: what follows is an address

_Value = TypeVar("_Value")


@dataclass(frozen=True, kw_only=True)
class FoundTags:
    """What one reader has found; empty where it found nothing."""

    title: str = ""
    artist: str = ""
    album: str = ""
    cover: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class _Keys:
    """Where a kind of tags has a field; of several the first that is there."""

    title: tuple[str, ...]
    artist: tuple[str, ...]
    album: tuple[str, ...]


_ID3_KEYS = _Keys(title=("TIT2",), artist=("TPE1", "TPE2"), album=("TALB",))
_MP4_KEYS = _Keys(title=("\xa9nam",), artist=("\xa9ART", "aART"), album=("\xa9alb",))
_ASF_KEYS = _Keys(title=("Title",), artist=("Author", "WM/AlbumArtist"), album=("WM/AlbumTitle",))
_NAMED_KEYS = _Keys(
    title=("title",),
    artist=("artist", "albumartist", "album artist", "album_artist", "performer"),
    album=("album",),
)
# AIFF names an author. Matroska says whose title it is, of the track or of the album, in a word if it likes.
_LIBAV_KEYS = _Keys(
    title=("track/title", "title"),
    artist=("track/artist", "artist", "author", "album/artist", "album_artist", "performer"),
    album=("album/title", "album"),
)


def _by_mutagen(path: Path) -> FoundTags:
    file = mutagen.File(path)
    if file is None or file.tags is None:
        return FoundTags()
    return _found(file.tags, getattr(file, "pictures", ()))


def _by_matroska(path: Path) -> FoundTags:
    tags = matroska_tags(path)
    return FoundTags(
        title=tags.get((OF_TRACK, "TITLE"), ""),
        artist=tags.get((OF_TRACK, "ARTIST"), "") or tags.get((OF_ALBUM, "ARTIST"), ""),
        album=tags.get((OF_ALBUM, "TITLE"), ""),
    )


def _by_libav(path: Path) -> FoundTags:
    # Only this file: a playlist in disguise must not make FFmpeg open other addresses.
    with av.open(
        str(path.absolute()), "r", metadata_errors="surrogateescape", options={"protocol_whitelist": "file"}
    ) as container:
        tags = dict(container.metadata)
        for stream in container.streams.audio[:1]:
            own = {key.lower() for key in stream.metadata}
            # Elsewhere than in Ogg the title of a stream without an artist describes it: "Stereo", "English".
            if container.format.name == "ogg" or "artist" in own:
                tags = {**stream.metadata, **tags}
        lower = {key.lower(): mend_escaped(value) for key, value in tags.items()}
        return FoundTags(
            title=_first(lambda key: [lower[key]], _LIBAV_KEYS.title),
            artist=_first(lambda key: [lower[key]], _LIBAV_KEYS.artist),
            album=_first(lambda key: [lower[key]], _LIBAV_KEYS.album),
            cover=_or_none(lambda: _attached_picture(container)),
        )


def _by_ape(path: Path) -> FoundTags:
    """APEv2 at the end of a file of any kind: foobar2000 and gain tools write it behind MP3s."""
    parse: Callable[[Path], Any] = APEv2
    return _found(parse(path), ())


def _by_appended_id3(path: Path) -> FoundTags:
    """ID3v2.4 at the end of a file, which has a footer to be found by (ID3v2.4 structure, 3.4 and 5)."""
    with path.open("rb") as file:
        tag = _appended_id3(file)
    parse: Callable[[BinaryIO], Any] = ID3
    return _found(parse(io.BytesIO(tag)), ()) if tag is not None else FoundTags()


TAG_READERS: tuple[Callable[[Path], FoundTags], ...] = (
    _by_mutagen,
    _by_matroska,
    _by_libav,
    _by_ape,
    _by_appended_id3,
)
"""In this order, each for what those before it did not find; any of them raises whatever it likes."""


def _found(tags: Any, pictures: Sequence[Any]) -> FoundTags:
    keys, values = _of_kind(tags)
    return FoundTags(
        title=_first(values, keys.title),
        artist=_first(values, keys.artist),
        album=_first(values, keys.album),
        cover=_or_none(lambda: _cover(tags, pictures)),
    )


def _of_kind(tags: Any) -> tuple[_Keys, Callable[[str], Sequence[Any]]]:
    """Return the keys of mutagen's kind of tags, and what returns the values of one."""
    if isinstance(tags, ID3):
        return _ID3_KEYS, lambda key: _id3_texts(tags[key])
    if isinstance(tags, MP4Tags):
        return _MP4_KEYS, tags.__getitem__
    if isinstance(tags, ASFTags):
        return _ASF_KEYS, tags.__getitem__
    return _NAMED_KEYS, tags.__getitem__


def _id3_texts(frame: Any) -> list[str]:
    texts = [str(text) for text in frame.text]
    return [mend_latin_1(text) for text in texts] if frame.encoding == Encoding.LATIN1 else texts


def _first(values: Callable[[str], Sequence[Any]], keys: Sequence[str]) -> str:
    """Return the text of the first key that has one."""
    for key in keys:
        text = _or_none(lambda key=key: _joined(values(key)))  # type: ignore[misc]
        if text:
            return text
    return ""


def _joined(values: Sequence[Any]) -> str:
    # Each once: some writers name an artist twice.
    return ", ".join(dict.fromkeys(text for value in values if (text := str(value).strip())))


def _or_none(read: Callable[[], _Value]) -> _Value | None:
    """Return what `read` returns, None where it fails: one bad field does not cost the others."""
    # The parsers meet arbitrary bytes and raise whatever those lead to, not only their own errors.
    try:
        return read()
    except Exception:
        return None


def _cover(tags: Any, pictures: Sequence[Any]) -> bytes | None:
    kind: Any = type(tags)
    if issubclass(kind, ID3):
        return _front(tags.getall("APIC"))
    if issubclass(kind, MP4Tags):
        return bytes(next(iter(tags.get("covr", ())))) or None
    if issubclass(kind, (APEv2, ASFTags)):
        return None
    front = _front([*pictures, *_picture_blocks(tags)])
    if front is None and "coverart" in tags:
        # How Ogg had it before there were picture blocks.
        return base64.b64decode(tags["coverart"][0])
    return front


def _picture_blocks(tags: Mapping[str, Sequence[str]]) -> list[Any]:
    parse: Callable[[bytes], Any] = Picture
    blocks = [
        _or_none(lambda block=block: parse(base64.b64decode(block)))  # type: ignore[misc]
        for block in tags.get("metadata_block_picture", [])
    ]
    return [block for block in blocks if block is not None]


def _front(pictures: Sequence[Any]) -> bytes | None:
    there = [picture for picture in pictures if picture.data and picture.mime != _LINK]
    if not there:
        return None
    return bytes(min(there, key=lambda picture: picture.type != _FRONT_COVER).data)


def _attached_picture(container: av.container.InputContainer) -> bytes | None:
    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic:
            # FFmpeg hands attached pictures out before anything else.
            return bytes(next(container.demux(stream))) or None
    return None


_ID3_HEADER_BYTES = 10
_ID3V1_BYTES = 128


def _appended_id3(file: BinaryIO) -> bytes | None:
    """Return an ID3v2 tag that ends a file, or ends before its ID3v1 tag; None when there is none."""
    size = file.seek(0, io.SEEK_END)
    for behind in (0, _ID3V1_BYTES):
        at = size - behind - _ID3_HEADER_BYTES
        if at < 0:
            return None
        file.seek(at)
        footer = file.read(_ID3_HEADER_BYTES)
        if footer[:3] != b"3DI":
            continue
        body = sum((part & 0x7F) << shift for part, shift in zip(footer[6:], (21, 14, 7, 0), strict=True))
        start = at - body - _ID3_HEADER_BYTES
        if start >= 0:
            file.seek(start)
            return file.read(_ID3_HEADER_BYTES + body)
    return None
