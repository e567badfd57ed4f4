"""The guard of the outputs closes one that raises and leaves it out, so that no other suffers."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from stream.outputs.output import Output

_log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")


class GuardedOutputs:
    """All outputs that have not failed; every method may be called by any thread."""

    def __init__(self, outputs: Sequence[Output]) -> None:
        self._outputs = list(outputs)
        self._failing_lock = threading.Lock()
        self._close_lock = threading.Lock()
        self._closed = False
        self.failed = 0
        """How many have raised an exception and get nothing any more."""

    def __iter__(self) -> Iterator[Output]:
        return iter(list(self._outputs))

    def start(self) -> None:
        """Start each; when one cannot, those that have been started are closed again, and it raises."""
        for started, output in enumerate(self._outputs):
            try:
                output.start()
            except Exception:
                del self._outputs[started:]
                self.close()
                raise

    def ask(self, output: Output, call: Callable[..., _Answer], *args: object) -> _Answer | None:
        """Call a method of an output and return its answer; None when it fails, or has failed before."""
        if output not in self._outputs:
            return None
        try:
            return call(*args)
        except Exception:
            with self._failing_lock:
                if output not in self._outputs:
                    return None
                self._outputs.remove(output)
                self.failed += 1
            _log.exception("the output %r has failed; the others go on without it", output.name)
            if call != output.close:
                # Closing may wait for a device or a server; here the others wait for their next block.
                threading.Thread(target=_close_failed, args=(output,), daemon=True).start()
            return None

    def close(self) -> None:
        """Close every output once, whichever thread comes first."""
        with self._close_lock:
            if self._closed:
                return
            self._closed = True
            for output in self:
                self.ask(output, output.close)


def _close_failed(output: Output) -> None:
    try:
        output.close()
    except Exception:
        _log.exception("the output %r cannot be closed either", output.name)
