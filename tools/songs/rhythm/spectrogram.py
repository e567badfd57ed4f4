"""This module computes spectrograms of whole songs in parts, so that they need little memory.

librosa's own would do, but importing it has numba compile for a quarter of a minute, and what it compiles may
not be used for the first time by two processes at once: numba's cache then keeps a mixed pair of files, with
which every later process crashes.
"""

from functools import cache

import numpy as np

from model.base.arrays import FloatArray
from model.features.power_spectra import window_powers


def power_spectrogram(mono: FloatArray, window_samples: int, hop_samples: int) -> FloatArray:
    """Return `(1 + samples // hop, 1 + window // 2)` float32 powers; frame i is centred on sample `i * hop`.

    mono: `(samples,)`; silence lies on both sides of it. Hann windows, periodic, of one of
    `model.features.power_spectra.WINDOW_SIZES`.
    """
    starts = np.arange(0, len(mono) + 1, hop_samples)
    return window_powers(np.pad(mono, (window_samples // 2, 0)), starts, _hann(window_samples))


@cache
def _hann(samples: int) -> FloatArray:
    window: FloatArray = np.hanning(samples + 1)[:-1].astype(np.float32)
    return window
