"""A sound gives frame after frame, in blocks of any size, be it a song or a join of two."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from model.base.arrays import FloatArray

PAGE_FRAMES = 16_384
"""A song is read in such pages, or longer ones."""
PIECE_FRAMES = 6_144
"""A join is made in such pieces, counted from its beginning: blocks of any size are cut from the same."""


class Sound(Protocol):
    """Something that sounds, frame after frame."""

    def pull(self, frames: int) -> FloatArray:
        """Return the next `(frames, 2)` float32; what is over goes on as silence."""


class Silence:
    """Nothing, for ever."""

    def pull(self, frames: int) -> FloatArray:
        """Return zeros, `(frames, 2)` float32."""
        return np.zeros((frames, 2), dtype=np.float32)


class SongSound:
    """A song from a frame of it on, read page by page."""

    def __init__(self, read: Callable[[int, int], FloatArray], frame: int) -> None:
        """read: returns a span of the song, `(stop - start, 2)` float32, silence outside it."""
        self._read = read
        self._at = frame
        self._page: FloatArray = np.empty((0, 2), dtype=np.float32)

    def pull(self, frames: int) -> FloatArray:
        """Return the next `(frames, 2)` float32."""
        blocks: list[FloatArray] = []
        missing = frames
        while missing > 0:
            if not len(self._page):
                # What is more than a page is read at once, and handed on as it was read.
                frames_read = max(missing, PAGE_FRAMES)
                self._page = self._read(self._at, self._at + frames_read)
                self._at += frames_read
            blocks.append(self._page[:missing])
            self._page = self._page[missing:]
            missing -= len(blocks[-1])
        return joined(blocks)


class JoinSound:
    """A join under way, made piece by piece; when it is over, what comes in goes on."""

    def __init__(self, make: Callable[[int, int], FloatArray], frames: int, incoming: Sound) -> None:
        """make: returns the join's frames from one to another; it is asked for one piece after the other.

        incoming: what sounds after `frames`; it stands there when the last piece has been made.
        """
        self._make = make
        self._frames = frames
        self._made_frames = 0
        self._incoming = incoming
        self._piece: FloatArray = np.empty((0, 2), dtype=np.float32)

    @property
    def left_frames(self) -> int:
        """How much of it is still to come."""
        return self._frames - self._made_frames + len(self._piece)

    @property
    def incoming(self) -> Sound:
        """What goes on after it."""
        return self._incoming

    def pull(self, frames: int) -> FloatArray:
        """Return the next `(frames, 2)` float32, of what follows as well."""
        blocks: list[FloatArray] = []
        missing = frames
        while missing > 0 and self.left_frames > 0:
            if not len(self._piece):
                stop = min(self._made_frames + PIECE_FRAMES, self._frames)
                self._piece = self._make(self._made_frames, stop)
                self._made_frames = stop
            blocks.append(self._piece[:missing])
            self._piece = self._piece[missing:]
            missing -= len(blocks[-1])
        if missing > 0:
            blocks.append(self._incoming.pull(missing))
        return joined(blocks)


def joined(blocks: Sequence[FloatArray]) -> FloatArray:
    """Return blocks `(frames, 2)` float32 one after the other; the block itself where there is one."""
    if len(blocks) == 1:
        return blocks[0]
    return np.concatenate(blocks) if blocks else np.empty((0, 2), dtype=np.float32)
