"""The footprint of a process is the memory that it keeps; what only its start needed is let go."""

import ctypes
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

LET_GO_AFTER_S = (10.0, 60.0)
"""After so long every kernel is loaded and the first decisions are made; on a slow machine a little later."""
AGAIN_S = 600.0
"""Then so often: a pool that grew was opened anew, something rare was done for once, heap was freed."""

_MAPS = Path("/proc/self/smaps")
_NEXT = re.compile(r"^(?=[0-9a-f]+-)", re.MULTILINE)
_HEAD = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r-[x-]p \S+ \S+ \S+ +/\S.*\.so[.0-9]*$", re.MULTILINE)
_UNCHANGED = re.compile(r"^Anonymous: +0 kB$", re.MULTILINE)
# Of glibc's `mallopt`.
_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1
_HEAPS = 2
_GIVEN_BACK_BYTES = 1 << 20
"""What is larger is memory of its own, and given back when it is freed."""
_KEPT_BYTES = 12 << 20
"""While songs are analysed, arrays of up to so much come out of the heap: 32 MB cost a worker 20 MB more."""
_DONTNEED = 4
"""Of Linux's `madvise`: what is asked for again is read anew, from the file."""


def share_heap() -> None:
    """Have all threads that are still to come share a heap, beside the main thread's, without large arrays.

    glibc gives each its own, which keeps what was freed in it: 10 MB in a stream. (One heap for all would
    save 2 MB more, and took a tenth more processor time.) And once an array of some megabytes is freed, the
    next ones come out of the heap, which then keeps them: another 10 MB.
    """
    system = _libc()
    if system is not None and hasattr(system, "mallopt"):
        system.mallopt(_ARENA_MAX, _HEAPS)
        system.mallopt(_MMAP_THRESHOLD, _GIVEN_BACK_BYTES)


def keep_heap() -> None:
    """Have large arrays, too, come out of the heap, which keeps what is freed for the next ones.

    An analysis makes hundreds of some megabytes. Each time a page is given back and taken anew the system
    clears it: a third of the processor time of a build. What is kept goes with `trim_heap`.
    """
    system = _libc()
    if system is not None and hasattr(system, "mallopt"):
        system.mallopt(_ARENA_MAX, _HEAPS)
        system.mallopt(_MMAP_THRESHOLD, _KEPT_BYTES)
        system.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)


def trim_heap() -> None:
    """Give back freed heap. Any thread; nothing but on Linux."""
    system = _libc()
    if system is not None and hasattr(system, "malloc_trim"):
        system.malloc_trim(0)


@contextmanager
def settling() -> Iterator[None]:
    """Let go again and again, in a thread of its own, for as long as this is entered."""
    over = threading.Event()

    def run() -> None:
        for wait_s in chain(LET_GO_AFTER_S, repeat(AGAIN_S)):
            if over.wait(wait_s):
                return
            let_go()

    threading.Thread(target=run, name="footprint", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def let_go() -> None:
    """Give back freed heap, and the pages of libraries that were only read. Any thread; nothing but on Linux.

    To load kernels the compiler LLVM is walked through once, 70 MB of its pages, and never again. A page that
    is needed after all is there again at once: the system keeps it while there is room.
    """
    trim_heap()
    system = _libc()
    if system is None:
        return
    system.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    try:
        maps = _MAPS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        # Not every kernel, or container, tells it.
        return
    for part in _only_read(maps):
        system.madvise(part.begin, part.size, _DONTNEED)


def _libc() -> ctypes.CDLL | None:
    """Return Linux's C library, maybe not glibc; elsewhere None."""
    return ctypes.CDLL(None) if sys.platform.startswith("linux") else None


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What is mapped of one library, in bytes."""

    begin: int
    size: int


def _only_read(maps: str) -> Iterator[_Part]:
    """Return the parts of libraries that can only be read, and of which no page was ever changed.

    What the linker changed (relocations) and then made read-only is in no file.
    """
    for told in _NEXT.split(maps):
        head = _HEAD.match(told)
        if head and _UNCHANGED.search(told):
            begin, end = int(head[1], 16), int(head[2], 16)
            yield _Part(begin=begin, size=end - begin)
