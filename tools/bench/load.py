"""The load makes a machine busy, by one computing process per core and a thread that holds the GIL."""

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

HOLD_MS = 500
_REST_S = 0.5


@contextmanager
def busy_cores() -> Iterator[None]:
    """Keep every core busy at the same priority for the length of a `with` block."""
    burners = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)
    ]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


@contextmanager
def held_lock() -> Iterator[None]:
    """Hold the global lock for half of every second, as a long C call of somebody else's would."""
    over = threading.Event()
    # PyDLL keeps the lock while it is in C.
    library = ctypes.PyDLL(None)

    def hold() -> None:
        while not over.wait(_REST_S):
            library.usleep(1000 * HOLD_MS)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
