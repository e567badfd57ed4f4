"""A tally counts what an output takes and hands on, and knows how long ago sound last left it."""

import time
from dataclasses import dataclass

from model.base.arrays import FloatArray
from stream.outputs.output import ago_s, audible


@dataclass(kw_only=True)
class OutputTally:
    """The counters of one output; its worker's thread writes them, any thread may read them."""

    frames: int = 0
    """Engine frames that were handed on."""
    size_bytes: int = 0
    """The same, encoded, where this counts it."""
    lost_frames: int = 0
    """Frames that were taken and never handed on."""
    _pending_frames: int = 0
    _sounds: bool = False
    _at_s: float | None = None
    _audible_at_s: float | None = None

    def take(self, block: FloatArray) -> None:
        """Count a block `(frames, 2)` that is about to be handed on, or to wait for it in an encoder."""
        self._pending_frames += len(block)
        self._sounds = self._sounds or audible(block)

    def hand_on(self, frames: int | None = None, size_bytes: int = 0) -> None:
        """Count what was handed on: so many of the frames that were taken, None: all of them."""
        frames = self._pending_frames if frames is None else frames
        self._pending_frames -= frames
        self.frames += frames
        self.size_bytes += size_bytes
        self._at_s = time.monotonic()
        if self._sounds:
            self._audible_at_s = self._at_s
        self._sounds = False

    def lose(self) -> None:
        """Count as lost what was taken and not handed on."""
        # An encoder's last segment may be longer than what it was given.
        self.lost_frames += max(0, self._pending_frames)
        self._pending_frames, self._sounds = 0, False

    @property
    def pending_frames(self) -> int:
        """Frames that were taken and not handed on yet."""
        return self._pending_frames

    @property
    def ago_s(self) -> float | None:
        """How long ago anything was handed on, silence too; None: never."""
        return ago_s(self._at_s)

    @property
    def audible_ago_s(self) -> float | None:
        """How long ago audible sound was handed on; None: never."""
        return ago_s(self._audible_at_s)
