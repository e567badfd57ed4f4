"""This helper sees how long the machine itself stands still while a test claims real time."""

import subprocess
import sys
from types import TracebackType

from tests.support.pulse import FAVOURED

STALL_S = 0.1
"""What runs in vain for so long finds no fault with anybody: a sink holds less, and a ring not much more."""

_WATCH = """
import select, sys, time
longest_s, at_s = 0.0, time.monotonic()
while not select.select([sys.stdin], [], [], 0.01)[0]:
    before_s, at_s = at_s, time.monotonic()
    longest_s = max(longest_s, at_s - before_s)
print(longest_s)
"""


class Stalls:
    """A process that wants to run every 10 ms, as favoured as what is tested; a context manager."""

    longest_s = 0.0
    """The longest that it had to wait; known when the block has ended."""

    def __enter__(self) -> "Stalls":
        self._process = subprocess.Popen(
            [*FAVOURED, sys.executable, "-c", _WATCH],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        told, _ = self._process.communicate("\n")
        self.longest_s = float(told)
