"""These worths, in log-odds, are what judging a door and the estimate of many doors agree on."""

BAR_WORTHS = {16: 0.0, 8: -0.25, 4: -0.6}
"""Bars of a tempo blend, the most first, and what so many are worth."""
PLAIN_WORTH, QUICK_WORTH, SHORT_WORTH = -1.0, -1.5, -2.0
"""What other kinds of joins are worth."""
FREE_STRETCH, OF_STRETCH = 0.015, 12.0
"""A change of tempo beyond the first, as a share, costs the second times as much."""
WELL_KNOWN_BEAT, OF_UNSURE_BARS = 0.8, 0.4
"""A beat of less confidence costs what it lacks; downbeats that may not be some cost this."""
OF_KEYS = 0.5
"""Keys that do not go together cost this where both are sure."""
NEARLY_OVER = 2.0
"""A song that ends where it is entered costs this."""
