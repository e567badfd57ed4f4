"""Made joins are put together from the spectra of untouched windows, as many as one likes."""

import numpy as np

from model.base.arrays import DoubleArray, FloatArray, IntArray
from tools.quality.joins.spectra import SPECTRUM_FFT_FRAMES, SPECTRUM_HOP_FRAMES
from tools.quality.joins.streams import PLAIN_FADE_S

_RATE_HZ = 44_100
_MIXED_PAIRS = 4
"""So many pairs of frames on either side of the middle hold something of both: half a fade and a frame."""


def made_joins(mel: FloatArray, before: IntArray, after: IntArray) -> FloatArray:
    """Return `(n, pairs, bands)` float32, dB: windows `before` that go over into windows `after`.

    mel: `(windows, pairs, bands)`, dB, of `tools.quality.joins.hearing.samples`; before, after: `(n,)` rows.
    In the middle is the fade of the plain stream: two songs that know nothing of each other add up by their
    powers, each by what the fade and the frame's own window leave of it.
    """
    middle = mel.shape[1] // 2
    beside = min(_MIXED_PAIRS, middle)
    result = np.concatenate([mel[before, :middle], mel[after, middle:]], axis=1, dtype=np.float32)
    mixed = slice(middle - beside, middle + beside)
    share = _shares_left(beside)[:, None]
    power = np.zeros_like(result[:, mixed])
    for rows, part in ((before, share), (after, 1 - share)):
        power += part * np.power(10.0, mel[rows, mixed].astype(np.float32) / 10)
    result[:, mixed] = 10 * np.log10(power)
    return result


def _shares_left(beside: int) -> FloatArray:
    """Return `(2 * beside,)` float32: how much of A's power is in each pair of frames about the middle."""
    # A window's middle is the centre of the first frame behind it.
    centres = SPECTRUM_HOP_FRAMES * np.arange(-2 * beside, 2 * beside)
    within = np.arange(SPECTRUM_FFT_FRAMES) - SPECTRUM_FFT_FRAMES // 2
    seen = np.square(np.hanning(SPECTRUM_FFT_FRAMES + 1)[:-1])
    fade_frames = PLAIN_FADE_S * _RATE_HZ
    done: DoubleArray = np.clip((centres[:, None] + within) / fade_frames + 0.5, 0, 1)
    left = np.square(np.cos(done * np.pi / 2)) @ seen / seen.sum()
    found: FloatArray = left.reshape(-1, 2).mean(axis=1).astype(np.float32)
    return found
