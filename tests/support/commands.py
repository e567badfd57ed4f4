"""This helper runs the command line in this process, in its own, or on a pseudo-terminal."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import pytest

from tests.support.waiting import PATIENCE_S
from tests.support.waiting import wait_until as wait_until
from tools.cli import main

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "tools.cli")


def run_here(*words: str | Path) -> int:
    """Run `endlos` with `words` in this process and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    code = ended.value.code
    return code if isinstance(code, int) else 0 if code is None else 1


def run_apart(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `endlos` with `words` in a process of its own, to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=10 * PATIENCE_S,
        check=False,
    )


class Running:
    """`endlos` in a process of its own that goes on; a context manager that ends it at the latest."""

    def __init__(
        self,
        *words: str | Path,
        terminal: bool = False,
        command: tuple[str, ...] = COMMAND,
        folder: Path = REPOSITORY,
        **environment: str,
    ) -> None:
        """terminal: give it a pseudo-terminal as standard input and output. folder: where it is called."""
        self._read_end, write_end = pty.openpty() if terminal else os.pipe()
        self._process = subprocess.Popen(
            [*command, *map(str, words)],
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            stdin=write_end if terminal else subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            start_new_session=True,
            preexec_fn=_in_the_foreground if terminal else _heed_signals,
        )
        os.close(write_end)
        self._text = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    def printed(self) -> str:
        """Return everything that it has printed so far."""
        while select.select([self._read_end], [], [], 0)[0]:
            try:
                data = os.read(self._read_end, 1 << 16)
            except OSError:  # the terminal is closed at its other end
                break
            if not data:
                break
            self._text += data
        return self._text.decode(errors="replace")

    def wait_for(self, text: str, timeout_s: float = PATIENCE_S) -> str:
        """Wait until `text` has been printed; return all that has."""

        def shown() -> bool:
            ended = self._process.poll() is not None
            found = text in self.printed()
            assert found or not ended, f"ended without {text!r}:\n{self.printed()}"
            return found

        wait_until(shown, f"{text!r} in {self.printed()!r}", timeout_s)
        return self.printed()

    def press(self, keys: str) -> None:
        """Type on its terminal."""
        os.write(self._read_end, keys.encode())

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it alone."""
        self._process.send_signal(number)

    def end(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for its end and return its exit code."""
        deadline_s = time.monotonic() + timeout_s
        while self._process.poll() is None:
            # What is not read would in the end block the writer.
            self.printed()
            assert time.monotonic() < deadline_s, f"did not end: {self.printed()}"
            time.sleep(0.02)
        self.printed()
        return self._process.returncode

    def __enter__(self) -> "Running":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._read_end)


def _heed_signals() -> None:
    """Undo what a shell in the background, or nohup, hands on: signals that are ignored."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def _in_the_foreground() -> None:
    """Make the terminal the controlling one, as that of a process in its foreground."""
    _heed_signals()
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
