"""This program damages files of a pool at random, again and again, and tries what reads pools.

    python -m tests.support.damaged_pools POOL MODEL FOLDER SEED COUNT

It ends with 1 and what it found, where anything but a sentence came of it, much memory, or noise.
"""

import faulthandler
import re
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

from model.base.errors import EndlosError
from model.saved.carried import carried_model
from stream.choosing.settings import PlannerSettings
from stream.engine.engine import Engine
from stream.engine.settings import EngineSettings
from tests.support.music import quick_settings
from tools.pools.build import build_pool
from tools.pools.check import check_pool
from tools.pools.summary import summarise

HANGS_S = 120
MOST_KB = 1 << 20
RATE_HZ = 44_100
# The songs are tones below 1 kHz; what is random has nearly all of its power above 2 kHz.
NOISE_HZ, MOST_NOISE = 2_000, 0.2


def damage(random: np.random.Generator, path: Path) -> str:
    """Damage a file in one of several ways, and return which."""
    content = bytearray(path.read_bytes())
    ways = ["flip", "random", "zeros", "cut", "grow", "empty", "all"]
    if content[:6] == b"\x93NUMPY":
        ways += ["header", "header", "number", "number"]
    way = str(random.choice(ways))
    place = int(random.integers(0, max(1, len(content))))
    length = min(len(content) - place, int(2 ** random.uniform(0, 16)))
    if way == "flip":
        for _ in range(int(random.integers(1, 9))):
            content[int(random.integers(0, len(content)))] ^= 1 << int(random.integers(0, 8))
    elif way == "random":
        content[place : place + length] = random.bytes(length)
    elif way == "zeros":
        content[place : place + length] = bytes(length)
    elif way == "cut":
        del content[place:]
    elif way == "grow":
        content += random.bytes(length)
    elif way == "empty":
        content.clear()
    elif way == "all":
        content = bytearray(random.bytes(len(content)))
    elif way == "header":
        content[int(random.integers(0, 128))] = int(random.integers(0, 256))
    else:
        number = str(10 ** int(random.integers(0, 15))).encode()
        content = bytearray(re.sub(rb"\((\d+)", b"(" + number, bytes(content), count=1))
    path.write_bytes(content)
    return f"{way} at {place} of {path.name}"


def complaints(pool: Path, music: Path, model: Path, seed: int) -> list[str]:
    """Try a pool that is damaged, and return what should not have come of it."""
    found: list[str] = []

    def attempt(what: str, act: Callable[[], object]) -> None:
        faulthandler.dump_traceback_later(HANGS_S, exit=True)
        try:
            act()
        except EndlosError:
            pass
        except Exception:
            found.append(f"{what}: {traceback.format_exc()}")
        finally:
            faulthandler.cancel_dump_traceback_later()

    def render() -> None:
        # Of both approaches, by turns: other files are read.
        chosen = model if seed % 2 else carried_model()
        settings = EngineSettings(planner=PlannerSettings(seed=seed, min_phrase_s=0.5), model=chosen)
        engine = Engine.open(pool, settings)
        try:
            audio = engine.render(8 * RATE_HZ)
        finally:
            engine.close()
        power = np.abs(np.fft.rfft(audio[:, 0])) ** 2
        share = power[NOISE_HZ * 8 :].sum() / max(power.sum(), 1e-9)
        if not np.isfinite(audio).all() or np.abs(audio).max() > 1.0 or share > MOST_NOISE:
            found.append(f"render: noise, peak {np.abs(audio).max()}, share of high tones {share}")

    attempt("info", lambda: summarise(pool))
    attempt("check", lambda: check_pool(pool, deep=True))
    attempt("render", render)
    attempt("build", lambda: build_pool([music], pool, quick_settings()))
    return found


def main(pool: Path, model: Path, folder: Path, seed: int, count: int) -> None:
    """Damage and try, `count` times."""
    random = np.random.default_rng(seed)
    wrong: list[str] = []
    for number in range(count):
        copy = folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(pool, copy)
        # Every file as often, and not every array of forty for one database.
        files = sorted(path for path in copy.rglob("*") if path.suffix in (".bin", ".npy", ".db", ".json"))
        kinds = sorted({path.parent.name for path in files})
        kind = random.choice(kinds)
        path = files[int(random.choice([n for n, path in enumerate(files) if path.parent.name == kind]))]
        done = damage(random, path)
        wrong += [
            f"{number}: {done}: {one}" for one in complaints(copy, pool.parent / "music", model, number)
        ]
    used_kb = _most_held_kb()
    if used_kb > MOST_KB:
        wrong.append(f"{used_kb >> 10} MiB of memory were in use")
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)


def _most_held_kb() -> int:
    """Return the most memory that this process held; Linux's getrusage counts that of who started it, too."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]), *map(int, sys.argv[4:6]))
