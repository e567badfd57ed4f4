"""This module runs a module of this endlos in its own process, whatever the user's folder holds."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from stream.outputs.secrets import without_secrets

_ROOT = Path(__file__).resolve().parents[2]


def command(module: str, *words: str) -> list[str]:
    """Return the command line that runs `module` with `words`; it needs what `environment` returns."""
    # -P: a folder of the user's that is called like one of ours is not looked into.
    return [sys.executable, "-P", "-m", module, *words]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment without its secrets, and `more`, with this endlos first on the path."""
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    return {**without_secrets(os.environ), **(more or {}), "PYTHONPATH": path}
