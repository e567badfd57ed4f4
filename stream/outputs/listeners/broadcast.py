"""A broadcast is encoded once and read by many listeners, each at its own place in a short history."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

from model.base.errors import OutputError
from stream.outputs.encoded import EncodedOutput
from stream.outputs.encoding.codecs import Codec, content_type

BURST_S = 4.0
"""What a new listener gets at once, so that its player starts at once; of Ogg 2.5 s make Chromium stutter."""
HISTORY_S = 12.0
"""A listener that is further behind than this has lost the stream, and is dropped."""


MOST_LISTENERS = 10_000
"""Each is a descriptor and a place in the kernel's memory; beyond are relays."""


@dataclass(frozen=True, kw_only=True)
class ListenerLimits:
    """How many may listen to one stream at once."""

    listeners: int = 500
    of_address: int = 16
    """So that one address cannot take the places of all."""

    def __post_init__(self) -> None:
        for name, value in (("listeners", self.listeners), ("listeners of an address", self.of_address)):
            if not 1 <= value <= MOST_LISTENERS:
                raise OutputError(f"{value} {name} are asked for; expected 1 to {MOST_LISTENERS}")


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What was encoded at once; a listener may begin with it."""

    data: bytes
    frames: int
    """Engine frames since the piece before."""
    header: bytes
    """What a listener needs who begins here; empty where `data` begins with it."""
    title: str

    @cached_property
    def chunk(self) -> bytes:
        """The data as one chunk of an HTTP/1.1 body, made once for all who listen."""
        return framed(self.data)


def framed(data: bytes) -> bytes:
    """Return bytes as one chunk of an HTTP/1.1 body (RFC 9112, 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Listener:
    """One place in a broadcast; belongs to one thread."""

    def __init__(self, broadcast: "Broadcast", position: int) -> None:
        self._broadcast = broadcast
        self._position = position
        self._began = False
        self.lost = False
        """Whether it fell so far behind that what it needs next is gone."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will ever come than what `take` returns now."""
        return self.lost or self._broadcast.closed

    def look(self) -> None:
        """Note whether what it needs next is still there, without taking it."""
        self.lost = self.lost or self._position < self._broadcast.oldest

    def take(self) -> Sequence[Piece]:
        """Return the pieces that come next, maybe none; the first of all has its header in its data."""
        pieces = [] if self.lost else self._broadcast.read(self._position)
        if pieces is None:
            self.lost = True
            return []
        self._position += len(pieces)
        if pieces and not self._began:
            self._began = True
            if pieces[0].header:
                pieces[0] = replace(pieces[0], data=pieces[0].header + pieces[0].data, header=b"")
        return pieces


class Broadcast(EncodedOutput):
    """An `Output` whose sound is fetched by listeners; what they do never touches the encoder."""

    def __init__(
        self,
        engine_rate_hz: int,
        codec: Codec = "mp3",
        bitrate_kbps: int = 192,
        *,
        card_paced: bool = False,
        limits: ListenerLimits | None = None,
    ) -> None:
        super().__init__(f"http {codec}", engine_rate_hz, codec, bitrate_kbps, card_paced=card_paced)
        self.content_type = content_type(codec)
        self._limits = limits or ListenerLimits()
        self._lock = threading.Lock()
        # Guarded by the lock: pieces oldest .. oldest + len(pieces) - 1, and the counts of listeners.
        self._pieces: deque[Piece] = deque()
        self._oldest = 0
        self._history_frames = 0
        self._listeners = 0
        self._of_address: Counter[str] = Counter()
        self._joined = 0
        self._dropped = 0
        self._wakers: tuple[Callable[[], None], ...] = ()
        # The worker's thread.
        self._header = b""

    @property
    def closed(self) -> bool:
        """Whether the broadcast has ended, and its last piece is there."""
        return self._stop.is_set() and not self._thread.is_alive()

    @property
    def oldest(self) -> int:
        """The number of the oldest piece that is still there. Any thread."""
        return self._oldest

    @property
    def listeners(self) -> int:
        """How many listeners there are."""
        return self._listeners

    @property
    def dropped_listeners(self) -> int:
        """How many listeners were too slow, and dropped."""
        return self._dropped

    def join(self, address: str | None = None) -> Listener | None:
        """Return a new listener, `BURST_S` behind, or None when there are too many. Any thread.

        address: whose it is, of which there may be so many; None: nobody's.
        """
        with self._lock:
            if self._listeners >= self._limits.listeners:
                return None
            if address is not None:
                if self._of_address[address] >= self._limits.of_address:
                    return None
                self._of_address[address] += 1
            self._listeners += 1
            self._joined += 1
            position = self._oldest + len(self._pieces)
            frames = 0
            for piece in reversed(self._pieces):
                if frames >= BURST_S * self.engine_rate_hz:
                    break
                frames += piece.frames
                position -= 1
            return Listener(self, position)

    def leave(self, address: str | None = None, *, dropped: bool) -> None:
        """Count one listener less, of the address that it joined with. Any thread."""
        with self._lock:
            self._listeners -= 1
            if address is not None:
                self._of_address[address] -= 1
                # What is counted is who listens, not who ever did.
                self._of_address += Counter()
            self._dropped += dropped

    def read(self, position: int) -> list[Piece] | None:
        """Return what stands from piece `position` on, maybe nothing; None where it is gone. Any thread."""
        with self._lock:
            index = position - self._oldest
            return None if index < 0 else list(islice(self._pieces, index, None))

    def call(self, wake: Callable[[], None]) -> None:
        """Call this whenever there is more to read, or nothing more will come. Any thread.

        It is called by the encoder's thread, which it must not hold up.
        """
        with self._lock:
            self._wakers = (*self._wakers, wake)

    def call_no_more(self, wake: Callable[[], None]) -> None:
        """Take back what `call` was given. Any thread."""
        with self._lock:
            self._wakers = tuple(each for each in self._wakers if each != wake)

    def close(self) -> None:
        """Fade out and end, and have the listeners hear of it."""
        super().close()
        self._wake_all()

    def _connect(self) -> None:
        """Nothing to connect: listeners come when they like."""

    def _deliver(self, header: bytes, data: bytes, frames: int) -> None:
        with self._lock:
            # A first piece carries its header: after a fault one Ogg stream follows the other.
            self._header = header or self._header
            self._pieces.append(
                Piece(
                    data=header + data,
                    frames=frames,
                    header=b"" if header else self._header,
                    title=self.title,
                )
            )
            self._history_frames += frames
            while self._history_frames - self._pieces[0].frames > HISTORY_S * self.engine_rate_hz:
                self._history_frames -= self._pieces.popleft().frames
                self._oldest += 1
        self._wake_all()

    def _wake_all(self) -> None:
        for wake in self._wakers:
            wake()

    def _listening(self) -> int:
        return self._listeners

    def _detail(self) -> str:
        return f"{self._listeners} listening, {self._joined} so far, {self._dropped} too slow"
