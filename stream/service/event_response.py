"""The event response sends the events of a stream as server-sent events, for as long as somebody reads."""

import asyncio
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from stream.outputs.listeners.connections import abort, request_address
from stream.service.events import Event, EventFeed, EventListener

HEARTBEAT_S = 15.0
"""A comment comes as often, so that no proxy takes the connection for dead."""
EVENTS_SLOW_AFTER_S = 10.0
"""Who takes nothing for so long is dropped."""
_RETRY_MS = 2000


class EventResponse(Response):
    """Ends when the listener leaves, falls too far behind, or the stream ends."""

    media_type = "text/event-stream"

    def __init__(self, feed: EventFeed, listener: EventListener, *, addresses: bool) -> None:
        """addresses: whether outputs may be told by where they are."""
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._feed = feed
        self._listener = listener
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until one of these ends it."""
        listener = self._listener
        gone = asyncio.ensure_future(_until_gone(receive, listener))
        beat_s = time.monotonic()
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            data = f"retry: {_RETRY_MS}\n\n".encode()
            while not (gone.done() or listener.lost or self._feed.closed):
                data += b"".join(map(self._as_bytes, listener.take()))
                if time.monotonic() - beat_s >= HEARTBEAT_S:
                    beat_s = time.monotonic()
                    data += b":\n\n"
                if data:
                    message = {"type": "http.response.body", "body": data, "more_body": True}
                    await asyncio.wait_for(send(message), EVENTS_SLOW_AFTER_S)
                    data = b""
                await listener.wait(max(0.0, beat_s + HEARTBEAT_S - time.monotonic()))
            if not listener.lost:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            listener.lost = True
        finally:
            self._feed.leave(listener, dropped=listener.lost)
            if listener.lost:
                # Not closed in good order: that would wait until all is read.
                abort(scope)
                await asyncio.wait({gone}, timeout=1)
            gone.cancel()

    def _as_bytes(self, event: Event) -> bytes:
        data = event.at_home if self._addresses else event.abroad
        return f"id: {self._feed.id_of(event.number)}\nevent: {event.name}\ndata: {data}\n\n".encode()


def answer_events(feed: EventFeed, request: Request, *, addresses: bool) -> Response:
    """Return what a listener gets that asks for events; for the event loop."""
    listener = feed.join(request_address(request.scope), request.headers.get("last-event-id"))
    if listener is None:
        told = {"detail": "too many listen to events already; try again later"}
        return JSONResponse(told, 503, headers={"Retry-After": "30"})
    return EventResponse(feed, listener, addresses=addresses)


async def _until_gone(receive: Receive, listener: EventListener) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.rouse()
