"""Labels are all that a file says of its song, value by value, to choose songs by."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import mutagen
from mutagen.asf import ASFTags

from tools.songs.letters import mend_escaped

Labels = Mapping[str, tuple[str, ...]]
"""Values by the name of a tag in small letters."""

_LENGTH = 300
"""What is longer is a lyric or a picture, and nothing to choose by."""
_OTHER_NAMES = {
    "album artist": "albumartist",
    "album_artist": "albumartist",
    "author": "artist",
    "wm/albumartist": "albumartist",
    "wm/albumtitle": "album",
    "wm/genre": "genre",
    "wm/year": "date",
    "genres": "genre",
    "icrd": "date",
    "ignr": "genre",
}
_YEAR = re.compile(r"\b(\d{4})\b")


def read_labels(path: Path) -> dict[str, tuple[str, ...]]:
    """Return all labels of a file; none where nobody can read it, which is no reason to fail."""
    found: dict[str, tuple[str, ...]] = {}
    for read in (_by_mutagen, _by_libav):
        # The parsers meet arbitrary bytes and raise whatever those lead to, not only their own errors.
        with suppress(Exception):
            found = read(path)
        if found:
            break
    return found


def named_labels(values: Iterable[tuple[str, Iterable[object]]]) -> dict[str, tuple[str, ...]]:
    """Return labels under the names that are common to all kinds of files, and a year of each date."""
    found: dict[str, tuple[str, ...]] = {}
    for name, several in values:
        key = name.strip().lower()
        texts = (str(value).strip() for value in several)
        kept = tuple(dict.fromkeys(text for text in texts if text and len(text) <= _LENGTH))
        if kept:
            key = _OTHER_NAMES.get(key, key)
            found[key] = tuple(dict.fromkeys((*found.get(key, ()), *kept)))
    if "year" not in found:
        years = [year[1] for date in found.get("date", ()) if (year := _YEAR.search(date))]
        if years:
            found["year"] = tuple(years)
    return found


def _by_mutagen(path: Path) -> dict[str, tuple[str, ...]]:
    file: Any = mutagen.File(path, easy=True)
    if file is None or file.tags is None:
        return {}
    if isinstance(file.tags, ASFTags):
        return named_labels((name, file.tags[name]) for name in file.tags)
    # Of WAV and AIFF mutagen has no easy names.
    if hasattr(file.tags, "getall"):
        return _of_frames(file.tags)
    return named_labels((name, _several(file.tags[name])) for name in file.tags.keys())  # noqa: SIM118


_FRAMES = {
    "TIT2": "title",
    "TPE1": "artist",
    "TPE2": "albumartist",
    "TALB": "album",
    "TCON": "genre",
    "TDRC": "date",
    "TYER": "year",
    "TBPM": "bpm",
    "TCOM": "composer",
    "TMOO": "mood",
    "TLAN": "language",
}


def _of_frames(tags: Any) -> dict[str, tuple[str, ...]]:
    return named_labels(
        (name, frame.genres if key == "TCON" else frame.text)
        for key, name in _FRAMES.items()
        for frame in tags.getall(key)
    )


def _several(value: Any) -> Iterable[object]:
    return value if isinstance(value, list | tuple) else [value]


def _by_libav(path: Path) -> dict[str, tuple[str, ...]]:
    # Only this file: a playlist in disguise must not make FFmpeg open other addresses.
    with av.open(
        str(path.absolute()), "r", metadata_errors="surrogateescape", options={"protocol_whitelist": "file"}
    ) as container:
        tags = dict(container.metadata)
        for stream in container.streams.audio[:1]:
            tags = {**stream.metadata, **tags}
    return named_labels((name, [mend_escaped(value)]) for name, value in tags.items())
