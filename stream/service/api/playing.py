"""The routes of what plays tell what is heard and what follows, and go on, stand still or fade out."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from stream.service.api.answers import NowTold, PauseWish, SleepWish
from stream.service.api.asked import CHANGE_FAULTS, READ_FAULTS, Asked
from stream.service.event_response import answer_events


def playing_routes(asked: Asked) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["playing"])

    @router.get("/now", responses=READ_FAULTS, summary="What is heard now, and what follows.")
    def now(request: Request) -> NowTold:
        return asked.look().now(addresses=asked.addresses(request))

    @router.post(
        "/next",
        status_code=204,
        response_class=Response,
        responses=CHANGE_FAULTS,
        summary="Go on to another piece at once.",
    )
    def post_next() -> None:
        asked.changed(asked.controls.skip)

    @router.put(
        "/pause",
        status_code=204,
        response_class=Response,
        responses=CHANGE_FAULTS,
        summary="Stand still, or go on.",
    )
    def put_pause(wish: PauseWish) -> None:
        asked.changed(lambda: asked.controls.set_pause(wish.paused))

    @router.put(
        "/sleep",
        status_code=204,
        response_class=Response,
        responses=CHANGE_FAULTS,
        summary="Fade out over 20 s later on, then pause.",
    )
    def put_sleep(wish: SleepWish) -> None:
        asked.changed(lambda: asked.controls.sleep(wish.in_s))

    @router.get(
        "/events",
        response_class=Response,
        responses={
            200: {
                "description": "Server-sent events `now`, `join`, `steering`, `outputs`, and `reset` where "
                "what was missed is gone. `Last-Event-ID` resumes. A comment comes every 15 s.",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
            **READ_FAULTS,
        },
        summary="What changes, as it changes.",
    )
    async def events(request: Request) -> Response:
        return answer_events(asked.events, request, addresses=asked.addresses(request))

    return router
