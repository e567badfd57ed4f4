"""Worker processes work on many items; one that dies is named, and the rest goes on."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from model.base.errors import PoolError, interrupted
from tools.work.footprint import keep_heap, let_go, trim_heap

Item = TypeVar("Item")
_Result = TypeVar("_Result")

Room = Callable[[str, int], bool]
"""Asks the parent whether something of that name and so many bytes may be written, and counts it if so."""
Work = Callable[[Item, Room], _Result]

STOP_S = 5.0  # how long a worker is given to end


def usable_cores() -> int:
    """Return how many processor cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))  # fewer than there are, in a container
    except AttributeError:
        return os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True)
class Crashed:
    """Working on an item raised what it should not, or ended its process."""

    reason: str


@dataclass(kw_only=True, eq=False)
class _Worker(Generic[Item]):
    process: BaseProcess
    connection: "Connection[Any, Any]"
    item: Item
    ready: bool = False


@dataclass(frozen=True, kw_only=True)
class _Ready:
    """A worker's first word: it has started, and can be given work."""


@dataclass(frozen=True, kw_only=True)
class _Ask:
    name: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class _Done:
    result: Any


def run_all(
    work: "Work[Item, _Result]", items: Sequence[Item], jobs: int, room: Room
) -> Generator[tuple[Item, _Result | Crashed], None, None]:
    """Yield each item with its result, as they are done, the first items first.

    work: a function of a module (workers are spawned and import it). With one job it runs in this process,
    where a crash is not survived; otherwise in `jobs` processes. Closing the iterator ends them.
    `PoolError` when the processes cannot be started.
    """
    if jobs == 1:
        for item in items:
            yield item, attempt(work, item, room)
        return
    waiting = deque(items)
    workers: list[_Worker[Item]] = []
    try:
        while waiting or workers:
            while waiting and len(workers) < jobs:
                workers.append(_start(work, waiting.popleft()))
            ready = wait([worker.connection for worker in workers])
            for worker in [worker for worker in workers if worker.connection in ready]:
                message = _receive(worker)
                if isinstance(message, _Ready):
                    worker.ready = True
                    _send(worker, worker.item)
                elif isinstance(message, _Ask):
                    _send(worker, room(message.name, message.size_bytes))
                elif isinstance(message, _Done):
                    item = worker.item
                    if waiting:
                        worker.item = waiting.popleft()
                        _send(worker, worker.item)
                    else:
                        workers.remove(worker)
                        _stop(worker)
                    yield item, message.result
                else:
                    workers.remove(worker)
                    _stop(worker)
                    if not worker.ready:
                        raise PoolError(
                            f"worker processes cannot be started (exit code {worker.process.exitcode}); "
                            "try again with one job"
                        )
                    yield worker.item, Crashed(reason=_death(worker.process.exitcode))
    finally:
        for worker in workers:
            worker.process.terminate()
            _stop(worker)


def attempt(work: "Work[Item, _Result]", item: Item, room: Room) -> _Result | Crashed:
    """Return what working on one item gives, or what it raised."""
    try:
        return work(item, room)
    # Whatever one item leads to, the others are worked on; the reason is reported, not lost.
    except Exception as error:
        if interrupted(error):
            raise
        return Crashed(reason=f"{type(error).__name__}: {error}")
    finally:
        trim_heap()


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Have processes that are started meanwhile hear no Ctrl-C, which reaches the whole group, as they begin.

    The parent, which ends its workers, hears it right after.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    # The first process starts it, and that undoes the mask.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Have what wants the end of this process come once a `with` block is through.

    A process that is left amid its start says so, in a traceback. A mask is of one thread, and another one
    takes the signal: the handler runs in the main thread all the same.
    """
    came: list[int] = []
    handlers = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # What is ignored, or ends at once, stays so; and only the main thread, which it interrupts, may ask.
        if number is not None and callable(signal.getsignal(number)):
            with suppress(ValueError):
                handlers[number] = signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


def _start(work: "Work[Item, _Result]", item: Item) -> _Worker[Item]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(work, theirs), daemon=True)
    with deaf_to_interrupts(), interrupts_held():
        process.start()
    theirs.close()
    return _Worker(process=process, connection=ours, item=item)


def _serve(work: "Work[Any, Any]", connection: "Connection[Any, Any]") -> None:
    keep_heap()
    # Where there is no mask to inherit.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def room(name: str, size_bytes: int) -> bool:
        connection.send(_Ask(name=name, size_bytes=size_bytes))
        return bool(connection.recv())

    # The parent closes the pipe when there is nothing left to do, and dying closes it too.
    with suppress(EOFError, ConnectionError):
        connection.send(_Ready())
        for number in count():
            item = connection.recv()
            connection.send(_Done(result=attempt(work, item, room)))
            if not number:
                # The first item has loaded what all need; to look for what may go takes some 30 ms.
                let_go()


def _receive(worker: _Worker[Any]) -> Any:
    """Return the worker's message, None when it is dead."""
    try:
        return worker.connection.recv()
    except (EOFError, ConnectionError):
        return None


def _send(worker: _Worker[Any], message: object) -> None:
    # A worker that is dead by now is found so by the next `_receive`.
    with suppress(ConnectionError):
        worker.connection.send(message)


def _stop(worker: _Worker[Any]) -> None:
    worker.connection.close()
    worker.process.join(STOP_S)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()


def _death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        with suppress(ValueError):
            return f"working on it ended the worker process ({signal.Signals(-exit_code).name})"
    return f"working on it ended the worker process (exit code {exit_code})"
