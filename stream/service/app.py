"""The web application serves the page, the HTTP stream, the status and the health check."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from stream.outputs.connections import Connections
from stream.outputs.http import Broadcast
from stream.outputs.http_response import AudioResponse
from stream.outputs.icy import ICY_INTERVAL_BYTES, IcyTitles
from stream.outputs.output import Output, status_of
from stream.service.health import health_of
from stream.service.page import content_policy, page_texts

_PAGE = Path(__file__).with_name("static") / "index.html"

Now = Callable[[], Mapping[str, object]]


def create_app(
    now: Now,
    outputs: Sequence[Output],
    broadcasts: Mapping[str, Broadcast],
    skip: Callable[[], None] | None = None,
    since_pause_s: Callable[[], float | None] = lambda: None,
) -> Starlette:
    """Return the web application.

    now: what plays, with the keys that the page shows where they are there: title, artist, position_s,
    length_s, next_title, next_artist, next_score; any others are passed on in `/status.json`.
    broadcasts: by extension, "mp3" is heard at `/stream.mp3`. skip: called by `POST /next`; None: no button.
    since_pause_s: how long ago the stream stood still on purpose, as `health_of` takes it.
    `POST /next` is refused unless it comes from the page itself (its `Origin` is the host that was asked), or
    carries the header `X-Endlos`, which no other site can make a browser send.
    """
    page = Template(_PAGE.read_text(encoding="utf-8"))
    policy = content_policy(page.template)

    def index(request: Request) -> Response:
        return HTMLResponse(
            page.substitute(page_texts(now(), broadcasts, can_skip=skip is not None)),
            headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"},
        )

    def status(request: Request) -> Response:
        statuses = [status_of(output) for output in outputs]
        body = {
            "now": dict(now()),
            "outputs": [asdict(status) for status in statuses],
            "listeners": sum(broadcast.listeners for broadcast in broadcasts.values()),
            "healthy": health_of(statuses, since_pause_s()).well,
        }
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    def health(request: Request) -> Response:
        found = health_of([status_of(output) for output in outputs], since_pause_s())
        body = {
            "healthy": found.well,
            "paused": found.paused,
            "away": found.away,
            "seconds_since_sound": found.silent_s,
        }
        return JSONResponse(body, 200 if found.well else 503, headers={"Cache-Control": "no-store"})

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
    app.state.connections = Connections()
    return app


def _is_own(request: Request) -> bool:
    if "x-endlos" in request.headers:
        return True
    return urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host")


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
        return AudioResponse(broadcast, listener, titles, headers)

    return stream
