"""Lines are written aside, by a thread of their own, so that whoever has one waits for nobody who takes it.

A terminal that is stopped (Ctrl-S), a pipe that nobody reads and a disk that hangs take nothing, for as long
as they like. What makes sound has lines to write as well.
"""

import threading
from collections.abc import Callable
from queue import Full, Queue

MOST_LINES_WAITING = 1_000
"""Lines that wait to be written; what comes beyond is lost, and counted."""
CLOSE_S = 1.0
"""For so long at the end, whoever takes them may take what waits."""


class LinesAside:
    """Hands lines on in order; `put` belongs to any thread and never waits."""

    def __init__(
        self,
        write: Callable[[str], object],
        name: str,
        *,
        lost: Callable[[int], object] = lambda lines: None,
        most: int = MOST_LINES_WAITING,
    ) -> None:
        """write: takes a line, however long that takes. name: of the thread that calls it.

        lost: is told by that thread how many lines were lost, once all that waited are written.
        """
        self._write = write
        self._tell_lost = lost
        self._waiting: Queue[str | None] = Queue(most)
        self._lock = threading.Lock()
        self._lost = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, line: str) -> bool:
        """Have a line written, soon; False where it is lost, as too many wait."""
        try:
            self._waiting.put_nowait(line)
        except Full:
            with self._lock:
                self._lost += 1
            return False
        return True

    def close(self, timeout_s: float = CLOSE_S) -> bool:
        """Write what waits; False where nobody takes it in time: its thread goes with the process, then."""
        try:
            self._waiting.put(None, timeout=timeout_s)
        except Full:
            return False
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (line := self._waiting.get()) is not None:
            self._write(line)
            if self._lost and self._waiting.empty():
                with self._lock:
                    lost, self._lost = self._lost, 0
                self._tell_lost(lost)
