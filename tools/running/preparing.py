"""This module turns what `endlos play` was given into a pool that can sound, built in the background."""

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from model.base.errors import EndlosError, PoolError
from model.saved.carried import carried_model
from model.saved.contract_file import load_contract
from stream.choosing.generation import Generation
from stream.engine.decisions import Decision
from stream.engine.engine import Engine
from stream.engine.settings import EngineSettings
from stream.engine.standing import Standing
from stream.pool.database import DATABASE_FILE
from stream.pool.origin import Origin, origin_of
from stream.pool.pool import current_generation
from tools.running.background import Command
from tools.running.compiling import compile_apart
from tools.running.home import cached_pool, demo_folder
from tools.running.watching import Watching

_log = logging.getLogger("endlos")

_POLL_S = 0.1


class Prepared:
    """A pool to play, with the process that builds it or brings it up to date; belongs to one thread."""

    def __init__(self, pool: Path, build: Command | None, watching: Watching | None = None) -> None:
        """watching: of the music that it is built again of; None builds it no more."""
        self.pool = pool
        self.build = build
        self._watching = watching
        self._ended = build is None
        self._told: str | None = None
        self._uncompiled = True

    def open_engine(
        self,
        settings: EngineSettings,
        notice: Callable[[], None],
        on_decision: Callable[[Decision], None] | None = None,
        recall: Callable[[Generation], Standing | None] | None = None,
    ) -> Engine:
        """Return the live engine as soon as the pool has enough for a stream (`Engine.open`).

        Raises `PoolError` when it never will, `ModelError` when the model does not fit. notice: called about
        ten times a second meanwhile; what it raises ends the wait.
        """

        def opened() -> Engine:
            if self._uncompiled:
                # Once: where the first songs are too few for a stream, it fails, and would again.
                self._uncompiled = False
                compile_apart(self.pool, settings, notice)
            return Engine.open(self.pool, settings, on_decision=on_decision, live=True, recall=recall)

        while self.build is not None and self.build.running:
            if self._published():
                try:
                    return opened()
                except PoolError:
                    # The first songs may be too few for a stream; more are on their way.
                    pass
            notice()
            time.sleep(_POLL_S)
        failure = None if self.build is None else self.build.failure()
        if failure is not None and not self._published():
            raise PoolError(failure)
        return opened()

    def look(self) -> str | None:
        """Build again where music has changed and settled; return what is wrong with the last build, once.

        To be called about once a second while it plays.
        """
        told = None
        if self.build is not None and not self._ended and not self.build.running:
            self._ended = True
            failure = self.build.failure()
            if self._watching is not None:
                self._watching.built(time.monotonic(), failed=failure is not None)
            if failure not in (None, self._told):
                told = f"{failure} ({self.build.log} names them)"
            self._told = failure
        if self._watching is not None and self._ended and self._watching.is_due(time.monotonic()):
            _log.info("the music has changed; the pool is brought up to date")
            self.build, self._ended = self._watching.build(time.monotonic()), False
        return told

    def close(self) -> None:
        """Stop building."""
        if self._watching is not None:
            self._watching.close()
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
    *,
    watch: bool | None = None,
) -> Prepared:
    """Return the pool that plays `source`, being built from now on unless it is one already.

    source: a pool, music (a folder, one file or a playlist), or None for the demo songs, which are made if
    missing (`notice` is called meanwhile). tell: called with what is about to take a while, before it begins.
    watch: whether it is built again when its music changes; None: music is, a pool and the demo songs not.
    """
    ours = source is None
    if source is None:
        source = demo_folder()
        if not source.is_dir():
            tell("making demo songs ...")
            _make_demo_songs(source, notice)
    source = source.expanduser()
    if not source.exists():
        raise EndlosError(f"{source} does not exist; name a folder of music, or a pool")
    if (source / DATABASE_FILE).is_file():
        return Prepared(source, None, _watching(_origin(source), source) if watch else None)
    pool = cached_pool(source)
    origin = Origin(music=(source.resolve(),), options=())
    if not (pool / DATABASE_FILE).is_file():
        tell(f"analysing {source} (first sound in some seconds) ...")
    # Watched first: what comes while it is looked through is not missed.
    watching = _watching(origin, pool) if watch or (watch is None and not ours) else None
    return Prepared(pool, Command(_words(origin, pool), _log_beside(pool)), watching)


def _watching(origin: Origin, pool: Path) -> Watching:
    return Watching(origin.music, pool, lambda: Command(_words(origin, pool), _log_beside(pool)))


def _words(origin: Origin, pool: Path) -> list[str]:
    return ["pool", "build", *map(str, origin.music), "--out", str(pool), *origin.options, "--quiet"]


def _log_beside(pool: Path) -> Path:
    return pool.parent / f"{pool.name}.log"


def _origin(pool: Path) -> Origin:
    origin = origin_of(pool)
    if origin is None:
        raise EndlosError(
            f"{pool} does not say of which music it was built; "
            "run `endlos pool build` once more, or leave out --watch"
        )
    return origin


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
