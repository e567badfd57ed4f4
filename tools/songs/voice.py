"""This module guesses whether a voice sounds at an instant, by a gliding pitch in the stereo middle.

It knows no voices: a solo violin or a gliding lead synthesizer is taken for one as well, and a voice under a
loud band is missed.
"""

import numpy as np

from model.base.arrays import DoubleArray, FloatArray
from model.features.phase import in_phase
from stream.audio.samples import SongSamples

_REACH_S = 0.2
"""Looked at on both sides of the instant."""
FRAME_S = 0.046
HOP_S = 0.01
PITCH_HZ = (90.0, 700.0)
VOICED = 0.45
"""Correlation of a frame with itself a period later from which it has a pitch."""
STEP_CENTS = 60.0
"""A voice glides from frame to frame and does not leap further than this."""
GLIDE_CENTS = (6.0, 45.0)
"""Typical movement of a sung pitch from frame to frame: a held note of an instrument has less."""
BAND_HZ = (200.0, 4_000.0)


def voice_across(audio: SongSamples, sample_rate_hz: int, instants: DoubleArray) -> FloatArray:
    """Return `(n,)` float32, 0 to 1: how likely something sung sounds across each instant, in samples.

    audio: `(frames, 2)` float32. The product of how much of the stretch has a pitch without a leap, how
    much that pitch moves, and how far the band of speech lies in the middle of the image.
    """
    likely = np.empty(len(instants), dtype=np.float32)
    for index, instant in enumerate(instants.tolist()):
        likely[index] = _voice(audio, sample_rate_hz, int(instant))
    return likely


def _voice(audio: SongSamples, rate_hz: int, instant: int) -> float:
    reach = round(_REACH_S * rate_hz)
    part = audio[max(0, instant - reach) : instant + reach]
    size, hop = round(FRAME_S * rate_hz), max(1, round(HOP_S * rate_hz))
    if len(part) < 2 * size:
        return 0.0
    part = in_phase(part)
    middle, side = part.mean(axis=1), 0.5 * (part[:, 0] - part[:, 1])
    frames = np.lib.stride_tricks.sliding_window_view(middle, size)[::hop] * np.hanning(size)
    fft_size = 1 << (2 * size - 1).bit_length()
    spectrum = np.fft.rfft(frames, fft_size)
    line_hz = rate_hz / fft_size
    band = slice(round(BAND_HZ[0] / line_hz), round(BAND_HZ[1] / line_hz))
    magnitude = np.abs(spectrum[:, band])
    energy = np.square(magnitude).sum(axis=1)
    if not energy.max() > 1e-9:
        return 0.0
    # The root of the magnitude flattens the formants, so that the period is that of the pitch.
    power = np.zeros(spectrum.shape)
    power[:, band] = magnitude
    lags = np.fft.irfft(power)
    first, last = int(rate_hz / PITCH_HZ[1]), int(rate_hz / PITCH_HZ[0])
    window = np.fft.irfft(np.square(np.abs(np.fft.rfft(np.hanning(size), fft_size))))
    fair = lags[:, first:last] / (lags[:, :1] + 1e-12) * np.sqrt(window[0] / window[first:last])
    peaks = fair.argmax(axis=1)
    strength = fair[np.arange(len(fair)), peaks]
    voiced = (strength > VOICED) & (energy > 0.05 * energy.max())
    cents = 1200 * np.abs(np.diff(np.log2(_vertex(fair, peaks) + first)))
    smooth = voiced[1:] & voiced[:-1] & (cents < STEP_CENTS)
    if not smooth.any():
        return 0.0
    sung = float(smooth.mean())
    glide = float(np.clip((np.mean(cents[smooth]) - GLIDE_CENTS[0]) / 10.0, 0.0, 1.0))
    glide *= float(np.clip((GLIDE_CENTS[1] - np.mean(cents[smooth])) / 15.0, 0.0, 1.0))
    sides = np.abs(np.fft.rfft(side, len(side)))
    middles = np.abs(np.fft.rfft(middle, len(middle)))
    lines = slice(round(BAND_HZ[0] * len(side) / rate_hz), round(BAND_HZ[1] * len(side) / rate_hz))
    apart = float(np.square(sides[lines]).sum() / (np.square(middles[lines]).sum() + 1e-12))
    return sung * glide / (1.0 + apart)


def _vertex(values: DoubleArray, peaks: DoubleArray) -> DoubleArray:
    """Return where the parabola through each row's peak and its neighbours has its top."""
    rows = np.arange(len(values))
    inner = np.clip(peaks, 1, values.shape[1] - 2)
    left, top, right = (values[rows, inner + shift] for shift in (-1, 0, 1))
    curve = left - 2 * top + right
    shift = np.where(np.abs(curve) > 1e-12, 0.5 * (left - right) / np.where(curve == 0, 1, curve), 0.0)
    vertex: DoubleArray = inner + np.clip(shift, -0.5, 0.5)
    return vertex
