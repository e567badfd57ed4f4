"""This module chooses where a join fades, how long and how unevenly, by what both songs do around it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.base.arrays import DoubleArray
from model.base.kernels import kernel
from stream.joins.levels import LOUDNESS_OFFSET_DB, loudness_lufs
from stream.joins.surroundings import SURROUNDINGS_HOP_FRAMES, Seam

SPLICE_HALVES_S = (0.006, 0.012, 0.024, 0.05, 0.1, 0.2, 0.4)
"""Half a fade within a song is one of these: what comes before its middle and after it need not be alike."""
BEATLESS_HALF_S = 0.6
"""Where no beat is kept, no attack hides a sudden change, and none is heard twice in a slow one."""
BLEND_HALF_S = 0.75
"""Half a fade between two songs where there is room. However well a short one is made, another sound goes on
from then on, and that is what is heard of it (docs/joins-tried.md): two songs need time to become one
another."""
WORST_RATIO = 4.5
"""Largest ratio of the two halves of a fade."""
PLACES_S = 0.090
"""The middle of a fade is this near to B's start, on either side."""
PLACE_STEP_HOPS = 2

LEVEL_WINDOW_S = 0.4
LEVEL_WEIGHT = 2.0
LEAST_LEVEL_S = 0.05
"""The level of a shorter fade is judged over this much around it."""
ATTACK_WEIGHT = 0.35
"""Cost of an attack that is neither kept nor left out, for each dB and hop that it rises."""
LEAST_FREE_DB, FREE_SHARE = 0.1, 0.3
"""A fade may change the sound of a hop by this much, and this share of what the songs do by themselves."""
LEAST_DIFFERENCE_DB, HARMONY_DIFFERENCE_DB = 3.0, 12.0
"""Two songs differ at least by this (no wave is the other's), and by this where no tone agrees."""
MASK_BEFORE_HOPS, MASK_AFTER_HOPS = 2, 16
"""An attack hides other changes shortly before it and for some time after it."""
CLASH_DB_PER_S = 40.0
"""One second of both in full costs this much where nothing of their harmony agrees, ..."""
DIFFERENCE_PER_S = 1.5
"""... and this much for each dB by which their bands differ."""
AWAY_DB_PER_S = 15.0


_FAR = 1 << 60
"""Of a song that goes on for as long as is asked for."""


class FadeTerms(NamedTuple):
    """What a fade is judged by: of each its column in the costs."""

    level: int
    attack: int
    cut: int
    clash: int
    away: int


_AT = FadeTerms(*range(len(FadeTerms._fields)))


class _Fades(NamedTuple):
    """Fades, each `(n,)`: the middle, and how long it takes before and after it."""

    middle: NDArray[Any]
    before: NDArray[Any]
    after: NDArray[Any]


class _Hops(NamedTuple):
    """What a fade is judged against, each `(T,)` float64, a value for each hop."""

    power_a: DoubleArray
    power_b: DoubleArray
    change_db: DoubleArray
    """By how much the songs differ."""
    alone: DoubleArray
    """Attacks that one has alone."""
    wanted: DoubleArray
    """Attacks of B that are to be heard."""
    hidden_a: DoubleArray
    """Attacks of A as far as they hide something."""
    hidden_b: DoubleArray
    clash: DoubleArray
    """Cost of a hop in which both sound in full."""


@dataclass(frozen=True, kw_only=True)
class Fade:
    """A fade around its middle, where both are equally loud; times are against A's cut."""

    middle_frames: int
    before_frames: int
    after_frames: int
    costs_db: dict[str, float]
    """What it costs by each of `FadeTerms`."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a fade may take, in frames."""

    longest_frames: int
    before_cut_frames: int
    """It may begin this long before A's cut."""
    after_start_frames: int
    """It may end this long after B's start."""
    earliest_frames: int | None = None
    """It begins no earlier than this against A's cut, where that is later: a join that begins at once."""
    a_left_frames: int = _FAR
    """A's song goes on for so long after the cut."""
    b_before_frames: int = _FAR
    """B's song has so much before B's start."""

    @property
    def earliest(self) -> int:
        """Where a fade may begin, against A's cut."""
        beyond = -self.before_cut_frames
        return beyond if self.earliest_frames is None else max(beyond, self.earliest_frames)

    def moved(self, shift_frames: int, fade_frames: int) -> int:
        """Return by how much B is moved so that both songs are there in a fade of that length.

        A song that ends in full and one that begins so have nothing beyond: half-way faded they would be cut
        off. Where one does both, B comes sooner.
        """
        room = self.a_left_frames - self.earliest
        return min(shift_frames, self.a_left_frames + self.b_before_frames - min(fade_frames, room))

    def heard(self, shift_frames: int) -> tuple[int, int]:
        """Return from where to where, against A's cut, both songs are there."""
        return shift_frames - self.b_before_frames, self.a_left_frames


def choose_fade(
    a: Seam,
    b: Seam,
    shift_frames: int,
    match_db: float,
    limits: Limits,
    rate_hz: int,
    halves_s: Sequence[float] = SPLICE_HALVES_S,
) -> Fade:
    """Return the fade that costs least; the longest even one near B's start where there is room for none.

    a: around A's cut. b: around B's start, to be moved by `shift_frames` and made louder by `match_db`.
    halves_s: how long either half may be.

    A fade is judged by what would be heard of it, in dB: a level that leaves what is around it (`level`);
    attacks of one song that are heard in part, while the other has none (`attack`); a change of sound
    faster than the songs' own and hidden by no attack (`cut`); two songs that sound together and do not
    agree (`clash`); and a middle away from B's start (`away`).
    """
    fades = _candidates(shift_frames, limits, rate_hz, halves_s)
    if not len(fades.middle):
        return _even_fade(shift_frames, limits)
    costs = _costs(a, b, shift_frames, match_db, fades, rate_hz)
    best = int(costs.sum(axis=1).argmin())
    named = zip(FadeTerms._fields, costs[best], strict=True)
    return Fade(
        middle_frames=int(fades.middle[best]),
        before_frames=int(fades.before[best]),
        after_frames=int(fades.after[best]),
        costs_db={name: round(float(cost), 3) for name, cost in named},
    )


def _even_fade(shift_frames: int, limits: Limits) -> Fade:
    """Return the longest even fade whose middle is as near to B's start as there is room for one."""
    there, gone = limits.heard(shift_frames)
    first, stop = max(limits.earliest, there), min(shift_frames + limits.after_start_frames, gone)
    half = max(0, min(limits.longest_frames, stop - first) // 2)
    middle = min(max(shift_frames, first + half), max(stop - half, first))
    return Fade(middle_frames=middle, before_frames=half, after_frames=half, costs_db={})


def _candidates(shift_frames: int, limits: Limits, rate_hz: int, halves_s: Sequence[float]) -> _Fades:
    """Return the fades there is room for, in frames; the middle against A's cut."""
    halves = np.array([round(half_s * rate_hz) for half_s in halves_s], dtype=np.int64)
    step = PLACE_STEP_HOPS * SURROUNDINGS_HOP_FRAMES
    steps = round(PLACES_S * rate_hz) // step
    places = shift_frames + step * np.arange(-steps, steps + 1, dtype=np.int64)
    middle, before, after = (grid.ravel() for grid in np.meshgrid(places, halves, halves, indexing="ij"))
    fits = (before + after <= limits.longest_frames) & (np.minimum(before, after) > 0)
    fits &= np.maximum(before, after) <= WORST_RATIO * np.minimum(before, after)
    there, gone = limits.heard(shift_frames)
    middle = np.minimum(np.maximum(middle, there + before), gone - after)
    fits &= (middle - before >= there) & (middle - before >= limits.earliest)
    fits &= middle + after <= shift_frames + limits.after_start_frames
    return _Fades(middle=middle[fits], before=before[fits], after=after[fits])


def _costs(a: Seam, b: Seam, shift_frames: int, match_db: float, fades: _Fades, rate_hz: int) -> DoubleArray:
    """Return `(n, len(FadeTerms._fields))` costs in dB."""
    hops = len(a.onset)
    # Hop t is the same time in all of these; where B reaches no further, its last is repeated.
    of_b = np.clip(np.arange(hops) - round(shift_frames / SURROUNDINGS_HOP_FRAMES), 0, hops - 1)
    bands_b = b.bands_db[of_b] + np.float32(match_db)
    width = np.ones(5) / 5
    difference_db = np.convolve(np.abs(a.bands_db - bands_b).mean(axis=1), width, "same")
    power_a, power_b = a.power, b.power[of_b] * 10.0 ** (match_db / 10.0)
    window = round(LEVEL_WINDOW_S * rate_hz / SURROUNDINGS_HOP_FRAMES)
    middle = hops // 2
    start = int(np.clip(middle + round(shift_frames / SURROUNDINGS_HOP_FRAMES), 0, hops - 1))
    levels_db = (
        loudness_lufs(power_a[max(0, middle - window) : middle]),
        loudness_lufs(power_b[start : start + window]),
    )
    attacks_a, attacks_b = _attacks(a), _attacks(b)[of_b]
    # An attack that the other song has too, at most a hop away, is heard as one.
    alone = np.maximum(0.0, attacks_a - _spread(attacks_b, 1, 1, 1.0))
    alone += np.maximum(0.0, attacks_b - _spread(attacks_a, 1, 1, 1.0))
    # B's own attacks are to be heard; those before its start are not its own.
    first = np.where(np.arange(hops) >= start, attacks_b, 0.0)
    hidden_a = _spread(attacks_a, MASK_BEFORE_HOPS, MASK_AFTER_HOPS, 0.85)
    hidden_b = _spread(attacks_b, MASK_BEFORE_HOPS, MASK_AFTER_HOPS, 0.85)
    harmony_a, harmony_b = a.chroma.sum(axis=0), b.chroma.sum(axis=0)
    lengths = float(np.sqrt((harmony_a @ harmony_a) * (harmony_b @ harmony_b)))
    disagreement = 1.0 - float(harmony_a @ harmony_b) / lengths if lengths > 0 else 0.0
    clash = (CLASH_DB_PER_S * disagreement + DIFFERENCE_PER_S * difference_db) * (
        SURROUNDINGS_HOP_FRAMES / rate_hz
    )
    change_db = np.maximum(difference_db, LEAST_DIFFERENCE_DB) + HARMONY_DIFFERENCE_DB * disagreement
    costs = _judge(
        _Fades(
            middle=fades.middle / SURROUNDINGS_HOP_FRAMES + middle,
            before=fades.before / SURROUNDINGS_HOP_FRAMES,
            after=fades.after / SURROUNDINGS_HOP_FRAMES,
        ),
        _Hops(
            power_a=power_a,
            power_b=power_b,
            change_db=change_db,
            alone=alone,
            wanted=first,
            hidden_a=hidden_a,
            hidden_b=hidden_b,
            clash=clash,
        ),
        start,
        0.5 * (levels_db[0] + levels_db[1]),
        LEAST_LEVEL_S * rate_hz / SURROUNDINGS_HOP_FRAMES,
        LEAST_FREE_DB + FREE_SHARE * 0.5 * float(a.onset.mean() + b.onset.mean()),
    )
    costs[:, _AT.away] = AWAY_DB_PER_S * np.abs(fades.middle - shift_frames) / rate_hz
    return costs


def _attacks(seam: Seam) -> DoubleArray:
    """Return how much each hop rises beyond what the song always does."""
    onset = seam.onset.astype(np.float64)
    attacks: DoubleArray = np.maximum(0.0, onset - 1.5 * onset.mean() - 0.5)
    return attacks


def _spread(values: DoubleArray, before: int, after: int, decay: float) -> DoubleArray:
    """Return the largest of each value and those up to `after` hops ago, decayed, or `before` hops ahead."""
    result = values.copy()
    for ago in range(1, after + 1):
        result[ago:] = np.maximum(result[ago:], values[:-ago] * decay**ago)
    for ahead in range(1, before + 1):
        result[:-ahead] = np.maximum(result[:-ahead], values[ahead:])
    return result


@kernel
def _judge(
    fades: _Fades,
    hops: _Hops,
    start: int,
    level_db: float,
    least_level_hops: float,
    free_db: float,
) -> DoubleArray:
    """Return `(n, len(FadeTerms._fields))` costs of fades given in hops, all but `away`.

    start: hop at which B starts. free_db: change of a hop that costs nothing.
    """
    count, last = len(fades.middle), len(hops.power_a) - 1
    costs = np.zeros((count, len(_AT)))
    quarter = np.pi / 4.0
    for row in range(count):
        middle, before, after = fades.middle[row], fades.before[row], fades.after[row]
        widen = max(0.0, 0.5 * (least_level_hops - before - after))
        first, stop = int(np.floor(middle - before - widen)), int(np.ceil(middle + after + widen))
        energy, hops_heard = 0.0, 0
        incoming_before = 0.0
        for hop in range(min(first, start), stop + 1):
            here = min(max(hop, 0), last)
            along = hop - middle
            angle = quarter + quarter * (along / before if along < 0.0 else along / after)
            angle = min(max(angle, 0.0), 2.0 * quarter)
            incoming = np.sin(angle) ** 2
            outgoing = 1.0 - incoming
            heard = 4.0 * incoming * outgoing * hops.alone[here] + outgoing * hops.wanted[here]
            costs[row, _AT.attack] += heard
            if hop >= first:
                energy += outgoing * hops.power_a[here] + incoming * hops.power_b[here]
                hops_heard += 1
            hides = max(outgoing * hops.hidden_a[here], incoming * hops.hidden_b[here])
            changed = hops.change_db[here] * (incoming - incoming_before)
            costs[row, _AT.cut] += max(0.0, changed - free_db - hides)
            costs[row, _AT.clash] += 4.0 * incoming * outgoing * hops.clash[here]
            incoming_before = incoming
        found_db = 10.0 * np.log10(energy / hops_heard + 1e-12) + LOUDNESS_OFFSET_DB
        costs[row, _AT.level] = LEVEL_WEIGHT * abs(found_db - level_db)
        costs[row, _AT.attack] *= ATTACK_WEIGHT
    return costs
