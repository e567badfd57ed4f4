"""The true peak of a song is the highest point of its waveform, between the samples as well."""

from functools import cache

import numpy as np
import soxr

from model.base.arrays import FloatArray
from model.base.kernels import kernel
from stream.audio.samples import PART_FRAMES, SongSamples

OVERSAMPLING = 4
REACH_SAMPLES = 80
"""A value between the samples depends on so many of them on either side."""
BLOCK_SAMPLES = 16
LOOKED_AT_SHARE = 0.5
"""Only blocks with a sample of this share of the peak so far are oversampled.

Sixteen samples of a steady tone below 0.97 of half the rate have one at 0.7 of its height at least.
"""


def true_peak(audio: SongSamples) -> float:
    """Return the largest magnitude of `audio` `(frames, 2)`, oversampled four times (BS.1770-4, annex 2)."""
    peak = 0.0
    for start in range(0, len(audio), PART_FRAMES):
        before = min(start, REACH_SAMPLES)
        part = audio[start - before : start + PART_FRAMES + REACH_SAMPLES]
        plain = np.require(part, np.float32, ("C", "W"))
        stop = min(len(plain), before + PART_FRAMES)
        peak = _peak(plain, before, stop, _taps(), np.float32(LOOKED_AT_SHARE), peak)
    return peak


@cache
def _taps() -> FloatArray:
    """Return `(OVERSAMPLING, 2 * REACH_SAMPLES + 1)`: by what soxr (MQ) weighs the samples around an instant.

    Row p gives the value p quarters of a sample after the one in the middle: what soxr makes of an impulse.
    """
    length = 4 * REACH_SAMPLES
    impulse = np.zeros(2 * length, dtype=np.float32)
    impulse[length] = 1.0
    response = soxr.resample(impulse, 1, OVERSAMPLING, quality="MQ")
    samples = length - np.arange(-REACH_SAMPLES, REACH_SAMPLES + 1)
    taps: FloatArray = response[OVERSAMPLING * samples + np.arange(OVERSAMPLING)[:, None]]
    return taps


@kernel
def _peak(
    audio: FloatArray, start: int, stop: int, taps: FloatArray, share: np.float32, peak: float
) -> float:
    """Return the peak of `audio[start:stop]`, or `peak` if that is higher; what lies around it is there."""
    highest = np.float32(peak)
    for frame in range(start, stop):
        highest = max(highest, abs(audio[frame, 0]), abs(audio[frame, 1]))
    reach, size = taps.shape[1] // 2, BLOCK_SAMPLES
    around = np.empty(size + 2 * reach, dtype=np.float32)
    found = np.empty((len(taps), size), dtype=np.float32)
    for first in range(start, stop, size):
        last = min(first + size, stop)
        for channel in range(2):
            loudest = np.float32(0.0)
            for frame in range(first, last):
                loudest = max(loudest, abs(audio[frame, channel]))
            if loudest <= share * highest:
                continue
            for place in range(len(around)):
                frame = first - reach + place
                around[place] = audio[frame, channel] if 0 <= frame < len(audio) else np.float32(0.0)
            found[:] = np.float32(0.0)
            for tap in range(taps.shape[1]):
                for phase in range(len(taps)):
                    weight = taps[phase, tap]
                    for sample in range(size):
                        found[phase, sample] += weight * around[tap + sample]
            for phase in range(len(taps)):
                for sample in range(last - first):
                    highest = max(highest, abs(found[phase, sample]))
    return highest
