"""The limits of a wish say how far away what a listener asks for may be."""

MOST_SLEEP_S = 7 * 24 * 3600.0
