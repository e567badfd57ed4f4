"""A selection takes some of the music, by the names of files and by what is said of songs."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from model.base.errors import PoolError
from model.base.spelling import as_searched
from tools.songs.labels import Labels, read_labels

TAGS_SHOWN = 12
"""So many names or values are told where nothing matches."""
_PARTS = re.compile(r"[;/,\0]|\\\u2400")
"""What stands between several values in one text; the last is that of beets."""


@dataclass(frozen=True, kw_only=True)
class MusicSelection:
    """Which music is taken; `PoolError` for a condition that is none."""

    include: tuple[str, ...] = ()
    """Patterns, of which a name has to match one; none: any name does."""
    exclude: tuple[str, ...] = ()
    """Patterns, of which a name may match none."""
    where: tuple[str, ...] = ()
    """Conditions `tag=value`: of those of one tag a song has to meet one, and so for each tag."""
    roots: tuple[Path, ...] = ()
    """Folders in which files of a playlist or a library are looked for."""

    def __post_init__(self) -> None:
        for condition in self.where:
            key, equals, value = condition.partition("=")
            if not (equals and key.strip() and value.strip()):
                raise PoolError(f"{condition!r} is no condition; expected tag=value, such as genre=house")

    @property
    def options(self) -> tuple[str, ...]:
        """The options of `endlos pool build` that choose alike."""
        return (
            *(f"--include={pattern}" for pattern in self.include),
            *(f"--exclude={pattern}" for pattern in self.exclude),
            *(f"--where={condition}" for condition in self.where),
            *(f"--music-root={root.absolute()}" for root in self.roots),
        )

    @property
    def wanted(self) -> dict[str, list[str]]:
        """The values that are asked for, by tag, both in small letters."""
        found: dict[str, list[str]] = {}
        for condition in self.where:
            key, _, value = condition.partition("=")
            found.setdefault(key.strip().casefold(), []).append(as_searched(value.strip()))
        return found

    def takes_name(self, name: str) -> bool:
        """Whether a file is taken by its name, relative to the music folder, with forward slashes.

        A pattern with a slash is held against the whole name, any other against each part of it.
        """
        if self.include and not _matches_any(name, self.include):
            return False
        return not _matches_any(name, self.exclude)


def _matches_any(name: str, patterns: Iterable[str]) -> bool:
    whole = as_searched(name)
    parts = whole.split("/")
    return any(
        fnmatchcase(whole, pattern.strip("/"))
        if "/" in pattern.strip("/")
        else any(fnmatchcase(part, pattern.strip("/")) for part in parts)
        for pattern in map(as_searched, patterns)
    )


@dataclass(kw_only=True, eq=False)
class Sieve:
    """Lets songs through by what is said of them, and remembers what it has seen."""

    selection: MusicSelection
    taken: int = 0
    refused: int = 0
    _names: Counter[str] = field(default_factory=Counter)
    _values: dict[str, Counter[str]] = field(default_factory=dict)

    def takes(self, path: Path, labels: Labels | None) -> bool:
        """Whether a song is taken. labels: what a library says of it; None: its file is asked."""
        wanted = self.selection.wanted
        if not wanted:
            return True
        said = read_labels(path) if labels is None else labels
        self._names.update(said.keys())
        for key in wanted:
            self._values.setdefault(key, Counter()).update(said.get(key, ()))
        takes = all(
            any(_is_said(value, said.get(key, ())) for value in values) for key, values in wanted.items()
        )
        self.taken, self.refused = self.taken + takes, self.refused + (not takes)
        return takes

    def require_some(self) -> None:
        """Raise `PoolError`, with what there is instead, where songs were looked at and none was taken."""
        if self.taken or not self.refused:
            return
        for key in self.selection.wanted:
            if not self._values[key]:
                raise PoolError(
                    f"no song says anything of {key}; there is {_shown(self._names, str)} to choose by"
                )
        conditions = " and ".join(self.selection.where)
        there = "; ".join(
            f"{key} is {_shown(found, lambda value: f'{value!r}')}" for key, found in self._values.items()
        )
        raise PoolError(f"no song has {conditions}; {there}")


def _is_said(pattern: str, values: Iterable[str]) -> bool:
    return any(
        fnmatchcase(as_searched(text.strip()), pattern)
        for value in values
        for text in (value, *_PARTS.split(value))
    )


def _shown(found: Counter[str], told: Callable[[str], str]) -> str:
    shown = [f"{told(value)} ({songs})" for value, songs in found.most_common(TAGS_SHOWN)]
    more = len(found) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
