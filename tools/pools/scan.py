"""The scan finds the audio files of music folders, each once, in an order that stays."""

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.base.errors import PoolError
from stream.pool.pool import Failure
from tools.library.catalogs import is_catalog, read_catalog
from tools.library.entries import Entry
from tools.library.playlists import is_playlist, read_playlist
from tools.library.selection import MusicSelection, Sieve
from tools.songs.labels import Labels

AUDIO_SUFFIXES = frozenset(
    {
        *(".wav", ".wave", ".w64", ".rf64", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"),
        *(".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".m4a", ".m4b", ".mp4", ".aac", ".ac3"),
        *(".wma", ".webm", ".mka", ".ape", ".wv", ".tta"),
    }
)


_COMPANIONS = frozenset(
    {
        *(".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".svg", ".ico", ".psd", ".pdf"),
        *(".txt", ".nfo", ".log", ".md", ".htm", ".html", ".url", ".xml", ".json", ".rtf", ".doc", ".docx"),
        *(".cue", ".m3u", ".m3u8", ".pls", ".xspf", ".lrc", ".srt", ".md5", ".sfv", ".ffp", ".accurip"),
        *(".zip", ".rar", ".7z", ".gz", ".tar", ".torrent", ".par2", ".db", ".ini", ".exe", ".py", ".npy"),
    }
)
"""What lies beside music and is none; of any other suffix the file itself is asked."""


@dataclass(frozen=True, kw_only=True)
class FoundFile:
    """An audio file as it was when the folder was looked through."""

    root: Path
    """Music folder that it was found in, absolute."""
    name: str
    """Path relative to `root`, with forward slashes."""
    size_bytes: int
    mtime_ns: int
    ctime_ns: int

    @property
    def path(self) -> Path:
        """Where the file is, absolute."""
        return self.root / self.name


@dataclass(frozen=True, kw_only=True)
class NoAudio:
    """Files of one kind that hold no audio which can be decoded."""

    suffix: str
    """In small letters, with its dot; empty for names without one."""
    files: int


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What was found: files in order (folder as given, then name), and what cannot be used at all."""

    files: tuple[FoundFile, ...]
    failures: tuple[tuple[FoundFile, Failure], ...]
    roots: tuple[Path, ...]
    """The music folders in the order in which they were named, absolute; of a single file its own."""
    folders: tuple[Path, ...]
    """Those of them that were named as folders."""
    no_audio: tuple["NoAudio", ...] = ()
    """What lies beside the music and is none, the most frequent first."""
    left_out: frozenset[Path] = frozenset()
    """Files that the selection did not take."""


@dataclass(frozen=True, kw_only=True)
class _Reached:
    """A folder, or a file below one."""

    root: Path
    name: str | None = None
    """None: the folder itself."""
    labels: Labels | None = None
    """What a library says of the file."""


def scan(music: Sequence[Path], selection: MusicSelection | None = None) -> Scan:
    """Look through folders of music (or single files, taken whatever their suffix) for audio files.

    A file with an unknown suffix is taken when its bytes turn out to be audio. Of a playlist, or of another
    player's database, its entries are taken in their order, and those that are not there are failures. Hidden
    files and folders are left out. Links are followed; a file that is reached twice, through a loop, a link
    or an overlapping folder, is taken once. selection: what of it is taken; None: all. `PoolError` when a
    path does not exist, or a selection takes nothing.
    """
    selection = selection or MusicSelection()
    sieve = Sieve(selection=selection)
    left_out: set[Path] = set()
    files: list[FoundFile] = []
    failures: list[tuple[FoundFile, Failure]] = []
    seen: set[str] = set()
    roots: list[Path] = []
    folders: list[Path] = []
    no_audio: Counter[str] = Counter()
    for reached in _named(music, failures, selection.roots):
        root, given = reached.root, reached.name
        roots.append(root)
        if given is None:
            folders.append(root)
        for name in sorted(_names(root, failures, no_audio)) if given is None else [given]:
            real = os.path.realpath(root / name)
            if real in seen:
                continue
            seen.add(real)
            if not (selection.takes_name(name) and sieve.takes(root / name, reached.labels)):
                left_out.add(root / name)
                continue
            found = _look(root, name)
            if isinstance(found, FoundFile):
                files.append(found)
            else:
                failures.append(found)
    sieve.require_some()
    if left_out and not files and not failures:
        raise PoolError(f"none of {len(left_out)} files has a name that is asked for; mend the patterns")
    return Scan(
        files=tuple(files),
        failures=tuple(failures),
        roots=tuple(roots),
        folders=tuple(dict.fromkeys(folders)),
        no_audio=tuple(NoAudio(suffix=suffix, files=number) for suffix, number in no_audio.most_common()),
        left_out=frozenset(left_out),
    )


def _named(
    music: Sequence[Path], failures: list[tuple[FoundFile, Failure]], places: Sequence[Path]
) -> Iterator[_Reached]:
    """Yield what is named, in order; places: where files of playlists and libraries may be."""
    for given in music:
        base = Path(os.path.abspath(given))  # noqa: PTH100 - Path.absolute keeps "..", resolve() follows links
        _require(given, base)
        yield from _reached(base, failures, [place.absolute() for place in places], frozenset())


def _reached(
    base: Path,
    failures: list[tuple[FoundFile, Failure]],
    places: Sequence[Path],
    through: frozenset[str],
) -> Iterator[_Reached]:
    """Yield a folder, a file, or what a playlist or a library names; through: playlists that led here."""
    if base.is_dir():
        yield _Reached(root=base)
        return
    catalog = not through and is_catalog(base)
    if not catalog and not is_playlist(base):
        yield _Reached(root=base.parent, name=base.name)
        return
    real = os.path.realpath(base)
    if real in through:
        return
    try:
        entries = (read_catalog if catalog else read_playlist)(base, places)
    except PoolError as error:
        if not through:
            raise
        failures.append(_failure(base.parent, base.name, str(error).removeprefix(f"{base} ")))
        return
    for entry in entries:
        if entry.path is None:
            failures.append(
                _failure(base.parent, entry.text, f"{base.name} names it, but it {entry.problem}")
            )
        elif is_playlist(entry.path):
            yield from _reached(entry.path, failures, places, through | {real})
        else:
            yield _of_entry(entry.path, entry, (base.parent, *places))


def _of_entry(path: Path, entry: Entry, folders: Sequence[Path]) -> _Reached:
    """Return a file under the first of the folders that it is in, else under its own."""
    root = next((folder for folder in folders if path.is_relative_to(folder)), path.parent)
    return _Reached(root=root, name=path.relative_to(root).as_posix(), labels=entry.labels)


def _require(given: Path, base: Path) -> None:
    if not os.path.exists(base):  # noqa: PTH110 - Path.exists raises where a disk does not answer
        raise PoolError(f"{given} does not exist; give a folder of music, an audio file or a playlist")
    try:
        str(base).encode()
    except UnicodeEncodeError:
        raise PoolError(f"{os.fsencode(base)!r} is not a valid UTF-8 name; rename the folder") from None


def _names(base: Path, failures: list[tuple[FoundFile, Failure]], no_audio: Counter[str]) -> Iterator[str]:
    def unreadable(error: OSError) -> None:
        name = Path(error.filename).relative_to(base).as_posix()
        failures.append(_failure(base, name, f"the folder cannot be read: {error.strerror}"))

    entered: set[str] = set()
    for folder, subfolders, names in os.walk(base, followlinks=True, onerror=unreadable):
        real = os.path.realpath(folder)
        if real in entered:
            subfolders.clear()
            continue
        entered.add(real)
        # In place: that is how os.walk is told where to go, and in which order.
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in names:
            if name.startswith("."):
                continue
            if _is_audio(Path(folder) / name):
                yield (Path(folder) / name).relative_to(base).as_posix()
            else:
                no_audio[Path(name).suffix.lower()] += 1


def _is_audio(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix in AUDIO_SUFFIXES:
        return True
    # Never a pipe or a device, which would be waited for.
    if suffix in _COMPANIONS or not path.is_file():
        return False
    from stream.audio.decode_pyav import holds_audio

    return holds_audio(path)


def _look(root: Path, name: str) -> FoundFile | tuple[FoundFile, Failure]:
    try:
        name.encode()
    except UnicodeEncodeError:
        printable = name.encode("utf-8", "replace").decode()
        return _failure(root, printable, "its name is not valid UTF-8; rename it")
    try:
        status = (root / name).stat()
    except OSError as error:
        return _failure(root, name, f"it cannot be read: {error.strerror}")
    if not stat.S_ISREG(status.st_mode):
        return _failure(root, name, "it is not a regular file")
    return FoundFile(
        root=root,
        name=name,
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
    )


def _failure(root: Path, name: str, reason: str) -> tuple[FoundFile, Failure]:
    found = FoundFile(root=root, name=name, size_bytes=0, mtime_ns=0, ctime_ns=0)
    return found, Failure(path=found.path, kind="failed", reason=reason)
