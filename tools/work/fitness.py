"""A worker on another machine is fit when it runs the same code and sees the same files."""

import hashlib
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from model.base.errors import EndlosError
from model.base.files import PART_SUFFIX

_OURS = ("model", "stream", "tools")
_CODE = "endlos (code)"
_DECIDING = (
    *("numpy", "numba", "scipy", "librosa", "soxr", "soundfile", "av", "mutagen"),
    *("onnxruntime", "scikit-learn", "tensorflow", "keras"),
)
"""Packages whose version may change a result."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """What a worker has to find on its machine, under the same names as here."""

    reads: Mapping[Path, int] = field(default_factory=dict)
    """Some of the files that are worked on, with their sizes in bytes."""
    writes: Path
    """A folder that it may write in."""


@dataclass(frozen=True, kw_only=True)
class MarkedSite:
    """A site whose folder holds a mark, so that a worker can tell it from another of the same name."""

    site: Site
    mark: Path
    versions: Mapping[str, str]
    """Of all that decides a result, here."""


@contextmanager
def marked(site: Site) -> Iterator[MarkedSite]:
    """Hold a mark in the folder of a site; `EndlosError` when it cannot be written."""
    mark = site.writes / f"cluster-{uuid.uuid4().hex}{PART_SUFFIX}"
    try:
        mark.touch()
    except OSError as error:
        raise EndlosError(
            f"{site.writes} cannot be written: {error.strerror}; give a folder that this machine and every "
            "worker may write in"
        ) from error
    try:
        yield MarkedSite(site=site, mark=mark, versions=deciding_versions())
    finally:
        with suppress(OSError):
            mark.unlink()


def why_unfit(there: MarkedSite) -> str | None:
    """Return why this process may not do the work, as a sentence goes on after its name; None: it may."""
    ours = deciding_versions()
    for name, wanted in there.versions.items():
        if ours.get(name) != wanted:
            has = ours.get(name, "none")
            return f"has {name} {has}, and {wanted} is asked for; install the same version there"
    for path, size_bytes in there.site.reads.items():
        try:
            found_bytes = path.stat().st_size
        except OSError as error:
            return f"cannot read {path} ({error.strerror}); mount the music there under the same name"
        if found_bytes != size_bytes:
            return f"has another file at {path}; mount the same music there"
    return _why_it_may_not_write(there.site.writes, there.mark)


def _why_it_may_not_write(folder: Path, mark: Path) -> str | None:
    try:
        if not mark.exists():
            return f"has another folder at {folder}, or none; share that folder with it under the same name"
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return f"cannot write in {folder} ({error.strerror}); change who may write there"


@cache
def deciding_versions() -> dict[str, str]:
    """Return the versions of all that decides a result: our code, Python, packages that are installed."""
    versions = {_CODE: _code(), "Python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for name in _DECIDING:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def _code() -> str:
    digest = hashlib.blake2b(digest_size=4)
    root = Path(__file__).resolve().parents[2]
    for package in _OURS:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
