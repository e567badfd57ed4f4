"""This helper waits for what is to happen, for as long as the busiest machine may take."""

import time
from collections.abc import Callable

import pytest

PATIENCE_S = 120.0
"""How long a test waits before it fails; how soon something comes is for `benchmarks/` to measure."""


def wait_until(
    condition: Callable[[], bool],
    what: str,
    timeout_s: float = PATIENCE_S,
    *,
    instead: Callable[[], object] | None = None,
) -> None:
    """Poll until the condition holds; fail, saying what was waited for, when it never does.

    instead: returns what is there in the end, to be told then.
    """
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            found = "" if instead is None else f": {instead()}"
            pytest.fail(f"waited {timeout_s:.0f} s in vain until {what}{found}")
        time.sleep(0.01)
