"""This measure finds the true peak of a stream of any length, block by block."""

import numpy as np
import soxr

from model.base.arrays import FloatArray
from tools.songs.loudness import amplitude_db
from tools.songs.true_peak import OVERSAMPLING


class PeakMeter:
    """Largest magnitude of a stream, four times oversampled (BS.1770-4, annex 2)."""

    def __init__(self, rate_hz: int) -> None:
        self._stream = soxr.ResampleStream(rate_hz, OVERSAMPLING * rate_hz, 2, dtype="float32", quality="MQ")
        self._peak = 0.0

    def __call__(self, block: FloatArray) -> None:
        """Take the next `(frames, 2)` of the stream."""
        between = self._stream.resample_chunk(np.ascontiguousarray(block))
        self._peak = max(
            self._peak, float(np.abs(block).max(initial=0.0)), float(np.abs(between).max(initial=0.0))
        )

    @property
    def peak_db(self) -> float:
        """The true peak so far, in dBTP."""
        return amplitude_db(self._peak)
