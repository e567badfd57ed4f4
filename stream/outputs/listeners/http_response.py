"""The HTTP response is the endless body that a listener reads."""

import asyncio
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from stream.outputs.listeners.broadcast import Broadcast, Listener
from stream.outputs.listeners.connections import connection_of, request_address
from stream.outputs.listeners.delivery import Delivery, Seat
from stream.outputs.listeners.icy import ICY_INTERVAL_BYTES, IcyTitles
from stream.outputs.listeners.ranges import asked_part


class Listening:
    """Answers who asks for a broadcast, by any event loop."""

    def __init__(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast
        # Each is made and used by its own loop.
        self._deliveries: dict[asyncio.AbstractEventLoop, Delivery] = {}

    def answer(self, request: Request) -> Response:
        """Return what a player gets: the stream, its headers alone, or a refusal. Any thread."""
        broadcast = self._broadcast
        headers = {
            "Content-Type": broadcast.content_type,
            "Cache-Control": "no-store",
            "Accept-Ranges": "none",
            "Connection": "close",
            # A proxy is to hand on what comes, not to collect it (nginx).
            "X-Accel-Buffering": "no",
            # VLC 3.0 asks for titles, with a request more, only where it reads this.
            "icy-name": "endlos",
        }
        if broadcast.codec != "flac":
            headers["icy-br"] = str(broadcast.bitrate_kbps)
        with_titles = request.headers.get("icy-metadata") == "1" and broadcast.codec in ("mp3", "aac")
        if with_titles:
            headers["icy-metaint"] = str(ICY_INTERVAL_BYTES)
        part = asked_part(request, broadcast.codec)
        if part.status == 416:
            return PlainTextResponse("this stream has no parts; ask for the whole\n", 416)
        if part.content_range is not None:
            headers["Content-Range"] = part.content_range
        if request.method == "HEAD":
            return _endless(Response(headers=headers))
        listener = broadcast.join(request_address(request.scope))
        if listener is None:
            return PlainTextResponse(
                "too many listeners; try again later\n", 503, headers={"Retry-After": "30"}
            )
        return _AudioResponse(self, listener, IcyTitles() if with_titles else None, part.status, headers)

    def delivery(self) -> Delivery:
        """Return what serves the listeners of the running loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._deliveries:
            self._deliveries[loop] = Delivery(self._broadcast, loop)
        return self._deliveries[loop]

    def leave(self, address: str, *, dropped: bool) -> None:
        """Count a listener less."""
        self._broadcast.leave(address, dropped=dropped)


class _AudioResponse(Response):
    """An endless body; ends when the listener leaves, falls too far behind, or the broadcast ends."""

    def __init__(
        self,
        listening: Listening,
        listener: Listener,
        titles: IcyTitles | None,
        status: int,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(status_code=status, headers=headers)
        _endless(self)
        self._listening = listening
        self._listener = listener
        self._titles = titles

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head, leave the body to the delivery, and wait for the end."""
        delivery = self._listening.delivery()
        seat: Seat | None = None
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            seat = Seat(
                self._listener,
                connection_of(scope).hand_over(),
                self._titles,
                chunked=scope["http_version"] != "1.0",
            )
            delivery.take(seat)
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            if seat is not None:
                delivery.leave(seat)
            self._listening.leave(request_address(scope), dropped=self._listener.lost)


def _endless(response: Response) -> Response:
    """Return a response that does not state a length: a player that is told 0 sees an empty file."""
    del response.headers["content-length"]
    return response
