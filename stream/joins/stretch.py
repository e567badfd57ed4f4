"""A stretcher plays sound faster or slower along a given course, without another pitch and without delay.

It plays the sound as it is, and now and then leaps by some milliseconds, to where the wave goes on most alike
(Roucos and Wilgus, High Quality Time-Scale Modification for Speech, ICASSP 1985; by likeness as in Verhelst
and Roelands, An Overlap-Add Technique Based on Waveform Similarity, ICASSP 1993). A change of tempo by some
percent takes two leaps a second; an attack, which is unlike all that is near it, is hardly ever leapt over.
"""

import numpy as np

from model.base.arrays import DoubleArray, FloatArray, IntArray
from model.base.kernels import kernel
from stream.joins.sound import Sound

STRETCH_HOP_FRAMES = 256
"""Each time that so much has been played, it is decided whether to leap."""
FADE_HOPS = 3
"""A leap is a crossfade of so many hops."""
_EARLY_S, _LATE_S = 0.003, 0.007
"""A leap is taken once the sound is off its course by the first, if the wave goes on alike, ..."""
_ALIKE = 0.9
"""... which is a correlation of this much; when it is off by the second, where it does so best."""
_OVERSHOOT_S = 0.006
"""A leap leads so far to the other side of the course at most."""
_COARSE = 4
"""Leaps are looked for at one frame in so many first."""
MOST_BEND = 0.2
"""No course is faster or slower by more than this, anywhere."""
PULL_HOPS = 48
"""So much is made together."""


def check_course(played: IntArray, heard: IntArray) -> None:
    """Raise `ValueError` for a course that no sound can follow; `(n,)` int64 each (`Stretcher`)."""
    if len(played) != len(heard) or len(played) < 2 or played[0] or heard[0]:
        raise ValueError("a course has two times or more, from 0 on, and a frame for each")
    steps = np.diff(played)
    if not (steps > 0).all() or (np.abs(np.diff(heard) / steps - 1.0) > MOST_BEND).any():
        raise ValueError(f"a course is a change of tempo by {MOST_BEND:.0%} at most, everywhere")


class Stretcher:
    """A sound along a course; `pull` gives the same samples for any sizes of blocks."""

    def __init__(self, source: Sound, played: IntArray, heard: IntArray, rate_hz: int) -> None:
        """The source's frame `heard[n]` sounds `played[n]` frames after the beginning, evenly between two.

        played, heard: `(n,)` int64, n >= 2, rising from 0; after the last it goes on at its own tempo.
        """
        check_course(played, heard)
        self._source = source
        self._played = np.asarray(played, dtype=np.float64)
        self._heard = np.asarray(heard, dtype=np.float64)
        limits_s = np.array([_EARLY_S, _LATE_S, _OVERSHOOT_S])
        self._limits = np.round(limits_s * rate_hz).astype(np.int64)
        self._reach = int(self._limits[1] + self._limits[2]) + _COARSE
        # Silence before the beginning, so that a leap may look back.
        self._input: FloatArray = np.zeros((2 * self._reach, 2), dtype=np.float32)
        self._input_start = -2 * self._reach
        self._state = np.zeros(4, dtype=np.int64)
        self._likeness: DoubleArray = np.zeros(1)
        self._made: FloatArray = np.empty((0, 2), dtype=np.float32)

    def pull(self, frames: int) -> FloatArray:
        """Return the next `(frames, 2)` float32."""
        blocks = [self._made]
        held = len(self._made)
        while held < frames:
            blocks.append(self._make())
            held += len(blocks[-1])
        made = np.concatenate(blocks) if len(blocks) > 1 else self._made
        self._made = made[frames:]
        return made[:frames]

    def _make(self) -> FloatArray:
        frames = PULL_HOPS * STRETCH_HOP_FRAMES
        at = int(self._state[_AT_OUT])
        courses = at + STRETCH_HOP_FRAMES * np.arange(PULL_HOPS + 1)
        wanted = np.round(np.interp(courses, self._played, self._heard)).astype(np.int64)
        beyond = courses > self._played[-1]
        wanted[beyond] = np.round(self._heard[-1] + courses[beyond] - self._played[-1])
        self._hold(int(wanted.max()) + (FADE_HOPS + 1) * STRETCH_HOP_FRAMES + 2 * self._reach)
        out = np.empty((frames, 2), dtype=np.float32)
        _stretch(self._input, self._input_start, wanted, self._state, self._likeness, self._limits, out)
        first = int(wanted[-1]) - 2 * self._reach - FADE_HOPS * STRETCH_HOP_FRAMES
        if first > self._input_start:
            self._input = self._input[first - self._input_start :]
            self._input_start = first
        return out

    def _hold(self, stop: int) -> None:
        missing = stop - self._input_start - len(self._input)
        if missing > 0:
            self._input = np.concatenate([self._input, self._source.pull(missing)])


_AT_OUT, _OFFSET, _NEXT_OFFSET, _FADED = range(4)


@kernel
def _stretch(
    audio: FloatArray,
    start: int,
    wanted: IntArray,
    state: IntArray,
    likeness: DoubleArray,
    limits: IntArray,
    out: FloatArray,
) -> None:
    """Fill `out`, hop by hop; audio: from frame `start` of the source on; wanted: its frame at each hop."""
    hop, fade = STRETCH_HOP_FRAMES, FADE_HOPS * STRETCH_HOP_FRAMES
    for number in range(len(out) // hop):
        at, offset = state[0], state[1]
        place = at + offset - start
        off = at + offset - wanted[number]
        # A wave is like itself for longer than two hops.
        if state[3] == 0 and abs(off) >= limits[0] and (number % 2 == 0 or abs(off) >= limits[1]):
            leap, alike = _leap(audio, place, off, limits, fade)
            if leap != 0 and (alike >= _ALIKE or abs(off) >= limits[1]):
                state[2], state[3] = offset + leap, 1
                likeness[0] = min(max(alike, 0.0), 1.0)
        if state[3] == 0:
            for frame in range(hop):
                out[number * hop + frame, 0] = audio[place + frame, 0]
                out[number * hop + frame, 1] = audio[place + frame, 1]
        else:
            other = at + state[2] - start
            done = (state[3] - 1) * hop
            for frame in range(hop):
                angle = 0.5 * np.pi * (done + frame + 0.5) / fade
                old, new = np.cos(angle), np.sin(angle)
                level = 1.0 / np.sqrt(1.0 + 2.0 * likeness[0] * old * new)
                for side in range(2):
                    out[number * hop + frame, side] = np.float32(
                        level * (old * audio[place + frame, side] + new * audio[other + frame, side])
                    )
            state[3] += 1
            if state[3] > FADE_HOPS:
                state[1], state[3] = state[2], 0
        state[0] += hop


@kernel
def _leap(audio: FloatArray, place: int, off: int, limits: IntArray, frames: int) -> tuple[int, float]:
    """Return the best leap from a place that is `off` its course, to it or a bit beyond, and how alike."""
    # Behind its course it leaps ahead, and else back.
    if off < 0:
        first, last = -off, -off + limits[2]
    else:
        first, last = -off - limits[2], -off
    # The coarse ones, then those round the best of them.
    found = _likenesses(audio, place, place + first, (last - first) // _COARSE + 1, frames, _COARSE)
    centre = first + _COARSE * int(np.argmax(found))
    first, last = max(first, centre - _COARSE + 1), min(last, centre + _COARSE - 1)
    found = _likenesses(audio, place, place + first, last - first + 1, frames, 1)
    best = int(np.argmax(found))
    return first + best, float(found[best])


@kernel
def _likenesses(audio: FloatArray, first: int, other: int, count: int, frames: int, step: int) -> DoubleArray:
    """Return the correlations `(count,)` of the span at `first` with those at `other`, a step further, ....

    Both sides together, one frame in `step`; silence is like everything.
    """
    taps = (frames + step - 1) // step
    # One after the other in memory, so that the spans are gone through side by side.
    heard = np.empty((2, taps + count - 1), dtype=np.float32)
    for tap in range(taps + count - 1):
        heard[0, tap] = audio[other + tap * step, 0]
        heard[1, tap] = audio[other + tap * step, 1]
    energy = 1e-9
    products, energies = np.full(count, 1e-9), np.full(count, 1e-9)
    for tap in range(taps):
        for side in range(2):
            a = audio[first + tap * step, side]
            energy += a * a
            for place in range(count):
                b = heard[side, tap + place]
                products[place] += a * b
                energies[place] += b * b
    return products / np.sqrt(energy * energies)
