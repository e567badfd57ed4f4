"""An entry of a playlist or of a library means a file, wherever that stands by now."""

import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from urllib.parse import unquote

from tools.songs.labels import Labels

_URL = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)  # two letters and more: "C:" is a drive
_FILE_URL = re.compile(r"^file:(//[^/]*)?", re.IGNORECASE)
_RIPPED_SUFFIXES = (".flac", ".wav", ".ape", ".wv", ".m4a", ".tta", ".mp3", ".ogg", ".opus", ".aiff")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a playlist or of a library."""

    text: str
    """As it stands there."""
    path: Path | None
    """The file that it means, absolute; None when there is none."""
    problem: str = ""
    """Why there is none, as a sentence goes on after the entry."""
    labels: Labels | None = None
    """What a library says of it; None: its file is to be asked."""


def found_entry(
    folders: Sequence[Path], name: str, *, ripped: bool = False, labels: Labels | None = None
) -> Entry:
    """Look for what an entry means: in the first of the folders, else in another.

    ripped: a cue sheet keeps the name that the file had as it was ripped. labels: of a library, which has
    names of files and no addresses.
    """
    if labels is None and _URL.match(name) and not name.lower().startswith("file:"):
        return Entry(text=name, path=None, problem="is an address, not a file; download it")
    for folder in folders:
        for candidate in _candidates(folder, name):
            for path in (candidate, *_ripped(candidate)) if ripped else (candidate,):
                if _is(path, Path.is_file):
                    there = Path(os.path.abspath(path))  # noqa: PTH100 - as in the scan
                    return Entry(text=name, path=there, labels=labels)
    if _is(folders[0] / name, Path.is_dir):
        # One stray line with a slash in it must not bring in a whole disk.
        return Entry(text=name, path=None, problem="is a folder, not a file; name it by itself")
    return Entry(text=name, path=None, problem="is not there")


def _candidates(folder: Path, name: str) -> Iterator[Path]:
    """Yield what an entry may mean, the likeliest first; the folder is the playlist's own."""
    if name.lower().startswith("file:"):
        name = unquote(_FILE_URL.sub("", name))
    spellings = [name, unquote(name)]
    spellings += [unicodedata.normalize(form, name) for form in ("NFC", "NFD")]
    for spelling in dict.fromkeys(spellings):
        yield folder / spelling
        yield folder / spelling.replace("\\", "/")
    # Written on another machine, whose library stood elsewhere: as much of the path as there is here.
    parts = [part for part in PureWindowsPath(name).parts if part not in ("/", "\\")]
    for start in range(1, len(parts)):
        yield folder.joinpath(*parts[start:])


def _ripped(path: Path) -> list[Path]:
    return [path.with_suffix(suffix) for suffix in _RIPPED_SUFFIXES] if path.name else []


def _is(path: Path, kind: Callable[[Path], bool]) -> bool:
    try:
        return kind(path)
    except (OSError, ValueError):  # a name that is too long, or holds a zero byte
        return False
