"""The limits of an announcement say how large and how long it may be, and how many may wait."""

MOST_ANNOUNCEMENT_BYTES = 20_000_000
LEAST_ANNOUNCEMENT_S = 0.2
"""For less no music is faded out."""
MOST_ANNOUNCEMENT_S = 120.0
MOST_ANNOUNCEMENTS = 4
"""So many may wait."""
