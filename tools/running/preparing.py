"""This module turns what `endlos play` was given into a pool that can sound, built in the background."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from model.base.errors import EndlosError, PoolError
from model.saved.contract import carried_model, load_contract
from stream.engine.decisions import Decision
from stream.engine.engine import Engine
from stream.engine.settings import EngineSettings
from stream.pool.database import DATABASE_FILE
from stream.pool.pool import current_generation
from tools.running import apart
from tools.running.home import cached_pool, demo_folder

_POLL_S = 0.1
_TERMINATE_S = 5.0
_BACKGROUND_NICENESS = 10
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
        if sys.platform != "win32":
            os.setpriority(os.PRIO_PROCESS, self._process.pid, _BACKGROUND_NICENESS)

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


class Prepared:
    """A pool to play, with the process that builds it or brings it up to date."""

    def __init__(self, pool: Path, build: Command | None) -> None:
        self.pool = pool
        self.build = build

    def open_engine(
        self,
        settings: EngineSettings,
        notice: Callable[[], None],
        on_decision: Callable[[Decision], None] | None = None,
    ) -> Engine:
        """Return the live engine as soon as the pool has enough for a stream.

        Raises `PoolError` when it never will, `ModelError` when the model does not fit. notice: called about
        ten times a second meanwhile; what it raises ends the wait.
        """
        while self.build is not None and self.build.running:
            if self._published():
                try:
                    return Engine.open(self.pool, settings, on_decision=on_decision, live=True)
                except PoolError:
                    # The first songs may be too few for a stream; more are on their way.
                    pass
            notice()
            time.sleep(_POLL_S)
        failure = None if self.build is None else self.build.failure()
        if failure is not None and not self._published():
            raise PoolError(failure)
        return Engine.open(self.pool, settings, on_decision=on_decision, live=True)

    def close(self) -> None:
        """Stop building."""
        if self.build is not None:
            self.build.close()

    def _published(self) -> bool:
        if not (self.pool / DATABASE_FILE).is_file():
            return False
        try:
            return current_generation(self.pool) is not None
        except PoolError:
            # The database may be in the making; one that is really broken fails the build as well.
            return False


def require_model(settings: EngineSettings) -> None:
    """Raise `ModelError` for a model that is none, before any music is prepared for it."""
    if settings.planner.strategy == "model":
        load_contract(settings.model or carried_model())


def prepare(
    source: Path | None,
    notice: Callable[[], None] = lambda: None,
    tell: Callable[[str], None] = lambda words: None,
) -> Prepared:
    """Return the pool that plays `source`, being built from now on unless it is one already.

    source: a pool, music (a folder, one file or a playlist), or None for the demo songs, which are made if
    missing (`notice` is called meanwhile). tell: called with what is about to take a while, before it begins.
    """
    if source is None:
        source = demo_folder()
        if not source.is_dir():
            tell("making demo songs ...")
            _make_demo_songs(source, notice)
    source = source.expanduser()
    if not source.exists():
        raise EndlosError(f"{source} does not exist; name a folder of music, or a pool")
    if (source / DATABASE_FILE).is_file():
        return Prepared(source, None)
    pool = cached_pool(source)
    words = ["pool", "build", str(source.resolve()), "--out", str(pool), "--quiet"]
    if not (pool / DATABASE_FILE).is_file():
        tell(f"analysing {source} (first sound in some seconds) ...")
    return Prepared(pool, Command(words, pool.parent / f"{pool.name}.log"))


def _make_demo_songs(folder: Path, notice: Callable[[], None]) -> None:
    beside = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    making = Command(["demo-songs", str(beside)], folder.with_name(f"{folder.name}.log"))
    try:
        while making.running:
            notice()
            time.sleep(_POLL_S)
    finally:
        making.close()
    failure = making.failure()
    if failure is not None:
        raise EndlosError(failure)
    beside.rename(folder)
