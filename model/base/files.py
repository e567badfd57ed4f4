"""This module writes a file beside its place and renames it, so that it is whole or not there."""

import errno
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PART_SUFFIX = ".part"

# EDQUOT is not known on Windows.
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Yield a path to write a file at; it takes its place when all went well, else it is removed."""
    # Two processes that make the same file do not write into each other's.
    part = path.with_name(f"{path.name}.{os.getpid()}{PART_SUFFIX}")
    try:
        yield part
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def is_full(error: OSError) -> bool:
    """Whether a file could not be written because there is no room for it."""
    return error.errno in _NO_ROOM


def what_to_do(error: OSError) -> str:
    """Return what a user can do about a file that cannot be written: the end of a sentence."""
    if is_full(error):
        return "free some space"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "change who may write there, or choose another place"
    if error.errno == errno.EROFS:
        return "it is on a disk that is read-only: choose another place"
    return "check the disk, or choose another place"


def is_left_behind(part: Path) -> bool:
    """Whether a path is one that `beside` gave a process which was killed before the file was whole."""
    found = re.fullmatch(rf".+\.(\d+){re.escape(PART_SUFFIX)}", part.name)
    return found is not None and not _runs(int(found[1]))


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file beside and rename it; text is UTF-8."""
    with beside(path) as part, part.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        # Else, after the power went off, the name could stand for an empty file.
        file.flush()
        os.fsync(file.fileno())


def path_below(path: str, folder: Path) -> Path:
    """Return a path that begins at a folder where it is relative; one at the home of a user is not."""
    return Path(path) if path.startswith("~") else folder / path


def _runs(process: int) -> bool:
    # Windows itself keeps the files that a process has open; and its signal 0 is no question.
    if sys.platform == "win32":
        return False
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
