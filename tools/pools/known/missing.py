"""Music that is missing is not taken for a wish, and what a folder no longer shows stays in the pool."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from tools.pools.scan import FoundFile, Scan
from tools.pools.store import KeptFile


@dataclass(frozen=True, kw_only=True)
class MissingMusic:
    """A named folder without the music that is expected of it."""

    folder: Path
    songs: int
    """So many the pool had of it."""
    missing: int
    """So many of those are no longer found; 0 where the pool had none, and the folder holds none."""


@dataclass(frozen=True, kw_only=True)
class Missing:
    """What is missing, and the songs that are kept for it."""

    folders: tuple[MissingMusic, ...]
    kept: tuple[KeptFile, ...]


def find_missing(
    scan: Scan, before: Sequence[KeptFile], heard: frozenset[str], unreadable: Sequence[Path]
) -> Missing:
    """Return which of the named folders hold nothing, cannot be read, or lost most of their songs.

    before: the files of the pool as it was. heard: audio hashes of what is there now, so that a file that
    moved is not missing. unreadable: what could be looked at and not be read; that is no wish either. What
    a selection leaves out is there, and wished away.
    """
    there = {found.path for found in scan.files} | scan.left_out
    hiding = frozenset(unreadable)
    folders, kept = [], dict[KeptFile, None]()
    for folder in scan.folders:
        had = [file for file in before if file.found.path.is_relative_to(folder)]
        lost = [file for file in had if file.found.path not in there and file.audio_hash not in heard]
        hidden = [file for file in lost if not hiding.isdisjoint((file.found.path, *file.found.path.parents))]
        empty = not any(path.is_relative_to(folder) for path in there)
        gone = lost if empty or 2 * len(lost) > len(had) else hidden
        if empty or gone:
            folders.append(MissingMusic(folder=folder, songs=len(had), missing=len(gone)))
        kept |= dict.fromkeys(gone)
    return Missing(folders=tuple(folders), kept=tuple(kept))


def in_order(found: Sequence[FoundFile], kept: Sequence[FoundFile], roots: Sequence[Path]) -> list[FoundFile]:
    """Return files with those that are missing put where they would have been found.

    roots: the music folders, as they were named.
    """
    places = {root: place for place, root in reversed(list(enumerate(roots)))}

    def rank(file: FoundFile) -> int:
        return places.get(file.root, len(roots))

    # A file stands before the first that is of a later folder, or has a later name in its own.
    ranks = list(accumulate(map(rank, found), max))
    numbers: dict[Path, list[int]] = {}
    names: dict[Path, list[str]] = {}
    for number, file in enumerate(found):
        numbers.setdefault(file.root, []).append(number)
        names.setdefault(file.root, []).append(file.name)
    latest = {root: list(accumulate(of, max)) for root, of in names.items()}
    before: dict[int, list[FoundFile]] = {}
    for file in sorted(kept, key=lambda file: (rank(file), file.root, file.name)):
        at = bisect_right(ranks, rank(file))
        own = bisect_right(latest.get(file.root, []), file.name)
        if own < len(latest.get(file.root, [])):
            at = min(at, numbers[file.root][own])
        before.setdefault(at, []).append(file)
    ordered: list[FoundFile] = []
    for number, file in enumerate(found):
        ordered += [*before.get(number, ()), file]
    return ordered + before.get(len(found), [])
