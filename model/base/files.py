"""This module writes a file beside its place and renames it, so that it is whole or not there."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PART_SUFFIX = ".part"


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
