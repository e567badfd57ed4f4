"""A beat match pairs the beats of two songs, downbeat on downbeat, as far as one can follow the other."""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import DoubleArray
from stream.doors.settings import DoorSettings
from stream.doors.side import DoorSide, SureBeats

_SLACK = 0.01
"""A bar may ask for this much more than songs are stretched as a whole."""
_UNKNOWN_BARS_BEATS = 4
FEW_BARS = 4
"""Where bars are not known, or tempi differ by much, songs sound together for no more than these."""
MIDDLING_BARS = 8
NEAR_TEMPO, FAR_TEMPO = 0.03, 0.05
"""Up to the first difference of tempo as long as is wanted, up to the second for `MIDDLING_BARS`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BeatMatch:
    """Beats of A and B that fall on each other, `(n,)` each, in seconds of their songs."""

    a_s: DoubleArray
    b_s: DoubleArray
    bar_beats: int
    """Of these beats make a bar of B."""
    bars_known: bool

    @property
    def bars(self) -> int:
        """Whole bars of B from the first beat to the last."""
        return (len(self.b_s) - 1) // self.bar_beats

    @property
    def tempo_factor(self) -> float:
        """A is to be played so many times as fast."""
        return float((self.a_s[-1] - self.a_s[0]) / (self.b_s[-1] - self.b_s[0]))

    def first_bars(self, bars: int) -> "BeatMatch":
        """Return its first bars, and the downbeat after them."""
        beats = bars * self.bar_beats + 1
        return BeatMatch(
            a_s=self.a_s[:beats],
            b_s=self.b_s[:beats],
            bar_beats=self.bar_beats,
            bars_known=self.bars_known,
        )


def match_beats(a: DoorSide, b: DoorSide, settings: DoorSettings) -> BeatMatch | str:
    """Return the beats of A from its end on and of B from its start on, or why they cannot meet, in words.

    A's first is the downbeat nearest to where it sounds as B's first does when B enters at A's end.
    """
    of_b = b.start_beats
    if len(of_b.times_s) < 2:
        return "the beat of the next song is not sure"
    of_a = a.end_beats.from_bar(a.end_s + float(of_b.times_s[0]) - b.start_s)
    if len(of_a.times_s) < 2:
        return "the beat of the song that is left is not sure"
    bars_known = min(of_a.beats_per_bar, of_b.beats_per_bar) > 0
    if bars_known and of_a.beats_per_bar != of_b.beats_per_bar:
        return f"{of_a.beats_per_bar} beats a bar do not go into {of_b.beats_per_bar}"
    ratio = of_a.period_s / of_b.period_s
    every_a, every_b = (1, 2) if ratio > 1.5 else (2, 1) if ratio < 0.67 else (1, 1)
    factor = ratio * every_a / every_b
    if abs(factor - 1.0) > settings.stretch:
        return (
            f"the tempi differ by {100.0 * abs(factor - 1.0):.0f} %, more than {100.0 * settings.stretch:.0f}"
        )
    metre = max(of_a.beats_per_bar, of_b.beats_per_bar) or _UNKNOWN_BARS_BEATS
    # Of beats that are left out, a bar of B has as many less; an odd metre then takes two bars.
    bar_beats = metre if every_b == 1 or metre % 2 else metre // every_b
    if bar_beats < 2:
        bar_beats = metre
    match = _paired(of_a, of_b, every_a, every_b, bar_beats, bars_known)
    bars = _steady_bars(match, settings.stretch)
    if bars < 1:
        return "no bar of one is as long as one of the other"
    return match.first_bars(bars)


def most_bars(match: BeatMatch, settings: DoorSettings) -> int:
    """Return how many bars two songs may sound together at most, by how far one is bent to the other."""
    apart = abs(match.tempo_factor - 1.0)
    most = settings.blend_bars
    if not match.bars_known or apart > FAR_TEMPO:
        most = min(most, FEW_BARS)
    elif apart > NEAR_TEMPO:
        most = min(most, MIDDLING_BARS)
    return min(most, match.bars)


def _paired(
    a: SureBeats, b: SureBeats, every_a: int, every_b: int, bar_beats: int, bars_known: bool
) -> BeatMatch:
    a_s, b_s = a.times_s[::every_a], b.times_s[::every_b]
    count = min(len(a_s), len(b_s))
    return BeatMatch(a_s=a_s[:count], b_s=b_s[:count], bar_beats=bar_beats, bars_known=bars_known)


def _steady_bars(match: BeatMatch, stretch: float) -> int:
    """Return how many bars from the first on one can follow the other."""
    if match.bars < 1:
        return 0
    downbeats = slice(0, match.bars * match.bar_beats + 1, match.bar_beats)
    a_s, b_s = match.a_s[downbeats], match.b_s[downbeats]
    ratios = (a_s[1:] - a_s[:-1]) / (b_s[1:] - b_s[:-1])
    unsteady = np.flatnonzero(np.abs(ratios - 1.0) > stretch + _SLACK)
    return int(unsteady[0]) if len(unsteady) else match.bars
