"""The limiter keeps the true peak of what is watched below a ceiling; all else passes untouched."""

from typing import TypeVar

import numpy as np

from model.base.arrays import BoolArray, DoubleArray, FloatArray
from model.base.kernels import kernel
from stream.joins.levels import CEILING

LOOKAHEAD_S = 0.005
_OVERSAMPLING = 4
"""BS.1770: the waveform between the samples is looked at in four places."""
HALF_TAPS = 12
"""Samples on either side that make a value between two; as near to the true wave as 0.05 dB."""
_BLOCK_FRAMES = 256
"""The limiter looks at this many frames together."""
MARGIN = 10.0 ** (-0.05 / 20.0)
"""What is limited stays this far below the ceiling, for meters interpolate in ways of their own."""
NO_PEAK = 1.0 - 1e-4
"""A song whose true peak was brought to the ceiling rounds to a hair above it: that is not a peak."""

_Frames = TypeVar("_Frames", FloatArray, BoolArray, DoubleArray)


class Limiter:
    """A delay of `ahead_frames` through which audio is pushed and pulled; belongs to one thread.

    The gain reaches its lowest value before a peak and leaves it after, smoothly: the smallest gain needed
    within half the lookahead on either side, averaged over as many frames with a Hann window, which never
    exceeds what the peak needs. It has no memory beyond `ahead_frames`, so blocks make no difference.
    """

    def __init__(self, rate_hz: int, ceiling: float = CEILING) -> None:
        """ceiling: largest magnitude, linear, of the four times oversampled wave."""
        self._ceiling = ceiling
        self._half = max(1, round(LOOKAHEAD_S * rate_hz / 2))
        self._window = np.hanning(2 * self._half + 3)[1:-1]
        self._window /= self._window.sum()
        self._taps = _taps()
        # What cannot exceed the ceiling between the samples, whatever the wave.
        self._harmless = MARGIN * ceiling / float(np.abs(self._taps).sum(axis=1).max())
        self.ahead_frames = 2 * self._half + HALF_TAPS
        """How many frames must have been pushed beyond those that are pulled."""
        # All three are of the same frames: from `_first` on `ahead_frames` of the past, then what is held.
        capacity = 2 * self.ahead_frames
        self._audio: FloatArray = np.zeros((capacity, 2), dtype=np.float32)
        self._watched: BoolArray = np.zeros(capacity, dtype=np.bool_)
        self._needed: DoubleArray = np.ones(capacity)
        """The gain that each frame needs, as far as what follows it is known; 1 where nothing is held."""
        self._first, self._stop = 0, self.ahead_frames
        # From the first on no frame is watched, and from the second on none needs less than it has.
        self._watched_stop = self._limited_stop = 0

    @property
    def held_frames(self) -> int:
        """Pushed and not yet pulled."""
        return self._stop - self._first - self.ahead_frames

    def push(self, audio: FloatArray, *, watched: bool) -> None:
        """Take `(frames, 2)` float32; what is not watched has no peaks, by definition."""
        if self._stop + len(audio) > len(self._audio):
            self._make_room(len(audio))
        known, before = self._stop - HALF_TAPS, self._stop
        self._stop += len(audio)
        stop = self._stop - HALF_TAPS
        self._audio[before : self._stop] = audio
        self._watched[before : self._stop] = watched
        if watched:
            self._watched_stop = self._stop
        if self._watched_stop <= known:
            return
        around = slice(known - HALF_TAPS, self._stop)
        found = _needed(
            self._audio[around], self._watched[around], self._taps, self._harmless, self._ceiling * MARGIN
        )[HALF_TAPS : HALF_TAPS + stop - known]
        if len(found) and found.min() < 1.0:
            self._needed[known:stop] = found
            self._limited_stop = stop

    def pull(self, frames: int) -> FloatArray:
        """Return the next `(frames, 2)` float32, a new array; `frames + ahead_frames` must be held."""
        if frames + self.ahead_frames > self.held_frames:
            raise ValueError(f"{frames} frames of {self.held_frames}, {self.ahead_frames} of which must stay")
        first, around = self._first + self.ahead_frames, 2 * self._half
        audio = self._audio[first : first + frames]
        self._first += frames
        needed = self._needed[first - around : first + frames + around]
        if frames and self._limited_stop > first - around and needed.min() < 1.0:
            return _limited(audio, needed, self._window, self._half)
        return audio.copy()

    def _make_room(self, frames: int) -> None:
        """Move what is held to the beginning of the arrays, or of longer ones: more fits behind it."""
        held = self._stop - self._first
        capacity = max(len(self._audio), 2 * (held + frames))
        self._audio = _moved(self._audio, self._first, held, capacity)
        self._watched = _moved(self._watched, self._first, held, capacity)
        needed = self._needed
        self._needed = _moved(needed, self._first, held, capacity)
        if self._needed is not needed or self._limited_stop > 0:
            self._needed[held:] = 1.0
        self._watched_stop -= self._first
        self._limited_stop -= self._first
        self._first, self._stop = 0, held


def true_peaks(audio: FloatArray) -> FloatArray:
    """Return the largest magnitude at and right after each frame of `(frames, 2)`, four times oversampled."""
    watched = np.ones(len(audio), dtype=np.bool_)
    needed = _needed(audio, watched, _taps(), 0.0, 1e-9)
    return (1e-9 / needed).astype(np.float32)


def _moved(array: _Frames, first: int, held: int, capacity: int) -> _Frames:
    """Return an array of `capacity` that begins with what is held from `first` on; the same if it may be."""
    room = array if capacity == len(array) else np.empty((capacity, *array.shape[1:]), dtype=array.dtype)
    room[:held] = array[first : first + held]
    return room


def _taps() -> DoubleArray:
    """Return the values of a windowed sinc, `(3, 2 * HALF_TAPS)`, for the places between two samples."""
    places = np.arange(1, _OVERSAMPLING)[:, None] / _OVERSAMPLING
    distance = np.arange(1 - HALF_TAPS, HALF_TAPS + 1)[None, :] - places
    window = np.i0(6.0 * np.sqrt(np.maximum(0.0, 1.0 - (distance / HALF_TAPS) ** 2))) / np.i0(6.0)
    taps = np.sinc(distance) * window
    result: DoubleArray = taps / taps.sum(axis=1, keepdims=True)
    return result


@kernel
def _needed(
    audio: FloatArray, watched: BoolArray, taps: DoubleArray, harmless: float, ceiling: float
) -> DoubleArray:
    """Return the gain `(frames,)` that each watched frame, and the wave up to the next, needs."""
    frames = len(audio)
    needed = np.ones(frames)
    reach = taps.shape[1] // 2
    # Sample after sample, left and right in turn, with silence around it.
    samples = np.zeros(2 * (frames + 2 * reach))
    for frame in range(frames):
        samples[2 * (frame + reach)] = audio[frame, 0]
        samples[2 * (frame + reach) + 1] = audio[frame, 1]
    peaks = np.empty(2 * _BLOCK_FRAMES)
    values = np.empty(2 * _BLOCK_FRAMES)
    for first in range(0, frames, _BLOCK_FRAMES):
        stop = min(frames, first + _BLOCK_FRAMES)
        count = 2 * (stop - first)
        around = samples[2 * (first + 1) : 2 * (stop + 2 * reach)]
        if not watched[first:stop].any() or np.abs(around).max() <= harmless:
            continue
        peaks[:count] = np.abs(samples[2 * (first + reach) : 2 * (stop + reach)])
        for place in range(len(taps)):
            values[:] = 0.0
            # The loop within goes over neighbours, which are worked on together.
            for tap in range(2 * reach):
                weight = taps[place, tap]
                for index in range(count):
                    values[index] += weight * around[2 * tap + index]
            for index in range(count):
                peaks[index] = max(peaks[index], abs(values[index]))
        for frame in range(first, stop):
            peak = max(peaks[2 * (frame - first)], peaks[2 * (frame - first) + 1])
            if watched[frame] and peak * NO_PEAK > ceiling:
                needed[frame] = min(1.0, ceiling / peak)
    return needed


@kernel
def _limited(audio: FloatArray, needed: DoubleArray, window: DoubleArray, half: int) -> FloatArray:
    """Return `(frames, 2)` audio times its gain; `needed` reaches further by as much on either side."""
    beyond = (len(needed) - len(audio)) // 2
    held = np.empty(len(audio) + 2 * half)
    for place in range(len(held)):
        lowest = 1.0
        centre = beyond - half + place
        for near in range(centre - half, centre + half + 1):
            lowest = min(lowest, needed[near])
        held[place] = lowest
    result = audio.copy()
    for frame in range(len(audio)):
        gain, idle = 0.0, True
        for place in range(2 * half + 1):
            value = held[frame + place]
            idle = idle and value == 1.0
            gain += window[place] * value
        if not idle:
            result[frame, 0] = audio[frame, 0] * gain
            result[frame, 1] = audio[frame, 1] * gain
    return result
