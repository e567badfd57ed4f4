"""This module appends what a benchmark measured to a JSON lines file, with commit, machine and versions."""

import datetime
import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from model.base.errors import OutputError
from tools.running.home import data_folder

_CHECKOUT = Path(__file__).resolve().parents[2]
_RESULTS = "results.jsonl"
_PACKAGES = ("numpy", "numba", "onnxruntime", "soundfile", "soxr", "av", "tensorflow", "pydub")


def default_results() -> Path:
    """Return where results are kept: in a checkout with its benchmarks, else in the user's data folder."""
    kept = _CHECKOUT / "benchmarks" / _RESULTS
    return kept if kept.parent.is_dir() else data_folder() / f"bench-{_RESULTS}"


def record(question: str, figures: dict[str, object], results: Path) -> None:
    """Append one JSON line: the question, its figures, and where they were measured.

    question: the benchmark's name, `render` for `bench_render.py`.
    figures: plain numbers, strings, lists and dicts, with the unit in each name.
    Raises `OutputError` when the file cannot be written.
    """
    line = {
        "question": question,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
        "figures": figures,
    }
    text = json.dumps(line, allow_nan=False) + "\n"
    try:
        results.parent.mkdir(parents=True, exist_ok=True)
        with results.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise OutputError(
            f"the results cannot be appended to {results}: {error.strerror}; name another file with --out"
        ) from error


def commit() -> str:
    """Return the short commit hash, with `+` where the working tree differs, or `unknown`."""
    described = _git("describe", "--always", "--abbrev=10", "--exclude=*")
    if not described:
        return "unknown"
    # The results themselves do not count: the first line of a run would mark all the others.
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", f":!benchmarks/{_RESULTS}")
    return described + ("+" if changed else "")


def machine() -> dict[str, object]:
    """Return processor, cores this process may use, and memory in GiB."""
    return {
        "processor": _processor(),
        "cores": _cores(),
        "memory_gib": _memory_gib(),
        "system": platform.system(),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of those packages that decide how fast we are."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _git(*arguments: str) -> str:
    # Installed, endlos may lie inside somebody else's repository.
    if not (_CHECKOUT / ".git").exists():
        return ""
    try:
        done = subprocess.run(["git", *arguments], cwd=_CHECKOUT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None
