"""The feed of a sound card brings the stream to the card's own rate, before the ring that its callback reads.

Most cards take the stream's rate, and then every sample arrives as it is. Some run at one rate alone: those
under JACK and in exclusive modes, and interfaces that were set to 96 or 192 kHz.
"""

import numpy as np
import soxr

from model.base.arrays import FloatArray
from stream.outputs.ring.ring import Ring

SWITCH_FADE_S = 0.010
RAMP_S = 0.020
START_PREFILL_S = 0.2
"""What stands ready when a card has taken at once, at its start, what it holds."""
SKIP_PREFILL_S = 0.04


class CardFeed:
    """A ring at the card's rate, which is filled at the stream's.

    Frames are the stream's, if nothing else is said. Methods are grouped by the thread that may call them.
    """

    def __init__(
        self,
        stream_rate_hz: int,
        card_rate_hz: int,
        ring_s: float,
        *,
        held_s: float = 0.0,
        before: "CardFeed | None" = None,
    ) -> None:
        """Make an empty one.

        ring_s: what it holds beside held_s, which the card takes at once when it starts. before: one that it
        replaces, whose counts go on.
        """
        self.card_rate_hz = card_rate_hz
        self.held_s = held_s
        self._stream_rate_hz = stream_rate_hz
        self._ring = Ring(
            round((held_s + ring_s) * card_rate_hz),
            fade_frames=round(SWITCH_FADE_S * card_rate_hz),
            ramp_frames=round(RAMP_S * card_rate_hz),
            from_silence=True,
        )
        self._start_prefill = round((held_s + min(START_PREFILL_S, ring_s / 2)) * card_rate_hz)
        self._skip_prefill = round(SKIP_PREFILL_S * card_rate_hz)
        self._resampler = (
            soxr.ResampleStream(stream_rate_hz, card_rate_hz, 2, dtype="float32") if self.resamples else None
        )
        self._out_before = before.frames_out if before else 0
        self._underrun_before = before.underrun_frames if before else 0
        self._device_underruns_before = before.device_underruns if before else 0
        # What the resampler has taken, at the stream's rate, and given, at the card's.
        self._taken_frames = 0
        self._given_frames = 0

    @property
    def resamples(self) -> bool:
        """Whether the card runs at another rate than the stream."""
        return self.card_rate_hz != self._stream_rate_hz

    @property
    def address(self) -> int:
        """What the callback is given: where the ring's memory starts, valid as long as this feed lives."""
        return self._ring.address

    # Writer thread.

    def space_frames(self) -> int:
        """Return how many frames `write` takes now."""
        space = self._ring.space_frames()
        if not self.resamples:
            return space
        # What stands in the resampler may come out with the next block, and no frame of it may be lost.
        return max(0, int((space - self._owed_frames() - 1) * self._stream_rate_hz / self.card_rate_hz))

    def write(self, block: FloatArray) -> int:
        """Take what fits of `block`, `(frames, 2)` float32, and return how many frames that was."""
        if self._resampler is None:
            return self._ring.write(block)
        taken = min(len(block), self.space_frames())
        samples = np.ascontiguousarray(block[:taken], dtype=np.float32)
        resampled: FloatArray = self._resampler.resample_chunk(samples)
        self._ring.write(resampled)
        self._given_frames += len(resampled)
        self._taken_frames += taken
        return taken

    def switch(self) -> bool:
        """Direct what is written from now on into a new generation, as `Ring.switch` does."""
        switched = self._ring.switch(self._skip_prefill)
        if switched:
            self._forget()
        return switched

    # Reader thread, where no callback runs.

    def go_along(self) -> None:
        """Do, as the reader, what a skip asks of it."""
        self._ring.read(0)

    def discard(self) -> None:
        """Drop everything, as the reader, and let what follows begin from silence; nothing may be written."""
        self._ring.discard()
        self._forget()

    # Any thread.

    def pause(self, paused: bool) -> None:
        """Ramp down and then leave the rest unread, or go on and ramp up."""
        self._ring.pause(paused)

    def set_gain(self, gain: float) -> None:
        """Ramp to a gain of 0 to 1."""
        self._ring.set_gain(gain)

    def buffered_s(self) -> float:
        """Return how long what was written and is unread lasts."""
        return (self._ring.buffered_frames() + self._owed_frames()) / self.card_rate_hz

    @property
    def ready(self) -> bool:
        """Whether enough is there to begin with: more than the card takes at once."""
        return self._ring.buffered_frames() >= self._start_prefill

    @property
    def silent(self) -> bool:
        """Whether the gain has reached 0."""
        return self._ring.silent

    @property
    def preparing(self) -> bool:
        """Whether a skip has been begun and does not yet hold its prefill."""
        return self._ring.preparing

    @property
    def frames_out(self) -> int:
        """Frames that the card has consumed."""
        return self._out_before + self._in_stream(self._ring.frames_out)

    @property
    def underrun_frames(self) -> int:
        """Frames of silence that the card got because nothing was ready."""
        return self._underrun_before + self._in_stream(self._ring.underrun_frames)

    @property
    def fills(self) -> int:
        """How often the card has asked: a heartbeat."""
        return self._ring.fills

    @property
    def device_underruns(self) -> int:
        """How often the card has said that it had run dry."""
        return self._device_underruns_before + self._ring.device_underruns

    def _forget(self) -> None:
        self._taken_frames = self._given_frames = 0
        if self._resampler is not None:
            self._resampler.clear()

    def _owed_frames(self) -> float:
        """Return how many frames, at the card's rate, stand in the resampler."""
        return self._taken_frames * self.card_rate_hz / self._stream_rate_hz - self._given_frames

    def _in_stream(self, card_frames: int) -> int:
        return card_frames * self._stream_rate_hz // self.card_rate_hz
