"""The routes of the songs search and show them, and take what is thought of them."""

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from stream.choosing.journey.steering import Steering
from stream.pool.covers import read_cover
from stream.service.api.answers import PoolMap, SongOpinionWish, SongPage, SongTold, Waveform
from stream.service.api.asked import CHANGE_FAULTS, NOT_THERE, READ_FAULTS, Asked
from stream.service.api.library import Library

MOST_SONGS_TOLD = 500
FEWEST_POINTS, MOST_POINTS = 50, 2000
_KEEP = {"Cache-Control": "private, max-age=300"}

SongPath = Annotated[str, Path(max_length=200, description="Hash of the song's audio.")]


def song_routes(asked: Asked) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["songs"])

    @router.get("/songs", responses=READ_FAULTS, summary="The songs of the pool, in its order.")
    def songs(
        search: Annotated[str, Query(max_length=200, description="Words that all have to stand in it.")] = "",
        limit: Annotated[int, Query(ge=1, le=MOST_SONGS_TOLD)] = 50,
        offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
        opinion: Annotated[
            Literal["muted", "favoured"] | None, Query(description="Those alone of which that is thought.")
        ] = None,
    ) -> SongPage:
        library = asked.library()
        found = library.found(search)
        steering = asked.controls.steering
        if opinion is not None:
            hashes = steering.muted if opinion == "muted" else steering.favoured
            wanted = {library.pool.song_of(audio_hash) for audio_hash in hashes}
            found = [number for number in found if number in wanted]
        told = [_song_told(library, number, steering) for number in found[offset : offset + limit]]
        return SongPage(total=len(found), songs=told)

    @router.get(
        "/songs/{song_id}/cover",
        response_class=Response,
        responses={
            200: {
                "description": "The picture of its tags.",
                "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
            },
            **READ_FAULTS,
            **NOT_THERE,
        },
        summary="The cover of a song.",
    )
    def cover(song_id: SongPath) -> Response:
        library, number = asked.song(song_id)
        found = read_cover(library.pool, library.pool.songs[number].song_id)
        if found is None:
            raise HTTPException(404, "the song has no cover")
        # It came from a tag: whatever it is, it is shown as a picture or not at all.
        headers = {
            **_KEEP,
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        }
        return Response(found.data, media_type=found.content_type, headers=headers)

    @router.get(
        "/songs/{song_id}/waveform",
        responses={**READ_FAULTS, **NOT_THERE},
        summary="How loud a song is from its beginning to its end, and where it is cut.",
    )
    async def waveform(
        response: Response,
        song_id: SongPath,
        points: Annotated[int, Query(ge=FEWEST_POINTS, le=MOST_POINTS)] = 600,
    ) -> Waveform:
        # Numbers of songs do not change in a pool that is open, so that nothing here waits for a disk.
        pool = asked.controls.engine.pool
        number = pool.song_of(song_id)
        if number is None:
            raise HTTPException(404, "the pool has no such song")
        found = await asked.kept.waveforms.of_song(pool, number, points, asked.kept.worker)
        response.headers.update(_KEEP)
        return found

    @router.put(
        "/songs/{song_id}/opinion",
        responses={**CHANGE_FAULTS, **NOT_THERE},
        summary="Mute a song, or favour it.",
    )
    def put_opinion(song_id: SongPath, wish: SongOpinionWish) -> SongTold:
        library, number = asked.song(song_id)
        audio_hash = library.pool.songs[number].audio_hash
        with asked.kept.steering:
            asked.changed(lambda: asked.controls.judge_song(audio_hash, wish.opinion))
        return _song_told(library, number, asked.controls.steering)

    @router.get(
        "/map",
        response_class=Response,
        responses={
            200: {"model": PoolMap, "description": "It may be kept: its ETag changes with it."},
            **READ_FAULTS,
        },
        summary="All songs in the order of the pool, to be drawn.",
    )
    def pool_map(request: Request) -> Response:
        packed = asked.library().packed_map
        headers = {"ETag": packed.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == packed.etag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(packed.zipped, media_type="application/json", headers=headers)
        return Response(packed.plain, media_type="application/json", headers=headers)

    return router


def _song_told(library: Library, number: int, steering: Steering) -> SongTold:
    song = library.pool.songs[number]
    first, count = library.chunks_of(number)
    return SongTold(
        **library.song_ref(song).model_dump(),
        muted=song.audio_hash in steering.muted,
        favoured=song.audio_hash in steering.favoured,
        first_chunk=first,
        chunks=count,
    )
