"""The HTTP response is the endless body that a listener reads, and notices who is too slow for it."""

import asyncio

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from stream.outputs.listeners.broadcast import Broadcast, Listener
from stream.outputs.listeners.connections import Connections, abort, request_address
from stream.outputs.listeners.icy import ICY_INTERVAL_BYTES, IcyTitles

SLOW_AFTER_S = 10.0
"""A listener that takes nothing for so long is dropped."""

_POLL_S = 0.1


class AudioResponse(Response):
    """An endless body; ends when the listener leaves, falls too far behind, or the broadcast ends."""

    def __init__(
        self, broadcast: Broadcast, listener: Listener, titles: IcyTitles | None, headers: dict[str, str]
    ) -> None:
        super().__init__(headers=headers)
        _endless(self)
        self._broadcast = broadcast
        self._listener = listener
        self._titles = titles

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until one of these ends it."""
        connections: Connections = scope["app"].state.connections
        gone = asyncio.ensure_future(_until_disconnect(receive))
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            while not (gone.done() or connections.closing):
                ended = self._listener.ended
                data = self._listener.take()
                if not data:
                    if ended or self._listener.lost:
                        break
                    await asyncio.sleep(_POLL_S)
                    continue
                if self._titles is not None:
                    data = self._titles.weave(data)
                message = {"type": "http.response.body", "body": data, "more_body": True}
                await asyncio.wait_for(send(message), SLOW_AFTER_S)
            if not self._listener.lost:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            self._listener.lost = True
        finally:
            self._broadcast.leave(request_address(scope), dropped=self._listener.lost)
            if self._listener.lost:
                # Not closed in good order: that would wait until the listener has read what is under way.
                abort(scope)
                await asyncio.wait({gone}, timeout=1)
            gone.cancel()


def answer_listener(broadcast: Broadcast, request: Request) -> Response:
    """Return what a player gets that asks for a broadcast: the stream, its headers alone, or a refusal."""
    headers = {
        "Content-Type": broadcast.content_type,
        "Cache-Control": "no-store",
        "Accept-Ranges": "none",
        "icy-name": "endlos",
        "icy-br": str(broadcast.bitrate_kbps),
    }
    with_titles = request.headers.get("icy-metadata") == "1" and broadcast.codec in ("mp3", "aac")
    if with_titles:
        headers["icy-metaint"] = str(ICY_INTERVAL_BYTES)
    if request.method == "HEAD":
        return _endless(Response(headers=headers))
    listener = broadcast.join(request_address(request.scope))
    if listener is None:
        return PlainTextResponse("too many listeners; try again later\n", 503, headers={"Retry-After": "30"})
    titles = IcyTitles(lambda: listener.title) if with_titles else None
    return AudioResponse(broadcast, listener, titles, headers)


def _endless(response: Response) -> Response:
    """Return a response that does not state a length: a player that is told 0 sees an empty file."""
    del response.headers["content-length"]
    return response


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
