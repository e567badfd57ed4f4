"""A cue sheet says where the tracks of an album begin that is one file, and what they are called."""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import mutagen
import numpy as np

from model.base.arrays import IntArray
from stream.pool.songs import Track
from tools.songs.letters import decode_text

MAX_SHEET_BYTES = 1 << 20
"""A longer one is none."""

_FRAMES_PER_S = 75
_LINE = re.compile(r'\s*(?P<word>[A-Za-z]+)\s+(?:"(?P<quoted>[^"]*)"?|(?P<plain>\S+))\s*(?P<rest>\S*)')
_TIME = re.compile(r"(\d{1,5}):(\d{1,2}):(\d{1,2})$")


@dataclass(frozen=True, kw_only=True)
class CueTrack:
    """One track of a file."""

    file: str
    """As it stands there: often what the file was called before it was encoded."""
    start_s: float
    title: str
    artist: str
    """Of the track, else of the album."""


def parse_cue(text: str) -> list[CueTrack]:
    """Return the tracks of a cue sheet that begin somewhere; what is not understood is left out."""
    tracks: list[CueTrack] = []
    file = album_artist = title = artist = ""
    in_track = False
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        word, value = match["word"].upper(), match["plain"] or match["quoted"] or ""
        if word == "FILE":
            # The track before may have only its gap in the file before.
            file = value
        elif word == "TRACK":
            in_track, title, artist = True, "", ""
        elif word == "TITLE" and in_track:
            title = value.strip()
        elif word == "PERFORMER":
            artist, album_artist = (value, album_artist) if in_track else (artist, value)
        elif word == "INDEX" and value == "01" and (time := _TIME.match(match["rest"])):
            minutes, seconds, frames = map(int, time.groups())
            tracks.append(
                CueTrack(
                    file=file,
                    start_s=60 * minutes + seconds + frames / _FRAMES_PER_S,
                    title=title,
                    artist=(artist or album_artist).strip(),
                )
            )
    return tracks


def tracks_of(path: Path, sample_rate_hz: int) -> tuple[Track, ...]:
    """Return the tracks of an audio file in order, in its samples, from the cue sheet in it or beside it.

    None where no sheet knows of more than one: then the file is a song as it is.
    """
    for text, embedded in _sheets(path):
        tracks = [track for track in parse_cue(text) if embedded or Path(track.file).stem == path.stem]
        tracks.sort(key=lambda track: track.start_s)
        starts = [round(track.start_s * sample_rate_hz) for track in tracks]
        if len(set(starts)) > 1:
            return tuple(
                Track(start_sample=start, title=track.title or f"Track {number}", artist=track.artist)
                for number, (start, track) in enumerate(zip(starts, tracks, strict=True), 1)
            )
    return ()


def cut_at_tracks(bounds: IntArray, tracks: tuple[Track, ...], least: int) -> IntArray:
    """Return the bounds of chunks so that none reaches over the beginning of a track.

    Cuts closer to one than `least` samples give way to it.
    """
    if not len(bounds):
        return bounds
    first, last = int(bounds[0]), int(bounds[-1])
    starts = [track.start_sample for track in tracks if first + least <= track.start_sample <= last - least]
    inner = bounds[1:-1]
    for start in starts:
        inner = inner[np.abs(inner - start) >= least]
    return np.unique(np.concatenate([[first], inner, starts, [last]])).astype(np.int64)


def sheet_beside(path: Path) -> bool:
    """Whether a cue sheet stands beside a file."""
    return any(place.is_file() for place in _places(path))


def _places(path: Path) -> tuple[Path, ...]:
    return path.with_suffix(".cue"), path.with_suffix(".CUE"), path.with_name(f"{path.name}.cue")


def _sheets(path: Path) -> list[tuple[str, bool]]:
    """Return the texts of the sheets that may be about a file, and whether each is in the file itself."""
    found = []
    # Tags of any kind and damage: whatever mutagen makes of it.
    with suppress(Exception):
        tags = mutagen.File(path).tags
        found += [(str(text), True) for text in tags.get("cuesheet", ())]
    for beside in _places(path):
        with suppress(OSError):
            if beside.stat().st_size <= MAX_SHEET_BYTES:
                found.append((decode_text(beside.read_bytes()), False))
    return found
