"""Files that are whole or not there: written beside and renamed."""

import os
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


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file beside and rename it; text is UTF-8."""
    with beside(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)
