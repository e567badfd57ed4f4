"""This module computes spectrograms of whole songs in parts, so that they need little memory.

librosa's own would do, but importing it has numba compile for a quarter of a minute, and what it compiles may
not be used for the first time by two processes at once: numba's cache then keeps a mixed pair of files, with
which every later process crashes. `librosa.filters` compiles nothing.
"""

import numpy as np
import scipy.fft

from model.base.arrays import FloatArray

_BLOCK_FRAMES = 256


def power_spectrogram(mono: FloatArray, window_samples: int, hop_samples: int) -> FloatArray:
    """Return `(1 + samples // hop, 1 + window // 2)` float32 powers; frame i is centred on sample `i * hop`.

    mono: `(samples,)`; silence lies on both sides of it. Hann windows, periodic.
    """
    window = np.hanning(window_samples + 1)[:-1].astype(np.float32)
    padded = np.pad(mono, window_samples // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window_samples)[::hop_samples]
    powers = np.empty((len(frames), 1 + window_samples // 2), dtype=np.float32)
    for first in range(0, len(frames), _BLOCK_FRAMES):
        spectrum = scipy.fft.rfft(frames[first : first + _BLOCK_FRAMES] * window, axis=1)
        np.square(spectrum.real, out=powers[first : first + _BLOCK_FRAMES])
        powers[first : first + _BLOCK_FRAMES] += np.square(spectrum.imag)
    return powers
