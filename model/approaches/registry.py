"""The registry lists the approaches, a line for each folder, the default first; it imports nothing heavy."""

from importlib import import_module

from model.learning.approach import Approach

_FOLDERS = (
    "tower",
    "binary",
    "forecast",
    "start_end",
    "categorical",
)
"""Each holds `approach.py`, whose record is called like the folder, in capitals."""


def _record(folder: str) -> Approach:
    record = getattr(import_module(f"model.approaches.{folder}.approach"), folder.upper())
    assert isinstance(record, Approach)
    return record


APPROACHES = {approach.name: approach for approach in map(_record, _FOLDERS)}
DEFAULT_APPROACH = next(iter(APPROACHES))
