"""This module finds the joins that listeners judged among the chunks of one generation, for the planner."""

from collections.abc import Sequence

import numpy as np

from model.base.arrays import IntArray
from stream.choosing.generation import Generation
from stream.pool.feedback import REACH_S, LabelledJoin


class Liking:
    """The judged joins of one generation, found by chunk; belongs to one thread."""

    def __init__(self, generation: Generation, joins: Sequence[LabelledJoin]) -> None:
        """joins: oldest first, the last word on one counts; there may be many, found as they are asked."""
        self._generation = generation
        self._leaving: dict[int, list[LabelledJoin]] = {}
        self._entries: dict[int, dict[int, int]] = {}
        for join in joins:
            song = generation.song_of(join.from_hash)
            if song is not None:
                self._leaving.setdefault(song, []).append(join)

    def after(self, exit_row: int) -> tuple[IntArray, IntArray]:
        """Return the chunks that were liked after `exit_row`, and those that were disliked."""
        known = self._entries.get(exit_row)
        if known is None:
            known = self._entries[exit_row] = self._found(exit_row)
        liked = [row for row, label in known.items() if label == 1]
        disliked = [row for row, label in known.items() if label == 0]
        return np.array(liked, dtype=np.int64), np.array(disliked, dtype=np.int64)

    def _found(self, exit_row: int) -> dict[int, int]:
        pool = self._generation.pool
        song, end_sample = int(pool.chunk_song[exit_row]), int(pool.end_sample[exit_row])
        reach = REACH_S * pool.songs[song].sample_rate_hz
        found: dict[int, int] = {}
        for join in self._leaving.get(song, []):
            if abs(join.from_end_sample - end_sample) <= reach:
                starts = _near(self._generation, join.to_hash, pool.start_sample, join.to_start_sample)
                found |= dict.fromkeys(starts.tolist(), join.label)
        return found


def _near(generation: Generation, audio_hash: str, samples: IntArray, sample: int) -> IntArray:
    song = generation.song_of(audio_hash)
    if song is None:
        return np.empty(0, dtype=np.int64)
    rows = generation.song_rows(song)
    reach = REACH_S * generation.pool.songs[song].sample_rate_hz
    found: IntArray = rows.start + np.flatnonzero(np.abs(samples[rows] - sample) <= reach)
    return found
