"""The timeline of a song says when its beats fall, where somebody sings, and how full its bands sound."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from model.base.arrays import DoubleArray, FloatArray
from model.base.errors import PoolError
from stream.pool.database import reading_database
from stream.pool.pool import Pool

VOICE_STEP_S = 0.1
"""Somebody sings or not in each such step of a song."""
BANDS_STEP_S = 0.5
"""Levels of the bands are those of such steps."""
BAND_EDGES_HZ = (200.0, 2_500.0)
"""Lows are below the first, highs above the second, mids between."""
_HEARD_DB = np.array([-4.0, 0.0, 3.0])
"""About how K-weighting weighs lows, mids and highs (BS.1770)."""
QUIETEST_DB = -100.0
_LEVEL_STEP_DB = 0.5
_HEADER = struct.Struct("<4s3I")
_MAGIC = b"ETL1"
MOST_BEATS_PER_BAR = 16
USUAL_QUANTILE = 0.75

Whole = npt.NDArray[np.int8]


@dataclass(frozen=True, kw_only=True, eq=False)
class SongTimeline:
    """What is known of a song over time; seconds count from its first sample.

    What is not known is empty: no beats, no voice.
    """

    beats_s: DoubleArray
    """`(B,)` rising: when each beat falls."""
    beat_positions: Whole
    """`(B,)` place of each beat in its bar, 0 for a downbeat; -1 where bars are not known."""
    beats_per_bar: Whole
    """`(B,)` beats of the bar that each beat belongs to; 0 where bars are not known."""
    beat_confidence: FloatArray
    """`(B,)` 0 to 1: how clearly a beat is heard there."""
    voice: FloatArray
    """`(V,)` 0 to 1: how likely somebody sings in each `VOICE_STEP_S`."""
    bands_db: FloatArray
    """`(L, 3)` mean square of lows, mids and highs in each `BANDS_STEP_S`, both channels summed, in dBFS."""

    @cached_property
    def power(self) -> DoubleArray:
        """`(L,)` mean square of all bands together in each `BANDS_STEP_S`."""
        total: DoubleArray = np.power(10.0, self.bands_db.astype(np.float64) / 10.0).sum(axis=1)
        return total

    @cached_property
    def heard_power(self) -> DoubleArray:
        """`(L,)` the same, each band weighed about as it is heard."""
        heard_db = self.bands_db.astype(np.float64) + _HEARD_DB
        total: DoubleArray = np.power(10.0, heard_db / 10.0).sum(axis=1)
        return total

    @cached_property
    def usual_power(self) -> float:
        """As loud as the song mostly is: a quarter of it is louder."""
        return max(float(np.quantile(self.power, USUAL_QUANTILE)), 1e-10) if len(self.power) else 1e-10

    def encoded(self) -> bytes:
        """Return it as bytes: beats to the last bit, the rest in steps of 1/255 and 0.5 dB."""
        levels = np.rint((np.asarray(self.bands_db) - QUIETEST_DB) / _LEVEL_STEP_DB)
        return b"".join(
            [
                _HEADER.pack(_MAGIC, len(self.beats_s), len(self.voice), len(self.bands_db)),
                self.beats_s.astype("<f8").tobytes(),
                self.beat_positions.astype(np.int8).tobytes(),
                self.beats_per_bar.astype(np.int8).tobytes(),
                _bytes_of_shares(self.beat_confidence),
                _bytes_of_shares(self.voice),
                np.clip(levels, 0, 255).astype(np.uint8).tobytes(),
            ]
        )

    @classmethod
    def decoded(cls, data: bytes) -> "SongTimeline":
        """Read what `encoded` gave; `ValueError` when it is something else."""
        if len(data) < _HEADER.size:
            raise ValueError("it is too short")
        magic, beats, voice, levels = _HEADER.unpack_from(data)
        if magic != _MAGIC or len(data) != _HEADER.size + 11 * beats + voice + 3 * levels:
            raise ValueError("it is no timeline")
        times_s = np.frombuffer(data, "<f8", beats, _HEADER.size).astype(np.float64)
        rest = np.frombuffer(data, np.uint8, offset=_HEADER.size + 8 * beats)
        positions, metres = rest[:beats].view(np.int8), rest[beats : 2 * beats].view(np.int8)
        plausible = np.isfinite(times_s).all() and (np.diff(times_s) > 0).all()
        plausible = plausible and ((metres >= 0) & (metres <= MOST_BEATS_PER_BAR)).all()
        if not plausible or not ((positions >= -1) & (positions < np.maximum(metres, 0))).all():
            raise ValueError("its beats cannot be")
        shares = rest[2 * beats : 3 * beats + voice].astype(np.float32) / np.float32(255)
        bands = rest[3 * beats + voice :].astype(np.float32) * np.float32(_LEVEL_STEP_DB)
        return cls(
            beats_s=times_s,
            beat_positions=positions.copy(),
            beats_per_bar=metres.copy(),
            beat_confidence=shares[:beats],
            voice=shares[beats:],
            bands_db=bands.reshape(-1, 3) + np.float32(QUIETEST_DB),
        )


def _bytes_of_shares(shares: FloatArray) -> bytes:
    return np.rint(np.clip(shares, 0.0, 1.0) * 255).astype(np.uint8).tobytes()


def read_timeline(pool: Pool, song: int) -> SongTimeline | None:
    """Return the timeline of a song by its index; None where an earlier endlos analysed it. Any thread.

    It reads the database: whoever asks often keeps what it got. `PoolError` when that is damaged.
    """
    return decoded_timeline(pool, song, stored_timelines(pool, [song])[0])


def stored_timelines(pool: Pool, songs: Sequence[int]) -> list[object]:
    """Return what the database holds as the timelines of songs, in order, read at once; `PoolError`."""
    ids = pool.songs.numbers("song_id")[np.array(songs, dtype=np.int64)].tolist()
    marks = ", ".join("?" * len(ids))
    with reading_database(pool.folder) as connection:
        found = dict(
            connection.execute(f"SELECT song_id, timeline FROM songs WHERE song_id IN ({marks})", ids)
        )
    return [found.get(song_id) for song_id in ids]


def decoded_timeline(pool: Pool, song: int, stored: Any) -> SongTimeline | None:
    """Return the timeline of a song that is `stored` so; None where none is. `PoolError` (damaged)."""
    if stored is None:
        return None
    try:
        return SongTimeline.decoded(bytes(stored))
    except (TypeError, ValueError) as error:
        raise PoolError(
            f"the timeline of {pool.songs[song].name} in {pool.folder} is damaged ({error}); "
            "run `endlos pool check`, then `endlos pool build`"
        ) from error
