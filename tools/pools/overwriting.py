"""This module refuses a command that would write over what it reads, before it has opened anything."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from model.base.errors import EndlosError, PoolError
from model.saved.carried import CONTRACT_FILE
from stream.index.model_graphs import VECTORS_FOLDER as EMBEDDINGS_FOLDER
from stream.outputs.audio_file import EXTENSIONS
from stream.outputs.encoding.audio_tags import is_marked
from stream.pool.database import DATABASE_FILE
from stream.pool.feedback import STATE_FILE
from stream.pool.pool import open_pool
from stream.scoring.matrix_scorer import SCORES_FOLDER as SCORES_FOLDER
from tools.pools.place import FOLDERS, GRID_FOLDER, LOCK_FILE
from tools.songs.cue_sheet import SHEET_EXTENSION

Named = tuple[str, Path | None]
"""An argument or option as the user knows it, and what was given for it."""


def refuse_overwriting(written: Sequence[Named], read: Sequence[Named], *, force: bool | None = None) -> None:
    """Raise `EndlosError` when a file is to be written that is read as well, written twice, or not endlos's.

    written, read: files, or folders: a pool, music, a model. Links, also hard ones, are seen through. What
    is not given (None), or not there and can be made, is no hindrance. force: whether files may be replaced
    that endlos has not written; None: the command has no such option.
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
        there = found is not None and stat.S_ISREG(found.st_mode) and found.st_size > 0
        if there and not force and not _may_be_ours(path):
            way = "remove the file first" if force is None else "replace the file with --force"
            raise EndlosError(
                f"{name} would overwrite {path}, which endlos has not written; "
                f"give another place to {name}, or {way}"
            )
        for other, earlier in outputs[:n]:
            if _same(path, earlier):
                raise EndlosError(
                    f"{name} and {other} are both {path}, and one would overwrite the other; "
                    f"give another place to {name}"
                )


_BEGINNINGS = {
    ".npy": (b"\x93NUMPY",),
    ".png": (b"\x89PNG",),
    ".svg": (b"<",),
    ".pdf": (b"%PDF",),
}
"""How what is written begins, by the name's end, where it has no mark; any other file is one of JSON."""


def _may_be_ours(path: Path) -> bool:
    """Whether a file may be what an earlier run wrote, as it is."""
    kind = path.suffix.lower()
    try:
        if kind in (*EXTENSIONS, SHEET_EXTENSION):
            return is_marked(path) and not _has_another_title(path)
        with path.open("rb") as file:
            return file.read(8).startswith(_BEGINNINGS.get(kind, (b"{",)))
    except OSError:
        # The command itself says so.
        return True


def _has_another_title(path: Path) -> bool:
    """Whether somebody has named the music otherwise than by the name of its file."""
    # Here, because few runs have need of it.
    from tools.songs.tags import file_title, read_tags

    return read_tags(path).title != file_title(path)


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
    from tools.pools.scan import scan  # with FFmpeg and mutagen, which a stream of a pool does without

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
