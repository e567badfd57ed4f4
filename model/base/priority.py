"""A priority is lowered for what gives way to all that plays, and never raised."""

import os
import sys
from contextlib import suppress

_NICENESS = 10


def give_way(number: int) -> None:
    """Lower the priority of a process or, on Linux, of a thread, by its number.

    Nothing where it is as low, where it may not be, and on Windows.
    """
    if sys.platform != "win32":
        with suppress(OSError):
            # Who may not raise it gets an error, and who may would.
            before = os.getpriority(os.PRIO_PROCESS, number)
            os.setpriority(os.PRIO_PROCESS, number, max(before, _NICENESS))
