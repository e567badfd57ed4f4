"""This module tells which songs are by the same artist, by their tags and by the names of their files."""

from collections.abc import Sequence
from pathlib import Path

from stream.pool.songs import Song

_SEPARATORS = (" - ", "_")


def artist_by_name(path: Path) -> str:
    """Return who a file without an artist's tag is counted to: its name up to the last separator."""
    for separator in _SEPARATORS:
        before, found, _ = path.stem.rpartition(separator)
        if found:
            return before
    return path.stem


def artist_groups(songs: Sequence[Song]) -> list[list[int]]:
    """Return the indexes of songs by artist, the largest groups first.

    Songs belong together where their tags name the same artist or their files' names do: of some albums only
    a part is tagged.
    """
    group = list(range(len(songs)))

    def first_of(song: int) -> int:
        while group[song] != song:
            song = group[song]
        return song

    seen: dict[tuple[str, str], int] = {}
    for number, song in enumerate(songs):
        for kind, artist in (("tag", song.artist), ("name", artist_by_name(Path(song.name)))):
            plain = "".join(letter for letter in artist.casefold() if letter.isalnum())
            if not plain:
                continue
            other = seen.setdefault((kind, plain), number)
            low, high = sorted((first_of(number), first_of(other)))
            group[high] = low
    groups: dict[int, list[int]] = {}
    for number in range(len(songs)):
        groups.setdefault(first_of(number), []).append(number)
    return sorted(groups.values(), key=lambda own: (-len(own), own[0]))
