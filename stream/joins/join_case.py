"""A join case holds what is known of both songs around a join that is to be planned, audio included."""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import FloatArray
from model.base.errors import DecodeError
from stream.choosing.generation import Chunk
from stream.doors.door import Door
from stream.doors.side import DoorSide
from stream.joins.levels import (
    LARGEST_BOOST_DB,
    RELEASE_DB_PER_S,
    headroom_db,
    headroom_until_released_db,
    k_weighted_power,
    loudness_lufs,
    song_gain,
)
from stream.joins.settings import SoundSettings
from stream.joins.surroundings import SURROUNDINGS_HOP_FRAMES, Seam, analyse

JOIN_REACH_FRAMES = 432 * SURROUNDINGS_HOP_FRAMES
"""So much of both songs is looked at on either side of the seam."""
_LEVEL_S, _MOMENT_S = 3.0, 0.4
"""Levels before and after a join of seconds are taken over so long, and over the moment beside it."""
_MOST_MOMENT_DB = 6.0
"""By so much a moment may be louder or softer than the seconds around, and counts."""


@dataclass(frozen=True, kw_only=True, eq=False)
class JoinCase:
    """Two chunks that are to be joined; A is left at its end."""

    a: Chunk
    b: Chunk
    door: Door | None
    """How the two are to meet; None: as well as the audio lets them."""
    settings: SoundSettings
    at_once: int | None
    """A is left from this frame on; None: at its cut."""
    ahead_frames: int
    """A join may begin this long before A's cut, or half of A's chunk, if that is less."""

    @property
    def rate_hz(self) -> int:
        """The engine's."""
        return self.settings.engine_rate_hz

    @property
    def a_span(self) -> tuple[int, int]:
        """A's chunk in frames of its song."""
        return self.a.generation.reader.chunk_span(self.a.row)

    @property
    def b_span(self) -> tuple[int, int]:
        """B's chunk in frames of its song."""
        return self.b.generation.reader.chunk_span(self.b.row)

    @property
    def earliest_frame(self) -> int:
        """A's frame at which a join may begin."""
        start, stop = self.a_span
        return stop - min(self.ahead_frames, (stop - start) // 2)

    def around(self, chunk: Chunk, frame: int) -> Seam:
        """Analyse a chunk's song at its gain around a frame; silence where it cannot be read."""
        audio = self.read(chunk, frame - JOIN_REACH_FRAMES, frame + JOIN_REACH_FRAMES)
        return analyse(audio, self.rate_hz)

    def read(self, chunk: Chunk, start: int, stop: int) -> FloatArray:
        """Return a span of a chunk's song at its gain, `(n, 2)` float32; silence where it cannot be read."""
        try:
            audio = chunk.generation.reader.read(chunk.song_index, start, stop)
        except DecodeError:
            # The renderer reads it again, and tells.
            audio = np.zeros((stop - start, 2), dtype=np.float32)
        audio *= song_gain(chunk.song, self.settings.target_lufs)
        return audio

    def level_terms(self, a_frame: int, b_first: int, b_frame: int) -> dict[str, float | None]:
        """Return by how much A is louder before a frame than B after one, and how much louder B may be made.

        The level is that of seconds, half of it that of the moment beside the join. B sounds from `b_first`
        on.
        """
        rate_hz = self.rate_hz
        frames, moment = (
            round(span_s * rate_hz / SURROUNDINGS_HOP_FRAMES) for span_s in (_LEVEL_S, _MOMENT_S)
        )
        reach = frames * SURROUNDINGS_HOP_FRAMES
        a = k_weighted_power(self.read(self.a, a_frame - reach, a_frame), rate_hz, SURROUNDINGS_HOP_FRAMES)
        b = k_weighted_power(self.read(self.b, b_frame, b_frame + reach), rate_hz, SURROUNDINGS_HOP_FRAMES)
        difference_db = loudness_lufs(a) - loudness_lufs(b)
        moment_db = loudness_lufs(a[-moment:]) - loudness_lufs(b[:moment]) - difference_db
        moment_db = min(_MOST_MOMENT_DB, max(-_MOST_MOMENT_DB, moment_db))
        louder_db = difference_db + 0.5 * moment_db
        room_db = headroom_db(self.b.song, self.settings.target_lufs)
        if louder_db > room_db:
            # The song's own peaks may be far from where it is raised.
            released_s = LARGEST_BOOST_DB / RELEASE_DB_PER_S
            joined = b_frame - b_first
            looked_at = joined + round(released_s * rate_hz)

            def read(first: int, stop: int) -> FloatArray:
                return self.read(self.b, b_first + first, b_first + stop)

            room_db = max(room_db, headroom_until_released_db(read, looked_at, joined, rate_hz))
        return {"level_difference_db": louder_db, "headroom_db": room_db}

    def sides(self) -> tuple[DoorSide, DoorSide]:
        """Return both as a door has them."""
        a, b = (
            DoorSide(
                pool=chunk.generation.pool,
                row=chunk.row,
                timeline=chunk.generation.timelines.of(chunk.song_index),
            )
            for chunk in (self.a, self.b)
        )
        return a, b
