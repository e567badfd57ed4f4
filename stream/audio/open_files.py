"""This module keeps few song files open, each under its own lock, so that no song waits for another."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from model.base.arrays import FloatArray


class Readable(Protocol):
    """What spans of a song are read from: its file, or its decoded copy; for one thread at a time."""

    def read(self, start: int, stop: int) -> FloatArray:
        """Return frames `start` to `stop`, `(stop - start, 2)` float32; `DecodeError` where that fails."""

    def close(self) -> None:
        """Close it; harmless when it is closed."""


class Handle:
    """One song's file; what is done with it is done by the thread that has borrowed it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.file: Readable | None = None
        """None until it is opened, and after it was closed."""
        self.readers = 0
        """Threads that have it or wait for it; counted by `OpenFiles`."""

    def close(self) -> None:
        """Close the file, if it is open."""
        file, self.file = self.file, None
        if file is not None:
            file.close()


class OpenFiles:
    """The files of songs that are read; any thread may call any method.

    At most `most` are open, or as many as there are threads that read at the same time. A file that a thread
    has borrowed is closed by nobody else.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        # Never held while a file is opened, read or closed.
        self._lock = threading.Lock()
        self._handles: OrderedDict[int, Handle] = OrderedDict()

    def __len__(self) -> int:
        return len(self._handles)

    @contextmanager
    def borrowed(self, song: int) -> Iterator[Handle]:
        """Have a song's file for this thread alone; other threads wait for it, and for no other song's."""
        with self._lock:
            handle = self._handles.setdefault(song, Handle())
            self._handles.move_to_end(song)
            handle.readers += 1
            unused = self._surplus()
        try:
            _close(unused)
            with handle.lock:
                yield handle
        finally:
            with self._lock:
                handle.readers -= 1
                unused = self._surplus()
                if self._handles.get(song) is not handle and not handle.readers:
                    unused.append(handle)
            _close(unused)

    def drop(self, song: int) -> None:
        """Have the next read open a song's file anew; who reads it at this moment closes it afterwards."""
        with self._lock:
            handle = self._handles.pop(song, None)
            unused = [] if handle is None or handle.readers else [handle]
        _close(unused)

    def clear(self) -> None:
        """Drop every file."""
        with self._lock:
            unused = [handle for handle in self._handles.values() if not handle.readers]
            self._handles.clear()
        _close(unused)

    def _surplus(self) -> list[Handle]:
        """Take out what is too many, longest unused first and none that is read; the lock is held."""
        idle = [song for song, handle in self._handles.items() if not handle.readers]
        return [self._handles.pop(song) for song in idle[: max(0, len(self._handles) - self._most)]]


def _close(unused: list[Handle]) -> None:
    for handle in unused:
        handle.close()
