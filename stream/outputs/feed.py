"""A feed stands before every encoder, with a ring, fades at both ends, and silence when nothing comes."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from model.base.arrays import FloatArray
from stream.outputs.drift import WallFollower
from stream.outputs.ring.ring import Ring

RING_S = 4.0
FADE_S = 0.1
STARVED_AFTER_S = 1.65
"""Sound that is so late is not waited for: two looks for blocks of the pacer take less."""

MAX_TITLES = 64
"""Titles that wait for their sound; the oldest goes when there are more."""

_TAKE_S = 1.0
# Not frame by frame, which would keep a core busy in every pause.
_LEAST_SILENCE_S = 0.02


@dataclass(frozen=True, kw_only=True)
class _Mark:
    """Where a title begins."""

    frame: int
    """Of what is read from the ring, since it was made."""
    title: str


class EncoderFeed:
    """The pacer offers, one worker thread takes.

    What is taken is `FADE_S` late, so that something is left to fade out when the end
    comes unforeseen.
    """

    def __init__(
        self,
        engine_rate_hz: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        card_paced: bool = False,
    ) -> None:
        """card_paced: a sound card sets the pace, so that the wall clock's has to be made from it.

        Without one what is offered passes bit for bit, but for the fades.
        """
        self._rate_hz = engine_rate_hz
        self._clock = clock
        self._ring = Ring(round(RING_S * engine_rate_hz))
        self._fade_frames = round(FADE_S * engine_rate_hz)
        self._held = np.zeros((0, 2), dtype=np.float32)
        self._faded_in = 0
        self._since_s = clock()
        self._silence = 0
        self._follower = WallFollower(engine_rate_hz, clock) if card_paced else None
        self._surplus = 0
        # Appended to by the pacer's thread, taken from by the worker's.
        self._marks: deque[_Mark] = deque(maxlen=MAX_TITLES)
        self._written = 0
        self._read = 0
        self.title = ""
        """Of what was taken last; the worker's thread writes it, any may read it."""
        self.is_empty = True
        """Whether the last `take` left nothing behind; for the worker's thread."""
        # Each counter has one writing thread: the pacer's, and the worker's.
        self._not_taken = 0
        self._thrown_away = 0
        self.silence_frames = 0

    # The pacer's thread.

    def space_frames(self) -> int:
        """Return how many frames `offer` takes now."""
        return self._ring.space_frames()

    def offer(self, block: FloatArray) -> None:
        """Take what fits of a block `(frames, 2)`; count the rest as dropped."""
        taken = self._ring.write(block)
        self._written += taken
        self._not_taken += len(block) - taken

    def entitle(self, title: str, after_frames: int) -> None:
        """Take the title of what is offered from now on, but for the first `after_frames`."""
        # What is taken lags behind what is read by the fade that is held back.
        self._marks.append(_Mark(frame=self._written + after_frames + self._fade_frames, title=title))

    # Any thread.

    @property
    def dropped_frames(self) -> int:
        """Frames that were offered and will never be encoded."""
        return self._not_taken + self._thrown_away

    @property
    def buffered_s(self) -> float:
        """Seconds of audio that wait for the worker."""
        return self._ring.readable_frames() / self._rate_hz

    @property
    def stretched_frames(self) -> int:
        """Frames that were left out or added, one by one, to keep to the wall clock."""
        return 0 if self._follower is None else self._follower.stretched_frames

    @property
    def skew_ppm(self) -> float:
        """How much faster than it is offered the sound is taken now, to keep to the wall clock."""
        return 0.0 if self._follower is None else self._follower.skew_ppm

    # The worker's thread.

    def restart(self) -> None:
        """Throw away what waits: the next frames are fresh, and faded in."""
        self.discard()
        self._held = self._held[:0]
        self._faded_in = 0
        self._since_s = self._clock()
        self._silence = self._surplus = 0
        if self._follower is not None:
            self._follower.restart()

    def discard(self) -> None:
        """Throw away, and count, what waits in the ring."""
        waiting = self._ring.readable_frames()
        self._pull(waiting)
        self._thrown_away += waiting
        self._turn_titles()

    def take(self) -> FloatArray | None:
        """Return the next frames to encode, or None when there is nothing to do for now.

        When nothing has come for `STARVED_AFTER_S`, the sound is faded out and silence follows at the pace
        of the clock: a server drops a source that says nothing, and a player gives up.
        """
        self._turn_titles()
        readable = self._ring.readable_frames()
        frames = min(readable, round(_TAKE_S * self._rate_hz))
        if self._marks:
            # One piece has one title.
            frames = min(frames, self._marks[0].frame - self._read)
        self.is_empty = frames == readable
        now_s = self._clock()
        if frames:
            self._since_s, self._silence = now_s, 0
            return self._follow(self._pull(frames))
        starved_s = now_s - self._since_s
        if starved_s < STARVED_AFTER_S:
            return None
        silence = min(round(starved_s * self._rate_hz) - self._silence, self._rate_hz)
        if silence < _LEAST_SILENCE_S * self._rate_hz:
            return None
        self._silence += silence
        self.silence_frames += silence
        if self._follower is not None:
            self._follower.count(silence, 0)
        return np.concatenate([self.finish(), np.zeros((silence, 2), dtype=np.float32)])

    def finish(self) -> FloatArray:
        """Return what is held back, faded out; what is taken afterwards fades in again."""
        held, self._held = self._held, self._held[:0]
        self._faded_in = 0
        return held * np.linspace(1.0, 0.0, len(held), dtype=np.float32)[:, np.newaxis]

    def end(self) -> FloatArray:
        """Return the last frames: what would be taken next, and what is held back, faded out.

        What else waits is thrown away, titles too: it would take too long to encode, and the fade is near
        enough to where it would have come.
        """
        block = self.take()
        self._marks.clear()
        self.discard()
        faded = self.finish()
        return faded if block is None else np.concatenate([block, faded])

    def _pull(self, frames: int) -> FloatArray:
        block = self._ring.read(frames)
        self._read += len(block)
        return block

    def _turn_titles(self) -> None:
        """Go over to the title of what is read next; one whose sound was thrown away is past."""
        while self._marks and self._marks[0].frame <= self._read:
            self.title = self._marks.popleft().title

    def _follow(self, block: FloatArray) -> FloatArray:
        """Keep to the wall clock, where another one paces."""
        if self._follower is None:
            return self._push(block)
        if not self._surplus:
            self._surplus = self._follower.surplus_frames(len(block) + self._ring.readable_frames())
        if not self._surplus:
            return self._push(self._follower.process(block, self._ring.readable_frames()))
        # Far ahead: a faded cut, because to stretch it would take hours.
        cut = min(self._surplus, len(block))
        self._surplus -= cut
        self._thrown_away += cut
        faded = self.finish()
        if cut == len(block):
            return faded
        rest = self._follower.process(block[cut:], self._ring.readable_frames())
        return np.concatenate([faded, self._push(rest)])

    def _push(self, block: FloatArray) -> FloatArray:
        rising = min(len(block), self._fade_frames - self._faded_in)
        if rising > 0:
            gain = (self._faded_in + np.arange(rising)) / self._fade_frames
            block = block.copy()
            block[:rising] *= gain.astype(np.float32)[:, np.newaxis]
            self._faded_in += rising
        joined = np.concatenate([self._held, block])
        ready = max(len(joined) - self._fade_frames, 0)
        self._held = joined[ready:].copy()
        return joined[:ready]
