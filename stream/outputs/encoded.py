"""An encoded output runs a thread that takes, encodes and delivers, and starts over after a fault."""

import logging
import random
import time
from abc import abstractmethod
from dataclasses import replace

import numpy as np

from model.base.arrays import FloatArray
from model.base.errors import OutputError
from stream.outputs.encoding.codecs import Codec
from stream.outputs.encoding.encoder import StreamEncoder
from stream.outputs.encoding.guarded_encoder import EncodedPiece, GuardedEncoder
from stream.outputs.fed import FIRST_POLL_S, FedOutput, explain
from stream.outputs.output import OutputStatus
from stream.outputs.titles import ogg_tags

_log = logging.getLogger(__name__)

_POLL_S = 0.75
"""How often the worker looks for sound: an encoder that wakes finds its tables gone from the caches, so that
much at once costs less."""
_FIRST_RETRY_S = 0.5
LAST_RETRY_S = 5.0
UNANSWERED_RETRY_S = 1.0
"""The longest wait where nobody answers: to knock costs nothing, and the server may be back at any time."""
BROKEN_RETRY_S = 60.0
"""The longest wait where one short session follows the other, as when two streams take a mount in turns."""
BEHIND_S = 3.5
"""What waits to be delivered when an output is behind: its ring is full now and again."""
CAUGHT_UP_S = 2.5
"""When it is so no more."""
MOST_REFUSALS = 3
"""What no retry mends is believed when it has been said so often, one after the other."""
_STEADY_S = 10.0
"""A session that lasted this long makes the next fault a new one, retried quickly."""
END_SILENCE_S = 0.2
"""After the last fade: icecast2 hands on MP3 in pieces of 1,400 bytes, and forgets an unfinished one."""

_CLOSE_S = 0.5
_INTERRUPTED_S = 0.4


class OutputEndedError(OutputError):
    """What no retry mends, only a person: said `MOST_REFUSALS` times, it ends an output."""


class EncodedOutput(FedOutput):
    """A `FedOutput` whose thread runs sessions for ever: connect, encode, deliver; after a fault, again.

    A subclass says how to connect and deliver. Those methods may block.
    """

    titles_in_band = False
    """Whether each title begins an Ogg stream of its own, chained to the one before."""

    def __init__(
        self,
        name: str,
        engine_rate_hz: int,
        codec: Codec,
        bitrate_kbps: int,
        *,
        card_paced: bool = False,
    ) -> None:
        """Make the output; refuse (`OutputError`) what cannot be encoded.

        card_paced: as for `FedOutput`.
        """
        super().__init__(name, engine_rate_hz, card_paced=card_paced)
        StreamEncoder(codec, engine_rate_hz, bitrate_kbps)
        self.codec: Codec = codec
        self.bitrate_kbps = bitrate_kbps
        self._encoder = GuardedEncoder(
            lambda tags: StreamEncoder(codec, engine_rate_hz, bitrate_kbps, tags), engine_rate_hz
        )
        self._started = False
        self._ended = False
        self._dropped_before = 0
        # Of the worker's thread alone.
        self._header_is_due = True
        self._behind = False

    def start(self) -> None:
        """Begin to take blocks."""
        self._started = True
        super().start()

    @property
    def title(self) -> str:
        """Of what was taken for delivery last, empty before the first. Any thread."""
        return self._feed.title

    def status(self) -> OutputStatus:
        """Return a snapshot. Any thread."""
        told = super().status()
        state, detail = told.state, told.detail
        if state == "playing" and self._falls_behind():
            lost_s = (self._feed.dropped_frames - self._dropped_before) / self.engine_rate_hz
            state, detail = (
                "behind",
                f"behind by {told.buffered_s:.0f} s, {lost_s:.0f} s left out so far",
            )
        if self._stop.is_set() or self._ended:
            state = "stopped"
        elif self._started and not self._thread.is_alive():
            state, detail = "stopped", "its thread died; start endlos again"
        return replace(
            told,
            state=state,
            detail=detail,
            encoder_restarts=self._encoder.replaced,
            listeners=self._listening(),
        )

    def close(self) -> None:
        """Fade out and end, within a second, also when a delivery is blocked."""
        self._stop.set()
        if not self._thread.is_alive():
            return
        self._thread.join(_CLOSE_S)
        if self._thread.is_alive():
            self._interrupt()
            # What is stuck even now (a name look-up) is a daemon, and ends with the process.
            self._thread.join(_INTERRUPTED_S)

    def _falls_behind(self) -> bool:
        self._behind = self._feed.buffered_s > (CAUGHT_UP_S if self._behind else BEHIND_S)
        return self._behind

    # What a subclass adds; the worker's thread, but for `_interrupt`, `_listening` and `_detail`.

    @abstractmethod
    def _connect(self) -> None:
        """Make ready to deliver; raise what went wrong, `OutputEndedError` where no retry mends it."""

    @abstractmethod
    def _deliver(self, header: bytes, data: bytes, frames: int) -> None:
        """Hand on encoded bytes; header: what a new listener needs first, empty but where a stream begins.

        frames: engine frames that were encoded since the last delivery.
        """

    def _announce(self, title: str) -> None:
        """Tell the title of what is delivered next, where that is told beside the sound; raises nothing.

        Not before the first delivery: a server does not know yet what it is going to be.
        """

    def _attend(self) -> None:
        """Do what is due between two deliveries; raise when the connection is gone."""

    def _disconnect(self) -> None:
        """End the connection, if there is one."""

    def _interrupt(self) -> None:
        """Make a blocked delivery fail at once. The closing thread."""

    def _listening(self) -> int | None:
        """Return how many listeners there are, None where that cannot be known. Any thread."""
        return None

    # The worker's thread.

    def _work(self) -> None:
        retry_s, refusals = _FIRST_RETRY_S, 0
        while not self._stop.is_set():
            began_s, sessions, longest_s = time.monotonic(), self._sessions, LAST_RETRY_S
            try:
                try:
                    self._session()
                finally:
                    self._encoder.restart()
                    self._tally.lose()
                    self._disconnect()
            except Exception as error:
                # Whatever it was: an endless stream comes back by itself, and says what happened.
                self._fault = explain(error)
                self._state = "reconnecting"
                refusals = refusals + 1 if isinstance(error, OutputEndedError) else 0
                if refusals >= MOST_REFUSALS:
                    self._ended = True
                    _log.warning("%s has ended: %s", self.name, error)
                    return
                if self._sessions > sessions:
                    longest_s = BROKEN_RETRY_S
                elif isinstance(error, OSError):
                    longest_s = UNANSWERED_RETRY_S
            if time.monotonic() - began_s > _STEADY_S:
                retry_s = _FIRST_RETRY_S
            retry_s = min(retry_s, longest_s)
            # Jitter, so that many streams do not all knock at once when their server is back.
            self._rest(retry_s * random.uniform(0.75, 1.0))
            retry_s = min(2 * retry_s, longest_s)

    def _session(self) -> None:
        self._connect()
        self._feed.restart()
        self._dropped_before = self._feed.dropped_frames
        self._sessions += 1
        self._state, self._fault = "playing", ""
        self._header_is_due = True
        while True:
            last = self._stop.is_set()
            block = self._feed.end() if last else self._feed.take()
            if block is None:
                self._attend()
                self._stop.wait(FIRST_POLL_S if self._header_is_due else _POLL_S)
                continue
            if self.titles_in_band:
                self._hand_on(self._encoder.turn(ogg_tags(self.title)))
            self._tally.take(block)
            if not self._header_is_due:
                self._announce(self.title)
            whole = np.concatenate([block, self._silence()]) if last else block
            self._hand_on(self._encoder.encode(whole, last=last))
            if last:
                return
            self._attend()
            if self._feed.is_empty and not self._header_is_due:
                self._stop.wait(_POLL_S)

    def _hand_on(self, piece: EncodedPiece) -> None:
        """Deliver what was encoded, if anything was."""
        if piece.replaced:
            self._tally.lose()
        if piece.data:
            self._deliver(piece.header, piece.data, self._tally.pending_frames)
            self._tally.hand_on(size_bytes=len(piece.header) + len(piece.data))
            self._header_is_due = False

    def _silence(self) -> FloatArray:
        return np.zeros((round(END_SILENCE_S * self.engine_rate_hz), 2), dtype=np.float32)
