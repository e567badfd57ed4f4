"""These worths, in log-odds, are what judging a door and the estimate of many doors agree on.

What kinds, lengths and unsure beats count follows what a detector hears of each (docs/joins-tried.md):
a tempo blend least, a fade of some seconds far more than one of twelve.
"""

BAR_WORTHS = {16: 0.0, 8: -0.1, 4: -0.3}
"""Bars of a tempo blend, the most first, and what so many are worth."""
PLAIN_WORTH, QUICK_WORTH, SHORT_WORTH = -1.8, -3.2, -3.4
"""What other kinds of joins are worth: a plain fade of `LONG_FADE_S`, a shorter one by as much less."""
LONG_FADE_S = 12.0
OF_UNMATCHED_BEATS = 0.5
"""Two clear beats that sound together and do not meet cost this."""
FREE_STRETCH, OF_STRETCH = 0.015, 12.0
"""A change of tempo beyond the first, as a share, costs the second times as much."""
WELL_KNOWN_BEAT, OF_UNSURE_BEAT, OF_UNSURE_BARS = 0.8, 1.2, 0.5
"""A beat of less confidence costs so much for what it lacks; downbeats that may not be some cost the last."""
OF_KEYS = 0.5
"""Keys that do not go together cost this where both are sure."""
NEARLY_OVER = 2.0
"""A song that ends where it is entered costs this."""


def fade_worth(overlap_s: float) -> float:
    """Return what a plain fade of some seconds is worth."""
    return SHORT_WORTH + (PLAIN_WORTH - SHORT_WORTH) * min(1.0, overlap_s / LONG_FADE_S)
