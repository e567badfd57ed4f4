"""The downmix brings any loudspeaker layout to two channels (ITU-R BS.775)."""

from collections.abc import Sequence
from math import sqrt

import numpy as np

from model.base.arrays import FloatArray

_MINUS_3_DB = sqrt(0.5)
LARGEST = 2.0**31
"""Floats may stand on the scale of 32-bit integers; what is larger is no sample, its square may be none."""

# Gain into (left, right) of each loudspeaker, by FFmpeg's names. ITU-R BS.775, downward mixing: centre and
# surrounds at -3 dB, a single surround at -6 dB into both sides.
_GAINS: dict[str, tuple[float, float]] = {
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "DL": (1.0, 0.0),
    "DR": (0.0, 1.0),
    "FC": (_MINUS_3_DB, _MINUS_3_DB),
    "FLC": (1.0, 0.0),
    "FRC": (0.0, 1.0),
    "BL": (_MINUS_3_DB, 0.0),
    "BR": (0.0, _MINUS_3_DB),
    "SL": (_MINUS_3_DB, 0.0),
    "SR": (0.0, _MINUS_3_DB),
    "BC": (0.5, 0.5),
    "LFE": (0.0, 0.0),
    "LFE2": (0.0, 0.0),
}

# What a file means that names no loudspeakers, by its number of channels (the order of WAV).
_LAYOUTS: dict[int, tuple[str, ...]] = {
    1: ("FC",),
    2: ("FL", "FR"),
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}


def to_stereo(audio: FloatArray, loudspeakers: Sequence[str] | None = None) -> FloatArray:
    """Return `audio` as `(frames, 2)` float32: mono doubled, stereo as it is, more mixed down.

    audio: `(frames, channels)` float32. loudspeakers: one name of FFmpeg's for each channel, where known.
    More than two channels are mixed by ITU-R BS.775 without the low-frequency effects, and scaled so that
    the sum of the gains into a side is one: what does not clip before does not clip after. Samples that
    are no numbers, or beyond `LARGEST`, become zero.
    """
    # Written so that no comparison with NaN passes.
    if audio.size and not (audio.max() <= LARGEST and audio.min() >= -LARGEST):
        audio = np.where(np.abs(audio) <= LARGEST, audio, np.float32(0.0))
    channels = audio.shape[1]
    if channels == 1:
        return np.repeat(audio, 2, axis=1)
    if channels == 2:
        return audio
    mixed: FloatArray = audio @ downmix_matrix(channels, loudspeakers)
    return mixed


def downmix_matrix(channels: int, loudspeakers: Sequence[str] | None = None) -> FloatArray:
    """Return the gains of `to_stereo` for more than two channels, `(channels, 2)` float32."""
    known = loudspeakers is not None and any(name in _GAINS for name in loudspeakers)
    names = loudspeakers if known and loudspeakers is not None else _LAYOUTS.get(channels, ("",) * channels)
    # A loudspeaker above or unheard of is heard from the middle.
    gains = np.array([_GAINS.get(name, (0.5, 0.5)) for name in names], dtype=np.float64)
    loudest = gains.sum(axis=0).max()
    if loudest == 0.0:
        gains[:] = 1.0
        loudest = float(channels)
    matrix: FloatArray = (gains / loudest).astype(np.float32)
    return matrix
