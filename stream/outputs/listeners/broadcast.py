"""A broadcast is encoded once and read by many listeners, each at its own place in a short history."""

import threading
from collections import Counter, deque
from dataclasses import dataclass

from stream.outputs.encoded import EncodedOutput
from stream.outputs.encoding.codecs import Codec, content_type

BURST_S = 2.5
"""What a new listener gets at once, so that its player starts at once."""
HISTORY_S = 12.0
"""A listener that is further behind than this has lost the stream, and is dropped."""
MAX_LISTENERS = 64
MAX_LISTENERS_OF_ADDRESS = 16
"""So that one address cannot take the places of all."""

_TAKE_BYTES = 32 * 1024


@dataclass(frozen=True, kw_only=True)
class _Piece:
    data: bytes
    frames: int
    """Engine frames since the piece before."""
    header: bytes
    """What a listener needs who begins here; empty where `data` begins with it."""
    title: str


@dataclass(frozen=True, kw_only=True)
class _Taken:
    data: bytes
    position: int
    """Where to go on."""
    title: str | None
    """Of these bytes; None where there are none."""


class Listener:
    """One place in a broadcast; `take` belongs to one thread."""

    def __init__(self, broadcast: "Broadcast", position: int, header: bytes) -> None:
        self._broadcast = broadcast
        self._position = position
        self._header = header
        self.title = ""
        """Of what was taken last."""
        self.lost = False
        """Whether it fell so far behind that what it needs next is gone."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will ever come than what `take` returns now."""
        return self.lost or self._broadcast.closed

    def take(self) -> bytes:
        """Return the bytes that come next, all of one title, at most about 32 KiB; empty: none yet."""
        header, self._header = self._header, b""
        if self.lost:
            return b""
        taken = self._broadcast.read(self._position)
        if taken is None:
            self.lost = True
            return b""
        self._position = taken.position
        self.title = self.title if taken.title is None else taken.title
        return header + taken.data


class Broadcast(EncodedOutput):
    """An `Output` whose sound is fetched by listeners; what they do never touches the encoder."""

    def __init__(
        self,
        engine_rate_hz: int,
        codec: Codec = "mp3",
        bitrate_kbps: int = 192,
        *,
        card_paced: bool = False,
    ) -> None:
        super().__init__(f"http {codec}", engine_rate_hz, codec, bitrate_kbps, card_paced=card_paced)
        self.content_type = content_type(codec)
        self._lock = threading.Lock()
        # Guarded by the lock: pieces first .. first + len(pieces) - 1, and the counts of listeners.
        self._pieces: deque[_Piece] = deque()
        self._first = 0
        self._history_frames = 0
        self._listeners = 0
        self._of_address: Counter[str] = Counter()
        self._joined = 0
        self._dropped = 0
        # The worker's thread.
        self._header = b""

    @property
    def closed(self) -> bool:
        """Whether the broadcast has ended, and its last piece is there."""
        return self._stop.is_set() and not self._thread.is_alive()

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

        address: whose it is, of which there may be `MAX_LISTENERS_OF_ADDRESS`; None: nobody's.
        """
        with self._lock:
            if self._listeners >= MAX_LISTENERS:
                return None
            if address is not None:
                if self._of_address[address] >= MAX_LISTENERS_OF_ADDRESS:
                    return None
                self._of_address[address] += 1
            self._listeners += 1
            self._joined += 1
            position = self._first + len(self._pieces)
            frames = 0
            for piece in reversed(self._pieces):
                if frames >= BURST_S * self.engine_rate_hz:
                    break
                frames += piece.frames
                position -= 1
            begin = position - self._first
            header = self._pieces[begin].header if begin < len(self._pieces) else b""
            return Listener(self, position, header)

    def leave(self, address: str | None = None, *, dropped: bool) -> None:
        """Count one listener less, of the address that it joined with. Any thread."""
        with self._lock:
            self._listeners -= 1
            if address is not None:
                self._of_address[address] -= 1
                # What is counted is who listens, not who ever did.
                self._of_address += Counter()
            self._dropped += dropped

    def read(self, position: int) -> _Taken | None:
        """Return what stands from piece `position` on, as far as its title; None where it is gone."""
        with self._lock:
            index = position - self._first
            if index < 0:
                return None
            data = bytearray()
            title = self._pieces[index].title if index < len(self._pieces) else None
            while (
                index < len(self._pieces) and self._pieces[index].title == title and len(data) < _TAKE_BYTES
            ):
                data += self._pieces[index].data
                index += 1
            return _Taken(data=bytes(data), position=self._first + index, title=title)

    def _connect(self) -> None:
        """Nothing to connect: listeners come when they like."""

    def _deliver(self, header: bytes, data: bytes, frames: int) -> None:
        with self._lock:
            # A first piece carries its header: after a fault one Ogg stream follows the other.
            self._header = header or self._header
            self._pieces.append(
                _Piece(
                    data=header + data,
                    frames=frames,
                    header=b"" if header else self._header,
                    title=self.title,
                )
            )
            self._history_frames += frames
            while self._history_frames - self._pieces[0].frames > HISTORY_S * self.engine_rate_hz:
                self._history_frames -= self._pieces.popleft().frames
                self._first += 1

    def _listening(self) -> int:
        return self._listeners

    def _detail(self) -> str:
        return f"{self._listeners} listening, {self._joined} so far, {self._dropped} too slow"
