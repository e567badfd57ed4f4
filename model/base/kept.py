"""A file that takes long to write has one writer at a time, and what stood in its place is kept beside it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from itertools import count
from pathlib import Path

from model.base.errors import EndlosError
from model.base.lock import held_alone

_LOCK_SUFFIX = ".lock"


def set_aside(path: Path) -> Path | None:
    """Give a file the time at which it was last written as a part of its name; return that name.

    `run.jsonl` becomes `run.20261201-040611.jsonl`, or `run.20261201-040611-2.jsonl` where there is one.
    None where there is nothing to keep: no file, an empty one, a device or a pipe. `OSError` when it cannot
    be renamed.
    """
    if not (path.is_file() and path.stat().st_size):
        return None
    # Through a link: the file itself stays on its disk.
    file = path.resolve()
    written = datetime.fromtimestamp(file.stat().st_mtime).astimezone()
    kept = unused(file.with_name(f"{file.stem}.{written:%Y%m%d-%H%M%S}{file.suffix}"))
    file.rename(kept)
    return kept


def unused(path: Path) -> Path:
    """Return a name that nothing has yet: the path's, else one with a number behind its stem, from 2 on."""
    numbered = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))
    return path if not path.exists() else next(name for name in numbered if not name.exists())


@contextmanager
def held_to_write(path: Path, otherwise: EndlosError) -> Iterator[None]:
    """Hold a file that need not be there yet; raise `otherwise` where another process writes it.

    By a lock beside it, which goes at the end; a device or a pipe takes many writers, and none is held.
    """
    if path.exists() and not path.is_file():
        yield
        return
    file = path.resolve()
    lock = file.with_name(f"{file.name}{_LOCK_SUFFIX}")
    with ExitStack() as held:
        held.enter_context(held_alone(lock, otherwise))
        if not lock.exists():
            # Whoever held it took it away after it had been opened here: nobody else would find that one.
            held.close()
            held.enter_context(held_alone(lock, otherwise))
        try:
            yield
        finally:
            with suppress(OSError):
                # What is not empty is somebody's file.
                if lock.stat().st_size == 0:
                    lock.unlink()
