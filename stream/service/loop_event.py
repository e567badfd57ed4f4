"""A loop's event is waited for in that event loop, and set by any thread."""

import asyncio
from contextlib import suppress


class LoopEvent:
    """An event of the running loop, set as it is made."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._event.set()

    def set(self) -> None:
        """Have `wait` return; any thread."""
        # A loop that has ended has nobody who waits.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, timeout_s: float) -> None:
        """Return when it was set since the last wait, at the latest after `timeout_s`."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), timeout_s)
        self._event.clear()
