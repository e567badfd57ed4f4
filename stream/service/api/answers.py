"""These models are what the interface answers and takes, in JSON; times are in seconds."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from stream.choosing.journey.steering import MOST_WITHIN_S
from stream.service.api.limits import MOST_SLEEP_S

SongId = Annotated[str, Field(description="Hash of a song's audio, which is what it is known by.")]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Wish(_Answer):
    """What a request holds: exactly that, or it is refused."""

    model_config = ConfigDict(strict=True)


class Fault(_Answer):
    """Why a request was not answered as it was meant."""

    detail: str = Field(description="One sentence.")


class SongRef(_Answer):
    """A song, as it is shown."""

    id: SongId
    title: str
    artist: str
    album: str
    length_s: float
    has_cover: bool


class JoinTold(_Answer):
    """One join, past or to come."""

    # "from" is no name in Python.
    model_config = ConfigDict(
        alias_generator=lambda name: {"before": "from", "after": "to"}.get(name, name),
        populate_by_name=True,
        serialize_by_alias=True,
    )

    n: int = Field(description="Of the decision; grows.")
    time_s: float | None = Field(description="Stream time of its middle; null: not placed yet.")
    in_s: float | None = Field(description="Until it is heard; null: past, or not known.")
    before: SongRef
    after: SongRef
    left_s: float = Field(description="Where the first song is left.")
    entered_s: float = Field(description="Where the second song is entered.")
    score: float | None
    rank: int | None
    candidates: int
    considered: int
    rung: str
    reasons: list[str]
    terms: dict[str, float] = Field(description="What spoke for and against it, in log-odds.")
    fade_s: float
    liked: bool | None
    chunk_from: int = Field(description="Row in the pool's order, -1 where it is gone.")
    chunk_to: int = Field(description="Row in the pool's order, -1 where it is gone.")


class JoinList(_Answer):
    """Joins that were heard, newest first."""

    joins: list[JoinTold]


class SteeringTold(_Answer):
    """What is wanted of the stream now."""

    other_songs: float = Field(description="Share of the phrases that end in another song.")
    phrase_factor: float = Field(description="Phrases last so many times as long as usual.")
    towards: SongRef | None = Field(description="The song that is to be reached.")
    within_s: float | None = Field(description="Within so much music, from when it was asked for.")


class OutputTold(_Answer):
    """How an output is; not on this machine, it is numbered, and where it is stands nowhere."""

    name: str
    kind: str
    state: str
    detail: str
    healthy: bool
    ended: bool = Field(
        description="By itself, in good order: nobody wants more of it, and nobody misses it."
    )
    listeners: int | None
    bytes_out: int | None = Field(
        description="Bytes that were sent or written, each once however many listen; 0 of a sound card."
    )


class PoolTold(_Answer):
    """What there is to play."""

    songs: int
    chunks: int
    generation: int


class NowTold(_Answer):
    """What is heard now, what follows, and how all goes."""

    song: SongRef
    position_s: float
    length_s: float
    paused: bool
    time_s: float = Field(description="Of the stream: it stands still in a pause.")
    next: JoinTold | None
    margin_s: float | None = Field(description="How long the last decision lay ready.")
    decision_ms: float | None = Field(description="What the last decision took.")
    rung: str | None = Field(description="The way that the last decision was come by.")
    listeners: int
    healthy: bool
    reason: str | None = Field(description="Why not all is well, in a few words.")
    sleep_in_s: float | None = Field(description="Until the stream fades out to be paused.")
    outputs: list[OutputTold]
    steering: SteeringTold
    pool: PoolTold


class OutputList(_Answer):
    """How the outputs are."""

    outputs: list[OutputTold]


class SongTold(SongRef):
    """A song of the pool, with where its chunks stand."""

    muted: bool
    favoured: bool
    first_chunk: int
    chunks: int


class SongPage(_Answer):
    """Some of the songs that were asked for."""

    total: int
    songs: list[SongTold]


class MapSong(_Answer):
    """A song's place on the map."""

    id: SongId
    title: str
    artist: str
    first_chunk: int
    chunks: int


class PoolMap(_Answer):
    """All songs in the order of the pool, for who draws it."""

    generation: int
    songs: Iterable[MapSong]
    chunks: int


class Waveform(_Answer):
    """How loud a song is from its beginning to its end."""

    length_s: float
    peaks: list[float] = Field(description="0 to 1, of equal parts.")
    cuts_s: list[float] = Field(description="Where its chunks begin and end.")


class PauseWish(_Wish):
    """Whether the stream is to stand still."""

    paused: bool


class SleepWish(_Wish):
    """When the stream is to fade out, over 20 s, and to be paused then."""

    in_s: float | None = Field(ge=0.0, le=MOST_SLEEP_S, description="null: not at all.")


class JoinOpinion(_Wish):
    """What is thought of a join; null: nothing any more."""

    liked: bool | None


class SongOpinionWish(_Wish):
    """What is wanted of a song; null: nothing particular."""

    opinion: Literal["muted", "favoured"] | None


class SteeringWish(_Wish):
    """What is to change; what is left out stays as it is."""

    other_songs: float | None = Field(
        default=None, ge=0.0, le=1.0, description="null: as the settings have it."
    )
    phrase_factor: float | None = Field(default=None, ge=0.25, le=4.0, description="null: as usual.")
    towards: SongId | None = Field(default=None, description="null: wherever the stream goes.")
    within_s: float | None = Field(
        default=None,
        ge=0.0,
        le=MOST_WITHIN_S,
        description="`towards` is reached within so much music; null: within a few phrases.",
    )
