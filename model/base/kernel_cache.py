"""Compiled kernels are kept on disk, beside a hash of every source that they may depend on.

numba itself looks at the file of a function alone: a constant, or a helper, of another module stays in the
compiled code as it was. So each module has a folder here whose name holds a hash of that module and of all of
ours that it imports, directly or not; another source is another folder.
"""

import atexit
import functools
import hashlib
import logging
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.base.lean_numba import numba

_log = logging.getLogger(__name__)

PLACE_VARIABLE = "NUMBA_CACHE_DIR"
KEPT_FOLDERS = 3
"""So many versions of a module's kernels stay: those of a checkout that goes to and fro are at hand."""

_ROOT = Path(__file__).parents[2]
_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+((?:model|stream|tools)[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)"
    rb"|import[ \t]+((?:model|stream|tools)\.[\w.]+))",
    re.MULTILINE,
)
_NAME = re.compile(rb"\w+")
_numba: Any = numba.config
_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class KernelPlace:
    """Where compiled kernels are kept."""

    folder: Path | None
    """None where nothing can be written at all: then they are compiled anew by each process."""
    lasting: bool
    """Whether the next start finds them again."""


@functools.cache
def kernel_place() -> KernelPlace:
    """Return the first place that can be written: `NUMBA_CACHE_DIR`, beside the modules, the user's cache.

    Else, as for a service without a home, a temporary folder, which goes with the process; said once.
    """
    named = os.environ.get(PLACE_VARIABLE)
    candidates = [Path(named)] if named else []
    candidates.append(Path(__file__).with_name("__pycache__") / "kernels")
    with suppress(RuntimeError, ImportError):
        import platformdirs

        candidates.append(Path(platformdirs.user_cache_dir("endlos", appauthor=False)) / "kernels")
    for folder in candidates:
        if _writable(folder):
            return KernelPlace(folder=folder, lasting=True)
    try:
        temporary = Path(tempfile.mkdtemp(prefix="endlos-kernels-"))
    except OSError:
        _log.warning("compiled kernels cannot be kept, not even for now: nothing can be written anywhere")
        return KernelPlace(folder=None, lasting=False)
    atexit.register(_remove, temporary, os.getpid())
    # So that processes that this one starts, and other packages' kernels, use it too and say nothing.
    os.environ[PLACE_VARIABLE] = _numba.CACHE_DIR = str(temporary)
    _log.warning(
        "compiled kernels cannot be kept, as %s may not be written: each start takes about 20 s longer; "
        "set %s to a folder that may be written",
        " and ".join(map(str, candidates)),
        PLACE_VARIABLE,
    )
    return KernelPlace(folder=temporary, lasting=False)


@contextmanager
def caching(function: Callable[..., Any]) -> Iterator[bool]:
    """Have numba look for `function`, compiled, in its module's folder while the block lasts.

    Yields whether it can be kept. Any thread may use it.
    """
    place = kernel_place().folder
    if place is None:
        yield False
        return
    folder = place / f"{function.__module__}-{sources_hash(function.__code__.co_filename)}"
    with _lock:
        _make(folder, function.__module__)
        before = _numba.CACHE_DIR
        _numba.CACHE_DIR = str(folder)
        try:
            yield True
        finally:
            _numba.CACHE_DIR = before


@functools.cache
def sources_hash(source: str) -> str:
    """Return a hash of a source file and of all files of ours that it imports, directly or not."""
    found = {source}
    waiting = [source]
    while waiting:
        new = _read(waiting.pop()).imported - found
        found |= new
        waiting += new
    # Named by where they stand in the project, which may be installed anywhere.
    digests = sorted((os.path.relpath(path, _ROOT), _read(path).digest) for path in found)
    return hashlib.blake2b(repr(digests).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, kw_only=True)
class _Source:
    digest: bytes
    imported: frozenset[str]


@functools.cache
def _read(path: str) -> _Source:
    # Strings and not paths: this is part of every start, and takes a third of the time.
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            content = file.read()
    except OSError:
        content = b""
    imported: set[str] = set()
    for module, names, plain in _IMPORT.findall(content):
        place = f"{_ROOT}/{(module or plain).decode().replace('.', '/')}"
        if _is_file(f"{place}.py"):
            imported.add(f"{place}.py")
        else:
            within = (f"{place}/{name.decode()}.py" for name in _NAME.findall(names))
            imported.update(path for path in within if _is_file(path))
    return _Source(digest=hashlib.blake2b(content, digest_size=16).digest(), imported=frozenset(imported))


@functools.cache
def _is_file(path: str) -> bool:
    return os.path.isfile(path)  # noqa: PTH113


def _make(folder: Path, module: str) -> None:
    """Make a module's folder; the first time, older ones of the module that are too many go."""
    if folder.is_dir():
        return
    with suppress(OSError):
        folder.mkdir(parents=True)
        versions = [path for path in folder.parent.iterdir() if path.name.rpartition("-")[0] == module]
        versions.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in versions[KEPT_FOLDERS:]:
            shutil.rmtree(path, ignore_errors=True)


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _remove(folder: Path, process: int) -> None:
    # A forked copy of this process inherits what is to be done at the end, and is not the one to do it.
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
