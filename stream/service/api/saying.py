"""The route of announcements takes a recording, to be played between two pieces."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from starlette.requests import Request
from starlette.responses import Response

from model.base.errors import EndlosError
from stream.service.announcing.announcer import TooManyWaitError
from stream.service.api.asked import CHANGE_FAULTS, CONFLICT, Asked

_UNNAMED = "the recording"
SayName = Annotated[str, Query(max_length=200, description="What it is called in the decision log.")]


def saying_routes(asked: Asked) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["playing"])

    @router.post(
        "/say",
        status_code=202,
        response_class=Response,
        responses={**CHANGE_FAULTS, **CONFLICT},
        openapi_extra={
            "requestBody": {
                "description": "A recording of any format, of 20 MB and two minutes at most.",
                "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
                "required": True,
            }
        },
        summary="Play a recording between two pieces, within half a minute.",
    )
    async def post_say(request: Request, name: SayName = _UNNAMED) -> None:
        await asked.kept.worker.done(partial(_say, asked, await request.body(), name))

    return router


def _say(asked: Asked, data: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="endlos-") as folder:
        path = Path(folder) / "said"
        path.write_bytes(data)
        try:
            asked.controls.say(path, name=name)
        except TooManyWaitError as error:
            raise HTTPException(409, str(error)) from error
        except EndlosError as error:
            # Where it lay here is of no use to anyone.
            raise HTTPException(422, str(error).replace(str(path), name)) from error
