"""What gives way gets a lower priority, and one that is lower still keeps it."""

import os
import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="there are other priorities there")
def test_a_priority_is_lowered_and_never_raised() -> None:
    script = (
        "import os, sys\n"
        "from model.base.priority import give_way\n"
        "os.nice(int(sys.argv[1]))\n"
        "before = os.getpriority(os.PRIO_PROCESS, 0)\n"
        "give_way(os.getpid())\n"
        "print(before, os.getpriority(os.PRIO_PROCESS, 0))\n"
    )
    own = os.getpriority(os.PRIO_PROCESS, 0)
    for lower in (0, 19):
        done = subprocess.run(
            [sys.executable, "-c", script, str(lower)], capture_output=True, text=True, check=True
        )
        before, after = map(int, done.stdout.split())
        assert (before, after) == (min(19, own + lower), max(before, 10))
