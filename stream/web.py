"""The page, the HTTP stream, the status and the health check, and the server that carries them."""

import asyncio
import base64
import hashlib
import html
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from model.errors import OutputError
from stream.outputs.base import Output
from stream.outputs.broadcast import ICY_INTERVAL_BYTES, Broadcast, IcyTitles, Listener
from stream.outputs.encoded import EncodedOutput

AUDIBLE_WITHIN_S = 10.0
"""Health: how lately sound must have left an encoder."""
SLOW_AFTER_S = 10.0
"""A listener that takes nothing for so long is dropped."""

_POLL_S = 0.1
# Between the broadcast and a listener who has stopped reading; inherited by each connection.
_SEND_BUFFER_BYTES = 64 * 1024
_CLOSE_S = 0.6
_FORCED_S = 0.3
_PAGE = Path(__file__).with_name("page") / "index.html"

Now = Callable[[], Mapping[str, object]]


def create_app(
    now: Now,
    outputs: Sequence[Output],
    broadcasts: Mapping[str, Broadcast],
    skip: Callable[[], None] | None = None,
) -> Starlette:
    """Return the web application.

    now: what plays, with the keys that the page shows where they are there: title, artist, position_s,
    length_s, next_title, next_artist, next_score; any others are passed on in `/status.json`.
    broadcasts: by extension, "mp3" is heard at `/stream.mp3`. skip: called by `POST /next`; None: no button.
    `POST /next` is refused unless it comes from the page itself (its `Origin` is the host that was asked), or
    carries the header `X-Endlos`, which no other site can make a browser send.
    """
    page = Template(_PAGE.read_text(encoding="utf-8"))
    policy = _content_policy(page.template)

    def index(request: Request) -> Response:
        return HTMLResponse(
            page.substitute(_page_texts(now(), broadcasts, can_skip=skip is not None)),
            headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"},
        )

    def status(request: Request) -> Response:
        body = {
            "now": dict(now()),
            "outputs": [asdict(output.status()) for output in outputs],
            "listeners": sum(broadcast.listeners for broadcast in broadcasts.values()),
            "healthy": _healthy(_silences(outputs, broadcasts)),
        }
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    def health(request: Request) -> Response:
        silences = _silences(outputs, broadcasts)
        well = _healthy(silences)
        body = {"healthy": well, "seconds_since_sound": silences}
        return JSONResponse(body, 200 if well else 503, headers={"Cache-Control": "no-store"})

    def post_next(request: Request) -> Response:
        if skip is None:
            return PlainTextResponse("this stream cannot be skipped\n", 404)
        if not _is_own(request):
            return PlainTextResponse("send the header X-Endlos, or use the page\n", 403)
        skip()
        if "x-endlos" in request.headers:
            return Response(status_code=204)
        return RedirectResponse("./", 303)

    routes = [
        Route("/", index),
        Route("/status.json", status),
        Route("/health", health),
        Route("/next", post_next, methods=["POST"]),
    ]
    routes += [
        Route(f"/stream.{extension}", _stream_of(broadcast)) for extension, broadcast in broadcasts.items()
    ]
    app = Starlette(routes=routes)
    app.state.connections = _Connections()
    return app


def _content_policy(page: str) -> str:
    script = "".join(re.findall(r"<script>(.*?)</script>", page, re.DOTALL))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _page_texts(
    now: Mapping[str, object], broadcasts: Mapping[str, Broadcast], *, can_skip: bool
) -> dict[str, str]:
    """Return what the page shows without its script; every text of a tag is escaped."""

    def text(key: str) -> str:
        value = now.get(key)
        return "" if value is None else html.escape(str(value))

    score = now.get("next_score")
    sources = "".join(
        f'<source src="stream.{extension}" type="{broadcast.content_type}">'
        for extension, broadcast in broadcasts.items()
    )
    return {
        "title": text("title") or "endlos",
        "artist": text("artist"),
        "next": " – ".join(filter(None, [text("next_artist"), text("next_title")])) or "not decided yet",
        "score": f"follows with score {score:.2f}" if isinstance(score, float) else "",
        "player": f'<audio id="audio" controls preload="none">{sources}</audio>' if broadcasts else "",
        "skip": '<form id="skip" method="post" action="next"><button>Next</button></form>'
        if can_skip
        else "",
        "links": "".join(f'<a href="stream.{name}">stream.{name}</a>' for name in broadcasts),
    }


def _is_own(request: Request) -> bool:
    if "x-endlos" in request.headers:
        return True
    return urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host")


def _silences(outputs: Sequence[Output], broadcasts: Mapping[str, Broadcast]) -> dict[str, float | None]:
    """Return how long ago each encoder delivered sound, in seconds, None: never."""
    encoders = {**{output.name: output for output in outputs}, **{b.name: b for b in broadcasts.values()}}
    return {
        name: output.silent_for_s() for name, output in encoders.items() if isinstance(output, EncodedOutput)
    }


def _healthy(silences: Mapping[str, float | None]) -> bool:
    """Return whether any encoder delivers sound: one server that is down is no reason to restart endlos."""
    return any(silence is not None and silence < AUDIBLE_WITHIN_S for silence in silences.values())


def _stream_of(broadcast: Broadcast) -> Callable[[Request], Response]:
    def stream(request: Request) -> Response:
        headers = {
            "Content-Type": broadcast.content_type,
            "Cache-Control": "no-store",
            "Accept-Ranges": "none",
            "icy-name": "endlos",
            "icy-br": str(broadcast.bitrate_kbps),
        }
        if request.method == "HEAD":
            return Response(headers=headers)
        listener = broadcast.join()
        if listener is None:
            return PlainTextResponse(
                "too many listeners; try again later\n", 503, headers={"Retry-After": "30"}
            )
        titles = None
        if request.headers.get("icy-metadata") == "1" and broadcast.codec in ("mp3", "aac"):
            titles = IcyTitles(broadcast.title)
            headers["icy-metaint"] = str(ICY_INTERVAL_BYTES)
        return _AudioResponse(broadcast, listener, titles, headers)

    return stream


class _AudioResponse(Response):
    """An endless body; ends when the listener leaves, falls too far behind, or the broadcast ends."""

    def __init__(
        self, broadcast: Broadcast, listener: Listener, titles: IcyTitles | None, headers: dict[str, str]
    ) -> None:
        super().__init__(headers=headers)
        del self.headers["content-length"]
        self._broadcast = broadcast
        self._listener = listener
        self._titles = titles

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connections: _Connections = scope["app"].state.connections
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
            self._broadcast.leave(dropped=self._listener.lost)
            if self._listener.lost:
                # Not closed in good order: that would wait until the listener has read what is under way.
                connections.abort(scope["client"])
                await asyncio.wait({gone}, timeout=1)
            gone.cancel()


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class WebServer:
    """uvicorn in a thread of its own, on a socket that was bound beforehand."""

    def __init__(self, app: Starlette, host: str = "127.0.0.1", port: int = 8000) -> None:
        """Bind; `OutputError` when the port is in use. host: loopback, unless told otherwise; port 0: any."""
        self._socket = _bind(host, port)
        self.host: str = host
        self.port: int = self._socket.getsockname()[1]
        self._connections: _Connections = app.state.connections
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=self._connections.protocol(),
                ws="none",
                lifespan="off",
                # Its own configuration would close every log handler of the process, whoever's they are.
                log_config=None,
                log_level="error",
                access_log=False,
                server_header=False,
            )
        )
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    @property
    def url(self) -> str:
        """The address of the page."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

    def start(self) -> None:
        """Serve, and come back when the server answers."""
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise OutputError(f"the web server on {self.url} ended at once; run with --debug to see why")
            time.sleep(0.005)

    @property
    def alive(self) -> bool:
        """Whether it still serves."""
        return self._thread.is_alive()

    def close(self) -> None:
        """End, within a second, whoever is listening."""
        self._connections.closing = True
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)
            self._server.force_exit = True
            self._thread.join(_FORCED_S)
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])


class _Connections:
    """The open connections, so that one can be ended at once. Belongs to the server's event loop."""

    def __init__(self) -> None:
        self.closing = False
        """Set by any thread: endless answers end now."""
        self._transports: dict[object, asyncio.Transport] = {}

    def abort(self, client: object) -> None:
        """End the connection of `client`, a (host, port), without waiting for what is under way."""
        transport = self._transports.get(client)
        if transport is not None:
            transport.abort()

    def protocol(self) -> type[asyncio.Protocol]:
        """Return uvicorn's HTTP protocol, which notes its connections here."""
        transports = self._transports

        class Noted(H11Protocol):
            def connection_made(self, transport: Any) -> None:
                super().connection_made(transport)
                self._peer = tuple(transport.get_extra_info("peername")[:2])
                transports[self._peer] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                transports.pop(self._peer, None)
                super().connection_lost(exc)

        return Noted


def _bind(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65_535:
        raise OutputError(f"{port} is no port; expected 1 to 65535, or 0 for any that is free")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise OutputError(
            f"{host}:{port} is no address of this machine ({error}); expected one such as 127.0.0.1:8000"
        ) from error
    try:
        # Not on Windows, where it would let two programs have the same port.
        if hasattr(socket, "SO_REUSEPORT"):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        bound.bind(address)
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise OutputError(
            f"{host}:{port} cannot be served ({error.strerror or error}); "
            "choose another address or port with --http"
        ) from error
    return bound
