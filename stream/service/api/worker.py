"""The worker does what takes long for those who ask, one after the other, in a thread that gives way."""

import asyncio
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from fastapi import HTTPException

from model.base.priority import give_way

MOST_WAITING = 8

T = TypeVar("T")


class Worker:
    """One thread: whoever asks, and however often, takes no more than what those who listen leave."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="interface", initializer=_give_way)
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)

    async def done(self, job: Callable[[], T]) -> T:
        """Return what a job returns; 503 where too many wait already. For any event loop."""
        if not self._waiting.acquire(blocking=False):
            raise HTTPException(503, "too much is asked for at once; try again", {"Retry-After": "2"})
        try:
            return await asyncio.wrap_future(self._thread.submit(job))
        finally:
            self._waiting.release()

    def close(self) -> None:
        """End the thread when it has done what it does."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _give_way() -> None:
    """Lower the priority of this thread, where a thread has one of its own."""
    if sys.platform == "linux":
        give_way(threading.get_native_id())
