"""Door facts are what decides of a chunk how well a song is left at its end, and entered at its start."""

from typing import NamedTuple

import numpy as np

from model.base.arrays import DoubleArray, FloatArray, IntArray
from stream.pool.comparable import fifths, heard_levels_lu, tempo_octaves
from stream.pool.pool import Pool


class DoorFact(NamedTuple):
    """The facts of one side: of each its column in `DoorFacts`."""

    song: int
    """Index of the song."""
    tempo: int
    """Octaves above one beat a minute; nan where there is no beat."""
    beat: int
    """0 to 1: how clearly it is heard."""
    metre: int
    """Beats of a bar; 0 where that is unknown."""
    bar: int
    """0 to 1: how clearly bars are heard."""
    fifth: int
    """Place of the key on the circle of fifths; nan where that is unknown."""
    key: int
    """0 to 1: how clear the key is."""
    level: int
    """LU against the song; nan where nothing is heard."""
    full: int
    """0 to 1: how full the song is from there on, 1 as it mostly is."""
    voice: int
    """0 to 1: how much somebody sings from there on; 0 where that is unknown."""
    bars: int
    """Bars in a row of sure and steady beats from there on; many where that is unknown."""
    left_s: int
    """How much of the song there is from there on."""
    room: int
    """0 to 1: how much of a stay in the song there is room for from there on (`room`)."""


FACT = DoorFact(*range(len(DoorFact._fields)))
STAY_S, STAY_SHARE = 60.0, 0.6
"""Who enters a song stays for so long, or for such a share of it where that is less."""
FULL_DB = 8.0
"""A song that is so far below its usual level is thinned out."""


def fullness(full_db: FloatArray) -> FloatArray:
    """Return how full music is, `(n,)` float32 0 to 1, by its level against that of its song, `(n,)`, in dB.

    What is unknown is taken to be as the song mostly is.
    """
    full: FloatArray = np.clip(
        np.float32(1.0) + np.nan_to_num(full_db, nan=0.0) / np.float32(FULL_DB), 0.0, 1.0
    )
    return full


class DoorFacts:
    """The facts of the chunks of one pool; any thread may ask."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._frames, self._rates_hz, self._lufs = (
            pool.songs.numbers(name).astype(np.float64)
            for name in ("frames", "sample_rate_hz", "loudness_lufs")
        )

    def exits(self, rows: IntArray) -> FloatArray:
        """Return `(n, len(FACT))` float32 of the ends of chunks `rows` `(n,)`."""
        pool, traits = self._pool, self._pool.traits
        return self._facts(
            rows,
            level=traits.of("end_lufs", rows),
            full_db=traits.of("end_full_db", rows),
            voice=traits.of("end_voice", rows),
            bars=traits.of("end_bars", rows),
            at_sample=pool.end_sample[rows],
        )

    def entries(self, rows: IntArray) -> FloatArray:
        """Return `(n, len(FACT))` float32 of the starts of chunks `rows` `(n,)`."""
        pool, traits = self._pool, self._pool.traits
        return self._facts(
            rows,
            level=traits.of("start_lufs", rows),
            full_db=traits.of("start_full_db", rows),
            voice=traits.of("start_voice", rows),
            bars=traits.of("start_bars", rows),
            at_sample=pool.start_sample[rows],
        )

    def _facts(
        self,
        rows: IntArray,
        *,
        level: FloatArray,
        full_db: FloatArray,
        voice: FloatArray,
        bars: FloatArray,
        at_sample: IntArray,
    ) -> FloatArray:
        traits, song = self._pool.traits, self._pool.chunk_song[rows]
        facts = np.empty((len(rows), len(FACT)), dtype=np.float32)
        facts[:, FACT.song] = song
        facts[:, FACT.tempo] = tempo_octaves(traits.tempo_bpm[rows])
        facts[:, FACT.beat] = traits.beat_confidence[rows]
        facts[:, FACT.metre] = traits.beats_per_bar[rows]
        facts[:, FACT.bar] = traits.bar_confidence[rows]
        facts[:, FACT.fifth] = fifths(traits.key[rows])
        facts[:, FACT.key] = traits.key_confidence[rows]
        facts[:, FACT.level] = heard_levels_lu(level, self._lufs[song])
        facts[:, FACT.full] = fullness(full_db)
        facts[:, FACT.voice] = np.nan_to_num(voice, nan=0.0)
        facts[:, FACT.bars] = np.nan_to_num(bars, nan=np.inf)
        facts[:, FACT.left_s] = left_s = (self._frames[song] - at_sample) / self._rates_hz[song]
        facts[:, FACT.room] = room(left_s, self._frames[song] / self._rates_hz[song])
        return facts


def room(left_s: DoubleArray | np.float64, length_s: DoubleArray | np.float64) -> DoubleArray:
    """Return how much of a stay there is room for, 0 to 1, where `left_s` of a song are left."""
    # Of one alone np.clip takes three times as long.
    return np.minimum(1.0, np.maximum(0.0, left_s / np.minimum(STAY_S, STAY_SHARE * length_s)))
