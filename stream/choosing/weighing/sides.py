"""The sides of a chunk are what its end and its start are weighed by, in numbers."""

from typing import NamedTuple

import numpy as np

from model.base.arrays import FloatArray, IntArray
from stream.pool.comparable import fifths, heard_levels_lu, tempo_octaves
from stream.pool.pool import Pool
from stream.pool.traits import PITCH_CLASSES


class SideColumn(NamedTuple):
    """Of each value of a side its column; nan where it is unknown."""

    tempo: int
    """Octaves above one beat a minute."""
    beat: int
    """0 to 1: how clearly it is heard."""
    bar_beats: int
    """0 where it is unknown."""
    bar: int
    """0 to 1: how clearly bars are heard."""
    place: int
    """In the bar, in beats."""
    level: int
    """LU against the song, next to the cut."""
    whole: int
    """LU against the song, of the whole chunk."""
    fifth: int
    """Place of the key on the circle of fifths."""
    key: int
    """0 to 1: how clear the key is."""
    voice: int
    """0 to 1: how much somebody sings across the cut."""
    chroma: int
    """The first of `PITCH_CLASSES`, a vector of length 1 or 0."""


SIDE = SideColumn(*range(len(SideColumn._fields)))
SIDE_WIDTH = SIDE.chroma + PITCH_CLASSES


class ChunkSides:
    """The sides of the chunks of one pool; any thread may ask."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._song_lufs = pool.songs.numbers("loudness_lufs").astype(np.float32)

    def ends(self, rows: IntArray) -> FloatArray:
        """Return `(n, SIDE_WIDTH)` float32 of the ends of chunks `rows` `(n,)`."""
        traits = self._pool.traits
        return self._sides(
            rows,
            place=traits.of("end_bar_beat", rows),
            lufs=traits.of("end_lufs", rows),
            chroma=traits.of("end_chroma", rows),
            voice=traits.of("voice_across", rows),
        )

    def starts(self, rows: IntArray) -> FloatArray:
        """Return `(n, SIDE_WIDTH)` float32 of the starts of chunks `rows` `(n,)`."""
        pool, traits = self._pool, self._pool.traits
        previous = np.maximum(rows - 1, 0)
        follows = (rows > 0) & (pool.chunk_song[previous] == pool.chunk_song[rows])
        return self._sides(
            rows,
            place=traits.of("start_bar_beat", rows),
            lufs=traits.of("start_lufs", rows),
            chroma=traits.of("start_chroma", rows),
            voice=np.where(follows, traits.of("voice_across", previous), 0.0),
        )

    def _sides(
        self, rows: IntArray, *, place: FloatArray, lufs: FloatArray, chroma: FloatArray, voice: FloatArray
    ) -> FloatArray:
        pool, traits = self._pool, self._pool.traits
        song_lufs = self._song_lufs[pool.chunk_song[rows]]
        sides = np.empty((len(rows), SIDE_WIDTH), dtype=np.float32)
        sides[:, SIDE.tempo] = tempo_octaves(traits.of("tempo_bpm", rows))
        sides[:, SIDE.beat] = traits.of("beat_confidence", rows)
        sides[:, SIDE.bar_beats] = traits.of("beats_per_bar", rows)
        sides[:, SIDE.bar] = traits.of("bar_confidence", rows)
        sides[:, SIDE.place] = place
        sides[:, SIDE.level] = heard_levels_lu(lufs, song_lufs)
        sides[:, SIDE.whole] = pool.loudness_db[rows] - song_lufs
        sides[:, SIDE.fifth] = fifths(traits.of("key", rows))
        sides[:, SIDE.key] = traits.of("key_confidence", rows)
        sides[:, SIDE.voice] = voice
        sides[:, SIDE.chroma :] = chroma
        return sides
