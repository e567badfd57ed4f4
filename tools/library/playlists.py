"""A playlist names files in an order, as M3U, PLS, or the cue sheet of an album in one file."""

import configparser
import re
from collections.abc import Sequence
from pathlib import Path

from model.base.errors import PoolError
from tools.library.entries import Entry, found_entry
from tools.songs.letters import decode_text

PLAYLIST_SUFFIXES = frozenset({".m3u", ".m3u8", ".pls", ".cue"})

MAX_PLAYLIST_BYTES = 1 << 24
"""A longer one is none."""

_CUE_FILE = re.compile(r'^\s*FILE\s+(?:"(?P<quoted>[^"]*)"|(?P<plain>\S+))', re.IGNORECASE | re.MULTILINE)


def is_playlist(path: Path) -> bool:
    """Whether a file is a playlist, by its name."""
    return path.suffix.lower() in PLAYLIST_SUFFIXES


def read_playlist(path: Path, roots: Sequence[Path] = ()) -> list[Entry]:
    """Return the entries of a playlist in their order; `PoolError` when it cannot be read or has none.

    roots: folders in which the files are looked for after the playlist's own.
    """
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
    return [found_entry((path.parent, *roots), name, ripped=kind == ".cue") for name in names]


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
