"""The routes of the joins list them, play them once more, and take what is thought of them."""

import io
from functools import partial
from typing import Annotated

import soundfile
from fastapi import APIRouter, HTTPException, Path, Query
from starlette.responses import Response

from model.base.errors import EndlosError
from stream.engine.past import JoinRecord
from stream.service.api.answers import JoinList, JoinOpinion, JoinTold
from stream.service.api.asked import CHANGE_FAULTS, NOT_THERE, READ_FAULTS, Asked
from stream.service.api.told import Look

MOST_JOINS_TOLD = 200
JoinPath = Annotated[int, Path(ge=0, le=2**53, description="Of the decision.")]


def join_routes(asked: Asked) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["joins"])

    @router.get("/joins", responses=READ_FAULTS, summary="The joins that were heard, newest first.")
    def joins(limit: Annotated[int, Query(ge=1, le=MOST_JOINS_TOLD)] = 50) -> JoinList:
        look = asked.look()
        return JoinList(joins=[look.join(record) for record in look.heard_joins()[:limit]])

    @router.get(
        "/joins/{n}/preview.wav",
        response_class=Response,
        responses={
            200: {
                "description": "6 s before its middle, and 6 s after.",
                "content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}},
            },
            **READ_FAULTS,
            **NOT_THERE,
        },
        summary="A join to be heard again, or the one to come beforehand.",
    )
    async def preview(n: JoinPath) -> Response:
        data = await asked.kept.worker.done(partial(_wav, asked, n))
        return Response(data, media_type="audio/wav", headers={"Cache-Control": "private, max-age=60"})

    @router.put(
        "/joins/{n}/opinion",
        responses={**CHANGE_FAULTS, **NOT_THERE},
        summary="Like a join or dislike it: what is disliked never comes back.",
    )
    def put_opinion(n: JoinPath, wish: JoinOpinion) -> JoinTold:
        _record(asked, n)
        asked.changed(lambda: asked.controls.engine.judge_join(n, wish.liked))
        look, record = _record(asked, n)
        return look.join(record)

    return router


def _record(asked: Asked, n: int) -> tuple[Look, JoinRecord]:
    look = asked.look()
    upcoming = asked.controls.engine.upcoming()
    known = [*asked.controls.engine.joins(), *([] if upcoming is None else [upcoming])]
    for record in known:
        if record.n == n:
            return look, record
    raise HTTPException(404, "no such join is remembered")


def _wav(asked: Asked, n: int) -> bytes:
    _record(asked, n)
    engine = asked.controls.engine
    try:
        sound = engine.preview(n)
    except EndlosError as error:
        raise HTTPException(404, "the join cannot be heard any more") from error
    file = io.BytesIO()
    soundfile.write(file, sound, engine.engine_rate_hz, format="WAV", subtype="PCM_16")
    return file.getvalue()
