"""This helper starts a real Dask scheduler and workers, each a process of its own that can be killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from tests.support.waiting import PATIENCE_S, wait_until

REPOSITORY = Path(__file__).resolve().parents[2]


class DaskCluster:
    """A scheduler on this machine and its workers; a context manager that kills them at its end."""

    def __init__(self, folder: Path) -> None:
        """folder: where they may keep files."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._told = folder / "scheduler.json"
        self._processes: list[subprocess.Popen[bytes]] = []
        words = ("--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(self._told))
        self.scheduler_process = self._start("dask_scheduler", *words, "--no-dashboard", code=REPOSITORY)

    @property
    def address(self) -> str:
        """Where the scheduler is."""
        # It is written in place, and is there before anything stands in it.
        wait_until(
            lambda: self._told.is_file() and self._told.read_text().endswith("\n}"), "the scheduler is there"
        )
        return str(json.loads(self._told.read_text())["address"])

    def add_worker(self, code: Path = REPOSITORY) -> int:
        """Start a worker that runs the code in a folder; return the number of its process."""
        words = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(self._folder))
        process = self._start("dask_worker", self.address, *words, "--host", "127.0.0.1", code=code)
        return process.pid

    def _start(self, program: str, *words: str, code: Path) -> "subprocess.Popen[bytes]":
        with (self._folder / f"{program}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{program}", *words],
                cwd=self._folder,
                env={**os.environ, "PYTHONPATH": str(code), "PYTHONSAFEPATH": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        return process

    def __enter__(self) -> "DaskCluster":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._processes):
            process.send_signal(signal.SIGKILL)
            process.wait(PATIENCE_S)
