"""The guard of an encoder runs it in a thread of its own; one that hangs or fails is replaced and counted."""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from model.base.arrays import FloatArray
from model.base.errors import OutputError
from stream.outputs.encoding.coder import NO_TAGS
from stream.outputs.encoding.encoder import StreamEncoder

_log = logging.getLogger(__name__)

ENCODER_STALL_S = 6.0
"""An encoder that takes this long for a second of sound hangs; a server gives up a source after 10 s."""
SWALLOWED_S = 8.0
"""One that has been given this much sound and returned nothing hangs as well."""
MOST_HANGING = 4
"""Each one that hangs keeps its thread and its memory for ever."""

MakeEncoder = Callable[[Mapping[str, str]], StreamEncoder]


class EncoderStalledError(OutputError):
    """An encoder does not come back, or gives nothing back."""


@dataclass(frozen=True, kw_only=True)
class EncodedPiece:
    """What is to be handed on next."""

    data: bytes = b""
    header: bytes = b""
    """What a listener needs before it, and where a stream begins in Ogg; else empty."""
    replaced: bool = False
    """Whether the encoder was replaced, and all is lost that was encoded and not returned."""


class GuardedEncoder:
    """Encoders, one after the other, whose calls all come back in time; belongs to one thread.

    What hangs or fails is replaced, and the stream goes on with a new one, chained where the codec stands in
    Ogg. One that fails before it has returned anything is not replaced: it raises.
    """

    def __init__(self, make: MakeEncoder, rate_hz: int) -> None:
        """make: opens an encoder with tags, in its thread. rate_hz: of what is encoded."""
        self._make = make
        self._rate_hz = rate_hz
        self._tags: Mapping[str, str] = NO_TAGS
        self._worker: _Worker | None = None
        self._hanging: list[_Worker] = []
        self._begins = True
        self._swallowed_frames = 0
        self.replaced = 0
        """How many were. Any thread may read it."""

    def restart(self) -> None:
        """Begin a stream of its own, with nothing left of the one before."""
        if self._worker is not None:
            self._worker.questions.put(None)
        self._worker, self._begins, self._swallowed_frames = None, True, 0

    def encode(self, block: FloatArray, *, last: bool = False) -> EncodedPiece:
        """Take `(frames, 2)` float32; last: the stream ends with it. Raises what no new encoder can mend."""

        def encode(encoder: StreamEncoder) -> _Bytes:
            data = encoder.encode(block) + (encoder.flush() if last else b"")
            return _Bytes(data=data, header=encoder.header)

        try:
            encoded = self._ask(encode)
            self._swallowed_frames = 0 if encoded.data else self._swallowed_frames + len(block)
            if self._swallowed_frames > SWALLOWED_S * self._rate_hz:
                raise EncoderStalledError("the encoder returns nothing")
        except Exception as error:  # whatever it raises: the stream goes on with another
            self._replace(error)
            return EncodedPiece(replaced=True)
        return self._piece(encoded)

    def turn(self, tags: Mapping[str, str]) -> EncodedPiece:
        """Have what comes next bear these tags, as a stream chained to what was; return the end of that."""
        if tags == self._tags:
            return EncodedPiece()
        self._tags = tags
        if self._worker is None:
            return EncodedPiece()

        def turn(encoder: StreamEncoder) -> _Bytes:
            ended = _Bytes(data=encoder.end_link(), header=encoder.header)
            encoder.begin_link(tags)
            return ended

        try:
            piece = self._piece(self._ask(turn))
        except Exception as error:
            self._replace(error)
            return EncodedPiece()
        self._begins = True
        return piece

    def _piece(self, encoded: "_Bytes") -> EncodedPiece:
        if not encoded.data:
            return EncodedPiece()
        begins, self._begins = self._begins, False
        return EncodedPiece(data=encoded.data, header=encoded.header if begins else b"")

    def _ask(self, question: "Callable[[StreamEncoder], _Bytes]") -> "_Bytes":
        if self._worker is None:
            self._hanging = [each for each in self._hanging if each.thread.is_alive()]
            if len(self._hanging) >= MOST_HANGING:
                raise EncoderStalledError("encoders hang again and again; start endlos again")
            self._worker = _Worker(self._make, self._tags)
        asked = _Asked(question)
        self._worker.questions.put(asked)
        # Twice half of it: in the first the whole process may have stood still.
        for _ in range(2):
            try:
                answer = asked.answers.get(timeout=ENCODER_STALL_S / 2)
            except Empty:
                continue
            if isinstance(answer, Exception):
                raise answer
            return answer
        self._hanging.append(self._worker)
        raise EncoderStalledError("the encoder hangs")

    def _replace(self, error: Exception) -> None:
        fresh = self._begins
        self.restart()
        if fresh:
            raise error
        self.replaced += 1
        _log.warning("an encoder is replaced (%s; %d so far)", error, self.replaced)


@dataclass(frozen=True, kw_only=True)
class _Bytes:
    data: bytes
    header: bytes


class _Asked:
    def __init__(self, question: Callable[[StreamEncoder], _Bytes]) -> None:
        self.question = question
        # One comes. Beside an event with its condition, written in Python, it costs nothing.
        self.answers: SimpleQueue[_Bytes | Exception] = SimpleQueue()


class _Worker:
    """A thread that opens an encoder and answers one question after the other.

    Abandoned, it ends after the one that it is at.
    """

    def __init__(self, make: MakeEncoder, tags: Mapping[str, str]) -> None:
        self.questions: SimpleQueue[_Asked | None] = SimpleQueue()
        self._make = make
        self._tags = tags
        self.thread = threading.Thread(target=self._run, name="encoder", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        encoder: StreamEncoder | None = None
        while (asked := self.questions.get()) is not None:
            try:
                if encoder is None:
                    encoder = self._make(self._tags)
                answer: _Bytes | Exception = asked.question(encoder)
            except Exception as error:  # whatever an encoder raises belongs to who asked
                answer = error
            asked.answers.put(answer)
        if encoder is not None:
            # What FFmpeg has opened for it goes now, threads too, and not when Python next looks for cycles.
            with suppress(Exception):
                encoder.flush()
