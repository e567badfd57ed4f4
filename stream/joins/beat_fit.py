"""The beat fit says how the beats of two chunks lie to each other at a join."""

from dataclasses import dataclass

import numpy as np

from stream.choosing.generation import Chunk
from stream.joins.align import grid_shift_s

_LEAST_CONFIDENCE = 0.3
"""Beats that are less sure than this move nothing."""


@dataclass(frozen=True, kw_only=True)
class BeatFit:
    """The beats of A before its cut and those of B after its start."""

    period_s: float
    """A's beat."""
    since_beat_s: float
    """Time from A's last beat to its cut."""
    until_beat_s: float
    """Time from B's start to its first beat."""
    tempo_ratio: float
    """Tempo of B in tempos of A."""
    bar_beats: int
    """Beats of a bar of both; 0 where they differ or are not known."""
    bar_beat_a: float
    bar_beat_b: float
    """Place in the bar of A's cut and of B's start, in beats; nan where it is not known."""

    @property
    def shift_s(self) -> float:
        """The smallest shift of B that puts its first beat on A's grid."""
        return grid_shift_s(self.since_beat_s, self.until_beat_s, self.period_s, self.tempo_ratio)

    def error_s(self, shift_s: float) -> float:
        """Return how far B's first beat is from A's grid when B is moved by `shift_s`."""
        step_s = self.period_s / max(1, round(self.tempo_ratio))
        off_s = shift_s + self.until_beat_s + self.since_beat_s
        return off_s - step_s * round(off_s / step_s)

    def bar_offset_beats(self, shift_s: float) -> float | None:
        """Return how many beats B's bars are off A's, at most half a bar either way; None: not known."""
        off = self.bar_beat_a + shift_s / self.period_s - self.bar_beat_b
        if not self.bar_beats or not np.isfinite(off):
            return None
        return off - self.bar_beats * round(off / self.bar_beats)


def beat_fit(a: Chunk, b: Chunk, *, cut_after_end_s: float = 0.0) -> BeatFit | None:
    """Return how the beats of two chunks lie to each other; None unless both have some that are sure.

    cut_after_end_s: A is left this much after its end (before it: negative).
    """
    of_a, of_b = a.generation.pool.traits, b.generation.pool.traits
    tempo_a, tempo_b = float(of_a.tempo_bpm[a.row]), float(of_b.tempo_bpm[b.row])
    since_s, until_s = float(of_a.end_beat_s[a.row]), float(of_b.start_beat_s[b.row])
    confidence = min(float(of_a.beat_confidence[a.row]), float(of_b.beat_confidence[b.row]))
    if min(tempo_a, tempo_b) <= 0.0 or confidence < _LEAST_CONFIDENCE or not np.isfinite(since_s + until_s):
        return None
    period_s = 60.0 / tempo_a
    beats_a, beats_b = int(of_a.beats_per_bar[a.row]), int(of_b.beats_per_bar[b.row])
    return BeatFit(
        period_s=period_s,
        since_beat_s=since_s + cut_after_end_s,
        until_beat_s=until_s,
        tempo_ratio=tempo_b / tempo_a,
        bar_beats=beats_a if beats_a == beats_b else 0,
        bar_beat_a=float(of_a.end_bar_beat[a.row]) + cut_after_end_s / period_s,
        bar_beat_b=float(of_b.start_bar_beat[b.row]),
    )
