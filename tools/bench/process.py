"""This module asks the system for the memory and the processor time of a process."""

import os
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class Burden:
    """What a process holds of its machine now, as Linux tells it."""

    resident_mb: float
    """All of its memory that is there, pages of files too, in 10^6 bytes."""
    own_mb: float
    """What of it is in no file: heap, stacks, what was changed."""
    descriptors: int
    threads: int

    @classmethod
    def of(cls, process_id: int) -> "Burden":
        """Return what the process holds; `OSError` where it is gone, or there is no /proc."""
        folder = _PROC / str(process_id)
        lines = (folder / "smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
        kilobytes = {words[0]: int(words[1]) for words in map(str.split, lines)}
        return cls(
            resident_mb=kilobytes["Rss:"] * 1024 / 1e6,
            own_mb=kilobytes["Anonymous:"] * 1024 / 1e6,
            descriptors=len(list((folder / "fd").iterdir())),
            threads=len(list((folder / "task").iterdir())),
        )

    def __str__(self) -> str:
        return (
            f"resident {self.resident_mb:.0f} MB, own {self.own_mb:.0f} MB, "
            f"{self.descriptors} descriptors, {self.threads} threads"
        )


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
