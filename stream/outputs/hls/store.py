"""The store keeps a folder for a web server, writes what is new there, and removes what is old."""

import logging
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from model.base.errors import OutputError
from model.base.files import is_left_behind, what_to_do, write_whole
from stream.outputs.hls.playlist import ListedSegment, MediaPlaylist, read_media_playlist
from stream.outputs.hls.variant import MASTER, PLAYLIST_MARK, HlsVariant, master_playlists, playlist_name

if TYPE_CHECKING:  # PyAV comes with it
    from stream.outputs.hls.segmenter import Segment, Segmenter

_log = logging.getLogger(__name__)

FIRST_LISTED = 2
"""So many segments a run lists first: a player that has waited for one alone would run dry again at once."""
FIRST_HEARD = 3
"""So many are there before players are told of variants: Chromium 156, which goes over to a better one after
a second, stops for good where a single segment has come since (`DEMUXER_ERROR_COULD_NOT_PARSE`)."""
_VARIANT = r"(?:flac|aac-\d+|opus-\d+)"
_OURS = re.compile(rf"{_VARIANT}-\d+\.m4s|{_VARIANT}-init-\d+\.mp4|(?:{_VARIANT}|stream(?:-\w+)?)\.m3u8")
_PART = re.compile(rf"(?:{_OURS.pattern})\.\d+\.part")
_SWEEP_EVERY_S = 5.0
_RUNS_SINCE_S = datetime(2025, 1, 1, tzinfo=UTC).timestamp()


def _hours(wall_s: float) -> int:
    """Return a number for a run. In hours: for each, hls.js 1.7.4 walks through all numbers below it."""
    return max(0, int(wall_s - _RUNS_SINCE_S) // 3600)


def is_ours(name: str) -> bool:
    """Return whether a file of that name is one that a store writes, and may hand on."""
    return _OURS.fullmatch(name) is not None


class HlsStore:
    """Segments, init sections and playlists of some variants; belongs to one thread but for the first call.

    Numbers are never given twice, and those of runs neither: they go on from the playlists that stand there,
    from what this store remembers, or, where both are gone (a folder in memory, after the machine has started
    again), from the clock, which is ahead of any that were given: a player that meets numbers again stops for
    good. A run is what one set of encoders makes; it has init sections of its own.
    """

    def __init__(
        self,
        folder: Path,
        variants: Sequence[HlsVariant],
        segment_s: int,
        keep_s: int,
        rate_hz: int,
        *,
        wall_s: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make one that has touched nothing yet; rate_hz: of the stream."""
        self.folder = folder
        self._variants = variants
        self._segment_s, self._keep_s = segment_s, keep_s
        self._wall_s, self._clock = wall_s, clock
        self._masters = master_playlists(variants, rate_hz)
        self._lists: dict[str, MediaPlaylist] = {}
        self._last: dict[str, int] = {}
        self._run = 0
        self._inits: dict[str, str] = {}
        self._shown: set[str] = set()
        self._master_due = True
        self._unlisted_since_s: dict[str, float] = {}
        self._sweep_due_s = 0.0

    def require(self) -> None:
        """Make the folder; `OutputError` where it cannot be written to, or its playlists are another's."""
        try:
            self._make()
            for name in (*self._masters, *map(playlist_name, self._variants)):
                there = self.folder / name
                if there.exists() and PLAYLIST_MARK not in there.read_text("utf-8", "replace"):
                    raise OutputError(
                        f"{there} would be overwritten, which endlos has not written; choose another folder"
                    )
            probe = self.folder / f"{MASTER}.probe"
            write_whole(probe, b"")
            probe.unlink()
        except OSError as error:
            raise OutputError(
                f"{self.folder} cannot be written to ({error.strerror or error}); {what_to_do(error)}"
            ) from error

    def begin(self, segmenters: "Sequence[Segmenter]") -> None:
        """Begin a run and write its init sections; `OSError` where they cannot be. The run before is over."""
        self._make()
        for variant in self._variants:
            self._recall(variant)
        self._run = 1 + max(
            (listed.segments[-1].run for listed in self._lists.values() if listed.segments),
            default=self._run or _hours(self._wall_s()),
        )
        for variant in self._variants:
            listed = self._lists[variant.name]
            if listed.segments and listed.segments[-1].run != self._run - 1:
                # A player counts one on for a discontinuity; it would not be this run.
                self._lists[variant.name] = MediaPlaylist(target_s=self._segment_s)
        for segmenter in segmenters:
            variant = segmenter.variant
            name = f"{variant.name}-init-{self._last[variant.name] + 1}.mp4"
            write_whole(self.folder / name, segmenter.init)
            self._inits[variant.name] = name
        self._master_due = True
        self._shown.clear()

    def add(self, segmenter: "Segmenter", segment: "Segment", began: datetime, title: str) -> None:
        """Write a segment, then the playlist that lists it; `OSError` where either cannot be.

        A run's first is listed together with its second.

        began: when the first frame of the run was played. title: of what is heard in the segment.
        """
        variant = segmenter.variant
        number = self._last[variant.name] + 1
        name = f"{variant.name}-{number}.m4s"
        write_whole(self.folder / name, segment.data)
        listed = ListedSegment(
            number=number,
            run=self._run,
            init=self._inits[variant.name],
            file=name,
            length_s=segment.length_s,
            at=began + timedelta(seconds=segment.begin_s),
            title=title,
        )
        playlist = self._lists[variant.name].with_segment(listed, self._keep_s)
        self._lists[variant.name], self._last[variant.name] = playlist, number
        if sum(each.run == self._run for each in playlist.segments) < FIRST_LISTED:
            return
        write_whole(self.folder / playlist_name(variant), playlist.text())
        self._shown.add(variant.name)
        if self._master_due and len(self._shown) == len(self._variants) and self._can_be_heard():
            for master, text in self._masters.items():
                write_whole(self.folder / master, text)
            self._master_due = False
        self._sweep()

    def _can_be_heard(self) -> bool:
        return all(len(listed.segments) >= FIRST_HEARD for listed in self._lists.values())

    def _make(self) -> None:
        # Only the last folder: above it may be a disk that is not mounted now.
        self.folder.mkdir(exist_ok=True)

    def _recall(self, variant: HlsVariant) -> None:
        """Find what a list of a variant goes on from."""
        name = variant.name
        listed = self._lists.get(name)
        if listed is None:
            try:
                text = (self.folder / playlist_name(variant)).read_text("utf-8", "replace")
            except OSError:
                text = ""
            listed = read_media_playlist(text, self._segment_s)
        number = self._last.get(name, int(self._wall_s()))
        if listed.segments:
            number = self._last.get(name, listed.segments[-1].number)
        kept: list[ListedSegment] = []
        for segment in listed.segments:
            files = (segment.file, segment.init)
            there = all(is_ours(name) and (self.folder / name).is_file() for name in files)
            # What follows on a file that is gone can be listed, what stands before it cannot.
            kept = [*kept, segment] if there else []
        self._lists[name] = MediaPlaylist(target_s=self._segment_s, segments=kept)
        self._last[name] = number

    def _sweep(self) -> None:
        """Remove what no list names, once no player can be at it: old, or of a run that was killed."""
        now_s = self._clock()
        if now_s < self._sweep_due_s:
            return
        self._sweep_due_s = now_s + _SWEEP_EVERY_S
        listed = {*self._masters, *map(playlist_name, self._variants), *self._inits.values()}
        for playlist in self._lists.values():
            listed |= {name for segment in playlist.segments for name in (segment.file, segment.init)}
        unlisted: dict[str, float] = {}
        try:
            for path in self.folder.iterdir():
                if _PART.fullmatch(path.name) and is_left_behind(path):
                    path.unlink()
                if not is_ours(path.name) or path.name in listed:
                    continue
                since_s = self._unlisted_since_s.get(path.name, now_s)
                if now_s - since_s < self._keep_s + self._segment_s:
                    unlisted[path.name] = since_s
                elif path.suffix != ".m3u8" or PLAYLIST_MARK in path.read_text("utf-8", "replace"):
                    path.unlink()
        except OSError as error:
            # Music goes before tidiness; the next sweep tries again.
            _log.warning("%s cannot be swept (%s)", self.folder, error.strerror or error)
        self._unlisted_since_s = unlisted
