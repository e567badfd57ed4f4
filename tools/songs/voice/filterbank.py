"""The filter bank turns a mono signal into the log-mel frames that the voice network sees."""

import numpy as np
import scipy.fft

from model.base.arrays import DoubleArray, FloatArray

VOICE_RATE_HZ = 16_000
VOICE_HOP_SAMPLES = 160
VOICE_BANDS = 80
_FRAME_SAMPLES = 400
_FFT_SAMPLES = 512
_LOWEST_HZ = 20.0
_PRE_EMPHASIS = np.float32(0.97)
_FULL_SCALE = np.float32(32_768.0)
"""The network learned from 16-bit samples as they are."""
_LEAST_POWER = 1e-20


def voice_frames(mono: FloatArray, count: int) -> FloatArray:
    """Return `(count, VOICE_BANDS)` float32: the natural log of the mel powers of each 10 ms.

    mono: `(n,)` float32 at `VOICE_RATE_HZ`, frame i from sample `i * VOICE_HOP_SAMPLES` on, silence after its
    end. Frames, pre-emphasis, window and triangles are those of Kaldi's `compute-fbank-feats` without dither
    (Povey et al., The Kaldi speech recognition toolkit, ASRU 2011), by which the network was trained.
    """
    whole = (count - 1) * VOICE_HOP_SAMPLES + _FRAME_SAMPLES
    padded = np.zeros(whole, dtype=np.float32)
    padded[: min(whole, len(mono))] = mono[:whole] * _FULL_SCALE
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME_SAMPLES)[::VOICE_HOP_SAMPLES]
    centred = frames - frames.mean(axis=1, keepdims=True)
    lifted = centred.copy()
    lifted[:, 1:] -= _PRE_EMPHASIS * centred[:, :-1]
    lifted[:, 0] -= _PRE_EMPHASIS * centred[:, 0]
    spectrum = scipy.fft.rfft(lifted * _WINDOW, _FFT_SAMPLES, axis=1)[:, :-1]
    powers = (np.square(spectrum.real) + np.square(spectrum.imag)) @ _TRIANGLES
    found: FloatArray = np.log(np.maximum(powers, _LEAST_POWER)).astype(np.float32)
    return found


def _window() -> FloatArray:
    """Return Kaldi's window, a Hann window to the power of 0.85, `(_FRAME_SAMPLES,)` float32."""
    found: FloatArray = (np.hanning(_FRAME_SAMPLES) ** 0.85).astype(np.float32)
    return found


def _triangles() -> FloatArray:
    """Return `(_FFT_SAMPLES // 2, VOICE_BANDS)` float32: triangles of equal width and height in mel."""
    lines_hz: DoubleArray = np.arange(_FFT_SAMPLES // 2, dtype=np.float64) * VOICE_RATE_HZ / _FFT_SAMPLES
    lines, (first, last) = _mel(lines_hz)[:, None], _mel(np.array([_LOWEST_HZ, VOICE_RATE_HZ / 2]))
    corners = np.linspace(first, last, VOICE_BANDS + 2)
    left, top, right = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (lines - left) / (top - left), (right - lines) / (right - top)
    found: FloatArray = np.maximum(np.minimum(rising, falling), 0.0).astype(np.float32)
    return found


def _mel(frequency_hz: DoubleArray) -> DoubleArray:
    found: DoubleArray = 1127.0 * np.log1p(frequency_hz / 700.0)
    return found


_WINDOW = _window()
_TRIANGLES = _triangles()
