"""This module finds the joins that listeners judged among the chunks of one generation, for the planner."""

import numpy as np

from model.base.arrays import IntArray
from stream.choosing.generation import Generation
from stream.pool.feedback import REACH_S, LabelledJoin


class Liking:
    """The judged joins of one generation, found by chunk; belongs to one thread."""

    def __init__(self, generation: Generation, joins: list[LabelledJoin]) -> None:
        self._entries: dict[int, dict[int, int]] = {}
        for join in joins:
            exits = _near(generation, join.from_hash, generation.pool.end_sample, join.from_end_sample)
            starts = _near(generation, join.to_hash, generation.pool.start_sample, join.to_start_sample)
            for exit_row in exits.tolist():
                for entry_row in starts.tolist():
                    self._entries.setdefault(exit_row, {})[entry_row] = join.label

    def after(self, exit_row: int) -> tuple[IntArray, IntArray]:
        """Return the chunks that were liked after `exit_row`, and those that were disliked."""
        known = self._entries.get(exit_row, {})
        liked = [row for row, label in known.items() if label == 1]
        disliked = [row for row, label in known.items() if label == 0]
        return np.array(liked, dtype=np.int64), np.array(disliked, dtype=np.int64)


def _near(generation: Generation, audio_hash: str, samples: IntArray, sample: int) -> IntArray:
    song = generation.song_of(audio_hash)
    if song is None:
        return np.empty(0, dtype=np.int64)
    rows = generation.song_rows(song)
    reach = REACH_S * generation.pool.songs[song].sample_rate_hz
    found: IntArray = rows.start + np.flatnonzero(np.abs(samples[rows] - sample) <= reach)
    return found
