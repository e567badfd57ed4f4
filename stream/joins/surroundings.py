"""The surroundings of a place in a song hold its bands, attacks, loudness and harmony, each few ms."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from model.base.arrays import DoubleArray, FloatArray, IntArray
from model.features.phase import in_phase
from model.features.power_spectra import window_powers
from stream.joins.levels import k_weighted_power

SURROUNDINGS_HOP_FRAMES = 128
_WINDOW_FRAMES = 512
BLOCK_HOPS = 256
"""This many windows are transformed at a time, so that the result stays in the cache."""
_LOWEST_HZ, HIGHEST_HZ, _BANDS = 40.0, 14_000.0, 16
_FLOOR_DB = -80.0
"""Nothing below it counts: what is not heard neither begins nor differs."""
RANGE_DB = 50.0
"""A band this far below the loudest of its time is masked."""
ONSET_LAG = 2
"""Attacks are rises against this many hops before: a window is four hops long and sees each attack twice."""
CHROMA_FRAMES = 16_384
_CHROMA_LOW_HZ, _CHROMA_HIGH_HZ = 80.0, 2_000.0
_A4_HZ = 440.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Seam:
    """One song around a place in it: `T` hops of `SURROUNDINGS_HOP_FRAMES`, `T // 2` centred on the place.

    audio: `(2 * reach, 2)` float32, the place in the middle.
    bands_db: `(T, K)` float32, level of each band in dB, floored where nothing is heard.
    onset: `(T,)` float32, mean rise over the bands in dB: how much begins there.
    power: `(T,)` float64, K-weighted mean square of both sides (BS.1770), summed over them.
    chroma: `(2, 12)` float32, of what is before and what is behind the place, each of length 1 or 0.
    """

    audio: FloatArray
    bands_db: FloatArray
    onset: FloatArray
    power: DoubleArray
    chroma: FloatArray

    @property
    def reach_frames(self) -> int:
        """How far it reaches on either side."""
        return len(self.audio) // 2


def analyse(audio: FloatArray, rate_hz: int) -> Seam:
    """Analyse `(2 * reach, 2)` float32 around the place in its middle.

    `reach` must be a multiple of `SURROUNDINGS_HOP_FRAMES` and at least `CHROMA_FRAMES`.
    """
    reach = len(audio) // 2
    if len(audio) != 2 * reach or reach % SURROUNDINGS_HOP_FRAMES or reach < CHROMA_FRAMES:
        raise ValueError(f"{len(audio)} frames around a place; half of it must be whole hops")
    mono = _mono(audio)
    bands_db = _bands_db(mono, rate_hz)
    return Seam(
        audio=audio,
        bands_db=bands_db,
        onset=_onset(bands_db),
        power=k_weighted_power(audio, rate_hz, SURROUNDINGS_HOP_FRAMES),
        chroma=np.stack(
            [
                _chroma(mono[reach - CHROMA_FRAMES : reach], rate_hz),
                _chroma(mono[reach : reach + CHROMA_FRAMES], rate_hz),
            ]
        ),
    )


def attack_strengths(audio: FloatArray, rate_hz: int) -> FloatArray:
    """Return how much begins at each hop of `(frames, 2)` float32, as `Seam.onset` has it."""
    return _onset(_bands_db(_mono(audio), rate_hz))


def _mono(audio: FloatArray) -> FloatArray:
    heard = in_phase(audio)
    mono: FloatArray = np.float32(0.5) * (heard[:, 0] + heard[:, 1])
    return mono


def _onset(bands_db: FloatArray) -> FloatArray:
    rise = np.zeros_like(bands_db)
    rise[ONSET_LAG:] = np.maximum(0.0, bands_db[ONSET_LAG:] - bands_db[:-ONSET_LAG])
    # What is hardly heard beside the rest begins as softly.
    rise *= 1.0 + (bands_db - bands_db.max(axis=1, keepdims=True)) / RANGE_DB
    onset: FloatArray = rise.mean(axis=1)
    return onset


def _bands_db(mono: FloatArray, rate_hz: int) -> FloatArray:
    """Return `(T, K)` levels of windows centred on 0, HOP, 2 HOP, ... of `mono`."""
    padded = np.concatenate([np.zeros(_WINDOW_FRAMES // 2, dtype=np.float32), mono])
    starts = np.arange(0, len(mono), SURROUNDINGS_HOP_FRAMES)
    bands = np.empty((len(starts), len(_band_edges(rate_hz)) - 1), dtype=np.float32)
    for first in range(0, len(starts), BLOCK_HOPS):
        block = slice(first, first + BLOCK_HOPS)
        powers = window_powers(padded, starts[block], _window())
        np.add.reduceat(powers, _band_edges(rate_hz)[:-1], axis=1, out=bands[block])
    # As if a full-scale sine were 0 dB.
    bands *= np.float32(4.0 / (_WINDOW_FRAMES / 2) ** 2)
    bands += np.float32(10.0 ** (_FLOOR_DB / 10.0))
    levels_db = np.float32(10.0) * np.log10(bands)
    floors_db = np.maximum(levels_db.max(axis=1, keepdims=True) - np.float32(RANGE_DB), np.float32(_FLOOR_DB))
    heard_db: FloatArray = np.maximum(levels_db, floors_db)
    return heard_db


@cache
def _window() -> FloatArray:
    window: FloatArray = np.hanning(_WINDOW_FRAMES + 1)[:-1].astype(np.float32)
    return window


@cache
def _band_edges(rate_hz: int) -> IntArray:
    """Return the first bin of each band and the end of the last one, about evenly spaced in pitch."""
    wanted_hz = np.geomspace(_LOWEST_HZ, HIGHEST_HZ, _BANDS + 1)
    bins = np.round(wanted_hz * _WINDOW_FRAMES / rate_hz).astype(np.int64)
    return np.unique(np.maximum(bins, 1))


def _chroma(mono: FloatArray, rate_hz: int) -> FloatArray:
    """Return the pitch classes of `(CHROMA_FRAMES,)` from C, `(12,)` of length 1; zeros for silence."""
    spectrum = np.abs(np.fft.rfft(mono * _chroma_window()))
    low, pitch_classes = _pitch_classes(rate_hz)
    spectrum = spectrum[low : low + len(pitch_classes)]
    # Peaks only: what a tone leaks into its neighbours would blur every class.
    peaks = np.zeros_like(spectrum)
    peaks[1:-1] = np.where(
        (spectrum[1:-1] > spectrum[:-2]) & (spectrum[1:-1] >= spectrum[2:]), spectrum[1:-1], 0.0
    )
    chroma = np.bincount(pitch_classes, weights=peaks, minlength=12)
    length = float(np.sqrt(chroma @ chroma))
    return (chroma / length if length > 1e-6 else np.zeros(12)).astype(np.float32)


@cache
def _chroma_window() -> DoubleArray:
    return np.hanning(CHROMA_FRAMES + 1)[:-1]


@cache
def _pitch_classes(rate_hz: int) -> tuple[int, IntArray]:
    """Return the first bin that counts and the pitch class of it and those that follow."""
    bins_hz = np.arange(CHROMA_FRAMES // 2 + 1) * (rate_hz / CHROMA_FRAMES)
    low = int(np.searchsorted(bins_hz, _CHROMA_LOW_HZ))
    high = int(np.searchsorted(bins_hz, _CHROMA_HIGH_HZ))
    semitones = 12.0 * np.log2(bins_hz[low:high] / _A4_HZ)
    return low, (np.round(semitones).astype(np.int64) + 9) % 12
