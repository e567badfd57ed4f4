"""The watching of music notices what changes in its folders, and says when a build is due."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.running.background import Command
from tools.running.remote import is_remote

if TYPE_CHECKING:
    from watchfiles import Change

_log = logging.getLogger("endlos")

SETTLED_S = 3.0
"""A change is built once nothing has changed for so long: a file that is being written grows."""
POLL_S = 10.0
"""How often folders are looked through whose system tells no changes."""
FIRST_RETRY_S, LONGEST_RETRY_S = 60.0, 3600.0
"""A build that failed is tried again, at first after so long, then after twice as long each time."""
REST = 1.0
"""After a build that a change began there is none for so many times as long as it took: music that never
settles is no load."""
_LOOK_S = 1.0


@dataclass(frozen=True, kw_only=True)
class _Identity:
    """What makes a folder or a file this one and no other of the same name."""

    device: int
    number: int


class Watching:
    """Says when a pool is to be built again of its music, and begins that; belongs to one thread."""

    def __init__(
        self, music: Sequence[Path], pool: Path, build: Callable[[], Command], *, settled_s: float = SETTLED_S
    ) -> None:
        """music: folders, files and playlists, absolute. pool: what changes in there is no music."""
        self._build = build
        self._settled_s = settled_s
        self._changes = Changes(music, leave_out=pool)
        self._seen = 0
        self._began_s: float | None = None
        self._rests_until_s = 0.0
        self._retry_s = FIRST_RETRY_S
        self._retry_at_s: float | None = None

    def is_due(self, now_s: float) -> bool:
        """Whether to build: something has changed and settled, or what failed is to be tried again."""
        if now_s < self._rests_until_s:
            return False
        if self._changes.count != self._seen:
            return now_s - self._changes.last_s >= self._changes.settled_s(self._settled_s)
        return self._retry_at_s is not None and now_s >= self._retry_at_s

    def build(self, now_s: float) -> Command:
        """Begin a build of the music as it is now."""
        self._seen, self._began_s, self._retry_at_s = self._changes.count, now_s, None
        return self._build()

    def built(self, now_s: float, *, failed: bool) -> None:
        """Take up how a build has ended; failed: part of the music too."""
        if self._began_s is not None:
            self._rests_until_s = now_s + REST * (now_s - self._began_s)
        self._retry_at_s = now_s + self._retry_s if failed else None
        self._retry_s = min(2 * self._retry_s, LONGEST_RETRY_S) if failed else FIRST_RETRY_S

    def close(self) -> None:
        """Watch no more."""
        self._changes.close()


class Changes:
    """Counts what changes in folders and files, in a thread of its own; read by any.

    A folder that is gone, unmounted or put in the place of another is waited for, and is a change.
    """

    def __init__(self, places: Sequence[Path], *, leave_out: Path) -> None:
        self._places = [place.resolve() for place in places]
        self._left_out = leave_out.resolve()
        self._stop = threading.Event()
        self._polling = False
        self.count = 0
        self.last_s = 0.0
        """When it was, by the monotonic clock."""
        self._thread = threading.Thread(target=self._run, name="music watch", daemon=True)
        self._thread.start()

    def settled_s(self, least_s: float) -> float:
        """Return how long nothing must have changed: two looks where there are only looks."""
        return max(least_s, 2.5 * POLL_S) if self._polling else least_s

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        remote = next((place for place in self._places if is_remote(place)), None)
        if remote is not None:
            self._poll(f"{remote} is on a network drive, which tells no changes")
        while not self._stop.is_set():
            try:
                self._watch()
            except Exception as error:  # watchfiles has errors of its own for what a system refuses
                if not self._polling and any(place.exists() for place in self._places):
                    self._poll(f"changes of music are not told by this system ({error})")
                else:
                    self._stop.wait(POLL_S if self._polling else _LOOK_S)

    def _poll(self, why: str) -> None:
        self._polling = True
        _log.warning("%s; it is looked through every %g s instead", why, POLL_S)

    def _watch(self) -> None:
        """Count changes until the places are others than they were."""
        there = self._identities()
        places = [place for place, identity in zip(self._places, there, strict=True) if identity]
        if places:
            self._follow(places, there)
        else:
            self._stop.wait(_LOOK_S)
            if self._identities() == there:
                return
        # What is there now has come unseen.
        self._count()

    def _follow(self, places: Sequence[Path], there: Sequence[_Identity | None]) -> None:
        from watchfiles import Change, watch  # 5 MB, where nothing is watched

        for changes in watch(
            *places,
            watch_filter=self._is_music,
            stop_event=self._stop,
            rust_timeout=round(1e3 * _LOOK_S),
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=self._polling,
            poll_delay_ms=round(1e3 * POLL_S),
            ignore_permission_denied=True,
        ):
            if changes:
                self._count()
            # A watch stays with what was there: with a folder that was removed, or covered by a mount.
            removed = any(change is Change.deleted and Path(name) in places for change, name in changes)
            if removed or self._identities() != there:
                return

    def _count(self) -> None:
        self.last_s = time.monotonic()
        self.count += 1

    def _identities(self) -> list[_Identity | None]:
        return [_identity(place) for place in self._places]

    def _is_music(self, change: "Change", name: str) -> bool:
        from watchfiles import Change

        path = Path(name)
        if path.is_relative_to(self._left_out):
            return False
        inside = next((path.relative_to(place) for place in self._places if path.is_relative_to(place)), path)
        if any(part.startswith(".") for part in inside.parts):
            return False
        # What is in it has a change of its own.
        return not (change is Change.modified and path.is_dir())


def _identity(place: Path) -> _Identity | None:
    try:
        found = place.stat()
    except OSError:
        return None
    return _Identity(device=found.st_dev, number=found.st_ino)
