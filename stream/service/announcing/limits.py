"""The limits of an announcement say how large and how long it may be, and how many may wait."""

MOST_ANNOUNCEMENT_BYTES = 20_000_000
MOST_ANNOUNCEMENT_S = 120.0
MOST_ANNOUNCEMENTS = 4
"""So many may wait."""
