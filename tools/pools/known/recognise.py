"""A song is recognised by its coded audio, so that other tags or another place cost no analysis."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model.base.errors import PoolError
from stream.audio.samples import SongSamples
from stream.pool.columns import Rows
from stream.pool.database import reading_database
from stream.pool.pool import fingerprint
from tools.pools.columns.kept import KeptColumns, read_rows, rows_file
from tools.pools.scan import FoundFile
from tools.songs.outline import Outline
from tools.songs.song import AnalysisSettings, FileState
from tools.songs.tags import Tags, read_tags

if TYPE_CHECKING:
    from tools.songs.analyse import HeardSong

TOLERANCE = 1e-3
"""Versions of a decoder differ in the last bits."""
_COMPARED = ("start_sample", "end_sample", "fingerprints")
_Kept = Mapping[str, npt.NDArray[Any]] | Rows


@dataclass(frozen=True, kw_only=True)
class Recognised:
    """A file with the audio of a song that was analysed before."""

    file: FileState
    audio_hash: str
    """What its song is known by."""
    known_as: str
    """What its analysis stands under: an earlier endlos named it by the bytes of the file."""
    outline: Outline
    tags: Tags
    left_out: tuple[str, ...]
    """What of the file is not in the song, in words."""


def recognise(
    song: "HeardSong", found: FoundFile, settings: AnalysisSettings, pool_folder: Path
) -> Recognised | None:
    """Return whose analysis, with these settings, holds for a song; None when it has to be analysed.

    The analysis has to be of the same samples: what was kept of each chunk is compared. An earlier endlos
    knew the bytes of files alone; what got other tags since then is looked for by its place.
    """
    earlier = _earlier_names(pool_folder, found)
    for name in dict.fromkeys((song.audio_hash, song.file.file_hash, *earlier)):
        lengths = _lengths(pool_folder, name, settings.key)
        if (len(song.audio), song.sample_rate_hz) in lengths and _holds(
            _kept(pool_folder, name, settings), song.audio
        ):
            return Recognised(
                file=song.file,
                audio_hash=song.audio_hash,
                known_as=name,
                outline=song.outline,
                tags=read_tags(song.path),
                left_out=song.left_out,
            )
    return None


def told_apart(song: "HeardSong", pool_folder: Path) -> "HeardSong":
    """Return a song under a name that no song of another length has: where need be, that of its file.

    The same coded audio is decoded to another length when what says how much to leave out is lost.
    """
    lengths = _lengths(pool_folder, song.audio_hash)
    if not lengths or (len(song.audio), song.sample_rate_hz) in lengths:
        return song
    return replace(song, audio_hash=song.file.file_hash)


def _lengths(pool_folder: Path, audio_hash: str, key: str | None = None) -> set[tuple[int, int]]:
    with reading_database(pool_folder) as database:
        rows = database.execute(
            """SELECT DISTINCT frames, sample_rate_hz FROM songs
               WHERE audio_hash = ? AND analysis_key = COALESCE(?, analysis_key) AND NOT doubted""",
            (audio_hash, key),
        )
        return {(frames, rate_hz) for frames, rate_hz in rows}


def _earlier_names(pool_folder: Path, found: FoundFile) -> list[str]:
    with reading_database(pool_folder) as database:
        rows = database.execute(
            "SELECT audio_hash FROM songs WHERE file_hash = '' AND path = ? AND root = ?",
            (found.name, str(found.root)),
        )
        return [name for (name,) in rows]


def _kept(pool_folder: Path, audio_hash: str, settings: AnalysisSettings) -> _Kept | None:
    """Return what is kept of the chunks of a song, None when it is not there or damaged."""
    with reading_database(pool_folder) as database:
        kept = KeptColumns.of(database, pool_folder, settings.key, audio_hash)
    place = kept.places.get(audio_hash)
    if place is None or kept.stored is None:
        return read_rows(rows_file(pool_folder, audio_hash, settings.key), settings.edge_samples)
    with suppress(PoolError):
        return kept.stored.span(place.first_row, place.chunks, _COMPARED)
    return None


def _holds(rows: _Kept | None, audio: SongSamples) -> bool:
    if rows is None:
        return False
    prints, spans = rows["fingerprints"], np.stack([rows["start_sample"], rows["end_sample"]], axis=1)
    return len(spans) > 0 and all(
        stop <= len(audio) and np.allclose(fingerprint(audio[start:stop]), kept, rtol=0, atol=TOLERANCE)
        for (start, stop), kept in zip(spans.tolist(), prints, strict=True)
    )
