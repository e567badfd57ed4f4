"""The beat fit says how the beats of two chunks lie to each other at a join."""

from dataclasses import dataclass, replace

import numpy as np

from stream.choosing.generation import Chunk
from stream.joins.align import grid_shift_s
from stream.joins.join_case import JoinCase
from stream.joins.local_beat import LocalBeat, find_local_beat
from stream.joins.surroundings import attack_strengths

_LEAST_CONFIDENCE = 0.3
"""Beats that are less sure than this move nothing."""
_HEARD_BEFORE_S, _HEARD_AFTER_S = 10.0, 2.0
"""A is listened to for so long before a place and after it, B the other way round: where each is alone."""
_ONE_TEMPO = 0.03
"""Tempi that differ by no more, octaves folded, are one."""


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
    def step_s(self) -> float:
        """How far apart the beats are that B's are laid on, A's, or B's where it beats twice as fast."""
        return self.period_s / max(1, round(self.tempo_ratio))

    @property
    def shift_s(self) -> float:
        """The smallest shift of B that puts its first beat on A's grid."""
        return grid_shift_s(self.since_beat_s, self.until_beat_s, self.period_s, self.tempo_ratio)

    def error_s(self, shift_s: float) -> float:
        """Return how far B's first beat is from A's grid when B is moved by `shift_s`."""
        off_s = shift_s + self.until_beat_s + self.since_beat_s
        return off_s - self.step_s * round(off_s / self.step_s)

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


def heard_beat_fit(case: JoinCase, a_frame: int, b_frame: int) -> BeatFit | None:
    """Return how the beats lie to each other that are heard in A around a frame, and in B around another.

    None unless both have one there, of one tempo. It needs nothing that a pool knows.
    """
    of_a = _heard_beat(case, case.a, a_frame, _HEARD_BEFORE_S, _HEARD_AFTER_S)
    if of_a is None:
        return None
    of_b = _heard_beat(case, case.b, b_frame, _HEARD_AFTER_S, _HEARD_BEFORE_S)
    if of_b is None:
        return None
    ratio = of_a.period_s / of_b.period_s
    octaves = float(np.log2(ratio))
    if 2.0 ** abs(octaves - round(octaves)) > 1.0 + _ONE_TEMPO:
        return None
    return BeatFit(
        period_s=of_a.period_s,
        since_beat_s=-of_a.beat_s,
        until_beat_s=of_b.beat_s,
        tempo_ratio=ratio,
        bar_beats=0,
        bar_beat_a=float("nan"),
        bar_beat_b=float("nan"),
    )


def _heard_beat(
    case: JoinCase, chunk: Chunk, frame: int, before_s: float, after_s: float
) -> LocalBeat | None:
    """Return the beat of a chunk's song around a frame; its nearest beat is `beat_s` after that."""
    first = max(0, frame - round(before_s * case.rate_hz))
    song_frames = chunk.generation.reader.song_frames(chunk.song_index)
    audio = case.read(chunk, first, min(song_frames, frame + round(after_s * case.rate_hz)))
    found = find_local_beat(attack_strengths(audio, case.rate_hz), case.rate_hz)
    if found is None:
        return None
    after_s = found.beat_s - (frame - first) / case.rate_hz
    # Of two tempi the beats fall together there, and not in the middle of what was listened to.
    return replace(found, beat_s=after_s - found.period_s * round(after_s / found.period_s))
