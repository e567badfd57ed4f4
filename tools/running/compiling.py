"""Kernels are compiled by a process of their own, so that the memory that LLVM takes for it goes with it.

What a stream runs is then only loaded, and takes half the memory for as long as it plays.
"""

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numba

from model.base.errors import EndlosError
from model.base.kernel_cache import kernel_place, sources_hash
from model.saved.carried import carried_model
from model.saved.contract_file import load_contract
from stream.choosing.settings import PlannerSettings
from stream.engine.newer import PoolWatch
from stream.engine.settings import EngineSettings
from stream.engine.warm_up import first_score, warm_up
from stream.outputs.ring.ring import Ring
from tools.running import apart

_POLL_S = 0.1


def compile_apart(pool: Path, settings: EngineSettings, notice: Callable[[], None]) -> None:
    """Have all kernels of a stream of this pool compiled, unless that was done since they were changed.

    notice: called about ten times a second meanwhile; what it raises ends the wait. Where it fails, nothing
    is said: whoever plays finds out by himself what is wrong, and compiles what is missing.
    """
    folder = kernel_place().folder
    if folder is None:
        return
    words = [str(pool), str(settings.model or carried_model()), settings.planner.strategy]
    mark = _mark(folder, settings)
    if mark.exists():
        return
    process = subprocess.Popen(
        apart.command(__spec__.name, *words, str(settings.engine_rate_hz)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=apart.environment(),
        # The terminal's Ctrl-C is for whoever waits, who then ends this one.
        start_new_session=sys.platform != "win32",
    )
    try:
        while process.poll() is None:
            notice()
            time.sleep(_POLL_S)
    finally:
        process.kill()
        process.wait()
    if process.returncode == 0:
        with suppress(OSError):
            for older in folder.glob(f"{mark.name.rpartition('-')[0]}-*"):
                older.unlink(missing_ok=True)
            mark.touch()


def _mark(folder: Path, settings: EngineSettings) -> Path:
    """Return the file that says that kernels are there: by how steps are chosen, and of which sources."""
    chosen: str = settings.planner.strategy
    if chosen == "model":
        chosen = load_contract(settings.model or carried_model()).scoring
    told = (sources_hash(__file__), numba.__version__, sys.version)
    return folder / f"compiled-{chosen}-{hashlib.blake2b(repr(told).encode(), digest_size=8).hexdigest()}"


def _compile(pool: Path, settings: EngineSettings) -> None:
    """Run every kernel once, and so leave them on disk."""
    generation = PoolWatch(pool, settings, live=False).open()
    try:
        warm_up(generation)
        first_score(generation.scorer)
    finally:
        generation.close()
    Ring(1)


def compile_for(pool: str, model: str, strategy: str, rate_hz: str) -> int:
    """Compile for a pool, as `compile_apart` asks for it; return 0, or 1 where there is no stream of it."""
    planner = PlannerSettings(strategy=strategy)  # type: ignore[arg-type]
    try:
        _compile(Path(pool), EngineSettings(planner=planner, model=Path(model), engine_rate_hz=int(rate_hz)))
    except EndlosError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(compile_for(*sys.argv[1:]))
