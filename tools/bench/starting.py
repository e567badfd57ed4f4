"""This measurement times the help, the imports, and the first sound from a pool at hand."""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tools.bench.figures import Figure
from tools.bench.isolated import run_isolated
from tools.bench.settings import BenchSettings
from tools.running import apart

if TYPE_CHECKING:
    from stream.engine.engine import Engine

_QUESTION = "start"
_BLOCK_FRAMES = 1024
_AUDIBLE = 0.5 / 32768
"""Half a step of 16 bits."""
_LIMIT_S = 60.0


def measure_starts(settings: BenchSettings) -> list[Figure]:
    """Start the command and the stream several times, each in a new process."""
    repeats = settings.repeats(15, 2)
    starts = []
    with tempfile.TemporaryDirectory(prefix="endlos-bytecode-") as folder:
        # Bytecode is kept, as it is where modules are installed, also where whoever measures has that off.
        kept = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": folder}
        helps_s = [_help_s(kept) for _ in range(repeats + 1)][1:]
        for n in range(repeats + 1):
            settings.notice(f"first sound, {n + 1} of {repeats + 1}")
            began_s = time.monotonic()
            told = run_isolated(
                "tools.bench.starting:first_sound",
                env=kept,
                pool=settings.pool,
                model=settings.model,
                seed=n,
            )
            starts.append({name: told[name] - began_s for name in ("imported", "opened", "sounded")})
    # The first of all may have compiled what is not compiled yet, and read the disk.
    del starts[0]

    def slowest(name: str, key: str, budget_s: float | None, note: str) -> Figure:
        values = [start[key] for start in starts]
        median = f"median {statistics.median(values):.2f} s of {len(values)}"
        return Figure(
            question=_QUESTION,
            name=name,
            unit="s",
            value=max(values),
            at_most=budget_s,
            note=f"{median}; {note}",
        )

    return [
        Figure(
            question=_QUESTION,
            name="endlos --help, slowest",
            unit="s",
            value=max(helps_s),
            at_most=settings.budgets.help_s,
            note=f"median {statistics.median(helps_s):.2f} s of {len(helps_s)}",
        ),
        slowest("engine imported, slowest", "imported", None, "from the start of the process"),
        slowest("pool and model opened, slowest", "opened", None, "from the start of the process"),
        slowest(
            "first sound, slowest",
            "sounded",
            settings.budgets.first_sound_s,
            "from the start of the process to a block that is not silent",
        ),
    ]


def first_sound(pool: str, model: str | None, seed: int) -> dict[str, float]:
    """Open the live engine and render until it sounds; by the monotonic clock, which all processes share."""
    from stream.choosing.settings import PlannerSettings
    from stream.engine.engine import Engine
    from stream.engine.settings import EngineSettings

    imported_s = time.monotonic()
    settings = EngineSettings(planner=PlannerSettings(seed=seed), model=Path(model) if model else None)
    engine = Engine.open(Path(pool), settings, live=True)
    opened_s = time.monotonic()
    sounded_s = _sounded(engine, opened_s)
    engine.close()
    return {"imported": imported_s, "opened": opened_s, "sounded": sounded_s}


def _sounded(engine: "Engine", since_s: float) -> float:
    while abs(engine.render(_BLOCK_FRAMES)).max() < _AUDIBLE:
        if time.monotonic() - since_s > _LIMIT_S:
            raise RuntimeError(f"nothing sounded within {_LIMIT_S:.0f} s")
    return time.monotonic()


def _help_s(environment: Mapping[str, str]) -> float:
    began_s = time.monotonic()
    subprocess.run(
        apart.command("tools.cli", "--help"),
        env=apart.environment(environment),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.monotonic() - began_s
