"""The timed card is a sound card output whose callbacks are timed."""

import numpy as np

from model.base.arrays import DoubleArray
from stream.outputs.card import SoundCard
from tools.running.timed_callback import CallbackTimes

_MOST_CALLS = 1 << 20
"""25 minutes of blocks of 64 frames; later calls are not noted."""


class TimedCard(SoundCard):
    """Plays as the sound card does, and knows when it was called."""

    _times: CallbackTimes | None = None

    def calls(self) -> int:
        """Return how many there have been."""
        return self._times.count() if self._times is not None else 0

    def called_s(self, first: int) -> DoubleArray:
        """Return when, by PortAudio's clock in seconds, from call `first` on."""
        return self._times.since(first) if self._times is not None else np.empty(0)

    def _callback_address(self) -> int:
        # Noted anew each time the device is opened.
        self._times = CallbackTimes(super()._callback_address(), capacity=_MOST_CALLS)
        return self._times.address
