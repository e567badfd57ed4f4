"""The true peak of a song is the highest point of its waveform, between the samples as well."""

from functools import cache

import numpy as np
import soxr

from model.base.arrays import FloatArray, IntArray
from model.base.kernels import kernel
from stream.audio.samples import PART_FRAMES, SongSamples

OVERSAMPLING = 4
REACH_SAMPLES = 80
"""A value between the samples depends on so many of them on either side."""
BLOCK_SAMPLES = 16
LOOKED_AT_SHARE = 0.5
"""Only blocks with a sample of this share of the highest one so far are oversampled.

Sixteen samples of a steady tone below 0.97 of half the rate have one at 0.7 of its height at least.
"""
_MOST_BLOCKS = 1_024
"""So many are oversampled at a time."""


def true_peak(audio: SongSamples) -> float:
    """Return the largest magnitude of `audio` `(frames, 2)`, oversampled four times (BS.1770-4, annex 2)."""
    highest = between = 0.0
    blocks = np.empty((_MOST_BLOCKS, BLOCK_SAMPLES + 2 * REACH_SAMPLES), dtype=np.float32)
    places = np.empty(_MOST_BLOCKS, dtype=np.int64)
    for start in range(0, len(audio), PART_FRAMES):
        place = min(start, REACH_SAMPLES)
        part = np.require(audio[start - place : start + PART_FRAMES + REACH_SAMPLES], np.float32, ("C", "W"))
        stop = min(len(part), place + PART_FRAMES)
        highest = max(highest, float(part[place:stop].max()), -float(part[place:stop].min()))
        while place < stop:
            taken, place = _take_loud(part, place, stop, LOOKED_AT_SHARE * highest, blocks, places)
            found = (blocks[:taken] @ _weights()).reshape(taken, OVERSAMPLING, BLOCK_SAMPLES)
            # What rings after the last sample is none of its peaks.
            within = places[:taken, None] + np.arange(BLOCK_SAMPLES) < stop
            between = max(between, float(np.abs(found).max(initial=0.0, where=within[:, None])))
    return max(highest, between)


@cache
def _weights() -> FloatArray:
    """Return `(samples, values)` float32: how the samples in and around a block weigh in what lies between.

    Value `p * BLOCK_SAMPLES + i` lies p quarters of a sample after the block's sample i. The weights are what
    soxr (MQ) makes of an impulse.
    """
    length = 4 * REACH_SAMPLES
    impulse = np.zeros(2 * length, dtype=np.float32)
    impulse[length] = 1.0
    response = soxr.resample(impulse, 1, OVERSAMPLING, quality="MQ").reshape(-1, OVERSAMPLING)
    taps = response[length - REACH_SAMPLES : length + REACH_SAMPLES + 1][::-1]
    weights = np.zeros((BLOCK_SAMPLES + 2 * REACH_SAMPLES, OVERSAMPLING, BLOCK_SAMPLES), dtype=np.float32)
    for sample in range(BLOCK_SAMPLES):
        weights[sample : sample + len(taps), :, sample] = taps
    return weights.reshape(len(weights), -1)


@kernel
def _take_loud(
    audio: FloatArray, start: int, stop: int, least: float, blocks: FloatArray, places: IntArray
) -> tuple[int, int]:
    """Copy what has a sample over `least`, with its surroundings; return how much, and where to go on."""
    taken = 0
    reach, size = (blocks.shape[1] - BLOCK_SAMPLES) // 2, BLOCK_SAMPLES
    samples, floor = audio.reshape(-1), np.float32(least)
    for first in range(start, stop, size):
        if taken + 2 > len(blocks):
            return taken, first
        # How many are loud is told by vectors, and most blocks have none.
        last, loud = min(first + size, stop), np.int32(0)
        for sample in range(2 * first, 2 * last):
            loud = np.int32(loud + np.int32(abs(samples[np.uint64(sample)]) > floor))
        if not loud:
            continue
        for channel in range(2):
            loud = np.int32(0)
            for frame in range(first, last):
                loud = np.int32(loud + np.int32(abs(audio[frame, channel]) > floor))
            if loud:
                for sample in range(blocks.shape[1]):
                    frame = first - reach + sample
                    inside = 0 <= frame < len(audio)
                    blocks[taken, sample] = audio[frame, channel] if inside else np.float32(0.0)
                places[taken] = first
                taken += 1
    return taken, stop
