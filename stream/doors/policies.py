"""Policies say what speaks against a door, each by itself, a penalty or a reason to reject it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stream.doors.door import JoinKind
from stream.doors.side import LEVEL_SPANS_S, DoorSide, mean_of
from stream.doors.worths import (
    FREE_STRETCH,
    NEARLY_OVER,
    OF_KEYS,
    OF_STRETCH,
    OF_UNMATCHED_BEATS,
    OF_UNSURE_BARS,
    OF_UNSURE_BEAT,
    WELL_KNOWN_BEAT,
)
from stream.pool.timeline import VOICE_STEP_S

SINGS = 0.5
"""From this likelihood on somebody sings."""
_MOST_TOGETHER_S = 1.5
"""Two may sing at the same time for so long."""
_FULL_DB = 8.0
"""A song that is this much below its usual level is thinned out."""
_ROUNDED = 1e-6
"""More than what rounding makes of two likelihoods."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DoorCase:
    """One way to go from A to B, before it is judged."""

    a: DoorSide
    b: DoorSide
    kind: JoinKind
    overlap_s: float
    bars: int = 0
    tempo_factor: float = 1.0
    on_beat: bool = False
    """Whether the beats of both fall on each other."""
    worth: float = 0.0
    """What its kind and length are worth, in log-odds, at most 0."""


Policy = Callable[[DoorCase], float | str]
"""Returns what speaks against a case, in log-odds, at most 0, or why it is rejected, in words."""


def stretching(case: DoorCase) -> float:
    """Slight changes of tempo are not heard, large ones are."""
    return -OF_STRETCH * max(0.0, abs(case.tempo_factor - 1.0) - FREE_STRETCH)


def bars_unsure(case: DoorCase) -> float:
    """Downbeats that are not sure may not be downbeats."""
    if not case.on_beat:
        return 0.0
    bars = min(case.a.bar_confidence, case.b.bar_confidence)
    beats = min(case.a.beat_confidence, case.b.beat_confidence)
    unsure_bars, unsure_beat = max(0.0, 1.0 - bars / 0.5), max(0.0, WELL_KNOWN_BEAT - beats)
    return -OF_UNSURE_BARS * unsure_bars - OF_UNSURE_BEAT * unsure_beat


def unmatched_beats(case: DoorCase) -> float:
    """Two beats that do not meet are heard as such, the more, the clearer both are."""
    if case.on_beat or case.kind is JoinKind.QUICK_CHANGE:
        return 0.0
    return -OF_UNMATCHED_BEATS * min(case.a.beat_confidence, case.b.beat_confidence)


def voice_over_voice(case: DoorCase) -> float | str:
    """Two voices at once are one too many."""
    a = case.a.voice(case.a.end_s, case.a.end_s + case.tempo_factor * case.overlap_s)
    b = case.b.voice(case.b.start_s, case.b.start_s + case.overlap_s)
    count = min(len(a), len(b))
    if not count or float(a.max()) * float(b.max()) < SINGS * SINGS - _ROUNDED:
        return 0.0
    heard = a.astype(np.float64)
    if len(a) > count:
        heard = np.interp(np.linspace(0, len(a) - 1, count), np.arange(len(a)), heard)
    together_s = VOICE_STEP_S * float(np.count_nonzero(heard * b[:count] >= SINGS * SINGS))
    if together_s > _MOST_TOGETHER_S and case.kind is JoinKind.TEMPO_BLEND:
        return f"two voices would sing for {together_s:.1f} s"
    return -0.5 * min(together_s, 6.0)


def cut_voice(case: DoorCase) -> float | str:
    """A voice that is faded out, or entered, in the middle of what it sings is heard to be cut."""
    end_s = case.a.end_s + case.tempo_factor * case.overlap_s
    left_s = (end_s - 0.3 * case.overlap_s, end_s)
    if case.kind is JoinKind.QUICK_CHANGE:
        left_s = (case.a.end_s - 0.5, case.a.end_s + 0.5)
    left, entered = case.a.voice(*left_s), case.b.voice(case.b.start_s - 0.5, case.b.start_s + 0.5)
    cut = mean_of(left) if len(left) else 0.0
    if cut >= SINGS and case.kind is JoinKind.QUICK_CHANGE:
        return "somebody sings across the cut"
    return -cut - 0.5 * (mean_of(entered) if len(entered) else 0.0)


def keys_apart(case: DoorCase) -> float:
    """Tones of both that do not go together are heard for as long as both sound."""
    of_a, of_b = case.a.end_chroma, case.b.start_chroma
    together = min(1.0, case.overlap_s / 8.0)
    lengths = float(np.sqrt(of_a.square * of_b.square))
    apart = 1.0 - float((of_a.tones * of_b.tones).sum()) / lengths if lengths > 0.0 else 0.0
    (key_a, sure_a), (key_b, sure_b) = case.a.key, case.b.key
    clash = min(sure_a, sure_b) if min(key_a, key_b) >= 0 and _fifths_apart(key_a, key_b) > 1 else 0.0
    return -together * (0.8 * apart + OF_KEYS * clash)


def both_full(case: DoorCase) -> float:
    """Two songs in full at once are too much, the longer, the more so."""
    if case.kind is JoinKind.QUICK_CHANGE:
        return 0.0
    a_db = case.a.level_db(case.a.end_s, case.a.end_s + case.overlap_s)
    b_db = case.b.level_db(case.b.start_s, case.b.start_s + case.overlap_s)
    if a_db is None or b_db is None:
        return 0.0
    full_a, full_b = min(1.0, max(0.0, 1.0 + a_db / _FULL_DB)), min(1.0, max(0.0, 1.0 + b_db / _FULL_DB))
    return -0.025 * case.overlap_s * full_a * full_b


def level_apart(case: DoorCase) -> float:
    """A song that is left far louder or softer than the next is when it is alone needs more than a gain."""
    over_s = case.b.start_s + case.overlap_s
    apart_db = 0.0
    for span_s, a in zip(LEVEL_SPANS_S, case.a.end_loudness_db, strict=True):
        b = case.b.loudness_db(over_s, over_s + span_s)
        if a is not None and b is not None:
            apart_db = max(apart_db, abs(a - b))
    return -0.2 * max(0.0, min(20.0, apart_db) - 3.0)


def nearly_over(case: DoorCase) -> float:
    """Who enters a song wants to hear more of it than its end."""
    return -NEARLY_OVER * (1.0 - case.b.start_room)


POLICIES: dict[str, Policy] = {
    "stretch": stretching,
    "bars": bars_unsure,
    "beats": unmatched_beats,
    "voices": voice_over_voice,
    "cut_voice": cut_voice,
    "keys": keys_apart,
    "full": both_full,
    "level": level_apart,
    "over": nearly_over,
}
"""All of them, by the name under which they stand in the decision log."""


def _fifths_apart(a: int, b: int) -> int:
    """Return how far two keys (as in `ChunkTraits.key`) are on the circle of fifths, relatives together."""
    a, b = (key if key < 12 else (key - 12 + 3) % 12 for key in (a, b))
    steps = 7 * (a - b) % 12
    return min(steps, 12 - steps)
