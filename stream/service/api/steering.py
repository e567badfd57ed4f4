"""The route of the steering takes what a listener wants of the choice of songs and of phrases."""

from dataclasses import replace

from fastapi import APIRouter, HTTPException

from model.base.errors import EndlosError
from stream.choosing.journey.steering import NOT_STEERED
from stream.service.api.answers import SteeringTold, SteeringWish
from stream.service.api.asked import CHANGE_FAULTS, CONFLICT, NOT_THERE, READ_FAULTS, Asked


def steering_routes(asked: Asked) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["steering"])

    @router.get("/steering", responses=READ_FAULTS, summary="What is wanted of the stream.")
    def steering() -> SteeringTold:
        return asked.look().steering()

    @router.put(
        "/steering",
        responses={**CHANGE_FAULTS, **NOT_THERE, **CONFLICT},
        summary="Want something else of the stream.",
    )
    def put_steering(wish: SteeringWish) -> SteeringTold:
        controls = asked.controls
        changes: dict[str, object] = {name: getattr(wish, name) for name in wish.model_fields_set}
        if changes.get("phrase_factor", 1.0) is None:
            changes["phrase_factor"] = NOT_STEERED.phrase_factor
        if wish.towards is not None:
            library, number = asked.song(wish.towards)
            changes["towards"] = library.pool.songs[number].audio_hash
        if "towards" in changes:
            changes.setdefault("within_s", None)
        # What is changed here is put together from what stood there before.
        with asked.kept.steering:
            try:
                asked.changed(lambda: controls.steer(replace(controls.steering, **changes)))  # type: ignore[arg-type]
            except EndlosError as error:
                raise HTTPException(
                    409, "the song is muted, gone or not named, so that nothing leads there"
                ) from error
        return asked.look().steering()

    return router
