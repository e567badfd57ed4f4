"""The announcer lets the music fade out where a piece ends, says what there is to say, and lets it go on."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from model.base.arrays import FloatArray
from model.base.errors import EndlosError
from stream.service.announcing.announcement import Announcement
from stream.service.announcing.limits import MOST_ANNOUNCEMENTS

MUSIC_FADE_S = 1.5
LATEST_S = 25.0
"""Where no join comes sooner the music fades out at this time."""
_LOOK_S = 0.2


@dataclass(frozen=True, kw_only=True)
class InterruptedMusic:
    """The stream that is interrupted; asked by the thread that renders."""

    play: Callable[[int, int], FloatArray]
    """Returns the next `(frames, 2)`, told also how much of the stream's block stands before them."""
    time_frames: Callable[[], int]
    """Returns how much it has played."""
    fade_frames: Callable[[int], int | None]
    """Returns the time of the middle of its first join from a time on, as far as that is known."""


class TooManyWaitError(EndlosError):
    """So many announcements wait that there is no room for another."""


class Announcer:
    """Passes music on and puts announcements between; `say` belongs to any thread, `render` to one.

    The music stands still meanwhile: not a sample of it is lost, and its own time goes on without a gap.
    """

    def __init__(self, music: InterruptedMusic, rate_hz: int, begun: Callable[[Announcement], None]) -> None:
        """begun: called by the thread that renders, as an announcement begins."""
        self._music = music
        self._begun = begun
        self._fade_frames = round(MUSIC_FADE_S * rate_hz)
        self._latest_frames = round(LATEST_S * rate_hz)
        self._look_frames = round(_LOOK_S * rate_hz)
        self._lock = threading.Lock()
        self._waiting: deque[Announcement] = deque()
        # All of these belong to the thread that renders.
        self._rest: FloatArray = np.empty((0, 2), dtype=np.float32)
        self._pause_frames: int | None = None
        """Stream time of the music at which it stops for what waits."""
        self._looked_frames = 0
        self._deadline_frames = 0
        self._faded_in_frames = 0
        """Stream time of the music at which it has faded in again."""

    def say(self, announcement: Announcement) -> None:
        """Say something at the next join, after what waits; `TooManyWaitError` where that is too much."""
        with self._lock:
            if len(self._waiting) >= MOST_ANNOUNCEMENTS:
                raise TooManyWaitError(
                    f"{MOST_ANNOUNCEMENTS} announcements wait already; try again in a minute"
                )
            self._waiting.append(announcement)

    def render(self, frames: int) -> FloatArray:
        """Return the next `(frames, 2)` of the stream."""
        pieces: list[FloatArray] = []
        while frames > 0:
            pieces.append(self._piece(frames, sum(map(len, pieces))))
            frames -= len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces or [self._music.play(0, 0)])

    def _piece(self, frames: int, before: int) -> FloatArray:
        if len(self._rest):
            piece, self._rest = self._rest[:frames], self._rest[frames:]
            return piece
        now = self._music.time_frames()
        if self._waiting:
            self._place(now)
        if self._pause_frames is not None:
            if now >= self._pause_frames:
                return self._begin(now, frames)
            frames = min(frames, self._pause_frames - now)
        return self._faded(self._music.play(frames, before), now)

    def _place(self, now: int) -> None:
        """Say where the music stops: once it fades, that is settled."""
        if self._pause_frames is None:
            self._deadline_frames = now + self._latest_frames
        elif now >= self._pause_frames - self._fade_frames or now < self._looked_frames + self._look_frames:
            return
        self._looked_frames = now
        soonest = now + self._fade_frames
        join = self._music.fade_frames(soonest)
        suits = join is not None and join <= self._deadline_frames
        self._pause_frames = join if suits else max(soonest, self._deadline_frames)

    def _begin(self, now: int, frames: int) -> FloatArray:
        with self._lock:
            announcement = self._waiting.popleft()
        self._pause_frames = now if self._waiting else None
        self._faded_in_frames = now + self._fade_frames
        self._begun(announcement)
        self._rest = announcement.audio[frames:]
        return announcement.audio[:frames]

    def _faded(self, block: FloatArray, now: int) -> FloatArray:
        if self._pause_frames is None and now >= self._faded_in_frames:
            return block
        at = now + np.arange(len(block))
        gain = np.ones(len(block))
        if self._pause_frames is not None:
            gain = np.minimum(gain, (self._pause_frames - at) / self._fade_frames)
        gain = np.minimum(gain, 1 - (self._faded_in_frames - at) / self._fade_frames)
        faded: FloatArray = block * np.sin(0.5 * np.pi * np.clip(gain, 0.0, 1.0)).astype(np.float32)[:, None]
        return faded
