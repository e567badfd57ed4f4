"""This helper measures how much of a memory-mapped file this process holds in memory."""

from pathlib import Path

_MAPS = Path("/proc/self/smaps")
HELD_IS_TOLD = _MAPS.exists()


def held_kb(path: Path) -> int:
    """Kilobytes of the file that are in this process's memory."""
    lines = iter(_MAPS.read_text(encoding="utf-8").splitlines())
    next(line for line in lines if line.endswith(str(path)))
    return int(next(line for line in lines if line.startswith("Rss:")).split()[1])
