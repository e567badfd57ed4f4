"""A chunk is named by its song and its number in it, or by a time at which it plays."""

import math
import re

import numpy as np

from model.base.errors import EndlosError
from stream.pool.pool import Pool
from stream.pool.song_names import song_called, unknown_song

_TIME = re.compile(r"(?:(?:(\d{1,5}):)?(\d{1,5}):)?(\d{1,9}(?:\.\d{0,9})?)")
_FORMS = "SONG, SONG#NUMBER (from 1) or SONG@TIME (seconds, or 2:03)"


def chunk_name(pool: Pool, row: int) -> str:
    """Return the name of a chunk, `SONG#NUMBER`, for `named_row`."""
    song = int(pool.chunk_song[row])
    return f"{pool.songs[song].name}#{row - pool.song_rows(song).start + 1}"


def named_row(pool: Pool, name: str) -> int:
    """Return the row of a chunk that is called `SONG`, `SONG#NUMBER` or `SONG@TIME`.

    SONG: as `song_called` has it; alone, its first chunk. NUMBER: from 1. TIME: seconds into the song, or
    `[H:]M:S`. `EndlosError`, with what is near, when there is none such.
    """
    # A song's own name may have these signs in it.
    whole = song_called(pool, name)
    if whole is not None:
        return int(pool.song_rows(whole).start)
    for sign, find in (("#", _by_number), ("@", _by_time)):
        before, found, place = name.rpartition(sign)
        song = song_called(pool, before) if found else None
        if song is not None:
            return find(pool, song, place)
    asked = re.sub(r"[#@][\d:.]*$", "", name)
    raise EndlosError(
        f"{unknown_song(pool, asked)}; give {_FORMS}, with a song as `endlos pool info` names it"
    )


def _by_number(pool: Pool, song: int, place: str) -> int:
    rows = pool.song_rows(song)
    count = rows.stop - rows.start
    number = int(place) if place.isdecimal() and len(place) < 10 else 0
    if not 1 <= number <= count:
        raise EndlosError(f"{pool.songs[song].name} has no chunk #{place}; its chunks are #1 to #{count}")
    return int(rows.start) + number - 1


def _by_time(pool: Pool, song: int, place: str) -> int:
    rows = pool.song_rows(song)
    starts_s, ends_s = pool.start_s()[rows], pool.end_s()[rows]
    at_s = _seconds(place)
    inside = np.flatnonzero((starts_s <= at_s) & (at_s < ends_s))
    if not len(inside):
        raise EndlosError(
            f"{pool.songs[song].name} has no chunk at {place}; its chunks play from "
            f"{starts_s[0]:.2f} to {ends_s[-1]:.2f} s"
        )
    return int(rows.start) + int(inside[0])


def _seconds(text: str) -> float:
    """Return the seconds of a time, NaN of what is none."""
    found = _TIME.fullmatch(text)
    if found is None:
        return math.nan
    hours, minutes, seconds = found.groups()
    return 3600.0 * int(hours or 0) + 60.0 * int(minutes or 0) + float(seconds)
