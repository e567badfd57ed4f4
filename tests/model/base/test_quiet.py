"""Quiet drops the lines of C libraries, and neither Python's own nor later ones."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys
from model.base.quiet import quiet_c_stderr

libc = ctypes.CDLL(None)

def c_says(words):
    stderr = ctypes.c_void_p.in_dll(libc, "stderr")
    libc.fputs(words, stderr)
    libc.fflush(stderr)

with quiet_c_stderr():
    c_says(b"dropped one\\n")
    with quiet_c_stderr():
        c_says(b"dropped two\\n")
    c_says(b"dropped three\\n")
    print("python is heard", file=sys.stderr, flush=True)
try:
    with quiet_c_stderr():
        raise KeyError
except KeyError:
    pass
c_says(b"c is heard again\\n")
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc lets a program replace C's stderr")
def test_c_is_silent_inside_and_python_is_not() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stderr == "python is heard\nc is heard again\n"
