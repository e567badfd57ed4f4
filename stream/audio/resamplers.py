"""The resamplers bring blocks of songs to the engine's rate by soxr, each with its filters made once."""

import weakref

import soxr

from model.base.arrays import FloatArray

QUALITY = "VHQ"


class Resamplers:
    """Resamples blocks to one rate; any thread may ask.

    To design the filters takes as long as to resample a block of a second: a resampler is kept for each rate,
    and for each thread that needs one at the same time. It gives the same samples as a new one.
    """

    def __init__(self, rate_hz: int) -> None:
        """rate_hz: that of what is returned."""
        self._rate_hz = rate_hz
        self._idle: dict[int, list[soxr.ResampleStream]] = {}
        # Also when the process ends while a thread holds this: nanobind, which soxr's binding is made with,
        # writes a page of warnings about each object that is left then.
        weakref.finalize(self, self._idle.clear)

    def resample(self, audio: FloatArray, rate_hz: int) -> FloatArray:
        """Return `(frames, 2)` float32 of that rate at the other, as if nothing were before and behind it."""
        idle = self._idle.setdefault(rate_hz, [])
        try:
            resampler = idle.pop()
        except IndexError:
            resampler = soxr.ResampleStream(rate_hz, self._rate_hz, 2, dtype="float32", quality=QUALITY)
        resampled: FloatArray = resampler.resample_chunk(audio, last=True)
        resampler.clear()
        idle.append(resampler)
        return resampled

    def clear(self) -> None:
        """Drop the filters."""
        self._idle.clear()
