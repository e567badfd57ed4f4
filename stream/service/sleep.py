"""The sleep timer fades the stream out when its time has come, and then has it paused."""

import time
from collections.abc import Callable

import numpy as np

from model.base.arrays import FloatArray

FADE_OUT_S = 20.0
FADE_BACK_S = 1.0
DRAINED_S = 5.0
"""Silence that follows the fade, so that all that lies in outputs is silent before they stand still."""


class SleepTimer:
    """Counts down and fades; `faded` belongs to the thread that renders, all else to any.

    What it does to the sound stands in no decision log: like a pause it is a matter of who listens.
    """

    def __init__(self, rate_hz: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate_hz = rate_hz
        self._clock_s = clock
        self._due_s: float | None = None
        # Of the thread that renders: 1 where nothing is faded, and how much silence there was.
        self._level = 1.0
        self._silent_frames = 0

    def set(self, in_s: float | None) -> None:
        """Begin to fade in so many seconds; None: not at all, or no longer."""
        self._due_s = None if in_s is None else self._clock_s() + in_s

    @property
    def in_s(self) -> float | None:
        """How long until the fade begins, 0 while it goes on; None: nobody is going to sleep."""
        due_s = self._due_s
        return None if due_s is None else max(0.0, due_s - self._clock_s())

    def faded(self, block: FloatArray) -> FloatArray:
        """Return the block `(frames, 2)` as it is to be heard: the very same where nothing is faded."""
        due_s = self._due_s
        sinks = due_s is not None and self._clock_s() >= due_s
        if not sinks:
            self._silent_frames = 0
            if self._level == 1.0:
                return block
        step = -1.0 / (FADE_OUT_S * self._rate_hz) if sinks else 1.0 / (FADE_BACK_S * self._rate_hz)
        levels = np.clip(self._level + step * np.arange(1, len(block) + 1), 0.0, 1.0)
        if sinks and self._level == 0.0:
            self._silent_frames += len(block)
        self._level = float(levels[-1])
        # Squared: as loud as it seems, not as its samples are.
        faded: FloatArray = (block * np.square(levels)[:, np.newaxis]).astype(np.float32)
        return faded

    def over(self) -> bool:
        """Return, once, whether all is faded out: then the stream is to be paused. For who renders."""
        if self._silent_frames < DRAINED_S * self._rate_hz:
            return False
        self._silent_frames = 0
        self._due_s = None
        return True
