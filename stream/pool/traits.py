"""The traits of a chunk are beats, bars, key, loudness and voice of the music at both its ends."""

import logging
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from model.base.arrays import BoolArray, FloatArray, IntArray
from model.base.errors import PoolError
from model.base.stored_rows import AnyRows

_log = logging.getLogger(__name__)

PITCH_CLASSES = 12

TRAIT_COLUMNS: dict[str, tuple[npt.DTypeLike, tuple[int, ...]]] = {
    "tempo_bpm": (np.float32, ()),
    "beat_confidence": (np.float32, ()),
    "beats_per_bar": (np.int64, ()),
    "bar_confidence": (np.float32, ()),
    "start_beat_s": (np.float32, ()),
    "end_beat_s": (np.float32, ()),
    "start_bar_beat": (np.float32, ()),
    "end_bar_beat": (np.float32, ()),
    "start_lufs": (np.float32, ()),
    "end_lufs": (np.float32, ()),
    "start_chroma": (np.float32, (PITCH_CLASSES,)),
    "end_chroma": (np.float32, (PITCH_CLASSES,)),
    "key": (np.int64, ()),
    "key_confidence": (np.float32, ()),
    "voice_across": (np.float32, ()),
    "start_onset_s": (np.float32, ()),
    "start_full_db": (np.float32, ()),
    "end_full_db": (np.float32, ()),
    "start_voice": (np.float32, ()),
    "end_voice": (np.float32, ()),
    "start_bars": (np.float32, ()),
    "end_bars": (np.float32, ()),
}
"""Type, and shape for each chunk, of every array of `ChunkTraits`."""


TRAIT_RANGES = {
    "tempo_bpm": (0, 400),
    "beat_confidence": (0, 1),
    "beats_per_bar": (0, 16),
    "bar_confidence": (0, 1),
    "start_beat_s": (0, 60),
    "end_beat_s": (0, 60),
    "start_bar_beat": (0, 16),
    "end_bar_beat": (0, 16),
    "start_lufs": (-70, 30),
    "end_lufs": (-70, 30),
    "start_chroma": (0, 1.001),
    "end_chroma": (0, 1.001),
    "key": (-1, 23),
    "key_confidence": (0, 1),
    "voice_across": (0, 1),
    "start_onset_s": (0, 60),
    "start_full_db": (-110, 30),
    "end_full_db": (-110, 30),
    "start_voice": (0, 1),
    "end_voice": (0, 1),
    "start_bars": (0, 64),
    "end_bars": (0, 64),
}
"""What every trait lies between, both ends included."""
BY_ROWS = (
    *("start_chroma", "end_chroma", "start_onset_s"),
    *("end_lufs", "end_full_db", "end_voice", "end_bars"),
)
"""Traits that are asked for by rows alone: those of a song's ends, but for what the sound itself needs, and
what is wide."""
_SMALL = ("beats_per_bar", "key")
_BLOCK_ROWS = 65_536
_MAY_BE_UNKNOWN = (
    *("start_beat_s", "end_beat_s", "start_bar_beat", "end_bar_beat", "start_onset_s"),
    *("start_full_db", "end_full_db", "start_voice", "end_voice", "start_bars", "end_bars"),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class ChunkTraits:
    """Traits of `N` chunks; every array is `(N,)`, the chroma `(N, 12)`. Types are in `TRAIT_COLUMNS`.

    Whole numbers may be of any size. Of many chunks, those `BY_ROWS` are `StoredRows`.
    """

    tempo_bpm: FloatArray
    """Tempo in beats per minute; 0 where there is no confident beat."""
    beat_confidence: FloatArray
    """0 to 1: how clearly a beat is heard."""
    beats_per_bar: IntArray
    """Beats of a bar; 0 where it is unknown."""
    bar_confidence: FloatArray
    """0 to 1: how clearly the bars stand out of the beats."""
    start_beat_s: FloatArray
    """Seconds from the chunk's start to the first beat at or after it; nan where it is unknown."""
    end_beat_s: FloatArray
    """Seconds from the last beat at or before the chunk's end to that end; nan where it is unknown."""
    start_bar_beat: FloatArray
    """Place in the bar of the chunk's start, in beats from the downbeat; nan where it is unknown."""
    end_bar_beat: FloatArray
    """Place in the bar of the chunk's end, in beats from the downbeat; nan where it is unknown."""
    start_lufs: FloatArray
    """K-weighted loudness of the first 400 ms (of all, if that is less), before the song's gain."""
    end_lufs: AnyRows
    """K-weighted loudness of the last 400 ms (of all, if that is less), before the song's gain."""
    start_chroma: AnyRows
    """`(N, 12)` from C, of length 1; zeros where nothing is tonal."""
    end_chroma: AnyRows
    """`(N, 12)` from C, of length 1; zeros where nothing is tonal."""
    key: IntArray
    """0 to 11 major from C, 12 to 23 minor from C; -1 where it is unknown."""
    key_confidence: FloatArray
    """0 to 1."""
    voice_across: FloatArray
    """0 to 1: how likely something sung sounds across the chunk's end."""
    start_onset_s: AnyRows
    """Seconds from the chunk's start to its first clear onset; nan where the first 2 s have none."""
    start_full_db: FloatArray
    """How loud the song is in the seconds from the chunk's start on, against how it mostly is
    (`stream.doors.fullness`); nan where it is unknown."""
    end_full_db: AnyRows
    """The same from the chunk's end on."""
    start_voice: FloatArray
    """0 to 1: how much somebody sings in these seconds from the chunk's start on; nan where it is unknown."""
    end_voice: AnyRows
    """The same from the chunk's end on."""
    start_bars: FloatArray
    """Bars in a row, of `BARS_AHEAD` at most, whose beats are sure and steady from the chunk's start on
    (`stream.doors.fullness`); nan where it is unknown."""
    end_bars: AnyRows
    """The same from the chunk's end on."""

    _lost: set[str] = field(default_factory=set, init=False)
    """Names of those that could not be read."""

    def __post_init__(self) -> None:
        for name, (dtype, shape) in TRAIT_COLUMNS.items():
            array = getattr(self, name)
            if (
                array.dtype.kind != np.dtype(dtype).kind
                or (array.dtype != dtype and name not in _SMALL)
                or array.shape != (len(self), *shape)
            ):
                expected = ", ".join(str(size) for size in (len(self), *shape))
                raise PoolError(
                    f"trait {name} is {array.dtype} {array.shape}, expected {np.dtype(dtype)} ({expected}); "
                    "build the pool anew"
                )

    def __len__(self) -> int:
        return len(self.tempo_bpm)

    def of(self, name: str, rows: IntArray) -> npt.NDArray[Any]:
        """Return one trait of some chunks, `(n, ...)`; unknown where it cannot be read, which is said once.

        rows: `(n,)` int64. Any thread.
        """
        try:
            found: npt.NDArray[Any] = getattr(self, name)[rows]
            return found
        except PoolError as error:
            if name not in self._lost:
                self._lost.add(name)
                _log.warning("%s; until then it is unknown", error)
            return _unknown(name, len(rows))

    def outside(self) -> dict[str, BoolArray]:
        """Return the names of the traits that hold what they cannot, and where, `(N,)` each."""
        found: dict[str, BoolArray] = {}
        for name, (least, most) in TRAIT_RANGES.items():
            for first in range(0, len(self), _BLOCK_ROWS):
                part = slice(first, first + _BLOCK_ROWS)
                values = getattr(self, name)[part]
                inside = (values >= least) & (values <= most)
                if name in _MAY_BE_UNKNOWN:
                    inside |= np.isnan(values)
                if not np.all(inside):
                    wrong = found.setdefault(name, np.zeros(len(self), dtype=np.bool_))
                    wrong[part] = np.logical_not(inside.reshape(len(values), -1).all(axis=1))
        return found

    def compact(self) -> "ChunkTraits":
        """Return the same with small whole numbers, once nothing is `outside`."""
        return replace(self, **{name: getattr(self, name).astype(np.int8) for name in _SMALL})

    @classmethod
    def unknown(cls, chunks: int) -> "ChunkTraits":
        """Return the traits of chunks of which nothing is known."""
        return cls(**{name: _unknown(name, chunks) for name in TRAIT_COLUMNS})

    def take(self, rows: IntArray) -> "ChunkTraits":
        """Return the traits of some chunks, in the order of `rows` `(n,)` int64."""
        return ChunkTraits(**{name: getattr(self, name)[rows] for name in TRAIT_COLUMNS})


def _unknown(name: str, chunks: int) -> npt.NDArray[Any]:
    dtype, shape = TRAIT_COLUMNS[name]
    return np.full((chunks, *shape), _UNKNOWN.get(name, 0), dtype=dtype)


_UNKNOWN: dict[str, float] = {
    "start_beat_s": np.nan,
    "end_beat_s": np.nan,
    "start_bar_beat": np.nan,
    "end_bar_beat": np.nan,
    "start_lufs": -70.0,
    "end_lufs": -70.0,
    "key": -1,
    "start_onset_s": np.nan,
    "start_full_db": np.nan,
    "end_full_db": np.nan,
    "start_voice": np.nan,
    "end_voice": np.nan,
    "start_bars": np.nan,
    "end_bars": np.nan,
}
"""What stands for "unknown" where it is not 0; -70 LUFS is the gate below which nothing is heard."""
