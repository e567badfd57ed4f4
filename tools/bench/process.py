"""This module asks the system for the memory and the processor time of a process."""

import os
from pathlib import Path

_PROC = Path("/proc")


def resident_mb() -> float | None:
    """Return this process's resident memory in MB (10^6 bytes); None where the system does not tell."""
    try:
        pages = int((_PROC / "self" / "statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def anonymous_mb() -> float | None:
    """Return what of this process's resident memory is its own, not pages of files; None as above."""
    try:
        lines = (_PROC / "self" / "smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kilobytes = next((line.split()[1] for line in lines if line.startswith("Anonymous:")), None)
    return None if kilobytes is None else int(kilobytes) * 1024 / 1e6


def others_are_told() -> bool:
    """Return whether this system tells about other processes."""
    return (_PROC / "self" / "stat").exists()


def resident_mb_of(process_id: int) -> float:
    """Return another process's resident memory in MB; `OSError` where it is gone, or there is no /proc."""
    pages = int((_PROC / str(process_id) / "statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_s_of(process_id: int) -> float:
    """Return the processor time of another process so far, all its threads; `OSError` as above."""
    text = (_PROC / str(process_id) / "stat").read_text(encoding="utf-8", errors="replace")
    # The name of the program, in brackets, may hold blanks.
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
