"""These measures (ITU-R BS.1770-4 loudness, true peak, RMS level) say how loud a song is."""

import math

import numpy as np

from model.base.arrays import DoubleArray, FloatArray
from stream.audio.samples import SongSamples
from tools.songs.power import window_power
from tools.songs.song import Loudness
from tools.songs.true_peak import true_peak
from tools.songs.weighting import weighted_energies

SILENCE_LUFS = -70.0
"""The absolute gate of BS.1770: nothing below it is heard as loudness."""
SILENCE_DB = -120.0
"""Floor of every level in dB, so that digital silence has a finite one."""

BLOCK_S = 0.4
"""Length of a gating block."""
HOP_PART = 0.25
"""Blocks begin this part of their length apart."""


def measure_loudness(audio: SongSamples, sample_rate_hz: int) -> Loudness:
    """Measure a song's integrated loudness and its true peak, four times oversampled (BS.1770-4).

    audio: `(frames, 2)` float32. Silence is `SILENCE_LUFS` and `SILENCE_DB`.
    """
    if not len(audio):
        return Loudness(loudness_lufs=SILENCE_LUFS, true_peak_db=SILENCE_DB)
    return Loudness(
        loudness_lufs=integrated_lufs(audio, sample_rate_hz),
        true_peak_db=amplitude_db(true_peak(audio)),
    )


def integrated_lufs(audio: SongSamples, sample_rate_hz: int) -> float:
    """Return the gated loudness of `audio` `(frames, 2)` (BS.1770-4, annex 1), not below `SILENCE_LUFS`.

    What is shorter than one block of 400 ms is repeated to fill it.
    """
    block_frames = math.ceil(BLOCK_S * sample_rate_hz) + 1
    if len(audio) < block_frames:
        audio = np.tile(audio, (-(-block_frames // len(audio)), 1))
    hop_s = BLOCK_S * HOP_PART
    hops = round((len(audio) / sample_rate_hz - BLOCK_S) / hop_s) + round(1 / HOP_PART) + 1
    bounds = np.minimum((np.arange(hops) * hop_s * sample_rate_hz).astype(np.int64), len(audio))
    energies = weighted_energies(audio, sample_rate_hz, bounds)
    blocks = np.lib.stride_tricks.sliding_window_view(energies, round(1 / HOP_PART)).sum(axis=1)
    return _gated(blocks / (BLOCK_S * sample_rate_hz))


def _gated(powers: DoubleArray) -> float:
    """Return the loudness of blocks by their power: without silence, then without what is 10 LU too soft."""
    heard = powers[powers > 10 ** ((SILENCE_LUFS + 0.691) / 10)]
    if len(heard):
        heard = heard[heard > 0.1 * heard.mean()]
    if not len(heard):
        return SILENCE_LUFS
    return max(SILENCE_LUFS, -0.691 + 10 * math.log10(float(heard.mean())))


def rms_db(audio: FloatArray) -> float:
    """Return the RMS level of `audio` `(frames, 2)` over both channels, in dBFS."""
    if not audio.size:
        return SILENCE_DB
    return amplitude_db(math.sqrt(window_power(audio, len(audio))[0]))


def amplitude_db(amplitude: float) -> float:
    """Return 20 log10 of an amplitude, not below `SILENCE_DB`."""
    return max(20 * math.log10(amplitude), SILENCE_DB) if amplitude > 0 else SILENCE_DB
