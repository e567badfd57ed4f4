"""How loud it is around a join, and the gain that is let go slowly after one."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from model.kernels import DoubleArray, FloatArray, kernel
from stream.pool import Song

CEILING = float(np.float32(10.0 ** (-1.0 / 20.0)))
"""-1 dBTP: no peak of the stream is above it."""
CEILING_DB = 20.0 * float(np.log10(CEILING))
LOUDNESS_OFFSET_DB = -0.691
"""BS.1770: a sine at 997 Hz has a loudness of its level."""
SILENCE_LUFS = -70.0


def song_gain_db(song: Song, target_lufs: float | None) -> float:
    """Return the gain to `target_lufs` (0 dB when None) that keeps the true peak below the ceiling."""
    if target_lufs is None:
        return 0.0
    return min(target_lufs - song.loudness_lufs, CEILING_DB - song.true_peak_db)


def song_gain(song: Song, target_lufs: float | None) -> np.float32:
    """Return `song_gain_db` as a factor."""
    return np.float32(10.0 ** (song_gain_db(song, target_lufs) / 20.0))


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
    result = np.empty_like(audio)
    stop = release_start + release_frames
    for row in range(len(audio)):
        frame = start + row
        if frame >= stop:
            result[row] = audio[row]
            continue
        left = min(1.0, (stop - frame) / max(1, release_frames))
        gain = np.float32(10.0 ** (offset_db * left / 20.0))
        result[row, 0] = audio[row, 0] * gain
        result[row, 1] = audio[row, 1] * gain
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
        max(SILENCE_LUFS, LOUDNESS_OFFSET_DB + 10.0 * float(np.log10(mean))) if mean > 0.0 else SILENCE_LUFS
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
    for side in range(2):
        s1 = s2 = t1 = t2 = 0.0
        for frame in range(frames):
            value = float(audio[frame, side])
            shelved = b0 * value + s1
            s1 = b1 * value - a1 * shelved + s2
            s2 = b2 * value - a2 * shelved
            weighted = c0 * shelved + t1
            t1 = c1 * shelved - d1 * weighted + t2
            t2 = c2 * shelved - d2 * weighted
            hop = min((frame + hop_frames // 2) // hop_frames, hops - 1)
            sums[hop] += weighted * weighted
            counts[hop] += 0.5
    return sums / counts
