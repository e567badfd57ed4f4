"""The marks of song files tell whether a file was written into since it was first read."""

import threading
from pathlib import Path
from stat import S_ISREG

FileMark = tuple[int, int]
"""Size in bytes and time of the last write in ns."""


class FileMarks:
    """What each song's file was before it was read; any thread may ask, and none waits for a disk."""

    def __init__(self) -> None:
        # Never held while a file is looked at.
        self._lock = threading.Lock()
        self._first: dict[int, FileMark | None] = {}

    def first(self, song: int, mark: FileMark | None) -> FileMark | None:
        """Return what a song's file was first; that is `mark` where it was not read yet."""
        with self._lock:
            return self._first.setdefault(song, mark)

    def renew(self, song: int, mark: FileMark | None) -> None:
        """Note what a song's file is that is read anew."""
        with self._lock:
            self._first[song] = mark

    def rewritten(self, song: int, path: Path) -> bool:
        """Whether a file that was read has another mark now; one that is gone was not written into."""
        mark = mark_of(path)
        with self._lock:
            return mark is not None and self._first.get(song) not in (None, mark)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._first.clear()


def mark_of(path: Path) -> FileMark | None:
    """Return the mark of a file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns) if S_ISREG(found.st_mode) else None
