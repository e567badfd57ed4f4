"""What a service says and nobody reads any more holds up neither its sound nor its end."""

import fcntl
import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.commands import COMMAND, REPOSITORY
from tests.support.waiting import PATIENCE_S, wait_until
from tools.bench.free_port import free_port

pytestmark = pytest.mark.skipif(
    not hasattr(fcntl, "F_GETPIPE_SZ"), reason="this system does not say what a pipe holds"
)


class Served:
    """A service that plays over HTTP."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.process = process
        self._port = port

    def time_s(self) -> float:
        """Return how much of the stream was made; -1 while it does not answer."""
        with (
            suppress(OSError),
            urllib.request.urlopen(
                f"http://127.0.0.1:{self._port}/status.json", timeout=PATIENCE_S
            ) as answer,
        ):
            return float(json.load(answer)["now"]["time_s"])
        return -1.0

    def goes_on(self, seconds: float) -> None:
        """Wait until so much more was made."""
        began_s = self.time_s()
        wait_until(lambda: self.time_s() > began_s + seconds, "the music goes on")


@contextmanager
def served(pool: Path, *words: str | Path, stderr: int | None = None) -> Iterator[Served]:
    port = free_port()
    process = subprocess.Popen(
        [
            *COMMAND,
            "serve",
            str(pool),
            "--strategy",
            "random",
            "--http",
            f"127.0.0.1:{port}",
            *map(str, words),
        ],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if stderr is None else stderr,
    )
    try:
        found = Served(process, port)
        wait_until(lambda: found.time_s() > 0.0, "it plays")
        yield found
    finally:
        process.kill()
        process.wait()


def fill(path: str | Path) -> None:
    """Leave no room in a pipe; whoever else writes into it waits."""
    # Opened anew: not to wait is this descriptor's way, not that of others who write into the pipe.
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(descriptor, b"\n")
    os.close(descriptor)


def test_nobody_reads_what_it_says(tiny_pool: Path) -> None:
    reading, writing = os.pipe()
    try:
        with served(tiny_pool, stderr=writing) as running:
            fill(f"/proc/self/fd/{writing}")
            # After that the thread that makes the sound has something to say.
            running.process.send_signal(signal.SIGSTOP)
            subprocess.run(["sleep", "2"], check=True)
            running.process.send_signal(signal.SIGCONT)
            running.goes_on(8.0)
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(PATIENCE_S) == 0
    finally:
        os.close(reading)
        os.close(writing)


def test_nobody_reads_its_decisions(tiny_pool: Path, tmp_path: Path) -> None:
    log = tmp_path / "decisions"
    os.mkfifo(log)
    reading = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with served(tiny_pool, "--log", log) as running:
            fill(log)
            running.goes_on(15.0)
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(PATIENCE_S) == 0
    finally:
        os.close(reading)
