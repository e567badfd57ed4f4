"""A lock is held by one process, and by nobody when that has ended."""

import subprocess
import sys
from pathlib import Path

import pytest

from model.base.errors import EndlosError
from model.base.lock import held_alone
from tests.support.commands import REPOSITORY

HOLD = """
import sys
from pathlib import Path
from model.base.errors import EndlosError
from model.base.lock import held_alone
with held_alone(Path(sys.argv[1]), EndlosError("taken")):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_refused_until_the_holder_is_gone(tmp_path: Path) -> None:
    lock, taken = tmp_path / "lock", EndlosError("somebody else is at it")
    words = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(
        words, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(EndlosError, match="somebody else"), held_alone(lock, taken):
            pass
        holder.kill()
        holder.wait()
        with held_alone(lock, taken):
            pass


def test_what_cannot_be_locked_is_no_other_process(tmp_path: Path) -> None:
    with held_alone(tmp_path / "gone" / "lock", EndlosError("taken")):
        pass
