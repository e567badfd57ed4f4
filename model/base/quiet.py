"""This module keeps native code (C libraries, TensorFlow as it loads) from writing on standard error."""

import ctypes
import functools
import os
import platform
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class _Silencer:
    """Points C's `stderr` at the null device while at least one thread is inside."""

    def __init__(self, libc: ctypes.CDLL) -> None:
        libc.fopen.restype = ctypes.c_void_p
        libc.fopen.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
        self._stream = ctypes.c_void_p.in_dll(libc, "stderr")
        self._null = libc.fopen(os.fsencode(os.devnull), b"w")
        self._lock = threading.Lock()
        self._inside = 0
        self._kept: int | None = None

    def enter(self) -> None:
        with self._lock:
            if self._inside == 0 and self._null is not None:
                self._kept = self._stream.value
                self._stream.value = self._null
            self._inside += 1

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._null is not None:
                self._stream.value = self._kept


@contextmanager
def quiet_c_stderr() -> Iterator[None]:
    """Drop what C code prints on standard error inside the block; any thread may use it.

    libsndfile's mp3 reader (libmpg123) prints every damaged frame, into the middle of a status line, and
    libsndfile has no switch for it. The file descriptor stays as it is, so that Python's own `sys.stderr`
    keeps writing, from every thread. Only glibc lets a program replace `stderr`; elsewhere nothing happens.
    """
    silencer = _silencer()
    if silencer is None:
        yield
        return
    silencer.enter()
    try:
        yield
    finally:
        silencer.leave()


@contextmanager
def without_noise() -> Iterator[None]:
    """Hold back what native code writes to the error stream; for the first import of TensorFlow.

    Affects the whole process while it lasts. What goes wrong is raised all the same.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


@functools.cache
def _silencer() -> _Silencer | None:
    # One per process, because C's stderr is; musl keeps it in read-only memory.
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return None
    return _Silencer(ctypes.CDLL(None))
