"""This module computes a chunk's edges, for training and runtime alike (report, section 2.2)."""

import math

import numpy as np
import soxr

from model.base.arrays import FloatArray

DECIMATION = 35
"""The report's factor: every 35th sample of 44,100 Hz is kept."""
EDGE_RATE_HZ = 44_100 // DECIMATION


def chunk_edges(chunk: FloatArray, sample_rate_hz: int, edge_samples: int) -> tuple[FloatArray, FloatArray]:
    """Return the head and the tail of one chunk at `EDGE_RATE_HZ`, of each of its two channels.

    chunk: `(frames, 2)` float32, that chunk's own frames only, so that nothing crosses a cut.
    Returns `(head, tail)`, each `(2, edge_samples)` float32 in [-1, 1]: row 0 is the first channel
    (training and prediction), row 1 the second (the report's validation set). They are brought down
    with an anti-aliasing filter whatever `sample_rate_hz` is. A chunk shorter than the edge is padded
    with zeros on its far side: a head at its end, a tail at its beginning.
    """
    # Only the ends matter; the margin lets the resampling filter settle. A span is a whole number of
    # samples at both rates, so that a tail is sampled from its cut backwards exactly.
    margin_samples = 64
    period = sample_rate_hz // math.gcd(sample_rate_hz, EDGE_RATE_HZ)
    span = -(-(edge_samples + margin_samples) * sample_rate_hz // (EDGE_RATE_HZ * period)) * period
    head = _resampled(chunk[:span], sample_rate_hz, edge_samples)
    tail = _resampled(chunk[max(0, len(chunk) - span) :], sample_rate_hz)[-edge_samples:]
    return (
        _normalised(np.pad(head, ((0, edge_samples - len(head)), (0, 0)))),
        _normalised(np.pad(tail, ((edge_samples - len(tail), 0), (0, 0)))),
    )


def _resampled(audio: FloatArray, sample_rate_hz: int, most: int | None = None) -> FloatArray:
    """Return `audio` `(frames, 2)` at `EDGE_RATE_HZ`, as `soxr.resample` does it; `most` frames of it.

    To tell soxr that nothing follows costs more than the resampling. Silence that follows sounds the same.
    """
    frames = int(len(audio) * EDGE_RATE_HZ / sample_rate_hz + 0.5)
    if most is not None:
        frames = min(most, frames)
    stream = soxr.ResampleStream(sample_rate_hz, EDGE_RATE_HZ, audio.shape[1], dtype="float32", quality="HQ")
    found = [stream.resample_chunk(np.ascontiguousarray(audio))]
    silence = np.zeros((sample_rate_hz // 16, audio.shape[1]), dtype=np.float32)
    while sum(map(len, found)) < frames:
        found.append(stream.resample_chunk(silence))
    return np.concatenate(found)[:frames]


def _normalised(edge: FloatArray) -> FloatArray:
    return np.ascontiguousarray(np.clip(edge, -1.0, 1.0).T, dtype=np.float32)
