"""Judging a door finds the best kind of join that nothing forbids, by what a pool knows of both songs."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from stream.doors.beat_match import match_beats, most_bars
from stream.doors.door import Door, JoinKind
from stream.doors.gapless import gapless_successor
from stream.doors.policies import POLICIES, DoorCase
from stream.doors.settings import LEAST_FADE_S, DoorSettings
from stream.doors.side import SURE_BEAT, DoorSide
from stream.doors.worths import BAR_WORTHS, QUICK_WORTH, SHORT_WORTH, fade_worth

_LONGEST_QUICK_S = 5.0

_Proposed = Sequence[DoorCase] | str
"""Ways to join two songs by one kind, or why it cannot be."""


def judge_door(a: DoorSide, b: DoorSide, settings: DoorSettings) -> Door:
    """Return how A, left at its chunk's end, becomes B, entered at its chunk's start, and what it is worth.

    Of all kinds and lengths that nothing forbids it is what is worth most; where nothing else can be, a short
    blend.
    """
    if a.song.audio_hash == b.song.audio_hash:
        return Door(kind=JoinKind.SPLICE)
    if b.row == a.row + 1 and a.pool is b.pool and gapless_successor(a.pool, a.row) == b.row:
        return Door(kind=JoinKind.GAPLESS)
    rejected: dict[JoinKind, str] = {}
    best: _Judged | None = None
    for kind, propose in _PROPOSALS.items():
        proposed = propose(a, b, settings)
        if isinstance(proposed, str):
            rejected[kind] = proposed
            continue
        # Nothing is worth more than its kind and length.
        most = max(case.worth for case in proposed)
        if best is not None and most <= best.worth:
            rejected[kind] = _less(best.worth - most)
            continue
        found = _best_of(proposed)
        if isinstance(found, str):
            rejected[kind] = found
            continue
        less: _Judged | None = found
        if best is None or found.worth > best.worth:
            best, less = found, best
        if less is not None:
            rejected[less.case.kind] = _less(best.worth - less.worth)
    if best is None:
        return Door(kind=JoinKind.SHORT_BLEND, rejected=rejected, penalties={"kind": SHORT_WORTH})
    return Door(
        kind=best.case.kind,
        overlap_s=best.case.overlap_s,
        overlap_bars=best.case.bars,
        tempo_factor=best.case.tempo_factor,
        rejected=rejected,
        penalties=best.penalties,
    )


class _Judged(NamedTuple):
    """A case that nothing forbids, by what speaks against it, in log-odds."""

    case: DoorCase
    penalties: dict[str, float]
    worth: float


def _less(worth: float) -> str:
    return f"worth at least {worth:.1f} less"


def _best_of(cases: Sequence[DoorCase]) -> _Judged | str:
    """Return what is worth most of the cases of one kind, the first of equals; or why the first cannot be."""
    best: _Judged | None = None
    reason = ""
    for case in cases:
        if best is not None and case.worth <= best.worth:
            continue
        found = _judged(case)
        if isinstance(found, str):
            reason = reason or found
        elif best is None or found.worth > best.worth:
            best = found
    return reason if best is None else best


def _judged(case: DoorCase) -> _Judged | str:
    """Return a case with its penalties, or the reason to reject it."""
    penalties = {"kind": case.worth} if case.worth else {}
    for name, policy in POLICIES.items():
        verdict = policy(case)
        if isinstance(verdict, str):
            return verdict
        if verdict < 0.0:
            penalties[name] = verdict
    return _Judged(case, penalties, sum(penalties.values()))


def _tempo_blends(a: DoorSide, b: DoorSide, settings: DoorSettings) -> _Proposed:
    match = match_beats(a, b, settings)
    if isinstance(match, str):
        return match
    most = most_bars(match, settings)
    cases = []
    for bars, worth in BAR_WORTHS.items():
        if bars > most:
            continue
        beats = match.first_bars(bars)
        enters_s = beats.b_s[0] - b.start_s
        if beats.a_s[-1] > a.heard_end_s:
            continue
        cases.append(
            DoorCase(
                a=a,
                b=b,
                kind=JoinKind.TEMPO_BLEND,
                overlap_s=float(beats.b_s[-1] - beats.b_s[0] + enters_s),
                bars=bars,
                tempo_factor=beats.tempo_factor,
                on_beat=True,
                worth=worth,
            )
        )
    return cases or f"fewer than {min(BAR_WORTHS)} bars of both go together"


def _quick_changes(a: DoorSide, b: DoorSide, settings: DoorSettings) -> _Proposed:
    beats_b = b.start_beats
    if len(beats_b.times_s) < 2:
        return "the beat of the next song is not sure"
    if a.beat_confidence < SURE_BEAT:
        return "the beat of the song that is left is not sure"
    bar_s = beats_b.period_s * (beats_b.beats_per_bar or 4)
    there_s = _shared_s(b, float(beats_b.times_s[0]))
    bars = 2 if 2.0 * bar_s <= min(_LONGEST_QUICK_S, there_s) else 1
    if bar_s > there_s:
        return "the next song is over before the echo is"
    return [
        DoorCase(a=a, b=b, kind=JoinKind.QUICK_CHANGE, overlap_s=bars * bar_s, bars=bars, worth=QUICK_WORTH)
    ]


def _plain_fades(a: DoorSide, b: DoorSide, settings: DoorSettings) -> _Proposed:
    left_s, there_s = a.sooner_s + a.heard_end_s - a.end_s, _shared_s(b, b.start_s)
    overlap_s = min(settings.plain_fade_s, left_s, there_s)
    if overlap_s < LEAST_FADE_S:
        return f"the songs have {max(0.0, overlap_s):.1f} s for each other"
    worth = fade_worth(overlap_s)
    return [DoorCase(a=a, b=b, kind=JoinKind.PLAIN_FADE, overlap_s=overlap_s, worth=worth)]


def _shared_s(b: DoorSide, enters_s: float) -> float:
    """Return how much of a song may sound together with another: it is heard alone for as long."""
    return 0.5 * (b.song.frames / b.song.sample_rate_hz - enters_s)


_PROPOSALS: dict[JoinKind, Callable[[DoorSide, DoorSide, DoorSettings], _Proposed]] = {
    JoinKind.TEMPO_BLEND: _tempo_blends,
    JoinKind.PLAIN_FADE: _plain_fades,
    JoinKind.QUICK_CHANGE: _quick_changes,
}
"""Kinds of joins between two songs; of two that are worth as much the first."""
