"""A playlist names files in an order, as M3U, PLS, or the cue sheet of an album in one file."""

import configparser
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from urllib.parse import unquote

from model.base.errors import PoolError
from tools.songs.letters import decode_text

PLAYLIST_SUFFIXES = frozenset({".m3u", ".m3u8", ".pls", ".cue"})

MAX_PLAYLIST_BYTES = 1 << 24
"""A longer one is none."""

_URL = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)  # two letters and more: "C:" is a drive
_FILE_URL = re.compile(r"^file:(//[^/]*)?", re.IGNORECASE)
_CUE_FILE = re.compile(r'^\s*FILE\s+(?:"(?P<quoted>[^"]*)"|(?P<plain>\S+))', re.IGNORECASE | re.MULTILINE)
_RIPPED_SUFFIXES = (".flac", ".wav", ".ape", ".wv", ".m4a", ".tta", ".mp3", ".ogg", ".opus", ".aiff")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a playlist."""

    text: str
    """As it stands there."""
    path: Path | None
    """The file that it means, absolute; None when there is none."""
    problem: str = ""
    """Why there is none, as a sentence goes on after the entry."""


def is_playlist(path: Path) -> bool:
    """Whether a file is a playlist, by its name."""
    return path.suffix.lower() in PLAYLIST_SUFFIXES


def read_playlist(path: Path) -> list[Entry]:
    """Return the entries of a playlist in their order; `PoolError` when it cannot be read or has none."""
    try:
        if path.stat().st_size > MAX_PLAYLIST_BYTES:
            raise PoolError(f"{path} is no playlist: it is larger than {MAX_PLAYLIST_BYTES >> 20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise PoolError(f"{path} cannot be read: {error.strerror}; give a playlist that can") from error
    text = decode_text(data)
    kind = path.suffix.lower()
    if kind == ".pls":
        names = _pls_names(path, text)
    elif kind == ".cue":
        names = [match["quoted"] or match["plain"] or "" for match in _CUE_FILE.finditer(text)]
    else:
        names = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
    if not names:
        raise PoolError(f"{path} names no files; give a playlist with entries, or a folder of music")
    return [_entry(path.parent, name, ripped=kind == ".cue") for name in names]


def _pls_names(path: Path, text: str) -> list[str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    try:
        parser.read_string(text)
    except configparser.Error as error:
        first = str(error).splitlines()[0]
        raise PoolError(f"{path} is no playlist ({first}); expected [playlist] and File1=...") from error
    numbered = [
        (int(key[4:]), value.strip())
        for section in parser.sections()
        for key, value in parser.items(section)
        if re.fullmatch(r"file\d{1,9}", key) and value.strip()
    ]
    return [value for _, value in sorted(numbered, key=lambda entry: entry[0])]


def _entry(folder: Path, name: str, *, ripped: bool) -> Entry:
    """Look for what an entry means; ripped: a cue sheet keeps the name that the file had as it was ripped."""
    if _URL.match(name) and not name.lower().startswith("file:"):
        return Entry(text=name, path=None, problem="is an address, not a file; download it")
    for candidate in _candidates(folder, name):
        for path in (candidate, *_ripped(candidate)) if ripped else (candidate,):
            if _is(path, Path.is_file):
                return Entry(text=name, path=Path(os.path.abspath(path)))  # noqa: PTH100 - as in the scan
    if _is(folder / name, Path.is_dir):
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
