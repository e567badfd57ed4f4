"""This module measures how loud it is around a join, and releases a join's gain slowly after it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from model.base.arrays import DoubleArray, FloatArray
from model.base.kernels import kernel
from stream.pool.songs import Song

CEILING = float(np.float32(10.0 ** (-1.0 / 20.0)))
"""-1 dBTP: no peak of the stream is above it."""
_CEILING_DB = 20.0 * float(np.log10(CEILING))
LOUDNESS_OFFSET_DB = -0.691
"""BS.1770: a sine at 997 Hz has a loudness of its level."""
LARGEST_CUT_DB, LARGEST_BOOST_DB = 12.0, 6.0
"""B is made softer by more than louder: after a soft end it fades in, while a boosted intro would be too loud
where it comes to itself."""
RELEASE_DB_PER_S = 0.5
"""After a join B comes back to its own gain so quickly."""
_PEAK_BLOCK_S = 0.1
_PEAK_BLOCKS = 20
"""So many are read at a time."""
_BETWEEN_DB = 1.0
"""The wave between the samples is hardly ever higher by more."""
RELEASE_STEP_FRAMES = 64
"""A gain that is released goes straight for so long."""
_SILENCE_LUFS = -70.0


def song_gain_db(song: Song, target_lufs: float | None) -> float:
    """Return the gain to `target_lufs` (0 dB when None) that keeps the true peak below the ceiling."""
    if target_lufs is None:
        return 0.0
    return min(target_lufs - song.loudness_lufs, _CEILING_DB - song.true_peak_db)


def headroom_db(song: Song, target_lufs: float | None) -> float:
    """Return by how much a song may be louder than at its gain before its true peak is above the ceiling."""
    return max(0.0, _CEILING_DB - song.true_peak_db - song_gain_db(song, target_lufs))


def headroom_until_released_db(
    read: Callable[[int, int], FloatArray], frames: int, join_frames: int, rate_hz: int
) -> float:
    """Return by how much B may be louder in a join, and stay below the ceiling until that is let go.

    read: returns frames of B at its gain, `(n, 2)` float32, from one to another; so many `frames` count, of
    which the first `join_frames` are the join's. It is asked for two seconds at a time: half a minute in one
    array is memory that the system clears first.
    """
    block = round(_PEAK_BLOCK_S * rate_hz)
    piece = _PEAK_BLOCKS * block
    found = [_peaks(read(first, min(first + piece, frames)), 2 * block) for first in range(0, frames, piece)]
    peaks = np.concatenate(found)
    ended_s = np.maximum(0.0, (np.arange(len(peaks)) * block - join_frames) / rate_hz)
    peaks_db = 20.0 * np.log10(np.maximum(peaks, 1e-6))
    return float((_CEILING_DB - _BETWEEN_DB - peaks_db + RELEASE_DB_PER_S * ended_s).min())


def _peaks(audio: FloatArray, block_samples: int) -> FloatArray:
    """Return the largest magnitude of each block of `(n, 2)`."""
    # Both sides in one row: of two columns numpy finds the largest frame by frame.
    samples = np.ascontiguousarray(audio).reshape(-1)
    starts = np.arange(0, len(samples), block_samples)
    peaks: FloatArray = np.maximum(
        np.maximum.reduceat(samples, starts), -np.minimum.reduceat(samples, starts)
    )
    return peaks


def song_gain(song: Song, target_lufs: float | None) -> np.float32:
    """Return `song_gain_db` as a factor."""
    return np.float32(10.0 ** (song_gain_db(song, target_lufs) / 20.0))


def matched_db(difference_db: float) -> float:
    """Return the gain that brings B towards A, which is louder by so much."""
    return float(np.clip(difference_db, -LARGEST_CUT_DB, LARGEST_BOOST_DB))


@dataclass(frozen=True, kw_only=True)
class Release:
    """A gain on top of a song's own: `offset_db` up to `start_frame` of the song, 0 dB from its end on.

    In between it changes evenly in dB.
    """

    offset_db: float = 0.0
    start_frame: int = 0
    frames: int = 0

    @property
    def stop_frame(self) -> int:
        """From here on the song has its own gain."""
        return self.start_frame + self.frames

    def db_at(self, frame: int) -> float:
        """Return the gain at a frame of the song."""
        if frame >= self.stop_frame:
            return 0.0
        return self.offset_db * min(1.0, (self.stop_frame - frame) / max(1, self.frames))

    def applied(self, audio: FloatArray, start: int) -> FloatArray:
        """Return frames of the song from `start` on, `(frames, 2)` float32, with this gain.

        It is the same array where the gain has ended, and the same samples whatever the span.
        """
        if self.offset_db == 0.0 or start >= self.stop_frame:
            return audio
        return _released(audio, start, self.offset_db, self.start_frame, self.frames)


@kernel
def _released(
    audio: FloatArray, start: int, offset_db: float, release_start: int, release_frames: int
) -> FloatArray:
    result = audio.copy()
    stop = release_start + release_frames
    full = 10.0 ** (offset_db / 20.0)
    frame, end = start, min(start + len(audio), stop)
    while frame < end:
        # Straight from step to step of the song: within 1e-6 of the curve, and the same for every span.
        if frame < release_start:
            step, following, slope, here = frame, release_start, 0.0, full
        else:
            step = release_start + (frame - release_start) // RELEASE_STEP_FRAMES * RELEASE_STEP_FRAMES
            following = min(step + RELEASE_STEP_FRAMES, stop)
            here = full ** ((stop - step) / release_frames)
            slope = (full ** ((stop - following) / release_frames) - here) / (following - step)
        until = min(end, following)
        for at in range(frame, until):
            gain = np.float32(here + slope * (at - step))
            result[at - start, 0] *= gain
            result[at - start, 1] *= gain
        frame = until
    return result


def k_weighted_power(audio: FloatArray, rate_hz: int, hop_frames: int) -> DoubleArray:
    """Return the K-weighted mean square of each hop of `(frames, 2)` float32, summed over both sides.

    Hop `h` is centred on frame `h * hop_frames`; what would lie outside counts as the rest of the hop.
    """
    if len(audio) < hop_frames:
        raise ValueError(f"{len(audio)} frames, expected at least one hop of {hop_frames}")
    return _k_power(audio, _k_filter(rate_hz), hop_frames)


def loudness_lufs(power: DoubleArray) -> float:
    """Return the loudness of hops of `k_weighted_power` together (BS.1770, ungated), not below -70 LUFS."""
    mean = float(power.mean()) if len(power) else 0.0
    return (
        max(_SILENCE_LUFS, LOUDNESS_OFFSET_DB + 10.0 * float(np.log10(mean))) if mean > 0.0 else _SILENCE_LUFS
    )


@cache
def _k_filter(rate_hz: int) -> DoubleArray:
    """Return both stages of K-weighting at any rate, `(2, 5)`: b0 b1 b2 a1 a2.

    The analogue prototypes behind the table of BS.1770 (Brecht De Man, Evaluation of Implementations of
    the EBU R128 Loudness Measurement, AES 145, 2018).
    """
    stages = []
    shelf_k = np.tan(np.pi * 1681.9744509555319 / rate_hz)
    shelf_v = 10.0 ** (3.99984385397 / 20.0)
    shelf_q = 0.7071752369554193
    middle = shelf_v**0.499666774155
    a0 = 1.0 + shelf_k / shelf_q + shelf_k**2
    stages.append(
        [
            (shelf_v + middle * shelf_k / shelf_q + shelf_k**2) / a0,
            2.0 * (shelf_k**2 - shelf_v) / a0,
            (shelf_v - middle * shelf_k / shelf_q + shelf_k**2) / a0,
            2.0 * (shelf_k**2 - 1.0) / a0,
            (1.0 - shelf_k / shelf_q + shelf_k**2) / a0,
        ]
    )
    pass_k = np.tan(np.pi * 38.13547087613982 / rate_hz)
    pass_q = 0.5003270373253953
    a0 = 1.0 + pass_k / pass_q + pass_k**2
    stages.append([1.0, -2.0, 1.0, 2.0 * (pass_k**2 - 1.0) / a0, (1.0 - pass_k / pass_q + pass_k**2) / a0])
    return np.array(stages)


@kernel
def _k_power(audio: FloatArray, stages: DoubleArray, hop_frames: int) -> DoubleArray:
    frames = len(audio)
    hops = frames // hop_frames
    sums = np.zeros(hops)
    counts = np.zeros(hops)
    b0, b1, b2, a1, a2 = stages[0]
    c0, c1, c2, d1, d2 = stages[1]
    # Both sides in one loop: each sample waits for the one before it, and the other side fills the wait.
    s1 = s2 = t1 = t2 = u1 = u2 = v1 = v2 = 0.0
    for frame in range(frames):
        left, right = float(audio[frame, 0]), float(audio[frame, 1])
        shelved_left, shelved_right = b0 * left + s1, b0 * right + u1
        s1, u1 = b1 * left - a1 * shelved_left + s2, b1 * right - a1 * shelved_right + u2
        s2, u2 = b2 * left - a2 * shelved_left, b2 * right - a2 * shelved_right
        heard_left, heard_right = c0 * shelved_left + t1, c0 * shelved_right + v1
        t1, v1 = c1 * shelved_left - d1 * heard_left + t2, c1 * shelved_right - d1 * heard_right + v2
        t2, v2 = c2 * shelved_left - d2 * heard_left, c2 * shelved_right - d2 * heard_right
        hop = min((frame + hop_frames // 2) // hop_frames, hops - 1)
        sums[hop] += heard_left * heard_left + heard_right * heard_right
        counts[hop] += 1.0
    return sums / counts
