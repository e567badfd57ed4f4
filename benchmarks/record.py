"""Each benchmark of a checkout leaves what it measured in `results.jsonl` beside this file."""

from pathlib import Path

from tools.bench import record as recording
from tools.bench.record import machine, versions

__all__ = ["RESULTS", "machine", "record", "versions"]

RESULTS = Path(__file__).with_name("results.jsonl")


def record(question: str, figures: dict[str, object], results: Path = RESULTS) -> None:
    """Append one JSON line: the benchmark's name, its figures, and where they were measured."""
    recording.record(question, figures, results)
