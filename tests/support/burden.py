"""This helper reads what a service holds of its machine: memory, descriptors, threads."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Burden:
    """What a process holds now, as Linux tells it."""

    resident_mb: float
    """All of its memory that is there, pages of files too, in 10^6 bytes."""
    own_mb: float
    """What of it is in no file: heap, stacks, what was changed."""
    descriptors: int
    threads: int

    @classmethod
    def of(cls, process_id: int) -> "Burden":
        """Return what the process holds; `OSError` where it is gone, or there is no /proc."""
        folder = Path(f"/proc/{process_id}")
        lines = [line.split() for line in (folder / "smaps_rollup").read_text().splitlines()[1:]]
        kilobytes = {words[0]: int(words[1]) for words in lines}
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
