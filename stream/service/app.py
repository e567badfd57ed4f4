"""The web application serves the page, the streams, the interface, the status, health and metrics."""

from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from stream.outputs.address import HttpAddress
from stream.outputs.listeners.connections import Connections, request_address
from stream.outputs.listeners.playlists import playlist_routes
from stream.outputs.output import OutputRoute
from stream.service.access import PageAccess
from stream.service.announcing.limits import MOST_ANNOUNCEMENT_BYTES
from stream.service.interface import Interface
from stream.service.limits import UNKNOWN_NAME, Gate, RateLimit
from stream.service.moment import Moment
from stream.service.page import Page

MOST_BYTES = {"/api/say": MOST_ANNOUNCEMENT_BYTES}
"""Of the body, where it may be larger than others."""


def create_app(
    moment: Callable[[], Moment],
    output_routes: Sequence[OutputRoute] = (),
    skip: Callable[[], None] | None = None,
    address: HttpAddress | None = None,
    interface: Interface | None = None,
    limit: RateLimit | None = None,
) -> Starlette:
    """Return the web application.

    moment: looks how all is now. output_routes: what the outputs want to be asked. skip: called by
    `POST /next`; None: no button.
    address: where it is served, and to whom; None: to this machine alone. interface: what programs may ask
    below `/api`; None: nothing. limit: of all that changes something, where it is shared; None: its own.
    Streams are for whoever reaches them. All else is answered only by a name that is its own, and nothing is
    changed for a page from elsewhere, nor without the token for who is not on this machine (`PageAccess`).
    """
    address = address or HttpAddress()
    access = PageAccess(address)
    limit = limit or RateLimit()
    streams = {route.path[1:]: route.content_type for route in output_routes if route.content_type}
    page = Page(streams)

    def index(request: Request) -> Response:
        at_home = access.is_at_home(request)
        able = skip is not None and (at_home or access.with_token)
        return page.answer(moment(), can_change=able and (at_home or "token"))

    def status(request: Request) -> Response:
        told = moment().as_json(addresses=access.is_at_home(request))
        return JSONResponse(told, headers={"Cache-Control": "no-store"})

    def health(request: Request) -> Response:
        now = moment()
        told = now.health_json(addresses=access.is_at_home(request))
        return JSONResponse(told, 200 if now.health.well else 503, headers={"Cache-Control": "no-store"})

    def metrics(request: Request) -> Response:
        # What makes them takes a while to import, and is not always asked for.
        from prometheus_client import CONTENT_TYPE_LATEST

        from stream.service.metrics import metrics_text

        events = None if interface is None else interface.events
        told = metrics_text(moment(), events, addresses=access.is_at_home(request))
        return Response(told, headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})

    def post_next(request: Request) -> Response:
        if skip is None:
            return PlainTextResponse("this stream cannot be skipped\n", 404)
        if limit.wait_s(request_address(request.scope)) > 0:
            return PlainTextResponse(
                "too many changes; try again later\n", 429, headers={"Retry-After": "10"}
            )
        refusal = access.refusal(request)
        if refusal is not None:
            return PlainTextResponse(f"{refusal}\n", 403)
        skip()
        if "x-endlos" in request.headers or "authorization" in request.headers:
            return Response(status_code=204)
        return RedirectResponse("./", 303)

    def known(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
        return lambda request: answer(request) if access.knows(request) else _unknown_name()

    routes: list[BaseRoute] = [
        Route("/", known(index)),
        Route("/static/{name}", known(page.file)),
        Route("/status.json", known(status)),
        Route("/health", known(health)),
        Route("/healthz", known(health)),
        Route("/metrics", known(metrics)),
        Route("/next", known(post_next), methods=["POST"]),
    ]
    for route in (*output_routes, *playlist_routes(streams, access.knows_name)):
        answer = _asked(route.answer)
        routes.append(Route(route.path, answer if route.content_type or route.for_all else known(answer)))
    if interface is not None:
        routes.append(Mount("/api", app=Gate(interface.served(access), access, limit, MOST_BYTES)))
    app = Starlette(routes=routes, exception_handlers={404: _not_found})
    app.state.connections = Connections(address.limits)
    return app


def _asked(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """Return what Starlette asks in a thread, whatever kind of callable an output gave."""
    return lambda request: answer(request)


def _not_found(request: Request, error: Exception) -> Response:
    """Answer where no route is; `Mount` knows no path with a line break, and programs want JSON."""
    if request.url.path.startswith("/api/"):
        return JSONResponse({"detail": "there is nothing at this address"}, 404)
    return PlainTextResponse("Not Found", 404)


def _unknown_name() -> Response:
    return PlainTextResponse(f"{UNKNOWN_NAME}\n", 421)
