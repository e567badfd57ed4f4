"""This module runs one measurement in its own process, with its own memory, imports and threads."""

import importlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.base.errors import EndlosError
from tools.running import apart

TIMEOUT_S = 1800.0
_ERROR_LINES = 3


def _command(function: str, **arguments: object) -> list[str]:
    """Return the command line that calls `module:function` with plain arguments and prints its result."""
    return apart.command("tools.bench.isolated", function, json.dumps(arguments, default=_plain))


def run_isolated(function: str, *, env: Mapping[str, str] | None = None, **arguments: object) -> Any:
    """Return what `module:function(**arguments)` returns in a new process; `EndlosError` when it fails.

    Arguments and result are plain values, or paths on the way in.
    """
    try:
        done = subprocess.run(
            _command(function, **arguments),
            env=apart.environment(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EndlosError(f"the measurement {function} has not ended in {TIMEOUT_S:.0f} s") from error
    if done.returncode:
        told = " / ".join(done.stderr.strip().splitlines()[-_ERROR_LINES:])
        raise EndlosError(f"the measurement {function} failed: {told}")
    return json.loads(done.stdout.splitlines()[-1])


def _plain(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be handed to another process")


def call_and_print() -> None:
    """Call what the command line names, and print its result as one line of JSON."""
    module, _, name = sys.argv[1].partition(":")
    found = getattr(importlib.import_module(module), name)(**json.loads(sys.argv[2]))
    # Its own line: a library may have printed something.
    print("\n" + json.dumps(found, allow_nan=False), flush=True)


if __name__ == "__main__":
    call_and_print()
