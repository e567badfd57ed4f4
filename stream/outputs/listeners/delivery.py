"""The delivery writes each piece of a broadcast to the sockets of all who listen by one event loop.

The encoder wakes it once for each piece. A piece is framed once and the same bytes go to every socket, past
the layers that a request comes by: for 500 listeners these would cost several times what the kernel takes.
"""

import asyncio
from contextlib import suppress

from stream.outputs.listeners.broadcast import Broadcast, Listener, Piece, framed
from stream.outputs.listeners.icy import IcyTitles


class Seat:
    """One listener and the socket that he hears by; belongs to the loop."""

    def __init__(
        self,
        listener: Listener,
        transport: asyncio.Transport,
        titles: IcyTitles | None = None,
        *,
        chunked: bool,
    ) -> None:
        """titles: sets them between the bytes, of who asked for that. chunked: whether HTTP/1.1 frames it."""
        self._listener = listener
        self._transport = transport
        self._titles = titles
        self._chunked = chunked

    def serve(self) -> None:
        """Hand on what there is; who has not read all of what he got keeps his place meanwhile."""
        if self._transport.is_closing():
            return
        ended = self._listener.ended
        if ended or not self._transport.get_write_buffer_size():
            pieces = self._listener.take()
            if pieces:
                self._transport.writelines([self._bytes_of(piece) for piece in pieces])
        else:
            self._listener.look()
        if self._listener.lost:
            # Not closed in good order: that would wait until he has read what is under way.
            self._transport.abort()
        elif ended:
            # After what is under way, and in the midst of the body. An end in good order, which an endless
            # stream has not, makes a browser tell `ended`, and players go on to what is next in their list.
            self._transport.close()

    def _bytes_of(self, piece: Piece) -> bytes:
        if self._titles is None:
            return piece.chunk if self._chunked else piece.data
        woven = self._titles.weave(piece.data, piece.title)
        return framed(woven) if self._chunked else woven


class Delivery:
    """All seats that one event loop serves; methods belong to that loop."""

    def __init__(self, broadcast: Broadcast, loop: asyncio.AbstractEventLoop) -> None:
        self._broadcast = broadcast
        self._loop = loop
        # The order in which they came: the one who has waited longest comes first.
        self._seats: dict[Seat, None] = {}
        self._awake = False

    def take(self, seat: Seat) -> None:
        """Serve a seat from now on."""
        if not self._seats:
            self._broadcast.call(self._wake)
        self._seats[seat] = None
        seat.serve()

    def leave(self, seat: Seat) -> None:
        """Serve a seat no more."""
        self._seats.pop(seat, None)
        if not self._seats:
            self._broadcast.call_no_more(self._wake)

    def _wake(self) -> None:
        """Have the loop serve all. The encoder's thread."""
        if self._awake:
            return
        self._awake = True
        # Closed: nobody is served any more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._serve)

    def _serve(self) -> None:
        # Before it is looked what there is: what comes from now on wakes it again.
        self._awake = False
        for seat in tuple(self._seats):
            seat.serve()
