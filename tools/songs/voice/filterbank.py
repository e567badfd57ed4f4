"""The filter bank turns a mono signal into the log-mel frames that the voice network sees."""

import numpy as np

from model.base.arrays import DoubleArray, FloatArray
from model.base.kernels import kernel
from model.features.power_spectra import BandWeights, band_powers, band_weights, window_powers

VOICE_RATE_HZ = 16_000
VOICE_HOP_SAMPLES = 640
VOICE_WINDOW_SAMPLES = 400
VOICE_BANDS = 80
_FFT_SAMPLES = 512
_LOWEST_HZ = 20.0
_PRE_EMPHASIS = np.float32(0.97)
_FULL_SCALE = np.float32(32_768.0)
"""The network learned from 16-bit samples as they are."""
_LEAST_POWER = 1e-20


def voice_frames(mono: FloatArray, count: int) -> FloatArray:
    """Return `(count, VOICE_BANDS)` float32: the natural log of the mel powers of 25 ms in each 40 ms.

    mono: `(n,)` float32 at `VOICE_RATE_HZ`, frame i from sample `i * VOICE_HOP_SAMPLES` on, silence after its
    end. Frames, pre-emphasis, window and triangles are those of Kaldi's `compute-fbank-feats` without dither
    (Povey et al., The Kaldi speech recognition toolkit, ASRU 2011), by which the network was trained.
    """
    frames = np.zeros(count * _FFT_SAMPLES, dtype=np.float32)
    _fill_frames(np.require(mono, np.float32, ("C", "W")), _WINDOW, frames.reshape(count, _FFT_SAMPLES))
    powers = window_powers(frames, np.arange(count) * _FFT_SAMPLES, np.ones(_FFT_SAMPLES, dtype=np.float32))
    found: FloatArray = np.log(np.maximum(band_powers(powers, _TRIANGLES), np.float32(_LEAST_POWER)))
    return found


@kernel
def _fill_frames(mono: FloatArray, window: FloatArray, frames: FloatArray) -> None:
    """Write each frame without its mean, with pre-emphasis, weighed; what lies past the signal is silence."""
    samples = np.empty(len(window), dtype=np.float32)
    for row in range(len(frames)):
        first = row * VOICE_HOP_SAMPLES
        there = max(0, min(len(window), len(mono) - first))
        samples[:there] = mono[first : first + there] * _FULL_SCALE
        samples[there:] = np.float32(0.0)
        samples -= np.float32(samples.mean())
        frames[row, 0] = (samples[0] - _PRE_EMPHASIS * samples[0]) * window[0]
        for sample in range(1, len(window)):
            frames[row, sample] = (samples[sample] - _PRE_EMPHASIS * samples[sample - 1]) * window[sample]


def _window() -> FloatArray:
    """Return Kaldi's window, a Hann window to the power of 0.85, `(VOICE_WINDOW_SAMPLES,)` float32."""
    found: FloatArray = (np.hanning(VOICE_WINDOW_SAMPLES) ** 0.85).astype(np.float32)
    return found


def _triangles() -> BandWeights:
    """Return triangles of equal width and height in mel over `_FFT_SAMPLES // 2 + 1` lines."""
    lines_hz: DoubleArray = np.arange(_FFT_SAMPLES // 2 + 1, dtype=np.float64) * VOICE_RATE_HZ / _FFT_SAMPLES
    lines, (first, last) = _mel(lines_hz)[:, None], _mel(np.array([_LOWEST_HZ, VOICE_RATE_HZ / 2]))
    corners = np.linspace(first, last, VOICE_BANDS + 2)
    left, top, right = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (lines - left) / (top - left), (right - lines) / (right - top)
    found: FloatArray = np.maximum(np.minimum(rising, falling), 0.0).astype(np.float32)
    return band_weights(found)


def _mel(frequency_hz: DoubleArray) -> DoubleArray:
    found: DoubleArray = 1127.0 * np.log1p(frequency_hz / 700.0)
    return found


_WINDOW = _window()
_TRIANGLES = _triangles()
