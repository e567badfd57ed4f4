"""Damage of columns is told by song, so that a build analyses anew what is lost and nothing else."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from model.base.errors import PoolError
from stream.pool.columns import StoredColumns, column_file, columns
from stream.pool.pool import untiled
from stream.pool.traits import TRAIT_COLUMNS, ChunkTraits
from tools.pools.columns.kept import SongPlace

_LOOKED_AT = ("start_sample", "end_sample", *TRAIT_COLUMNS)


@dataclass(frozen=True, kw_only=True)
class SongLength:
    """How long a song is that stands in the columns."""

    audio_hash: str
    frames: int
    sample_rate_hz: int


def lost_songs(
    stored: StoredColumns, places: Mapping[str, SongPlace], songs: Sequence[SongLength]
) -> set[str]:
    """Return the audio hashes of songs whose chunks cannot be read, or hold what they cannot.

    What opening a pool looks at is looked at.
    """
    readable = _whole_rows(stored)
    there = [
        song
        for song in songs
        if places[song.audio_hash].first_row >= 0
        and places[song.audio_hash].first_row + places[song.audio_hash].chunks <= readable
    ]
    lost = {song.audio_hash for song in songs} - {song.audio_hash for song in there}
    if not there:
        return lost
    firsts, counts = np.array(
        [[places[song.audio_hash].first_row, places[song.audio_hash].chunks] for song in there]
    ).T
    of_song = np.repeat(np.arange(len(there)), counts)
    try:
        whole = replace(stored, chunks=readable)
        values = whole.read(whole.rows_of(firsts, counts), _LOOKED_AT)
    except PoolError:
        return {song.audio_hash for song in songs}
    wrong = untiled(
        np.array([song.frames for song in there])[of_song],
        np.array([song.sample_rate_hz for song in there])[of_song],
        of_song,
        values["start_sample"],
        values["end_sample"],
    )
    for outside in ChunkTraits(**{name: values[name] for name in TRAIT_COLUMNS}).outside().values():
        wrong |= outside
    return lost | {there[song].audio_hash for song in np.unique(of_song[wrong]).tolist()}


def _whole_rows(stored: StoredColumns) -> int:
    """Return how many rows are there of every column."""
    rows = stored.chunks
    for name, column in columns(stored.edge_samples).items():
        size_bytes = 0
        with suppress(OSError):
            size_bytes = column_file(stored.folder, name).stat().st_size
        rows = min(rows, size_bytes // column.row_bytes)
    return rows
