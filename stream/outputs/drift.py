"""The drift correction holds network listeners to the wall clock while a sound card paces by its own.

A listener's player runs, as far as anybody can tell, by true seconds. A sound card that is 200 ppm fast would
send it 17 s too much a day. So the stream is played a few parts per million slower or faster, by soxr's
variable rate, until what has been sent keeps a constant lead over the clock.
"""

import logging
import math
from collections.abc import Callable

import numpy as np
import soxr

from model.base.arrays import FloatArray

_log = logging.getLogger(__name__)

MAX_SKEW = 500e-6
"""Bound of the change of speed: under a hundredth of a semitone, where a fifth of one can be told."""
SETTLE_S = 10.0
"""After a start, when rings are filled at once; the lead in its second half is the one to keep."""
MAX_LEAD_S = 3.0
"""A stream further ahead than this is cut: every skip fills the card's deep ring at once."""
MAX_LAG_S = 1.0
"""A stream further behind than this stays so: its listeners have heard the gap already."""

# A critically damped second-order loop, slow enough that the coming in blocks does not modulate the pitch.
_OMEGA_PER_S = 0.004
_SMOOTH_S = 20.0
# soxr must know how far it will ever be driven; past what it was told it makes noise.
_SOXR_MAX_RATIO = 1.001


class SkewControl:
    """Says how much faster (positive) or slower a stream should go, given how far ahead it is."""

    def __init__(self) -> None:
        self.skew = 0.0
        """Relative: 1e-6 is one part per million."""
        self._smoothed_s = 0.0
        self._drift = 0.0

    def update(self, lead_s: float, elapsed_s: float) -> float:
        """Return the skew, from the lead over what it should be and the time since the last update."""
        self._smoothed_s += (lead_s - self._smoothed_s) * -math.expm1(-elapsed_s / _SMOOTH_S)
        wanted = 2 * _OMEGA_PER_S * self._smoothed_s + self._drift
        self.skew = _bounded(wanted)
        # What the bound keeps from being done must not pile up.
        if self.skew == wanted or self._smoothed_s * wanted < 0:
            self._drift = _bounded(self._drift + _OMEGA_PER_S**2 * self._smoothed_s * elapsed_s)
        return self.skew

    def restart(self) -> None:
        """Forget where the stream was; what is known of the two clocks stays."""
        self._smoothed_s = 0.0
        self.skew = self._drift


class WallFollower:
    """One stream `(frames, 2)`, resampled so that it neither gains nor loses on the wall clock.

    One thread; the counters may be read by any.
    """

    def __init__(self, engine_rate_hz: int, clock: Callable[[], float]) -> None:
        self._rate_hz = engine_rate_hz
        self._clock_s = clock
        self._control = SkewControl()
        self._stretched = 0.0
        self._frames = 0
        self._kept_s: float | None = None
        self.restart()

    @property
    def stretched_frames(self) -> int:
        """Frames that were left out or added in sum."""
        return int(self._stretched)

    @property
    def skew_ppm(self) -> float:
        """How much faster than it comes the stream goes on now."""
        return 1e6 * self._control.skew

    def restart(self) -> None:
        """Begin anew, with another listener."""
        self._resampler = soxr.ResampleStream(_SOXR_MAX_RATIO, 1.0, 2, dtype="float32", vr=True)
        self._control.restart()
        self._resampler.set_io_ratio(1.0 + self._control.skew, 1.0)
        self._began_s = self._updated_s = self._clock_s()
        self._frames = 0
        self._kept_s = None
        self._settling: list[float] = []

    def process(self, block: FloatArray, waiting_frames: int) -> FloatArray:
        """Return what is to be sent for `block`; waiting_frames: what has come and is not yet in it."""
        skew = self._control.skew
        self._resampler.set_io_ratio(1.0 + skew, 1.0, len(block))
        out: FloatArray = self._resampler.resample_chunk(np.ascontiguousarray(block, dtype=np.float32))
        self._stretched += abs(skew) * len(block)
        self.count(len(out), waiting_frames)
        return out

    def count(self, frames: int, waiting_frames: int) -> None:
        """Take note of frames that are sent, and see how far ahead the stream is."""
        self._frames += frames
        now_s = self._clock_s()
        since_s = now_s - self._began_s
        lead_s = (self._frames + waiting_frames) / self._rate_hz - since_s
        elapsed_s, self._updated_s = now_s - self._updated_s, now_s
        if self._kept_s is None:
            if since_s > SETTLE_S / 2:
                self._settling.append(lead_s)
            if since_s > SETTLE_S:
                self._kept_s = float(np.mean(self._settling))
                self._settling.clear()
            return
        if lead_s - self._kept_s < -MAX_LAG_S:
            _log.warning("the stream fell %.1f s behind its listeners; it goes on from here", -lead_s)
            self._kept_s = lead_s
            self._control.restart()
        self._control.update(lead_s - self._kept_s, elapsed_s)

    def surplus_frames(self, waiting_frames: int) -> int:
        """Return how many frames have to be left out at once: none unless it is too far ahead."""
        since_s = self._clock_s() - self._began_s
        lead_s = (self._frames + waiting_frames) / self._rate_hz - since_s - (self._kept_s or 0.0)
        return round(lead_s * self._rate_hz) if lead_s > MAX_LEAD_S else 0


def _bounded(skew: float) -> float:
    return max(-MAX_SKEW, min(skew, MAX_SKEW))
