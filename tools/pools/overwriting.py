"""This module refuses a command that would write over what it reads, before it has opened anything."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from model.base.errors import EndlosError, PoolError
from model.saved.contract import CONTRACT_FILE
from stream.index.vectors import VECTORS_FOLDER as EMBEDDINGS_FOLDER
from stream.pool.database import DATABASE_FILE
from stream.pool.feedback import STATE_FILE
from stream.pool.pool import open_pool
from stream.scoring.matrix_scorer import SCORES_FOLDER as SCORES_FOLDER
from tools.pools.place import FOLDERS, GRID_FOLDER, LOCK_FILE
from tools.pools.scan import scan

Named = tuple[str, Path | None]
"""An argument or option as the user knows it, and what was given for it."""


def refuse_overwriting(written: Sequence[Named], read: Sequence[Named]) -> None:
    """Raise `EndlosError` when a file is to be written that is read as well, or written twice.

    written, read: files, or folders: a pool, music, a model. Links, also hard ones, are seen through. What
    is not given (None), or not there and can be made, is no hindrance.
    """
    outputs = [(name, path.expanduser()) for name, path in written if path is not None]
    inputs = [(name, path.expanduser()) for name, path in read if path is not None]
    for n, (name, path) in enumerate(outputs):
        found = _status(path)
        if found is not None and not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            # A device such as /dev/null takes anything.
            continue
        for other, source in inputs:
            if _same(path, source):
                raise EndlosError(
                    f"{name} and {other} are both {path}, which would be read and written at once; "
                    f"give another place to {name}"
                )
            if found is not None and any(_same(path, file) for file in _files(source)):
                raise EndlosError(
                    f"{name} would overwrite {path}, which belongs to {other} {source}; "
                    f"give another place to {name}"
                )
        pool = _pool_around(path)
        if pool is not None:
            raise EndlosError(f"{name} would stand inside the pool {pool}; give another place to {name}")
        if found is not None and stat.S_ISREG(found.st_mode) and found.st_size and not _may_be_ours(path):
            raise EndlosError(
                f"{name} would overwrite {path}, which endlos has not written; "
                f"give another place to {name}, or remove the file first"
            )
        for other, earlier in outputs[:n]:
            if _same(path, earlier):
                raise EndlosError(
                    f"{name} and {other} are both {path}, and one would overwrite the other; "
                    f"give another place to {name}"
                )


_BEGINNINGS = {
    ".wav": (b"RIFF",),
    ".flac": (b"fLaC",),
    ".ogg": (b"OggS",),
    ".opus": (b"OggS",),
    ".mp3": (b"ID3", b"\xff"),
    ".npy": (b"\x93NUMPY",),
    ".png": (b"\x89PNG",),
    ".svg": (b"<",),
    ".pdf": (b"%PDF",),
}
"""How what is written begins, by the name's end; any other file is one of JSON."""
_NAMED = ("title", "artist", "album", "TIT2", "TPE1", "TALB")


def _may_be_ours(path: Path) -> bool:
    """Whether a file may be what an earlier run wrote: of the same kind, and no song that has a title."""
    beginnings = _BEGINNINGS.get(path.suffix.lower(), (b"{",))
    try:
        with path.open("rb") as file:
            if not file.read(8).startswith(beginnings):
                return False
    except OSError:
        # The command itself says so.
        return True
    return not (len(beginnings[0]) > 1 and _has_a_title(path))


def _has_a_title(path: Path) -> bool:
    # Here, because few runs have need of it.
    import mutagen

    try:
        song = mutagen.File(path, easy=True)
        return bool(song is not None and song.tags and any(song.tags.get(name) for name in _NAMED))
    except Exception:  # whatever a reader of tags raises at a file that may be anything
        return False


def _pool_around(path: Path) -> Path | None:
    """Return the pool in whose folder a file would stand."""
    for folder in Path(os.path.realpath(path)).parents:
        if (folder / DATABASE_FILE).is_file():
            return folder
    return None


def _files(source: Path) -> Iterator[Path]:
    """Yield the files that are read where a folder is given."""
    if not source.is_dir():
        return
    if (source / DATABASE_FILE).is_file():
        yield from (source / name for name in (DATABASE_FILE, STATE_FILE, LOCK_FILE))
        for name in (*FOLDERS, GRID_FOLDER, SCORES_FOLDER, EMBEDDINGS_FOLDER):
            yield from (source / name).rglob("*")
        # One that has nothing yet, or is broken, is for the command to complain about.
        with suppress(PoolError):
            yield from (song.path for song in open_pool(source).songs)
        return
    if (source / CONTRACT_FILE).is_file():
        yield from source.iterdir()
        return
    # Of music only what sounds is read.
    yield from (file.path for file in scan([source]).files)


def _same(one: Path, other: Path) -> bool:
    first, second = _status(one), _status(other)
    if first is not None and second is not None:
        return os.path.samestat(first, second)
    # A file that is not there yet may have two names as well.
    return os.path.realpath(one) == os.path.realpath(other)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
