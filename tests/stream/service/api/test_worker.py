"""The worker does one thing at a time, refuses what would wait too long, and gives way to the stream."""

import asyncio
import os
import sys
import threading
from contextlib import closing

import pytest
from fastapi import HTTPException

from stream.service.api.worker import MOST_WAITING, Worker


def test_it_does_one_thing_after_the_other_and_no_more_than_so_many_wait() -> None:
    begun, may_end = [], threading.Event()

    def job(number: int) -> int:
        begun.append(number)
        assert may_end.wait(60.0)
        return number

    async def ask(worker: Worker) -> None:
        waiting = [
            asyncio.create_task(worker.done(lambda each=each: job(each))) for each in range(MOST_WAITING)
        ]  # type: ignore[misc]
        await asyncio.sleep(0)
        with pytest.raises(HTTPException) as refused:
            await worker.done(lambda: job(99))
        assert (refused.value.status_code, refused.value.headers) == (503, {"Retry-After": "2"})
        assert begun in ([], [0])
        may_end.set()
        assert await asyncio.gather(*waiting) == list(range(MOST_WAITING))
        assert await worker.done(lambda: job(7)) == 7, "there is room again"

    with closing(Worker()) as worker:
        asyncio.run(ask(worker))
    assert begun == [*range(MOST_WAITING), 7]


def test_what_a_job_raises_is_raised_and_makes_room() -> None:
    async def ask(worker: Worker) -> None:
        for _ in range(2 * MOST_WAITING):
            with pytest.raises(ZeroDivisionError):
                await worker.done(lambda: 1 // 0)

    with closing(Worker()) as worker:
        asyncio.run(ask(worker))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
def test_its_thread_gives_way_and_no_other() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = priority()
    with closing(Worker()) as worker:
        assert asyncio.run(worker.done(priority)) == max(before, 10)
    assert priority() == before
