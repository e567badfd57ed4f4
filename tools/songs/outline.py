"""The outline of a song tells a recording by its sound, whatever its encoding, level and tone.

After Haitsma and Kalker, A Highly Robust Audio Fingerprinting System (ISMIR 2002): for each moment 32 bits,
whether the slope between two neighbouring bands rises.
"""

import numpy as np
import numpy.typing as npt
import soxr

from model.base.arrays import FloatArray
from model.features.phase import middle
from model.features.power_spectra import BandWeights, band_powers, window_powers
from stream.audio.samples import SongSamples, in_parts

Outline = npt.NDArray[np.uint32]
"""`(n,)`: 32 bits for each step; 0 where it is as good as silent."""

OUTLINE_STEP_S = 256 / 5_512
"""Seconds from one value of an outline to the next."""
_RATE_HZ = 5_512
_FRAME = 2_048
_STEP = 256
_LAG = 2
"""Steps over which a slope is compared: their frames overlap less than those of neighbours."""
_BAND_EDGES = np.round(np.geomspace(300, 2_000, 34) * _FRAME / _RATE_HZ).astype(np.int64)
_BANDS = BandWeights(
    first=_BAND_EDGES[:-1],
    counts=np.diff(_BAND_EDGES),
    weights=np.ones(_BAND_EDGES[-1] - _BAND_EDGES[0], dtype=np.float32),
)
_BITS = np.uint32(1) << np.arange(32, dtype=np.uint32)
_SILENT = 1e-7
"""Of the loudest moment's energy: what is below has no outline."""
_FLOOR = 1e-9


def outline(audio: SongSamples, sample_rate_hz: int) -> Outline:
    """Return the outline of a song, `(frames, 2)` float32; empty for what is shorter than half a second."""
    energies = np.concatenate([np.empty((0, 33), dtype=np.float32), *_energies(audio, sample_rate_hz)])
    if len(energies) <= _LAG:
        return np.empty(0, dtype=np.uint32)
    levels = np.log(energies + np.float32(_FLOOR))
    slopes = levels[:, :-1] - levels[:, 1:]
    words: Outline = ((slopes[_LAG:] > slopes[:-_LAG]) * _BITS).sum(axis=1, dtype=np.uint32)
    loud = energies.sum(axis=1)
    words[loud[_LAG:] <= loud.max() * _SILENT] = 0
    return words


def _energies(audio: SongSamples, sample_rate_hz: int) -> list[FloatArray]:
    """Return the energy of each step in 33 bands, `(n, 33)` float32 in blocks."""
    window = np.hanning(_FRAME).astype(np.float32)
    stream = soxr.ResampleStream(sample_rate_hz, _RATE_HZ, 1, dtype="float32", quality="LQ")
    rest = np.empty(0, dtype=np.float32)
    blocks = []
    left = len(audio)
    for part in in_parts(audio):
        left -= len(part)
        rest = np.concatenate([rest, stream.resample_chunk(middle(part), last=not left)])
        steps = max(0, (len(rest) - _FRAME) // _STEP + 1)
        if not steps:
            continue
        powers = window_powers(rest, np.arange(steps) * _STEP, window)
        blocks.append(band_powers(powers, _BANDS))
        rest = rest[steps * _STEP :]
    return blocks
