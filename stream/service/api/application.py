"""The interface is an application of its own below `/api`, with a description that programs read."""

import logging

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from model.base.errors import EndlosError
from stream.service.api.asked import Asked
from stream.service.api.joins import join_routes
from stream.service.api.playing import playing_routes
from stream.service.api.saying import saying_routes
from stream.service.api.songs import song_routes
from stream.service.api.steering import steering_routes

_log = logging.getLogger(__name__)

_DESCRIPTION = (
    "What plays, what follows, and how to steer it. Whoever reaches the page may read. To change something, "
    "send the header `X-Endlos` from the machine that endlos runs on, or `Authorization: Bearer TOKEN`. "
    'Every failure is `{"detail": "one sentence"}`.'
)


def create_api(asked: Asked) -> FastAPI:
    """Return the application, still without its gate (`stream.service.limits`)."""
    api = FastAPI(
        title="endlos",
        description=_DESCRIPTION,
        version="1",
        # No page of its own: it would be drawn with scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        openapi_url="/openapi.json",
        separate_input_output_schemas=False,
    )
    for routes in (playing_routes, saying_routes, join_routes, song_routes, steering_routes):
        api.include_router(routes(asked))
    api.add_exception_handler(RequestValidationError, _not_meant)
    api.add_exception_handler(HTTPException, _failed)
    api.add_exception_handler(EndlosError, _not_now)
    return api


def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = "there is nothing at this address" if error.detail == "Not Found" else str(error.detail)
    return JSONResponse({"detail": detail}, error.status_code, headers=error.headers)


def _not_meant(request: Request, error: Exception) -> Response:
    """Answer to what is no value that was described: the first fault, in words."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    status = 400 if first["type"] == "json_invalid" else 422
    told = f"{where}: {first['msg']}" if where and status == 422 else str(first["msg"])
    # A wrong key stands in it, which may be no Unicode.
    return JSONResponse({"detail": told.encode("utf-8", "replace").decode("utf-8")}, status)


def _not_now(request: Request, error: Exception) -> Response:
    """Answer where the pool cannot be read or written: that is told here, its paths are nobody else's."""
    _log.warning("asked for %s: %s", request.url.path, error)
    told = {"detail": "the pool cannot be read or written at this moment; endlos has logged why"}
    return JSONResponse(told, 503, headers={"Retry-After": "10"})
