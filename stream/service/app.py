"""The web application serves the page, the HTTP stream, the status and the health check."""

from collections.abc import Callable, Sequence
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from stream.outputs.connections import Connections
from stream.outputs.output import OutputRoute
from stream.service.moment import Moment
from stream.service.page import content_policy, page_texts

_PAGE = Path(__file__).with_name("static") / "index.html"


def create_app(
    moment: Callable[[], Moment],
    output_routes: Sequence[OutputRoute] = (),
    skip: Callable[[], None] | None = None,
) -> Starlette:
    """Return the web application.

    moment: looks how all is now. output_routes: what the outputs want to be asked. skip: called by
    `POST /next`; None: no button.
    `POST /next` is refused unless it comes from the page itself (its `Origin` is the host that was asked), or
    carries the header `X-Endlos`, which no other site can make a browser send.
    """
    page = Template(_PAGE.read_text(encoding="utf-8"))
    policy = content_policy(page.template)
    streams = {route.path[1:]: route.content_type for route in output_routes if route.content_type}

    def index(request: Request) -> Response:
        return HTMLResponse(
            page.substitute(page_texts(moment(), streams, can_skip=skip is not None)),
            headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"},
        )

    def status(request: Request) -> Response:
        return JSONResponse(moment().as_json(), headers={"Cache-Control": "no-store"})

    def health(request: Request) -> Response:
        found = moment().health
        return JSONResponse(
            found.as_json(), 200 if found.well else 503, headers={"Cache-Control": "no-store"}
        )

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
    routes += [Route(route.path, _asked(route.answer)) for route in output_routes]
    app = Starlette(routes=routes)
    app.state.connections = Connections()
    return app


def _asked(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """Return what Starlette asks in a thread, whatever kind of callable an output gave."""
    return lambda request: answer(request)


def _is_own(request: Request) -> bool:
    if "x-endlos" in request.headers:
        return True
    return urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host")
