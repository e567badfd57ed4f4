"""A command in the background is `endlos` in a process of its own, below everything that plays."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from model.base.priority import give_way
from tools.running import apart

_TERMINATE_S = 5.0
_ERROR_BYTES = 4096


class Command:
    """One `endlos` command in a process of its own, in the background; belongs to one thread."""

    def __init__(self, words: list[str], log: Path) -> None:
        """Start `endlos` with `words`; what it prints goes to the file `log`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                apart.command("tools.cli", *words),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=apart.environment(),
                # A group of its own: the terminal's Ctrl-C is for the player, which then ends this one.
                start_new_session=sys.platform != "win32",
                creationflags=flags,
            )
        give_way(self._process.pid)

    @property
    def running(self) -> bool:
        """Whether it is still at work."""
        return self._process.poll() is None

    def failure(self) -> str | None:
        """Return why it failed, in one sentence; None while it runs or when all went well."""
        if not self._process.poll():
            return None
        text = self.log.read_bytes()[-_ERROR_BYTES:].decode(errors="replace")
        told = [line.removeprefix("endlos: ") for line in text.splitlines() if line.startswith("endlos: ")]
        return told[-1] if told else f"preparing the music failed; {self.log} says why"

    def close(self) -> None:
        """Stop it if it still works: what is analysed is kept, and the next build goes on from there."""
        if not self.running:
            return
        if sys.platform == "win32":
            self._process.terminate()
        else:
            # Its worker processes too.
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(_TERMINATE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
