"""This helper decides whether a missing real part skips a test or fails it."""

import os

import pytest

REQUIRE_REAL = "ENDLOS_REQUIRE_REAL"
"""Set to 1 (`.ci/run` does), a real part that is missing fails the test instead of skipping it."""


def require_real(what: str, available: bool) -> None:
    """Go on if the real part is `available`; else skip, or fail under `ENDLOS_REQUIRE_REAL=1`.

    what: the missing part and how to get it, one sentence without its full stop.
    """
    if available:
        return
    if os.environ.get(REQUIRE_REAL) == "1":
        pytest.fail(f"a real part is missing: {what}", pytrace=False)
    pytest.skip(what)
