"""What only a start needed is let go, and whatever is needed after all still works."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from tools.work import footprint

REPOSITORY = Path(__file__).resolve().parents[3]

# Prints what is resident before and after, in MB, and what a kernel says that LLVM compiles afterwards.
_PROGRAM = """
import sys
import numba
from tools.work.footprint import let_go

def resident_mb():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024

assert numba.njit(lambda x: x + 1)(1) == 2
before = resident_mb()
let_go()
print(before, resident_mb(), numba.njit(lambda x: x * 3)(14))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is let go on Linux only")
def test_the_compilers_pages_are_let_go_and_it_compiles_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    before_mb, after_mb, answer = map(float, done.stdout.split())
    # Measured: 60 MB.
    assert before_mb - after_mb > 30
    assert answer == 42


# Prints how many pages are taken anew for arrays of 6 MB, again and again, and what is given back, in MB.
_ARRAYS = """
import resource
import numpy as np
from tools.work.footprint import keep_heap, share_heap, trim_heap

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident_mb():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024

share_heap()
keep_heap()
np.ones(1_500_000, dtype=np.float32)
before = faults()
for _ in range(20):
    np.ones(1_500_000, dtype=np.float32)
taken, held = faults() - before, resident_mb()
trim_heap()
print(taken, held - resident_mb())
"""


@pytest.mark.skipif(not hasattr(footprint._libc(), "malloc_trim"), reason="glibc alone is told")
def test_arrays_take_the_place_of_those_before_and_it_is_given_back_in_the_end() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ARRAYS], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    taken_pages, given_back_mb = map(float, done.stdout.split())
    # As it is otherwise: 20 times 1,465 pages.
    assert taken_pages < 1_000
    assert given_back_mb > 4


def test_what_the_linker_or_anyone_changed_is_kept() -> None:
    def told(permissions: str, path: str, anonymous_kb: int) -> str:
        return (
            f"7f0000001000-7f0000003000 {permissions} 00000000 fe:00 53 {path}\n"
            f"Rss: 8 kB\nAnonymous:             {anonymous_kb} kB\nVmFlags: rd mr mw me\n"
        )

    kept = [
        told("rw-p", "/usr/lib/libx.so", 0),
        told("r--p", "/usr/lib/libx.so", 4),
        told("r--p", "/home/x/pool/embeddings.npy", 0),
        told("r-xp", "", 0),
        told("r--s", "/usr/lib/libx.so", 0),
    ]
    assert list(footprint._only_read("".join(kept))) == []
    for path in ("/usr/lib/libx.so", "/usr/lib/libx.so.1.2"):
        (part,) = footprint._only_read("".join([*kept, told("r-xp", path, 0), *kept]))
        assert (part.begin, part.size) == (0x7F0000001000, 0x2000)


def test_it_is_let_go_again_and_again_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[float] = []
    monkeypatch.setattr(footprint, "let_go", lambda: calls.append(0.0))
    monkeypatch.setattr(footprint, "LET_GO_AFTER_S", (1e6,))
    with footprint.settling():
        pass

    def nothing_waits() -> bool:
        return "footprint" not in {each.name for each in threading.enumerate()}

    wait_until(nothing_waits, "its thread ends")
    assert not calls
    monkeypatch.setattr(footprint, "LET_GO_AFTER_S", (0.0, 0.0))
    monkeypatch.setattr(footprint, "AGAIN_S", 0.001)
    with footprint.settling():
        wait_until(lambda: len(calls) > 4, "it is let go")
    wait_until(nothing_waits, "its thread ends")


def test_a_system_that_does_not_say_what_is_mapped_keeps_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # As a kernel that was made without it, or a place without `/proc`.
    monkeypatch.setattr(footprint, "_MAPS", tmp_path / "smaps")
    footprint.let_go()
